//! Counts of windows in one word: which window it is, and how many there were in it and in the one before.
//!
//! Windows begin at multiples of their length, for all keys alike. One that slides is the usual estimate: what the last one
//! held counts by the share of it that is not yet further away than a window is long.

use std::time::Duration;

use sluice_model::Moment;

use crate::meter::Standing;
use crate::quota::Quota;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// In nanoseconds.
    length: u64,
    most: u64,
    slides: bool,
}

/// A word, read at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    index: u64,
    before: u64,
    here: u64,
    /// Nanoseconds of this window that have passed.
    passed: u64,
}

impl Window {
    pub(crate) fn new(quota: &Quota, slides: bool) -> Self {
        let length = u64::try_from(quota.rate().per().as_nanos());
        Self {
            length: length.unwrap_or(u64::MAX).max(1),
            most: u64::from(quota.rate().count()),
            slides,
        }
    }

    pub(crate) fn take(&self, word: u64, now: Moment) -> Option<u64> {
        let mut counts = self.read(word, now);
        counts.here += 1;
        (self.used(&counts) <= self.all()).then(|| counts.word())
    }

    pub(crate) fn give_back(&self, word: u64, taken: Moment) -> u64 {
        let window = (taken.as_nanos() / self.length) & INDEX;
        let mut counts = Counts::of(word);
        if counts.index == window {
            counts.here = counts.here.saturating_sub(1);
        } else if counts.index == (window + 1) & INDEX {
            counts.before = counts.before.saturating_sub(1);
        }
        counts.word()
    }

    pub(crate) fn standing(&self, word: u64, now: Moment) -> Standing {
        let counts = self.read(word, now);
        let left = self.all().saturating_sub(self.used(&counts));
        let remaining = left / u128::from(self.length);
        Standing {
            remaining: u64::try_from(remaining).unwrap_or(u64::MAX),
            reset: Duration::from_nanos(self.length - counts.passed),
            retry_after: Duration::from_nanos(self.until_one_more(&counts)),
        }
    }

    pub(crate) fn debt(&self, word: u64, now: Moment) -> u64 {
        let used = self.used(&self.read(word, now));
        // In thousandths of one: what is left of the window before is forgotten last.
        let thousandths = used.saturating_mul(1_000).div_ceil(u128::from(self.length));
        u64::try_from(thousandths).unwrap_or(u64::MAX)
    }

    /// Until one more is allowed, if nobody takes any.
    fn until_one_more(&self, counts: &Counts) -> u64 {
        let mut next = *counts;
        next.here += 1;
        if self.used(&next) <= self.all() {
            return 0;
        }
        let left = self.length - counts.passed;
        if !self.slides {
            return left;
        }
        // So much of the window before may still count when there is room for one.
        let reaches = |before: u64, room: u64| {
            let reach = u128::from(self.length) * u128::from(room) / u128::from(before.max(1));
            u64::try_from(reach).unwrap_or(u64::MAX).min(self.length)
        };
        match self.most.checked_sub(counts.here + 1) {
            Some(room) => left.saturating_sub(reaches(counts.before, room)),
            None => left + self.length - reaches(counts.here, self.most - 1),
        }
    }

    /// Requests times nanoseconds, so that nothing is rounded.
    fn used(&self, counts: &Counts) -> u128 {
        let length = u128::from(self.length);
        let before = if self.slides {
            u128::from(counts.before) * (length - u128::from(counts.passed))
        } else {
            0
        };
        u128::from(counts.here) * length + before
    }

    fn all(&self) -> u128 {
        u128::from(self.most) * u128::from(self.length)
    }

    /// What it says at `now`. Whoever looked at the clock a moment before others finds a word of a window that has not begun: it
    /// has, then.
    fn read(&self, word: u64, now: Moment) -> Counts {
        let counts = Counts::of(word);
        let index = (now.as_nanos() / self.length) & INDEX;
        let later = index.wrapping_sub(counts.index) & INDEX;
        if later > INDEX / 2 && word != 0 {
            return counts;
        }
        let (before, here) = match later {
            0 => (counts.before, counts.here),
            1 => (counts.here, 0),
            _ => (0, 0),
        };
        Counts {
            index,
            before,
            here,
            passed: now.as_nanos() % self.length,
        }
    }
}

impl Counts {
    fn of(word: u64) -> Self {
        Self {
            index: word >> INDEX_AT & INDEX,
            before: word >> BEFORE_AT & COUNT,
            here: word & COUNT,
            passed: 0,
        }
    }

    fn word(&self) -> u64 {
        self.index << INDEX_AT | self.before.min(COUNT) << BEFORE_AT | self.here.min(COUNT)
    }
}

const COUNT: u64 = (1 << BEFORE_AT) - 1;
const BEFORE_AT: u32 = 22;
const INDEX_AT: u32 = 44;
/// A key that comes back after a multiple of so many windows, to the window, is held for one that was here just now: twelve days
/// with windows of a second.
const INDEX: u64 = (1 << 20) - 1;
