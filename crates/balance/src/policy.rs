//! An upstream's policy: its algorithm, and what holds around any of them: the own zone before others, backup servers
//! behind all, a slow start for new servers, and distance from servers that fail.

use std::time::Duration;

use fastrand::Rng;
use sluice_model::Moment;

use crate::kind::Kind;
use crate::probe::Probe;
use crate::servers::{Ask, ServerShape, Servers};
use crate::tier::Tier;
use crate::view::chance;

/// Chooses among an upstream's servers. One for each worker, which needs no lock then.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    /// In the balancer's own zone; all primary servers, where zones do not matter.
    own_zone: Tier,
    other_zones: Tier,
    backups: Tier,
    rng: Rng,
}

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The algorithm.
    pub kind: Kind,
    /// How long a new server takes from a small share to its full one; zero: none.
    pub slow_start: Duration,
    /// The share of servers that do not fail, 0 to 1, below which those that do are tried as well: the others could not
    /// bear it all.
    pub panic_threshold: f32,
    /// How many times as loaded as the others the own zone may be before requests leave it, at least 1.
    pub zone_spill: f32,
    /// How long a latency is remembered: it counts 1/e after that time.
    pub latency_decay: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            slow_start: Duration::ZERO,
            panic_threshold: 0.5,
            zone_spill: 1.5,
            latency_decay: Duration::from_secs(10),
        }
    }
}

impl Policy {
    /// A policy over `servers`. Workers give different seeds, so that they do not all begin with the same server.
    pub fn new(settings: Settings, servers: &[ServerShape], seed: u64) -> Self {
        let zones_matter = servers
            .iter()
            .any(|server| !server.backup && server.in_own_zone);
        let tier = |chosen: &dyn Fn(&ServerShape) -> bool| {
            Tier::new(&settings, servers, |_, shape| chosen(shape), seed)
        };
        Self {
            own_zone: tier(&|server| !server.backup && (!zones_matter || server.in_own_zone)),
            other_zones: tier(&|server| !server.backup && zones_matter && !server.in_own_zone),
            backups: tier(&|server| server.backup),
            settings,
            rng: Rng::with_seed(seed),
        }
    }

    /// The index of the server that takes the request, `None` where none is eligible.
    pub fn pick<S: Servers>(&mut self, servers: &S, ask: &Ask) -> Option<usize> {
        let spills = self.spills(ask);
        let (settings, rng) = (&self.settings, &mut self.rng);
        let (first, second) = if spills {
            (&mut self.other_zones, &mut self.own_zone)
        } else {
            (&mut self.own_zone, &mut self.other_zones)
        };
        first
            .pick(settings, servers, ask, rng)
            .or_else(|| second.pick(settings, servers, ask, rng))
            .or_else(|| self.backups.pick(settings, servers, ask, rng))
    }

    /// The index of a server that the caller should ask for its load now; ask again until there is none. Only
    /// [`crate::Probes::Asked`] has any.
    pub fn probe_target(&mut self, now: Moment) -> Option<usize> {
        let rng = &mut self.rng;
        [&mut self.own_zone, &mut self.other_zones, &mut self.backups]
            .into_iter()
            .find_map(|tier| tier.probe_target(now, rng))
    }

    /// What a server answered to being asked for its load. One that did not answer is not told of.
    pub fn probed(&mut self, server: usize, probe: Probe, now: Moment) {
        let rng = &mut self.rng;
        for tier in [&mut self.own_zone, &mut self.other_zones, &mut self.backups] {
            tier.probed(server, probe, now, rng);
        }
    }

    /// How it chooses.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether this request leaves the own zone. The more loaded that is beside the others, the more do, so that load
    /// settles instead of going to and fro.
    fn spills(&mut self, ask: &Ask) -> bool {
        if self.other_zones.is_empty() {
            return false;
        }
        // Plus one: a few requests in an idle upstream are no overload.
        let bearable = self.settings.zone_spill * (self.other_zones.mean_in_flight() + 1.0);
        let own = self.own_zone.mean_in_flight();
        if own <= bearable {
            return false;
        }
        // By its key, where that decides: then a request spills whenever the one before it with the same key did.
        let key = ask.key.filter(|_| self.settings.kind.signals().key);
        let draw = key.map_or_else(|| self.rng.f32(), chance);
        draw < 1.0 - bearable / own
    }
}

#[cfg(test)]
pub(crate) mod tests;
