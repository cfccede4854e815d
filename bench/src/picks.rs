//! What it costs to pick a server: nanoseconds for each policy, among few servers and many.
//!
//! On one core, by the time that it works. A pick is measured with what belongs to it: a place is taken at the server, and that of an earlier request
//! is given back. Time goes on by ten microseconds with each, so that what a policy does now and then is in the figure with
//! its share. Loads and latencies differ from server to server, and each request has a key of its own.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sluice_balance::{
    Ask, Kind, Load, Policy, Probes, Sample, ServerShape, Servers, Settings, key_hash,
};
use sluice_model::{Moment, Weight};

use crate::cores::{self, worked};
use crate::report::line;
use crate::statistics::Spread;

/// Prints a table in Markdown.
pub(crate) fn run(rounds: usize) -> Result<()> {
    cores::stay_on(cores::PROXY).context("staying on one core")?;
    let heads = SERVERS.map(|servers| servers.to_string());
    crate::say(&line("ns a pick, among servers", &heads));
    crate::say(&format!("|---|{}", "--:|".repeat(SERVERS.len())));
    for (name, kind) in kinds() {
        let mut cells = Vec::new();
        for servers in SERVERS {
            let median = median(kind, servers, rounds).context("no rounds")?;
            cells.push(format!("{median:.0}"));
        }
        crate::say(&line(name, &cells));
    }
    Ok(())
}

fn median(kind: Kind, servers: usize, rounds: usize) -> Option<f64> {
    let mut work = Work::new(kind, servers);
    work.picks(PICKS / 4);
    let samples: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = worked();
            work.picks(PICKS);
            worked().saturating_sub(start).as_nanos() as f64 / f64::from(PICKS)
        })
        .collect();
    Spread::of(&samples).map(|spread| spread.median)
}

/// A policy and the servers that it picks from.
pub(crate) struct Work {
    policy: Policy,
    servers: Loads,
    now: Moment,
    count: u64,
    /// Where requests are in flight, the oldest first.
    running: VecDeque<usize>,
}

impl Work {
    pub(crate) fn new(kind: Kind, servers: usize) -> Self {
        let settings = Settings {
            kind,
            ..Settings::default()
        };
        let shape = |server: usize| ServerShape {
            id: key_hash(&server.to_le_bytes()),
            weight: Weight::ONE,
            backup: false,
            in_own_zone: true,
        };
        let shapes: Vec<ServerShape> = (0..servers).map(shape).collect();
        let now = Moment::from_nanos(1_000_000_000);
        let loads = Loads((0..servers).map(|_| Load::default()).collect());
        for (server, load) in loads.0.iter().enumerate() {
            let latency = Duration::from_micros(1_000 + server as u64 * 7 % 1_000);
            (0..8).for_each(|_| load.answered(now, latency, settings.latency_decay));
            load.moved(
                now,
                1_000 + server as u64 * 13 % 1_000,
                settings.latency_decay,
            );
        }
        let mut work = Self {
            policy: Policy::new(settings, &shapes, 7),
            servers: loads,
            now,
            count: 0,
            running: VecDeque::new(),
        };
        for _ in 0..servers * IN_FLIGHT_EACH {
            work.begin();
        }
        work
    }

    /// Picks so many times.
    pub(crate) fn picks(&mut self, count: u32) {
        for _ in 0..count {
            self.begin();
            if let Some(load) = self
                .running
                .pop_front()
                .and_then(|oldest| self.servers.load(oldest))
            {
                load.leave();
            }
        }
    }

    fn ask_around(&mut self) {
        while let Some(server) = self.policy.probe_target(self.now) {
            if let Some(load) = self.servers.load(server) {
                let probe = load.probe(self.now, self.policy.settings().latency_decay);
                self.policy.probed(server, probe, self.now);
            }
        }
    }

    fn begin(&mut self) {
        self.now = self.now + Duration::from_micros(10);
        self.count += 1;
        let ask = Ask {
            now: self.now,
            key: Some(self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        };
        if self.policy.settings().kind == Kind::Prequal(Probes::Asked) {
            self.ask_around();
        }
        let Some(server) = black_box(self.policy.pick(&self.servers, &ask)) else {
            return;
        };
        if self
            .servers
            .load(server)
            .is_some_and(|load| load.try_enter(None))
        {
            self.running.push_back(server);
        }
    }
}

/// Servers that can always take a request.
struct Loads(Vec<Load>);

impl Servers for Loads {
    fn is_eligible(&self, _server: usize) -> bool {
        true
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.0.get(server)
    }
}

fn kinds() -> Vec<(&'static str, Kind)> {
    let balancers = std::num::NonZeroU32::MIN;
    let sample = Sample::Auto;
    let ring = |load_bound| Kind::ConsistentHash {
        virtual_nodes: Kind::VIRTUAL_NODES,
        load_bound,
    };
    vec![
        ("round-robin", Kind::RoundRobin),
        ("random", Kind::Random),
        ("least-connections", Kind::LeastConnections(sample)),
        ("power-of-two", Kind::PowerOfTwo),
        ("least-response-time", Kind::LeastResponseTime(sample)),
        ("peak-ewma", Kind::PeakEwma(sample)),
        ("least-bandwidth", Kind::LeastBandwidth(sample)),
        ("prequal", Kind::Prequal(Probes::Local)),
        ("prequal, three servers asked", Kind::Prequal(Probes::Asked)),
        ("c3", Kind::C3 { sample, balancers }),
        ("consistent-hash", ring(None)),
        ("consistent-hash, bounded", ring(Some(1.25))),
        ("maglev", Kind::Maglev { table_size: None }),
        ("ip-hash", Kind::IpHash),
    ]
}

const SERVERS: [usize; 4] = [10, 100, 1_000, 10_000];
/// Requests in flight for each server.
const IN_FLIGHT_EACH: usize = 2;
/// In one round.
const PICKS: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_picks() {
        for (name, kind) in kinds() {
            let mut work = Work::new(kind, 120);
            work.picks(100);
            assert_eq!(work.running.len(), 120 * IN_FLIGHT_EACH, "{name}");
        }
    }
}
