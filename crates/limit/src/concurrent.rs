//! How many are under way of each key.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// What is under way, by key. Who has nothing under way is not remembered, so it is no larger than what there is.
#[derive(Debug, Default)]
pub struct Concurrent {
    /// In parts, so that threads seldom wait for each other.
    parts: [Mutex<FxHashMap<u64, u32>>; PARTS],
}

impl Concurrent {
    /// One more, where there are less than `most`. To be ended by [`Self::leave`].
    ///
    /// `key` is a hash that clients cannot foresee.
    pub fn enter(&self, key: u64, most: u32) -> bool {
        let mut part = self
            .part(key)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = part.entry(key).or_default();
        let has_room = *count < most;
        if has_room {
            *count += 1;
        } else if *count == 0 {
            part.remove(&key);
        }
        has_room
    }

    /// One less.
    pub fn leave(&self, key: u64) {
        let mut part = self
            .part(key)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = part.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                part.remove(&key);
            }
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder is less than the length"
    )]
    fn part(&self, key: u64) -> &Mutex<FxHashMap<u64, u32>> {
        let top = usize::from(key.to_be_bytes()[0]);
        &self.parts[top % PARTS]
    }
}

const PARTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_and_who_leaves_makes_room() {
        let concurrent = Concurrent::default();
        assert!(concurrent.enter(1, 2) && concurrent.enter(1, 2));
        assert!(!concurrent.enter(1, 2));
        assert!(concurrent.enter(2, 2));
        assert!(concurrent.enter(1, 3), "another limit of the same key");
        concurrent.leave(1);
        concurrent.leave(1);
        assert!(concurrent.enter(1, 2));
    }

    #[test]
    fn nobody_is_remembered_who_has_left() {
        let concurrent = Concurrent::default();
        for key in (0..1_000).map(|number: u64| number << 54) {
            assert!(concurrent.enter(key, 1));
            assert!(!concurrent.enter(key, 1));
            concurrent.leave(key);
            assert!(!concurrent.enter(key, 0));
        }
        let parts = concurrent.parts.iter();
        let known: usize = parts.map(|part| part.lock().expect("no panic").len()).sum();
        assert_eq!(known, 0);
    }
}
