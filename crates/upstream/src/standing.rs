//! Whether any server of an upstream is amiss: one for the upstream, shared by all workers.
//!
//! Nearly always none is, and then a pick costs one look at this.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sluice_model::Moment;

/// How an upstream's servers stand, all in one. On a cache line of its own, since each pick looks at it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Standing {
    /// In the low half how many things are amiss; in the high half how often that has changed.
    word: AtomicU64,
    /// The origin of all moments.
    epoch: Instant,
}

impl Standing {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            word: AtomicU64::new(0),
            epoch,
        }
    }

    /// `None` where all servers are well: by hand, by checks and by their breakers. Otherwise a number that is another one
    /// after each change.
    pub(crate) fn amiss(&self) -> Option<u64> {
        let word = self.word.load(Ordering::Relaxed);
        (word & AMISS != 0).then_some(word)
    }

    /// Something of a server has changed, and whether it is well by that. Each change is told once.
    pub(crate) fn changed(&self, was_well: bool, is_well: bool) {
        // A change may be told before the one that it follows. The count is below zero then, which is amiss too, and right
        // again at once.
        let change = match (was_well, is_well) {
            (true, false) => CHANGE + 1,
            (false, true) => CHANGE - 1,
            _ => CHANGE,
        };
        self.word.fetch_add(change, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    pub(crate) fn moment(&self, at: Instant) -> Moment {
        let nanos = at.saturating_duration_since(self.epoch).as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

const CHANGE: u64 = 1 << 32;
const AMISS: u64 = CHANGE - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_well_again_after_as_many_changes_back() {
        let standing = Standing::new(Instant::now());
        assert_eq!(standing.amiss(), None);
        standing.changed(true, false);
        let first = standing.amiss().expect("one is amiss");
        standing.changed(true, false);
        let second = standing.amiss().expect("two are");
        standing.changed(false, false);
        let third = standing.amiss().expect("two are still");
        assert!(first != second && second != third);
        standing.changed(false, true);
        assert!(standing.amiss().is_some());
        standing.changed(false, true);
        assert_eq!(standing.amiss(), None);
    }

    #[test]
    fn changes_that_are_told_the_wrong_way_round() {
        let standing = Standing::new(Instant::now());
        standing.changed(false, true);
        assert!(standing.amiss().is_some());
        standing.changed(true, false);
        assert_eq!(standing.amiss(), None);
    }
}
