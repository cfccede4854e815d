//! How many requests an upstream gets at a time, where that is found out and not written down.
//!
//! [`Concurrency`] counts those under way against a limit, for all workers; it is asked for each request. [`Control`] moves the
//! limit; it is asked a few times a second, about what workers have [`Observed`] since.

mod control;

use sluice_model::Priority;

use crate::atomic::{AtomicU64, Ordering};

pub use control::{ConcurrencySettings, Control, Observed};

/// Requests under way and their limit, in one word on cache lines of its own, as every worker writes to it.
#[derive(Debug)]
#[repr(align(128))]
pub struct Concurrency {
    /// The limit in the high half, the requests under way in the low one.
    word: AtomicU64,
}

impl Concurrency {
    /// None under way, and so many allowed.
    pub fn new(limit: u32) -> Self {
        Self {
            word: AtomicU64::new(u64::from(limit) << 32),
        }
    }

    /// Begins a request, where its priority has a place left: the number of those under way then. To be given back by
    /// [`Self::leave`].
    ///
    /// Looked at and taken in one step: whoever is refused was so because of requests that are under way.
    pub fn try_enter(&self, priority: Priority) -> Option<u32> {
        let (order, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        let more = |word: u64| (under_way(word) < share(limit(word), priority)).then_some(word + 1);
        let before = self.word.fetch_update(order, failure, more).ok()?;
        Some(under_way(before) + 1)
    }

    /// A request that was begun has ended.
    pub fn leave(&self) {
        // In one order with whatever the caller looks at next: whether somebody waits for the place.
        let before = self.word.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(under_way(before) > 0, "more left than entered");
    }

    /// Whether a request of that priority could begin now. Another one may be faster.
    pub fn has_place(&self, priority: Priority) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        under_way(word) < share(limit(word), priority)
    }

    /// Sets the limit. What is under way stays so.
    pub fn set_limit(&self, limit: u32) {
        let with_limit = |word: u64| Some(u64::from(limit) << 32 | u64::from(under_way(word)));
        let (order, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        // What always says something never fails.
        let _ = self.word.fetch_update(order, failure, with_limit);
    }

    /// The limit.
    pub fn limit(&self) -> u32 {
        limit(self.word.load(Ordering::Relaxed))
    }

    /// Requests under way.
    pub fn under_way(&self) -> u32 {
        under_way(self.word.load(Ordering::Relaxed))
    }
}

/// How many places of the limit those of a priority may fill: 80 % for low ones, 90 %, 95 %, and all for critical ones, rounded
/// down; one at least.
fn share(limit: u32, priority: Priority) -> u32 {
    let percent = match priority {
        Priority::Low => 80,
        Priority::Normal => 90,
        Priority::High => 95,
        Priority::Critical => 100,
    };
    let places = u64::from(limit) * percent / 100;
    u32::try_from(places).unwrap_or(u32::MAX).max(1)
}

fn limit(word: u64) -> u32 {
    u32::try_from(word >> 32).unwrap_or(u32::MAX)
}

fn under_way(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
