//! What happens a fixed time after it was begun: first in, first out.

use std::collections::VecDeque;

use crate::scenario::Nanos;

/// Requests with the time of their next event, in its order.
#[derive(Debug)]
pub(super) struct Lane {
    queue: VecDeque<(Nanos, u32, u32)>,
    /// The time of the first; beside the queue, as it is looked at in every step.
    next_at: Nanos,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            next_at: Nanos::MAX,
        }
    }
}

impl Lane {
    /// When the first is due; never, where there is none.
    pub(super) fn next_at(&self) -> Nanos {
        self.next_at
    }

    /// Adds a request of some generation, due no sooner than those before.
    pub(super) fn put(&mut self, at: Nanos, job: u32, generation: u32) {
        debug_assert!(self.queue.back().is_none_or(|last| last.0 <= at));
        if self.queue.is_empty() {
            self.next_at = at;
        }
        self.queue.push_back((at, job, generation));
    }

    /// The first, with its generation. There must be one.
    pub(super) fn take(&mut self) -> (u32, u32) {
        let first = self.queue.pop_front();
        self.next_at = self.queue.front().map_or(Nanos::MAX, |next| next.0);
        first.map_or((u32::MAX, 0), |(_, job, generation)| (job, generation))
    }
}
