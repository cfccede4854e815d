//! The dynamic table (RFC 7541, 2.3.2 and 4).

use std::collections::VecDeque;

use super::TABLE_SIZE;

/// A dynamic table. What is evicted lends its memory to what comes.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
    /// How many were inserted in all: it numbers them.
    inserted: u32,
}

#[derive(Debug)]
struct Entry {
    name_length: usize,
    /// The name, then the value.
    bytes: Vec<u8>,
}

impl Entry {
    fn field(&self) -> (&[u8], &[u8]) {
        self.bytes
            .split_at_checked(self.name_length)
            .unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            max_size: TABLE_SIZE,
            inserted: 0,
        }
    }

    /// The field at `position`, the newest at 0.
    #[inline]
    pub(super) fn field(&self, position: usize) -> Option<(&[u8], &[u8])> {
        self.entries.get(position).map(Entry::field)
    }

    /// Where the field stands that was the `number`th inserted, from 1 on; it may have been evicted.
    #[inline]
    pub(super) fn position_of(&self, number: u32) -> usize {
        self.inserted.wrapping_sub(number) as usize
    }

    /// Inserts a field, and returns its number. One that is larger than the table empties it (4.4).
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) -> u32 {
        let size = name.len() + value.len() + OVERHEAD;
        let mut spare = self.evict(self.max_size.saturating_sub(size));
        self.inserted = self.inserted.wrapping_add(1);
        if size <= self.max_size {
            spare.clear();
            spare.extend_from_slice(name);
            spare.extend_from_slice(value);
            self.size += size;
            self.entries.push_front(Entry {
                name_length: name.len(),
                bytes: spare,
            });
        }
        self.inserted
    }

    /// Sets what the table may hold.
    pub(super) fn resize(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.evict(max_size);
    }

    /// Evicts until no more than `size` is held; returns memory that became free.
    fn evict(&mut self, size: usize) -> Vec<u8> {
        let mut spare = Vec::new();
        while self.size > size
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size();
            spare = oldest.bytes;
        }
        spare
    }
}

/// What an entry counts beyond its bytes (4.1).
pub(super) const OVERHEAD: usize = 32;
