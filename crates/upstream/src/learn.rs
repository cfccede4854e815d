//! What is learned of servers from their traffic. Told here as it happens; what the policy does not want to know costs
//! nothing.

use std::time::{Duration, Instant};

use sluice_balance::Report;

use crate::cluster::Cluster;
use crate::lane::Lane;

impl Cluster {
    /// The server answered `latency` after it was asked; or it did not within that time.
    pub fn answered(&self, lane: &Lane, now: Instant, latency: Duration) {
        if self.signals().latency {
            let decay = self.settings().balance.settings.latency_decay;
            lane.endpoint()
                .load()
                .answered(self.moment(now), latency, decay);
        }
    }

    /// The server had not answered after so long, when another one was quicker: it would have taken longer. That is told only
    /// where it makes the server look slower.
    pub fn gave_way(&self, lane: &Lane, now: Instant, waited: Duration) {
        if self.signals().latency {
            let decay = self.settings().balance.settings.latency_decay;
            lane.endpoint()
                .load()
                .gave_way(self.moment(now), waited, decay);
        }
    }

    /// What was asked of the server has come to its end: `failed` where the server was to blame for that.
    pub fn ended(&self, lane: &Lane, now: Instant, failed: bool) {
        lane.endpoint().load().ended(self.moment(now), failed);
    }

    /// Whether [`Cluster::moved`] wants to be told.
    pub fn counts_bytes(&self) -> bool {
        self.signals().bandwidth
    }

    /// Bytes went to or came from the server.
    pub fn moved(&self, lane: &Lane, now: Instant, bytes: u64) {
        if self.signals().bandwidth && bytes > 0 {
            let decay = self.settings().balance.settings.latency_decay;
            lane.endpoint().load().moved(self.moment(now), bytes, decay);
        }
    }

    /// The server said how loaded it is.
    pub fn reported(&self, lane: &Lane, now: Instant, report: Report) {
        lane.endpoint().load().reported(self.moment(now), report);
    }
}
