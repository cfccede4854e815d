//! Hedged requests: after what time another server is asked too, and whether the upstream bears that.

use std::sync::Arc;
use std::time::Duration;

use sluice_health::{Percentile, ResponseTimes, RetryBudget};
use sluice_model::Share;

use crate::cluster::Cluster;

/// A request that another server was asked for too, for as long as that is under way.
#[derive(Debug)]
pub struct Hedging {
    budget: Arc<RetryBudget>,
}

impl Drop for Hedging {
    fn drop(&mut self) {
        self.budget.end();
    }
}

impl Cluster {
    /// Begins to ask one more server; `None` where as many hedges are under way as `share` of all requests to the upstream and
    /// `floor` beside. Retries are counted by themselves.
    pub fn begin_hedge(&self, share: Share, floor: u32) -> Option<Hedging> {
        let budget = self.lanes().first()?.endpoint().hedges();
        budget
            .try_begin(self.live(), share, floor)
            .then(|| Hedging {
                budget: Arc::clone(budget),
            })
    }

    /// A request that may be hedged was answered so long after it was sent for the first time.
    pub fn took(&self, took: Duration) {
        let mut times = self.response_times().borrow_mut();
        times.get_or_insert_with(Box::default).add(took);
    }

    /// Within what time so many of these requests were answered of late, on this worker; `None` where too few were.
    pub fn response_time(&self, percentile: Percentile) -> Option<Duration> {
        let mut times = self.response_times().borrow_mut();
        times
            .get_or_insert_with(Box::<ResponseTimes>::default)
            .percentile(percentile)
    }
}
