//! Retries, as far as an upstream bears them.

use std::sync::Arc;

use sluice_health::RetryBudget;
use sluice_model::Share;

use crate::cluster::Cluster;
use crate::tried::Tried;

/// A request that is tried again, for as long as it is under way.
#[derive(Debug)]
pub struct Retrying {
    budget: Arc<RetryBudget>,
}

impl Drop for Retrying {
    fn drop(&mut self) {
        self.budget.end();
    }
}

impl Cluster {
    /// Begins to try a request again; `None` where as many retries are under way as `share` of all requests to the upstream
    /// and `floor` beside.
    pub fn begin_retry(&self, share: Share, floor: u32) -> Option<Retrying> {
        let budget = self.lanes().first()?.endpoint().retries();
        if !budget.try_begin(self.live(), share, floor) {
            return None;
        }
        Some(Retrying {
            budget: Arc::clone(budget),
        })
    }

    /// Requests under way to the upstream, from all workers.
    pub(crate) fn live(&self) -> u32 {
        let in_flight = |lane: &crate::Lane| lane.endpoint().load().in_flight();
        self.lanes().iter().map(|lane| in_flight(lane)).sum()
    }

    /// Whether every server was tried that may take a request.
    pub fn has_tried_all(&self, tried: &Tried) -> bool {
        !self.has_another(tried)
    }
}
