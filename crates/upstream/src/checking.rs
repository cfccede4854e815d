//! The way to servers for those who only ask how they are.

use sluice_balance::Kind;
use sluice_config::plan::{HealthChecks, Upstream};
use sluice_telemetry::metrics::Registry;

use crate::cluster::Cluster;
use crate::endpoint::Endpoints;

impl Cluster {
    /// An upstream to whose servers connections are opened that serve nothing but a check each: none is kept or shared, and
    /// none is counted as a client's. They are opened as those of requests are, but for what `health` says otherwise.
    pub fn for_checks(settings: &Upstream, health: &HealthChecks, endpoints: &Endpoints) -> Self {
        // What is counted here is told as checks, and not by these.
        let unseen = Registry::new("");
        let elsewhere = health.port.map(|port| endpoints.at_port(settings, port));
        let endpoints = elsewhere.as_ref().unwrap_or(endpoints);
        let mut settings = settings.clone();
        settings.protocol = health.protocol;
        settings.send_proxy_protocol = health.send_proxy_protocol;
        if !health.is_ciphered {
            settings.tls = None;
        }
        // Nobody picks.
        settings.balance.settings.kind = Kind::RoundRobin;
        let cluster = Self::new(&settings, endpoints, None, &unseen, 0, 0);
        for lane in cluster.lanes() {
            lane.retire();
        }
        cluster
    }
}
