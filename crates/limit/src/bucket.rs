//! A bucket of tokens in one word: the time at which it is full again, in sixteenths of nanoseconds.
//!
//! Each token moves that time on by what it takes to come back, and no token is there when it is further away than an empty
//! bucket takes to fill. (The generic cell rate algorithm, ITU-T I.371, with the names of tokens.) There is no float, no rounding that adds up and
//! nothing to be done while nobody asks.

use std::time::Duration;

use sluice_model::Moment;

use crate::meter::Standing;
use crate::quota::Quota;

/// In sixteenths of nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Until a token has come back.
    of_one: u64,
    /// Until an empty bucket is full.
    of_all: u64,
}

impl Bucket {
    pub(crate) fn new(quota: &Quota) -> Self {
        let rate = quota.rate();
        let count = u128::from(rate.count());
        let of_one = (rate.per().as_nanos() * u128::from(PARTS) + count / 2) / count;
        let of_one = u64::try_from(of_one).unwrap_or(u64::MAX).max(1);
        Self {
            of_one,
            of_all: of_one.saturating_mul(u64::from(quota.burst())),
        }
    }

    pub(crate) fn take(
        &self,
        word: u64,
        now: Moment,
        patience: Duration,
    ) -> Option<(u64, Duration)> {
        let now = parts(now);
        let full_at = word.max(now).saturating_add(self.of_one);
        let missing = (full_at - now).saturating_sub(self.of_all);
        let wait = duration(missing);
        (wait <= patience).then_some((full_at, wait))
    }

    pub(crate) fn give_back(&self, word: u64) -> u64 {
        word.saturating_sub(self.of_one)
    }

    pub(crate) fn standing(&self, word: u64, now: Moment) -> Standing {
        let until_full = Self::debt(word, now);
        let left = self.of_all.saturating_sub(until_full);
        let missing = until_full.saturating_add(self.of_one);
        Standing {
            remaining: left / self.of_one,
            reset: duration(until_full),
            retry_after: duration(missing.saturating_sub(self.of_all)),
        }
    }

    pub(crate) fn debt(word: u64, now: Moment) -> u64 {
        word.saturating_sub(parts(now))
    }
}

fn parts(moment: Moment) -> u64 {
    moment.as_nanos().saturating_mul(PARTS)
}

/// Rounded up: whoever waits for so long does not come too early.
fn duration(parts: u64) -> Duration {
    Duration::from_nanos(parts.div_ceil(PARTS))
}

const PARTS: u64 = 16;
