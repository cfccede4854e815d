//! Bytes and frames that ask for nothing: a connection has a budget of them, which requests fill up again.

use std::cell::Cell;
use std::rc::Rc;

/// The budget of a connection, shared by its streams.
#[derive(Clone, Debug)]
pub struct Noise {
    budget: Rc<Cell<i64>>,
}

impl Default for Noise {
    /// A new connection's.
    fn default() -> Self {
        Self {
            budget: Rc::new(Cell::new(BUDGET)),
        }
    }
}

impl Noise {
    /// Takes note of something that costs us about as much as so many bytes; `false` where it was too much.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self
            .budget
            .get()
            .saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.budget.set(left);
        left >= 0
    }

    /// A request came in.
    pub(super) fn earn(&self) {
        let budget = self.budget.get();
        if budget >= 0 {
            self.budget.set((budget + EARNED).min(BUDGET));
        }
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.budget.get() < 0
    }
}

/// What a frame without meaning costs, beside its bytes.
pub(super) const FRAME: usize = 32;
/// Far more than any client's settings, priorities and grease.
const BUDGET: i64 = 64 * 1024;
/// Browsers send a frame of priority with a request.
const EARNED: i64 = 1024;
