//! How many requests an upstream gets at a time, where that is found out and not written down.
//!
//! [`Concurrency`] counts those under way against a limit, for all workers; it is asked for each request. [`Control`] moves the
//! limit; it is asked a few times a second, about what workers have [`Observed`] since.

mod control;

use sluice_model::Priority;

use crate::atomic::{AtomicU64, Ordering};

pub use control::{ConcurrencySettings, Control, Observed};

/// How many requests an upstream gets at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Of all but critical ones, by the share of their priority.
    pub limit: u32,
    /// Of critical ones: no less. They do not pay for it when the limit is lowered to find something out, or falls all at once.
    pub ceiling: u32,
}

/// Requests under way and their limit, in one word on cache lines of its own, as every worker writes to it.
#[derive(Debug)]
#[repr(align(128))]
pub struct Concurrency {
    /// From the highest bits on: the ceiling (20), the limit (20), and the requests under way (24), which are no more.
    word: AtomicU64,
}

impl Concurrency {
    /// None under way, and so many allowed.
    pub fn new(limit: Limit) -> Self {
        Self {
            word: AtomicU64::new(word_of(limit)),
        }
    }

    /// Begins a request, where its priority has a place left: the number of those under way then. To be given back by
    /// [`Self::leave`].
    ///
    /// Looked at and taken in one step: whoever is refused was so because of requests that are under way.
    pub fn try_enter(&self, priority: Priority) -> Option<u32> {
        let (order, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        let more = |word: u64| (under_way(word) < places(word, priority)).then_some(word + 1);
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
        under_way(word) < places(word, priority)
    }

    /// Sets the limit. What is under way stays so.
    pub fn set_limit(&self, limit: Limit) {
        let with_limit = |word: u64| Some(word_of(limit) | u64::from(under_way(word)));
        let (order, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        // What always says something never fails.
        let _ = self.word.fetch_update(order, failure, with_limit);
    }

    /// The limit.
    pub fn limit(&self) -> Limit {
        limit(self.word.load(Ordering::Relaxed))
    }

    /// Requests under way.
    pub fn under_way(&self) -> u32 {
        under_way(self.word.load(Ordering::Relaxed))
    }
}

/// How many places those of a priority may fill: 80 % of the limit for low ones, 90 %, 95 %, rounded down, and the ceiling for
/// critical ones; one at least.
fn places(word: u64, priority: Priority) -> u32 {
    let Limit { limit, ceiling } = limit(word);
    let places = match priority {
        Priority::Low => percent(limit, 80),
        Priority::Normal => percent(limit, 90),
        Priority::High => percent(limit, 95),
        Priority::Critical => ceiling,
    };
    places.max(1)
}

/// Of less than 2^20.
fn percent(limit: u32, share: u32) -> u32 {
    limit * share / 100
}

fn word_of(limit: Limit) -> u64 {
    let ceiling = u64::from(limit.ceiling.max(limit.limit).min(MOST));
    let limit = u64::from(limit.limit.min(MOST));
    ceiling << CEILING_AT | limit << LIMIT_AT
}

fn limit(word: u64) -> Limit {
    Limit {
        limit: bits(word, LIMIT_AT, MOST),
        ceiling: bits(word, CEILING_AT, MOST),
    }
}

fn under_way(word: u64) -> u32 {
    bits(word, 0, (1 << LIMIT_AT) - 1)
}

fn bits(word: u64, at: u32, mask: u32) -> u32 {
    u32::try_from(word >> at & u64::from(mask)).unwrap_or(mask)
}

const LIMIT_AT: u32 = 24;
const CEILING_AT: u32 = 44;
/// As a limit is stored.
const MOST: u32 = (1 << 20) - 1;

#[cfg(test)]
mod tests;
