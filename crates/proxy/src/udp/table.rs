//! Who is there, found by key, and in the order in which they last spoke.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use slab::Slab;

/// Entries by key, and by when each was last used.
///
/// Keys come from whoever sends a datagram, under any address it likes, so they are hashed with a secret.
#[derive(Debug)]
pub(super) struct Table<K, T> {
    by_key: HashMap<K, usize>,
    entries: Slab<Entry<K, T>>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

#[derive(Debug)]
struct Entry<K, T> {
    key: K,
    value: T,
    used: Instant,
    older: Option<usize>,
    newer: Option<usize>,
}

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            entries: Slab::new(),
            oldest: None,
            newest: None,
        }
    }
}

impl<K: Copy + Eq + Hash, T> Table<K, T> {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of the entry of a key.
    pub(super) fn find(&self, key: &K) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// Adds an entry, the newest; one of this key goes.
    pub(super) fn insert(&mut self, key: K, value: T, now: Instant) -> usize {
        if let Some(known) = self.find(&key) {
            self.remove(known);
        }
        let id = self.entries.insert(Entry {
            key,
            value,
            used: now,
            older: None,
            newer: None,
        });
        self.by_key.insert(key, id);
        self.append(id);
        id
    }

    /// The number that the next entry gets, where none goes before.
    pub(super) fn next_id(&self) -> usize {
        self.entries.vacant_key()
    }

    pub(super) fn get_mut(&mut self, id: usize) -> Option<&mut T> {
        self.entries.get_mut(id).map(|entry| &mut entry.value)
    }

    /// Makes an entry the newest.
    pub(super) fn touch(&mut self, id: usize, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.used = now;
            if self.newest != Some(id) {
                self.unlink(id);
                self.append(id);
            }
        }
    }

    /// The entry that was used least recently, and when that was.
    pub(super) fn oldest(&self) -> Option<(usize, Instant)> {
        let id = self.oldest?;
        Some((id, self.entries.get(id)?.used))
    }

    pub(super) fn remove(&mut self, id: usize) -> Option<T> {
        if !self.entries.contains(id) {
            return None;
        }
        self.unlink(id);
        let entry = self.entries.remove(id);
        self.by_key.remove(&entry.key);
        Some(entry.value)
    }

    /// The numbers of the entries that fulfil a condition.
    pub(super) fn which(&self, condition: impl Fn(&T) -> bool) -> Vec<usize> {
        let fulfil = self
            .entries
            .iter()
            .filter(|(_, entry)| condition(&entry.value));
        fulfil.map(|(id, _)| id).collect()
    }

    fn append(&mut self, id: usize) {
        let before = self.newest.replace(id);
        if let Some(entry) = self.entries.get_mut(id) {
            (entry.older, entry.newer) = (before, None);
        }
        match before.and_then(|before| self.entries.get_mut(before)) {
            Some(before) => before.newer = Some(id),
            None => self.oldest = Some(id),
        }
    }

    fn unlink(&mut self, id: usize) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        let (older, newer) = (entry.older, entry.newer);
        match older.and_then(|older| self.entries.get_mut(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match newer.and_then(|newer| self.entries.get_mut(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests;
