//! What was leased of a quota that is counted elsewhere, for all processes together: a few at a time, so that not each request has to
//! ask; and who is known to have none for a while.

use std::time::Duration;

use sluice_model::Moment;

use crate::table::Table;

/// The leases of all keys, for all threads. Takes a fixed memory, as a [`Limiter`](crate::Limiter).
#[derive(Debug)]
pub struct Leases {
    table: Table,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// One was left, and is taken.
    Taken,
    /// None is left: it has to be asked.
    Ended,
    /// There is none before so long.
    Refused(Duration),
}

impl Leases {
    /// For about so many keys at a time.
    pub fn new(max_keys: usize) -> Self {
        Self {
            table: Table::new(max_keys),
        }
    }

    /// Takes one of those that were leased.
    pub fn take(&self, key: u64, now: Moment) -> Lease {
        let now = milliseconds(now);
        let mut known = self.table.get(key);
        let mut lease = read(known, now);
        if lease == Lease::Taken {
            // It is there to be changed, unless it is forgotten at this moment.
            lease = Lease::Ended;
            self.table.change_known(key, |word| {
                known = word;
                lease = read(word, now);
                word - u64::from(lease == Lease::Taken)
            });
        }
        lease
    }

    /// So many more were leased, to be used within `lasts`.
    pub fn add(&self, key: u64, count: u32, now: Moment, lasts: Duration) {
        let (until, now) = (milliseconds(now + lasts), milliseconds(now));
        self.set(key, |word| {
            let left = if is_over(word, now) { 0 } else { word & COUNT };
            until << UNTIL_AT | (left + u64::from(count)).min(COUNT)
        });
    }

    /// Gives back one that was taken and not used, to be used as long as the lease lasts.
    pub fn give_back(&self, key: u64, now: Moment) {
        let now = milliseconds(now);
        self.table.change_known(key, |word| {
            let holds = !is_over(word, now) && word & REFUSED == 0;
            word + u64::from(holds && word & COUNT < COUNT)
        });
    }

    /// There is none before `wait` has passed. What another request has leased in the meantime is used up first.
    pub fn refuse(&self, key: u64, now: Moment, wait: Duration) {
        let (until, now) = (milliseconds(now + wait), milliseconds(now));
        self.set(key, |word| match read(word, now) {
            Lease::Taken => word,
            Lease::Ended | Lease::Refused(_) => until << UNTIL_AT | REFUSED,
        });
    }

    fn set(&self, key: u64, next: impl Fn(u64) -> u64) {
        // Who has leased most loses most.
        self.table
            .change(key, |word| (Some(next(word)), ()), |word| word & COUNT);
    }
}

fn read(word: u64, now: u64) -> Lease {
    match word & COUNT {
        _ if is_over(word, now) => Lease::Ended,
        _ if word & REFUSED != 0 => Lease::Refused(Duration::from_millis((word >> UNTIL_AT) - now)),
        0 => Lease::Ended,
        _ => Lease::Taken,
    }
}

fn is_over(word: u64, now: u64) -> bool {
    word >> UNTIL_AT <= now
}

fn milliseconds(moment: Moment) -> u64 {
    moment.as_nanos() / 1_000_000
}

/// A word: until when it holds, in milliseconds, whether there is none, and how many are left.
const UNTIL_AT: u32 = 20;
const REFUSED: u64 = 1 << 19;
const COUNT: u64 = REFUSED - 1;

#[cfg(all(test, not(loom)))]
mod tests;
