//! A word for each key, in a memory of a fixed size that all threads share.
//!
//! A key has its place in one set of eight. What is there already is read and changed without a lock. A key that is not takes the place
//! of another: an empty one, one that has nothing to lose, or else the one that has least. For this, and only for this, there is
//! a lock, of that set and some others: two threads must not give two places to one key.
//!
//! So a flood of new keys grows nothing, and drives out its own kind: each of them has hardly anything, while a client
//! that has used up what it may have is the last to be forgotten. What it costs where more keys are in use than there are
//! places: who is forgotten begins anew. And whoever was about to take one in that very moment may take it from the newcomer.

use std::sync::PoisonError;

use crate::atomic::{AtomicU64, Mutex, Ordering};

/// The words of all keys.
#[derive(Debug)]
pub(crate) struct Table {
    sets: Box<[Set]>,
    entering: Box<[Mutex<()>]>,
}

/// Keys on one cache line, words on the next. The key 0 is nobody's.
#[derive(Debug)]
#[repr(align(128))]
struct Set {
    keys: [AtomicU64; WAYS],
    words: [AtomicU64; WAYS],
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed<R> {
    pub(crate) result: R,
    /// Whether another key with something to lose was forgotten for it.
    pub(crate) forgot: bool,
}

impl Table {
    /// With places for so many keys, rounded up to eight times a power of two.
    pub(crate) fn new(keys: usize) -> Self {
        let sets = keys.div_ceil(WAYS).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Set::new()).collect(),
            entering: (0..sets.min(LOCKS)).map(|_| Mutex::new(())).collect(),
        }
    }

    /// The word of a key; 0 where it is not known.
    pub(crate) fn get(&self, key: u64) -> u64 {
        let key = named(key);
        let set = self.set(key);
        let read = || {
            let place = set.find(key)?;
            let word = place.word.load(Ordering::Acquire);
            (place.key.load(Ordering::Acquire) == key).then_some(word)
        };
        read().unwrap_or_default()
    }

    /// Changes the word of a key, or its 0 where it is not known: to what `change` says, or not where that says nothing. The
    /// change may be called several times, the last of which counts. `debt` says what another key would lose.
    pub(crate) fn change<R>(
        &self,
        key: u64,
        mut change: impl FnMut(u64) -> (Option<u64>, R),
        debt: impl Fn(u64) -> u64,
    ) -> Changed<R> {
        let key = named(key);
        let set = self.set(key);
        loop {
            if let Some(result) = set.change(key, &mut change) {
                let forgot = false;
                return Changed { result, forgot };
            }
            let Some(lock) = self.lock(key) else {
                // There is one for each set.
                let (_, result) = change(0);
                let forgot = false;
                return Changed { result, forgot };
            };
            let _entering = lock.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody enters now: either it is here already, or it is not until it has entered.
            if set.find(key).is_some() {
                continue;
            }
            let (word, result) = change(0);
            let forgot = word.is_some_and(|word| set.enter(key, word, &debt));
            return Changed { result, forgot };
        }
    }

    /// Changes the word of a key that is known.
    pub(crate) fn change_known(&self, key: u64, mut change: impl FnMut(u64) -> u64) {
        let key = named(key);
        let changed = self
            .set(key)
            .change(key, &mut |word| (Some(change(word)), ()));
        // Who was forgotten has nothing to be changed.
        let _ = changed;
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the mask is one less than the length, which is a power of two"
    )]
    fn set(&self, key: u64) -> &Set {
        &self.sets[self.position(key)]
    }

    fn position(&self, key: u64) -> usize {
        let low = usize::try_from(key & u64::from(u32::MAX)).unwrap_or_default();
        low & (self.sets.len() - 1)
    }

    fn lock(&self, key: u64) -> Option<&Mutex<()>> {
        self.entering
            .get(self.position(key) & (self.entering.len() - 1))
    }
}

struct Place<'a> {
    key: &'a AtomicU64,
    word: &'a AtomicU64,
}

impl Set {
    fn new() -> Self {
        Self {
            keys: std::array::from_fn(|_| AtomicU64::new(NOBODY)),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let pairs = self.keys.iter().zip(&self.words);
        pairs.map(|(key, word)| Place { key, word })
    }

    fn find(&self, key: u64) -> Option<Place<'_>> {
        self.places()
            .find(|place| place.key.load(Ordering::Acquire) == key)
    }

    /// `None` where the key is not here, or not any more.
    fn change<R>(&self, key: u64, change: &mut impl FnMut(u64) -> (Option<u64>, R)) -> Option<R> {
        let place = self.find(key)?;
        loop {
            let word = place.word.load(Ordering::Acquire);
            // The word was this key's if the place still is: who gives it to another leaves it nameless before the word changes.
            // Where that happens from here on, the exchange fails, but for a newcomer whose word is the same.
            if place.key.load(Ordering::Acquire) != key {
                return None;
            }
            let (next, result) = change(word);
            let Some(next) = next else {
                return Some(result);
            };
            let (done, failed) = (Ordering::AcqRel, Ordering::Relaxed);
            let replaced = place.word.compare_exchange(word, next, done, failed);
            if replaced.is_ok() {
                return Some(result);
            }
        }
    }

    /// Gives the key a place, with the lock held. Whether somebody who had something lost it.
    fn enter(&self, key: u64, word: u64, debt: &impl Fn(u64) -> u64) -> bool {
        let loss = |place: &Place<'_>| match place.key.load(Ordering::Relaxed) {
            NOBODY => (false, 0),
            _ => (true, debt(place.word.load(Ordering::Relaxed))),
        };
        let places = self.places().map(|place| (loss(&place), place));
        let Some(((_, lost), place)) = places.min_by_key(|(loss, _)| *loss) else {
            return false;
        };
        place.key.store(NOBODY, Ordering::Release);
        place.word.store(word, Ordering::Release);
        place.key.store(key, Ordering::Release);
        lost > 0
    }
}

/// Keys are hashes: that one of them is 0 would do no harm, were it not nobody's.
fn named(key: u64) -> u64 {
    key.max(1)
}

const NOBODY: u64 = 0;
#[cfg(not(loom))]
const WAYS: usize = 8;
/// As many as can be tried in every order.
#[cfg(loom)]
const WAYS: usize = 2;
const LOCKS: usize = 256;

#[cfg(all(test, not(loom)))]
mod tests;
