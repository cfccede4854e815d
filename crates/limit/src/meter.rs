//! What the word of a key means, by the algorithm of its quota.

use std::time::Duration;

use sluice_model::Moment;

use crate::bucket::Bucket;
use crate::quota::{Algorithm, Quota};
use crate::window::Window;

/// How a key stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many more it may have now.
    pub remaining: u64,
    /// When it may have all again, or when the window ends.
    pub reset: Duration,
    /// When it may have one; zero where that is now.
    pub retry_after: Duration,
}

/// Turns words: 0 is that of a key of which nothing is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meter {
    Bucket(Bucket),
    Window(Window),
}

impl Meter {
    pub(crate) fn new(quota: &Quota) -> Self {
        match quota.algorithm() {
            Algorithm::TokenBucket => Self::Bucket(Bucket::new(quota)),
            Algorithm::SlidingWindow => Self::Window(Window::new(quota, true)),
            Algorithm::FixedWindow => Self::Window(Window::new(quota, false)),
        }
    }

    /// The word with one more taken, and how long that one has to wait, which is at most `patience`; `None` where that is not
    /// allowed.
    pub(crate) fn take(
        &self,
        word: u64,
        now: Moment,
        patience: Duration,
    ) -> Option<(u64, Duration)> {
        match self {
            Self::Bucket(bucket) => bucket.take(word, now, patience),
            Self::Window(window) => Some((window.take(word, now)?, Duration::ZERO)),
        }
    }

    /// The word without one that was taken at `taken`.
    pub(crate) fn give_back(&self, word: u64, taken: Moment) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.give_back(word),
            Self::Window(window) => window.give_back(word, taken),
        }
    }

    pub(crate) fn standing(&self, word: u64, now: Moment) -> Standing {
        match self {
            Self::Bucket(bucket) => bucket.standing(word, now),
            Self::Window(window) => window.standing(word, now),
        }
    }

    /// How much is lost where the word is forgotten; of words of one meter comparable. 0 where nothing is.
    pub(crate) fn debt(&self, word: u64, now: Moment) -> u64 {
        match self {
            Self::Bucket(_) => Bucket::debt(word, now),
            Self::Window(window) => window.debt(word, now),
        }
    }
}
