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
/// Looks back to one a minute ago: what was closed since may still hold its port.
const LOOKS: usize = 12;

/// What was seen of each server's ports.
#[derive(Debug, Default)]
pub(crate) struct PortWatch {
    closed: HashMap<EndpointKey, History>,
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
            let history = self.closed.entry(key.clone()).or_default();
            let lately = history.closed_lately(endpoint.closed());
            let held = u64::from(endpoint.connections()) + lately;
            let room = u64::from(ports) * sources(plan, &key.upstream);
            let share = held as f64 / room as f64;
            registry
                .process()
                .set_ports_used(&key.upstream, endpoint.label(), share);
            if self.is_news(key, share) {
                tracing::warn!(
                    upstream = %key.upstream,
                    server = %key.server,
                    used = format!("{:.0}%", share * 100.0),
                    "local ports to a server run short: add source-addresses, or keep more idle-connections"
                );
            }
        }
        self.closed
            .retain(|key, _| endpoints.get(&key.upstream, &key.server).is_some());
        self.warned
            .retain(|key, _| endpoints.get(&key.upstream, &key.server).is_some());
    }

    /// Whether the share calls for a warning that was not given yet.
    fn is_news(&mut self, key: &EndpointKey, share: f64) -> bool {
        let warned = self.warned.entry(key.clone()).or_default();
        let is_news = share >= WARN_FROM && !*warned;
        if is_news {
            *warned = true;
        } else if share < CALM_BELOW {
            *warned = false;
        }
        is_news
    }
}

/// How many connections had been closed at each look, the oldest first.
#[derive(Debug, Default)]
struct History {
    looks: VecDeque<u64>,
}

impl History {
    /// How many of the `closed` connections were closed within the last [`LOOKS`] looks. What was closed before the first
    /// look does not count: how long ago that was is not known.
    fn closed_lately(&mut self, closed: u64) -> u64 {
        if self.looks.back().is_some_and(|last| *last > closed) {
            // The name leads to another address since a reload: its count begins anew.
            self.looks.clear();
            self.looks.push_back(0);
        }
        self.looks.push_back(closed);
        while self.looks.len() > LOOKS + 1 {
            self.looks.pop_front();
        }
        let before = self.looks.front().copied().unwrap_or_default();
        closed.saturating_sub(before)
    }
}

fn sources(plan: &Plan, upstream: &str) -> u64 {
    plan.upstreams
        .iter()
        .find(|settings| &*settings.name == upstream)
        .map_or(1, |settings| settings.source_addresses.len().max(1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_counts_for_a_minute() {
        let mut history = History::default();
        assert_eq!(history.closed_lately(100), 0, "who knows when");
        assert_eq!(history.closed_lately(150), 50);
        for _ in 2..=LOOKS {
            assert_eq!(history.closed_lately(150), 50);
        }
        assert_eq!(history.closed_lately(150), 0, "a minute later");
        assert_eq!(history.looks.len(), LOOKS + 1, "no more is kept");
    }

    #[test]
    fn a_count_that_begins_anew_is_no_fault() {
        let mut history = History::default();
        history.closed_lately(1_000);
        history.closed_lately(2_000);
        assert_eq!(history.closed_lately(3), 3);
        assert_eq!(history.closed_lately(5), 5);
    }

    #[test]
    fn a_warning_is_given_once_until_it_is_calm_again() {
        let mut watch = PortWatch::default();
        let key = EndpointKey {
            upstream: "app".into(),
            server: "127.0.0.1:1".parse().expect("address"),
        };
        let news: Vec<_> = [0.5, 0.79, 0.8, 0.9, 0.7, 0.85, 0.59, 0.8]
            .into_iter()
            .filter(|share| watch.is_news(&key, *share))
            .collect();
        assert_eq!(news, [0.8, 0.8]);
    }
}
