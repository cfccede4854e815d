//! The last outcomes of requests to a server: counts in ten slices of the window, each one atomic word.
//!
//! A slice is used again when its time has come round, and its word says for which time it counts. Writers do not wait for
//! each other.

use std::time::Duration;

use sluice_model::Moment;

use crate::atomic::{AtomicU64, Ordering};

/// Outcomes by time.
#[derive(Debug, Default)]
pub(super) struct Window {
    slices: [AtomicU64; SLICES],
}

/// Outcomes in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// So many requests in a window are remembered for sure: a slice that is full is halved, which keeps its rates.
pub(super) const REMEMBERED: u32 = 8_000;

impl Window {
    /// Counts a request.
    pub(super) fn add(&self, now: Moment, window: Duration, is_failed: bool, is_slow: bool) {
        let number = number(now, window);
        let Some(word) = self.slices.get(place(number)) else {
            return;
        };
        let mut bits = word.load(Ordering::Relaxed);
        loop {
            let counts = match Slice(bits) {
                slice if slice.number() == number & NUMBER_MASK => slice.counts().with_room(),
                _ => Counts::default(),
            };
            let counts = Counts {
                requests: counts.requests + 1,
                failures: counts.failures + u64::from(is_failed),
                slow: counts.slow + u64::from(is_slow),
            };
            let next = Slice::new(number, counts).0;
            let (order, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match word.compare_exchange_weak(bits, next, order, failure) {
                Ok(_) => return,
                Err(other) => bits = other,
            }
        }
    }

    /// What the window up to now holds.
    pub(super) fn counts(&self, now: Moment, window: Duration) -> Counts {
        // A writer may have looked at its clock a little after the reader did: the next slice counts too.
        let newest = number(now, window).wrapping_add(1);
        let mut sum = Counts::default();
        for word in &self.slices {
            let slice = Slice(word.load(Ordering::Relaxed));
            let age = newest.wrapping_sub(slice.number()) & NUMBER_MASK;
            if age <= SLICES as u64 {
                let counts = slice.counts();
                sum.requests += counts.requests;
                sum.failures += counts.failures;
                sum.slow += counts.slow;
            }
        }
        sum
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for slice in &self.slices {
            slice.store(0, Ordering::Relaxed);
        }
    }
}

impl Counts {
    /// What is full is halved.
    fn with_room(self) -> Self {
        if self.requests < COUNT_MAX {
            return self;
        }
        Self {
            requests: self.requests / 2,
            failures: self.failures / 2,
            slow: self.slow / 2,
        }
    }
}

/// The number of a slice's time, and its counts, in one word.
#[derive(Clone, Copy)]
struct Slice(u64);

impl Slice {
    fn new(number: u64, counts: Counts) -> Self {
        let mut bits = number & NUMBER_MASK;
        for count in [counts.requests, counts.failures, counts.slow] {
            bits = bits << COUNT_BITS | count.min(COUNT_MAX);
        }
        Self(bits)
    }

    fn number(self) -> u64 {
        self.0 >> (3 * COUNT_BITS)
    }

    fn counts(self) -> Counts {
        Counts {
            requests: self.0 >> (2 * COUNT_BITS) & COUNT_MAX,
            failures: self.0 >> COUNT_BITS & COUNT_MAX,
            slow: self.0 & COUNT_MAX,
        }
    }
}

/// The number of the slice that counts now.
fn number(now: Moment, window: Duration) -> u64 {
    let length = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX) / SLICES as u64;
    now.as_nanos() / length.max(1)
}

fn place(number: u64) -> usize {
    usize::try_from(number % SLICES as u64).unwrap_or_default()
}

const SLICES: usize = 10;
/// 16,383 requests in a slice.
const COUNT_BITS: u32 = 14;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
/// With slices of a second, a number comes again after 48 days: a slice would have to be left alone for exactly that long to
/// be taken for a new one.
const NUMBER_MASK: u64 = (1 << (64 - 3 * COUNT_BITS)) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn at(seconds: f64) -> Moment {
        Moment::default() + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let window = Window::default();
        window.add(at(100.5), WINDOW, true, false);
        window.add(at(100.9), WINDOW, false, true);
        window.add(at(105.0), WINDOW, false, false);
        for (seconds, requests) in [(105.0, 3), (109.9, 3), (110.0, 1), (114.9, 1), (115.0, 0)] {
            let counts = window.counts(at(seconds), WINDOW);
            assert_eq!(counts.requests, requests, "at {seconds}");
        }
        let counts = window.counts(at(109.9), WINDOW);
        assert_eq!((counts.failures, counts.slow), (1, 1));
        // The place of 100 s is that of 110 s.
        window.add(at(110.5), WINDOW, false, false);
        assert_eq!(window.counts(at(110.5), WINDOW).requests, 2);
        assert_eq!(window.counts(at(110.5), WINDOW).failures, 0);
    }

    #[test]
    fn a_reader_whose_clock_is_behind_sees_what_is_new() {
        let window = Window::default();
        window.add(at(100.0), WINDOW, false, false);
        assert_eq!(window.counts(at(99.99), WINDOW).requests, 1);
    }

    #[test]
    fn a_slice_that_is_full_keeps_its_rates() {
        let window = Window::default();
        for request in 0..100_000 {
            window.add(at(50.0), WINDOW, request % 4 == 0, request % 10 == 0);
        }
        let counts = window.counts(at(50.0), WINDOW);
        assert!((u64::from(REMEMBERED)..=COUNT_MAX).contains(&counts.requests));
        let share = |part: u64| part * 1_000 / counts.requests;
        assert!(share(counts.failures).abs_diff(250) <= 1, "{counts:?}");
        assert!(share(counts.slow).abs_diff(100) <= 1, "{counts:?}");
    }

    #[test]
    fn another_window_forgets_the_old_one() {
        let window = Window::default();
        for tenths in 0..200_u8 {
            window.add(at(1_000.0 + f64::from(tenths) / 10.0), WINDOW, true, false);
        }
        let longer = WINDOW * 6;
        for second in 0..59_u8 {
            window.add(at(1_020.0 + f64::from(second)), longer, false, false);
        }
        let counts = window.counts(at(1_078.0), longer);
        assert_eq!((counts.requests, counts.failures), (59, 0));
    }

    #[test]
    fn a_window_of_no_time_does_not_panic() {
        let window = Window::default();
        window.add(at(1.0), Duration::ZERO, true, true);
        assert_eq!(window.counts(at(1.0), Duration::ZERO).requests, 1);
    }
}
