//! A cluster in virtual time, for tests of policies by what comes of them: servers that take as long as a test says,
//! requests that come at an even pace.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use sluice_balance::{Ask, Kind, Load, Policy, Sample, ServerShape, Servers, Settings, key_hash};
use sluice_model::{Moment, Weight};

/// Servers, and the requests that they work on.
pub(crate) struct Cluster {
    pub(crate) loads: Vec<Load>,
    pub(crate) ineligible: RefCell<Vec<usize>>,
    pub(crate) now: Moment,
    /// By their end: when, where, since when, whether it fails.
    running: BinaryHeap<Reverse<(Moment, usize, Moment, bool)>>,
}

/// What a server does with a request.
pub(crate) struct Answer {
    pub(crate) after: Duration,
    pub(crate) failed: bool,
}

impl Cluster {
    pub(crate) fn of(servers: usize) -> Self {
        Self {
            loads: (0..servers).map(|_| Load::default()).collect(),
            ineligible: RefCell::default(),
            now: Moment::default() + Duration::from_secs(1),
            running: BinaryHeap::new(),
        }
    }

    /// Sends `requests`, one each `pace`, and tells how many each server got. `work` is asked what the server makes of the
    /// last of so many requests that it has in flight.
    pub(crate) fn run(
        &mut self,
        policy: &mut Policy,
        requests: u32,
        pace: Duration,
        work: impl Fn(usize, u32) -> Answer,
    ) -> Vec<u32> {
        let mut counts = vec![0; self.loads.len()];
        for _ in 0..requests {
            self.now = self.now + pace;
            self.settle(policy);
            let server = policy.pick(self, &self.ask()).expect("a server");
            assert!(self.loads[server].try_enter(None), "no limit was given");
            let answer = work(server, self.loads[server].in_flight());
            let end = self.now + answer.after;
            self.running
                .push(Reverse((end, server, self.now, answer.failed)));
            counts[server] += 1;
        }
        counts
    }

    /// A request without a key, now.
    pub(crate) fn ask(&self) -> Ask {
        Ask {
            now: self.now,
            ..Ask::default()
        }
    }

    /// Ends what has come to its end.
    fn settle(&mut self, policy: &Policy) {
        let decay = policy.settings().latency_decay;
        while let Some(&Reverse((end, server, since, failed))) = self.running.peek() {
            if end > self.now {
                break;
            }
            self.running.pop();
            let load = &self.loads[server];
            load.answered(end, end.since(since), decay);
            load.ended(end, failed);
            load.leave();
        }
    }
}

impl Servers for Cluster {
    fn is_eligible(&self, server: usize) -> bool {
        !self.ineligible.borrow().contains(&server)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.loads.get(server)
    }
}

impl Answer {
    pub(crate) fn good(after: Duration) -> Self {
        Self {
            after,
            failed: false,
        }
    }
}

/// Primary servers of these weights, in the own zone.
pub(crate) fn shapes(weights: &[i64]) -> Vec<ServerShape> {
    let shape = |(server, &weight): (usize, &i64)| ServerShape {
        id: key_hash(&server.to_le_bytes()),
        weight: Weight::try_from(weight).expect("a weight"),
        backup: false,
        in_own_zone: true,
    };
    weights.iter().enumerate().map(shape).collect()
}

/// A policy of this kind over servers of these weights.
pub(crate) fn policy(kind: Kind, weights: &[i64], seed: u64) -> Policy {
    let settings = Settings {
        kind,
        ..Settings::default()
    };
    Policy::new(settings, &shapes(weights), seed)
}

pub(crate) fn of_kind(kind: Kind) -> Settings {
    Settings {
        kind,
        ..Settings::default()
    }
}

/// The next picks, each with a key of its own, of requests that are over at once.
pub(crate) fn picks(policy: &mut Policy, cluster: &Cluster, count: u64) -> Vec<usize> {
    (0..count)
        .filter_map(|key| {
            let key = Some(key_hash(&key.to_le_bytes()));
            policy.pick(
                cluster,
                &Ask {
                    key,
                    ..cluster.ask()
                },
            )
        })
        .collect()
}

/// Every kind there is.
pub(crate) fn every_kind() -> Vec<Kind> {
    let mut kinds = by_load();
    kinds.extend([
        Kind::RoundRobin,
        Kind::Random,
        Kind::LeastBandwidth(Sample::Auto),
        Kind::ConsistentHash {
            virtual_nodes: 40,
            load_bound: Some(2.0),
        },
        Kind::Maglev {
            table_size: Some(2_003),
        },
        Kind::IpHash,
    ]);
    kinds
}

/// The kinds that look at load.
pub(crate) fn by_load() -> Vec<Kind> {
    vec![
        Kind::LeastConnections(Sample::Auto),
        Kind::PowerOfTwo,
        Kind::LeastResponseTime(Sample::Auto),
        Kind::PeakEwma(Sample::Auto),
        Kind::Prequal(sluice_balance::Probes::Local),
        c3(),
    ]
}

/// The kinds that look at latency.
pub(crate) fn by_latency() -> Vec<Kind> {
    by_load()
        .into_iter()
        .filter(|kind| kind.signals().latency)
        .collect()
}

pub(crate) fn c3() -> Kind {
    Kind::C3 {
        sample: Sample::Auto,
        balancers: 1.try_into().expect("not zero"),
    }
}

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
