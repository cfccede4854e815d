//! A balancer: the policy of production, and what it has learned of servers. It sees nothing of the other balancers.

use std::time::Duration;

use fastrand::Rng;
use sluice_balance::{
    Ask, Load, Policy, Probe, ServerShape, Servers, Settings, Signals, Subset, key_hash,
};
use sluice_model::Moment;

use super::jobs::Job;
use crate::scenario::{NamedPolicy, Nanos, Scenario};

/// A balancer at work.
#[derive(Debug)]
pub(super) struct Balancer {
    policy: Policy,
    loads: Box<[Load]>,
}

/// The balancers of a scenario, each with its own seed. Those that would have the same tables share them.
pub(super) fn all(scenario: &Scenario, policy: &NamedPolicy, chance: &mut Rng) -> Box<[Balancer]> {
    let zones = &scenario.balancers.zones;
    let kinds = zones.len().max(1);
    let count = scenario.balancers.count as usize;
    let mut first_of_kind: Vec<Policy> = Vec::new();
    let balancers = (0..count).map(|index| {
        let zone = zones.get(index % kinds).map(String::as_str);
        let seed = chance.u64(..);
        let settings = Settings {
            subset: policy.subset.map(|size| Subset {
                size: size.get(),
                balancer: narrow(index / kinds),
                // Of this one's zone.
                balancers: narrow((count - index % kinds).div_ceil(kinds)),
            }),
            ..policy.settings
        };
        let chooser = match first_of_kind.get(index % kinds) {
            Some(first) if policy.subset.is_none() => first.reseeded(seed),
            _ => Policy::new(settings, &shapes(scenario, zone), seed),
        };
        if index < kinds {
            first_of_kind.push(chooser.clone());
        }
        Balancer {
            policy: chooser,
            loads: (0..scenario.servers()).map(|_| Load::default()).collect(),
        }
    });
    balancers.collect()
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn shapes(scenario: &Scenario, zone: Option<&str>) -> Vec<ServerShape> {
    let of_group = scenario
        .groups
        .iter()
        .flat_map(|group| (0..group.count).map(move |_| group));
    of_group
        .zip(0_u32..)
        .map(|(group, index)| ServerShape {
            id: key_hash(&index.to_le_bytes()),
            weight: group.weight,
            backup: group.backup,
            in_own_zone: zone.is_some() && group.zone.as_deref() == zone,
        })
        .collect()
}

/// The servers as a balancer sees them for one request.
struct Seen<'a> {
    loads: &'a [Load],
    known_down: &'a [bool],
    tried: &'a [u32],
    limit: Option<u32>,
}

impl Servers for Seen<'_> {
    fn is_eligible(&self, server: usize) -> bool {
        !self.known_down[server]
            && !self.tried.iter().any(|&tried| tried as usize == server)
            && self
                .limit
                .is_none_or(|limit| self.loads[server].in_flight() < limit)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.loads.get(server)
    }
}

impl Balancer {
    /// The server that takes the request, which counts there from now on.
    pub(super) fn pick(
        &mut self,
        now: Nanos,
        key: u64,
        tried: &[u32],
        known_down: &[bool],
        limit: Option<u32>,
    ) -> Option<u32> {
        let seen = Seen {
            loads: &self.loads,
            known_down,
            tried,
            limit,
        };
        let ask = Ask {
            now: Moment::from_nanos(now),
            key: Some(key),
        };
        let server = self.policy.pick(&seen, &ask)?;
        let entered = self.loads[server].try_enter(limit);
        debug_assert!(entered, "a server without a place was picked");
        u32::try_from(server).ok()
    }

    /// The server answered, with what was asked of it if `done`.
    pub(super) fn answered(&mut self, now: Nanos, job: &Job, done: bool, signals: Signals) {
        let load = &self.loads[job.server as usize];
        let decay = self.policy.settings().latency_decay;
        let moment = Moment::from_nanos(now);
        if signals.latency && done {
            load.answered(moment, Duration::from_nanos(now - job.sent), decay);
        }
        load.leave();
        load.ended(moment, !done);
        if signals.bandwidth {
            load.moved(moment, job.bytes, decay);
        }
        if job.report.in_flight.is_some() {
            load.reported(moment, job.report);
        }
    }

    /// The client did not wait for the server's answer: it took that long at least.
    pub(super) fn gave_up(&mut self, now: Nanos, job: &Job, signals: Signals) {
        let Some(load) = self.loads.get(job.server as usize) else {
            return;
        };
        let moment = Moment::from_nanos(now);
        if signals.latency {
            let decay = self.policy.settings().latency_decay;
            load.answered(moment, Duration::from_nanos(now - job.sent), decay);
        }
        load.leave();
        load.ended(moment, true);
    }

    /// A server to ask for its load now.
    pub(super) fn probe_target(&mut self, now: Nanos) -> Option<u32> {
        let target = self.policy.probe_target(Moment::from_nanos(now))?;
        u32::try_from(target).ok()
    }

    /// What a server answered to that.
    pub(super) fn probed(&mut self, now: Nanos, server: u32, probe: Probe) {
        let moment = Moment::from_nanos(now);
        self.policy.probed(server as usize, probe, moment);
    }

    /// Whether it has no request anywhere.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.loads.iter().all(|load| load.in_flight() == 0)
    }

    /// The server is back.
    pub(super) fn recovered(&mut self, now: Nanos, server: u32) {
        self.loads[server as usize].warm_up(Moment::from_nanos(now));
    }
}
