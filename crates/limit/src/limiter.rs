//! A quota for each key.

use std::time::Duration;

use sluice_model::Moment;

use crate::meter::{Meter, Standing};
use crate::quota::Quota;
use crate::table::Table;

/// What each key has of a quota, for all threads. Takes a fixed memory: 16 bytes a key.
#[derive(Debug)]
pub struct Limiter {
    meter: Meter,
    table: Table,
}

/// Whether one more is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Now,
    /// When it has waited for so long.
    After(Duration),
    /// It is not.
    Refused,
}

/// What became of one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether it is allowed.
    pub verdict: Verdict,
    /// How the key stands now.
    pub standing: Standing,
    /// Whether another key was forgotten that had used some of its quota: the table is too small.
    pub forgot: bool,
}

impl Limiter {
    /// For about so many keys at a time: rounded up to a power of two.
    pub fn new(quota: &Quota, max_keys: usize) -> Self {
        Self {
            meter: Meter::new(quota),
            table: Table::new(max_keys),
        }
    }

    /// Takes one. Where there is none, it is taken all the same if it is there within `patience`, which is for buckets only.
    ///
    /// `key` is a hash that clients cannot foresee.
    pub fn take(&self, key: u64, now: Moment, patience: Duration) -> Taken {
        let take = |word| match self.meter.take(word, now, patience) {
            Some((next, wait)) => {
                let verdict = match wait {
                    Duration::ZERO => Verdict::Now,
                    wait => Verdict::After(wait),
                };
                (Some(next), (verdict, next))
            }
            None => (None, (Verdict::Refused, word)),
        };
        let changed = self
            .table
            .change(key, take, |word| self.meter.debt(word, now));
        let (verdict, word) = changed.result;
        Taken {
            verdict,
            standing: self.meter.standing(word, now),
            forgot: changed.forgot,
        }
    }

    /// How a key stands, of which nothing is taken.
    pub fn look(&self, key: u64, now: Moment) -> Standing {
        self.meter.standing(self.table.get(key), now)
    }

    /// Gives back what was taken at `taken`: it was not used after all.
    pub fn give_back(&self, key: u64, taken: Moment) {
        self.table
            .change_known(key, |word| self.meter.give_back(word, taken));
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
