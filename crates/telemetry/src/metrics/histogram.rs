//! Latency histograms with fixed bounds, cheap enough for every request.
//!
//! Each bound is at least twice the one before, so between two powers of two lies at most one bound: the position of a
//! value's highest bit gives the bucket up to one comparison. Recording is a table look-up, a comparison and two
//! single-writer additions; no division, no floating point.

use std::time::Duration;

use super::cell::Counter;

/// The upper bounds of the buckets in nanoseconds, inclusive: 100 µs to 60 s. Above them is one bucket more, `+Inf`.
pub const BOUNDS_NANOS: [u64; 18] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

const BUCKETS: usize = BOUNDS_NANOS.len() + 1;

/// How often which latency was seen. Written by one thread at a time, like [`Counter`].
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    /// In units of 1,024 ns: whole nanoseconds would wrap within weeks where ten thousand long requests overlap.
    sum: Counter,
}

impl Histogram {
    /// Counts one latency.
    #[inline]
    pub fn record(&self, latency: Duration) {
        let nanos = latency
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(latency.subsec_nanos()));
        self.buckets[bucket(nanos)].increment();
        self.sum
            .add(nanos.saturating_add(SUM_UNIT / 2) >> SUM_SHIFT);
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, bucket| sum.wrapping_add(bucket.value()))
    }
}

/// Histograms of several workers, added up.
#[derive(Debug, Default)]
pub(crate) struct HistogramTotal {
    buckets: [u64; BUCKETS],
    sum: u64,
}

impl HistogramTotal {
    pub(crate) fn add(&mut self, shard: &Histogram) {
        for (total, bucket) in self.buckets.iter_mut().zip(&shard.buckets) {
            *total = total.wrapping_add(bucket.value());
        }
        self.sum = self.sum.wrapping_add(shard.sum.value());
    }

    /// The bounds in seconds, each with how many latencies were not above it; the last is infinity and the count of all.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS_NANOS.iter().map(|nanos| *nanos as f64 / 1e9);
        let mut running = 0_u64;
        bounds
            .chain([f64::INFINITY])
            .zip(self.buckets)
            .map(move |(bound, bucket)| {
                running = running.wrapping_add(bucket);
                (bound, running)
            })
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (total, bucket) in self.buckets.iter_mut().zip(other.buckets) {
            *total = total.wrapping_add(bucket);
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// What was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut since = Self {
            buckets: self.buckets,
            sum: self.sum.wrapping_sub(earlier.sum),
        };
        for (bucket, before) in since.buckets.iter_mut().zip(earlier.buckets) {
            *bucket = bucket.wrapping_sub(before);
        }
        since
    }

    /// The latency in seconds that a share of all was not above, by proportion between two bounds; `None` where there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let all = self.buckets.iter().sum::<u64>();
        let rank = share.clamp(0.0, 1.0) * all as f64;
        let (mut below, mut lower) = (0_u64, 0.0);
        for (bound, up_to) in self.cumulative() {
            if up_to > below && up_to as f64 >= rank {
                let part = (rank - below as f64) / (up_to - below) as f64;
                return Some(if bound.is_finite() {
                    lower + (bound - lower) * part
                } else {
                    bound
                });
            }
            (below, lower) = (up_to, bound);
        }
        None
    }

    /// The sum of all latencies in seconds, to within a microsecond for each.
    pub(crate) fn sum_seconds(&self) -> f64 {
        self.sum as f64 * (SUM_UNIT as f64 / 1e9)
    }
}

const SUM_SHIFT: u32 = 10;
const SUM_UNIT: u64 = 1 << SUM_SHIFT;

/// Which bucket holds the value.
#[inline]
fn bucket(nanos: u64) -> usize {
    let (below, next) = BY_HIGHEST_BIT[(u64::BITS - nanos.leading_zeros()) as usize];
    below as usize + usize::from(nanos > next)
}

/// By the number of significant bits of a value: how many bounds lie below every such value, and the next bound.
const BY_HIGHEST_BIT: [(u8, u64); 65] = {
    let mut table = [(0, u64::MAX); 65];
    let mut bits = 0;
    while bits <= 64 {
        let least: u64 = if bits == 0 { 0 } else { 1 << (bits - 1) };
        let mut below = 0;
        while below < BOUNDS_NANOS.len() && BOUNDS_NANOS[below] < least {
            below += 1;
        }
        let next = if below < BOUNDS_NANOS.len() {
            BOUNDS_NANOS[below]
        } else {
            u64::MAX
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 18 bounds")]
        let entry = (below as u8, next);
        table[bits] = entry;
        bits += 1;
    }
    table
};

const _: () = {
    let mut at = 1;
    while at < BOUNDS_NANOS.len() {
        assert!(
            BOUNDS_NANOS[at] >= 2 * BOUNDS_NANOS[at - 1],
            "each bound must be at least twice the one before"
        );
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_search(nanos: u64) -> usize {
        BOUNDS_NANOS.iter().filter(|bound| nanos > **bound).count()
    }

    #[test]
    fn bounds_are_inclusive() {
        for (at, bound) in BOUNDS_NANOS.iter().enumerate() {
            assert_eq!(bucket(bound - 1), at);
            assert_eq!(bucket(*bound), at);
            assert_eq!(bucket(bound + 1), at + 1);
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BOUNDS_NANOS.len());
    }

    #[test]
    fn powers_of_two_and_their_neighbours() {
        for shift in 0..64 {
            let power = 1_u64 << shift;
            for nanos in [power - 1, power, power + 1] {
                assert_eq!(bucket(nanos), by_search(nanos), "{nanos}");
            }
        }
    }

    #[test]
    fn shards_add_up() {
        let (a, b) = (Histogram::default(), Histogram::default());
        a.record(Duration::from_micros(50));
        a.record(Duration::from_millis(3));
        b.record(Duration::from_millis(3));
        b.record(Duration::from_secs(100));
        b.record(Duration::MAX);
        assert_eq!((a.count(), b.count()), (2, 3));

        let mut total = HistogramTotal::default();
        total.add(&a);
        let before = total.sum_seconds();
        assert!((before - 0.003_05).abs() < 2e-6, "{before}");
        total.add(&b);
        let cumulative: Vec<_> = total.cumulative().collect();
        assert_eq!(cumulative[0], (0.000_1, 1));
        assert_eq!(cumulative[5], (0.005, 3));
        assert_eq!(cumulative[17], (60.0, 3));
        assert_eq!(cumulative[18], (f64::INFINITY, 5));
    }

    #[test]
    fn quantiles_lie_between_bounds() {
        let shard = Histogram::default();
        let mut before = HistogramTotal::default();
        assert_eq!(before.quantile(0.5), None);
        shard.record(Duration::from_secs(20));
        before.add(&shard);
        for _ in 0..90 {
            shard.record(Duration::from_millis(4));
        }
        for _ in 0..10 {
            shard.record(Duration::from_millis(80));
        }
        let mut after = HistogramTotal::default();
        after.add(&shard);
        let since = after.since(&before);
        let near = |share: f64, seconds: f64| {
            let found = since.quantile(share).expect("some were counted");
            assert!((found - seconds).abs() < 1e-9, "{share}: {found}");
        };
        near(0.45, 0.003_75);
        near(0.9, 0.005);
        near(0.95, 0.075);
        near(1.0, 0.1);
        assert!((since.sum_seconds() - 1.16).abs() < 1e-3);
        shard.record(Duration::from_mins(10));
        let mut last = HistogramTotal::default();
        last.add(&shard);
        assert_eq!(last.since(&after).quantile(0.5), Some(f64::INFINITY));
    }

    proptest! {
        #[test]
        fn any_value_finds_its_bucket(nanos: u64, shift in 0_u32..64) {
            let nanos = nanos >> shift;
            prop_assert_eq!(bucket(nanos), by_search(nanos));
        }
    }
}
