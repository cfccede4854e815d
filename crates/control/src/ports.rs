//! Watching how many local ports the connections to each server hold, so that a warning comes before they run out.
//!
//! A local port stays taken for a minute after its connection was closed from our side (`TIME_WAIT`, RFC 9293 §3.6.1; 60 s
//! on Linux). Which side closed first is not counted, so what is reported is the most there can be.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sluice_config::Plan;
use sluice_net::connect::Destination;
use sluice_net::ports::ephemeral_ports;
use sluice_telemetry::metrics::Registry;
use sluice_upstream::{EndpointKey, Endpoints};

/// Between two looks.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

/// Share of the ports from which a warning is given.
const WARN_FROM: f64 = 0.8;
/// Share below which the next warning may be given.
const CALM_BELOW: f64 = 0.6;
/// Looks within which a closed connection may still hold its port.
const LOOKS: usize = 12;

/// What was seen of each server's ports.
#[derive(Debug, Default)]
pub(crate) struct PortWatch {
    closed: HashMap<EndpointKey, VecDeque<u64>>,
    warned: HashMap<EndpointKey, bool>,
}

impl PortWatch {
    /// Looks once.
    pub(crate) fn look(&mut self, plan: &Plan, endpoints: &Endpoints, registry: &Arc<Registry>) {
        let Some(ports) = ephemeral_ports() else {
            return;
        };
        for endpoint in endpoints.iter() {
            if !matches!(endpoint.destination(), Destination::Ip(_)) {
                continue;
            }
            let key = endpoint.key();
            let seen = self.closed.entry(key.clone()).or_default();
            seen.push_back(endpoint.closed());
            if seen.len() > LOOKS {
                seen.pop_front();
            }
            let lately = endpoint.closed() - seen.front().copied().unwrap_or_default();
            let held = u64::from(endpoint.connections()) + lately;
            let room = u64::from(ports) * sources(plan, &key.upstream);
            let share = held as f64 / room as f64;
            registry
                .process()
                .set_ports_used(&key.upstream, endpoint.label(), share);
            self.warn(key, share);
        }
        self.closed
            .retain(|key, _| endpoints.get(&key.upstream, &key.server).is_some());
        self.warned
            .retain(|key, _| endpoints.get(&key.upstream, &key.server).is_some());
    }

    fn warn(&mut self, key: &EndpointKey, share: f64) {
        let warned = self.warned.entry(key.clone()).or_default();
        if share >= WARN_FROM && !*warned {
            *warned = true;
            tracing::warn!(
                upstream = %key.upstream,
                server = %key.server,
                used = format!("{:.0}%", share * 100.0),
                "local ports to a server run short: add source-addresses, or keep more idle-connections"
            );
        } else if share < CALM_BELOW {
            *warned = false;
        }
    }
}

fn sources(plan: &Plan, upstream: &str) -> u64 {
    plan.upstreams
        .iter()
        .find(|settings| &*settings.name == upstream)
        .map_or(1, |settings| settings.source_addresses.len().max(1) as u64)
}
