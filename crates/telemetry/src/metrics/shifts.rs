//! What the control plane does to splits: the shares of their sides, and what came of shifts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::catalogue;
use super::text::Exposition;
use crate::word::{Word, words};

words! {
    /// What came of a shift between the sides of a split.
    pub enum ShiftEnd {
        /// Its side has all requests.
        Completed = "completed",
        /// The side did badly, and the weights went back by themselves.
        WentBack = "went-back",
        /// It was stopped, or taken back, by hand.
        Stopped = "stopped",
        /// A reload changed the split.
        Reloaded = "reloaded",
    }
}

/// Splits as the control plane sees them. Any thread may write; no request does.
#[derive(Debug, Default)]
pub struct ShiftMetrics {
    shares: Mutex<BTreeMap<[String; 2], f64>>,
    ends: Mutex<BTreeMap<String, [u64; ShiftEnd::COUNT]>>,
}

impl ShiftMetrics {
    /// The share of each side, 0 to 1, by route and upstream. All others are forgotten, and so are shifts of other routes.
    pub fn set_shares(&self, shares: BTreeMap<[String; 2], f64>) {
        lock(&self.ends).retain(|route, _| shares.keys().any(|[known, _]| known == route));
        *lock(&self.shares) = shares;
    }

    /// A shift of a route has come to its end.
    pub fn ended(&self, route: &str, end: ShiftEnd) {
        let mut ends = lock(&self.ends);
        let counts = ends.entry(route.to_owned()).or_default();
        if let Some(count) = counts.get_mut(end.position()) {
            *count += 1;
        }
    }

    pub(super) fn render(&self, text: &mut Exposition<'_>) {
        let mut samples = text.family(&catalogue::SPLIT_SHARE);
        for ([route, upstream], share) in lock(&self.shares).iter() {
            samples.sample(&[route, upstream], *share);
        }
        let mut samples = text.family(&catalogue::SPLIT_SHIFTS);
        for (route, counts) in lock(&self.ends).iter() {
            for (end, count) in ShiftEnd::ALL.iter().zip(counts) {
                samples.sample(&[route, end.as_str()], *count);
            }
        }
    }
}

fn lock<T>(all: &Mutex<T>) -> MutexGuard<'_, T> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
