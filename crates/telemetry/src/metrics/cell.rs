//! The atomics that metrics are made of: single-writer cells for the data plane, shared ones for the control plane.
//!
//! A worker counts in cells that only it writes, so an increment is a plain load, add and store: no locked instruction,
//! no cache line going back and forth. Whoever scrapes reads the same cells with relaxed loads and may be a moment behind.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::word::Word;

/// A count that only grows, written by one thread at a time.
///
/// A second thread counting at the same moment is sound but may lose counts.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes over a total that is counted elsewhere; it must never shrink.
    #[inline]
    pub fn set(&self, total: u64) {
        self.0.store(total, Relaxed);
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A level that rises and falls, written by one thread at a time.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// One more.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// One less.
    #[inline]
    pub fn decrement(&self) {
        self.add(-1);
    }

    /// `n` more, or less where `n` is negative.
    #[inline]
    pub fn add(&self, n: i64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Sets the level.
    #[inline]
    pub fn set(&self, level: i64) {
        self.0.store(level, Relaxed);
    }

    /// The level now.
    pub fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// A count that any thread may add to. For the control plane and rare events.
#[derive(Debug, Default)]
pub struct SharedCounter(AtomicU64);

impl SharedCounter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One [`Counter`] for each word of a closed set. `N` is the set's `COUNT`.
#[derive(Debug)]
pub struct CounterBy<W, const N: usize> {
    cells: [Counter; N],
    words: PhantomData<fn(W)>,
}

impl<W: Word, const N: usize> CounterBy<W, N> {
    const COVERS_THE_SET: () = assert!(W::ALL.len() == N, "N must be the set's COUNT");

    /// Adds one to the word's counter.
    #[inline]
    pub fn increment(&self, word: W) {
        self.cell(word).increment();
    }

    /// The word's count so far.
    pub fn value(&self, word: W) -> u64 {
        self.cell(word).value()
    }

    /// The sum over all words.
    pub fn total(&self) -> u64 {
        self.cells
            .iter()
            .fold(0, |sum, cell| sum.wrapping_add(cell.value()))
    }

    fn cell(&self, word: W) -> &Counter {
        &self.cells[word.position()]
    }
}

impl<W: Word, const N: usize> Default for CounterBy<W, N> {
    fn default() -> Self {
        const { Self::COVERS_THE_SET };
        Self {
            cells: std::array::from_fn(|_| Counter::default()),
            words: PhantomData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::End;

    #[test]
    fn counters_grow_and_gauges_rise_and_fall() {
        let counter = Counter::default();
        counter.increment();
        counter.add(41);
        assert_eq!(counter.value(), 42);
        counter.set(50);
        assert_eq!(counter.value(), 50);

        let gauge = Gauge::default();
        gauge.increment();
        gauge.add(5);
        gauge.decrement();
        assert_eq!(gauge.value(), 5);
        gauge.set(-1);
        assert_eq!(gauge.value(), -1);
    }

    #[test]
    fn each_word_has_its_own_counter() {
        let ends = CounterBy::<End, { End::COUNT }>::default();
        for (position, end) in End::ALL.iter().enumerate() {
            assert_eq!(end.position(), position);
            for _ in 0..=position {
                ends.increment(*end);
            }
        }
        for (position, end) in End::ALL.iter().enumerate() {
            assert_eq!(ends.value(*end), position as u64 + 1, "{end}");
        }
        assert_eq!(ends.total(), (1..=End::COUNT as u64).sum::<u64>());
    }

    #[test]
    fn shared_counters_lose_nothing() {
        let counter = SharedCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.increment()));
            }
        });
        assert_eq!(counter.value(), 4_000);
    }
}
