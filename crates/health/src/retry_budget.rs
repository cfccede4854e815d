//! How many of the requests that are under way may be retries, or hedges: a share of them all, and a few whatever the share.
//!
//! Servers that fail under their load would get more of it by every retry. With a budget the load that retries add is bounded,
//! however many requests fail. (The idea: Google, *Site Reliability Engineering*, chapter 21.)

use sluice_model::Share;

use crate::atomic::{AtomicU32, Ordering};

/// The retries under way of an upstream, from all workers; another one counts its hedges.
#[derive(Debug, Default)]
pub struct RetryBudget {
    under_way: AtomicU32,
}

impl RetryBudget {
    /// Whether another retry may begin while `live` requests are under way, retries among them: then it is one of those under
    /// way until [`Self::end`]. `share` of `live` is allowed, and `floor` beside.
    pub fn try_begin(&self, live: u32, share: Share, floor: u32) -> bool {
        let of_live = u32::try_from(share.of(live as usize)).unwrap_or(u32::MAX);
        let most = of_live.saturating_add(floor);
        let more = |under_way: u32| (under_way < most).then(|| under_way + 1);
        let (order, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        self.under_way.fetch_update(order, failure, more).is_ok()
    }

    /// A retry has ended.
    pub fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_a_few_are_allowed() {
        for (live, percent, floor, allowed) in [
            (100, 20, 3, 23),
            (100, 20, 0, 20),
            (4, 20, 0, 0),
            (4, 20, 3, 3),
            (0, 100, 0, 0),
            (1000, 0, 0, 0),
            (10, 100, 0, 10),
        ] {
            let budget = RetryBudget::default();
            let begin = || budget.try_begin(live, Share::of_percent(percent), floor);
            let begun = (0..2000).filter(|_| begin()).count();
            assert_eq!(begun, allowed, "{percent} % of {live} and {floor}");
            if begun > 0 {
                budget.end();
                assert!(begin() && !begin());
            }
        }
    }
}
