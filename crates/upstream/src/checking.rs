//! The way to servers for those who only ask how they are.

use std::rc::Rc;

use sluice_balance::Kind;
use sluice_config::plan::Upstream;
use sluice_telemetry::metrics::Registry;

use crate::cluster::Cluster;
use crate::endpoint::Endpoints;

impl Cluster {
    /// An upstream by whose settings connections are opened that serve nothing but a check each: none is kept or shared,
    /// and none is counted as a client's. `port` is another one of the servers' hosts.
    pub fn for_checks(settings: &Upstream, endpoints: &Endpoints, port: Option<u16>) -> Self {
        // What is counted here is told as checks, and not by these.
        let unseen = Registry::new("");
        let elsewhere = port.map(|port| endpoints.at_port(settings, port));
        let endpoints = elsewhere.as_ref().unwrap_or(endpoints);
        let mut settings = settings.clone();
        // Nobody picks.
        settings.balance.settings.kind = Kind::RoundRobin;
        let cluster = Self::new(&settings, endpoints, None, &unseen, 0, 0);
        cluster
            .lanes()
            .iter()
            .for_each(|lane: &Rc<_>| lane.retire());
        cluster
    }
}
