//! What a worker counts of each side of a route's split.

use super::cell::{Counter, CounterBy};
use super::histogram::{Histogram, HistogramTotal};
use super::registry::Registry;
use super::shards::StatusClass;

/// A side's requests, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct SideMetrics {
    /// Requests that got an answer, by the class of its final status.
    pub requests: CounterBy<StatusClass, { StatusClass::COUNT }>,
    /// Requests that came to their end, with or without an answer, their clients having waited for it.
    pub ended: Counter,
    /// Those of them that the side has failed: answered with 5xx, not answered, answered in part, or answered by a `fallback`.
    pub failures: Counter,
    /// From the first byte of the request until the end of its answer.
    pub duration: Histogram,
}

/// What came of a side's requests so far, all workers added up.
#[derive(Debug, Default)]
pub struct SideTotals {
    /// Requests that came to their end.
    pub ended: u64,
    /// Those of them that failed.
    pub failures: u64,
    duration: HistogramTotal,
}

impl Registry {
    /// What came so far of the requests of a side.
    pub fn side_totals(&self, route: &str, upstream: &str) -> SideTotals {
        let mut totals = SideTotals::default();
        for shard in self.sides.of([route, upstream]) {
            totals.ended += shard.ended.value();
            totals.failures += shard.failures.value();
            totals.duration.add(&shard.duration);
        }
        totals
    }
}

impl SideTotals {
    /// Adds what came of another side's.
    pub fn add(&mut self, other: &Self) {
        self.ended = self.ended.wrapping_add(other.ended);
        self.failures = self.failures.wrapping_add(other.failures);
        self.duration.merge(&other.duration);
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            ended: self.ended.wrapping_sub(earlier.ended),
            failures: self.failures.wrapping_sub(earlier.failures),
            duration: self.duration.since(&earlier.duration),
        }
    }

    /// The share of the requests that failed, 0 to 1; `None` where there were none.
    pub fn error_rate(&self) -> Option<f64> {
        (self.ended > 0).then(|| self.failures as f64 / self.ended as f64)
    }

    /// The time within which a share of the requests ended, in seconds, between two bounds of the histogram by proportion. `None`
    /// where there were none. Above the last bound it is infinite.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.duration.quantile(share)
    }
}
