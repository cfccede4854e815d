//! What happens a fixed time after it was begun: first in, first out.

use std::collections::VecDeque;

use crate::scenario::Nanos;

/// What is under way, with the time of its next event, in the order of these.
#[derive(Debug)]
pub(super) struct Lane<T> {
    queue: VecDeque<(Nanos, T)>,
    /// The time of the first; beside the queue, as it is looked at in every step.
    next_at: Nanos,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            next_at: Nanos::MAX,
        }
    }
}

impl<T> Lane<T> {
    /// When the first is due; never, where there is none.
    pub(super) fn next_at(&self) -> Nanos {
        self.next_at
    }

    /// Adds one, due no sooner than those before.
    pub(super) fn put(&mut self, at: Nanos, item: T) {
        debug_assert!(self.queue.back().is_none_or(|last| last.0 <= at));
        if self.queue.is_empty() {
            self.next_at = at;
        }
        self.queue.push_back((at, item));
    }

    /// The first.
    pub(super) fn take(&mut self) -> Option<T> {
        let first = self.queue.pop_front();
        self.next_at = self.queue.front().map_or(Nanos::MAX, |next| next.0);
        first.map(|(_, item)| item)
    }
}
