//! An upstream's policy: its algorithm, and what holds around any of them: the own zone before others, backup servers
//! behind all, a slow start for new servers, and distance from servers that fail.

use std::time::Duration;

use fastrand::Rng;
use sluice_model::{Moment, Weight};

use crate::kind::Kind;
use crate::probe::Probe;
use crate::servers::{Ask, ServerShape, Servers};
use crate::subset::Subset;
use crate::tier::Tier;
use crate::view::chance;

/// Chooses among an upstream's servers. One for each worker, which needs no lock then; tables are shared by all that come of
/// one by [`Policy::reseeded`].
#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    /// In the balancer's own zone; all primary servers, where zones do not matter.
    own_zone: Tier,
    other_zones: Tier,
    /// Primary servers outside of the balancer's subset.
    outside: Tier,
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
    /// The part of the primary servers that this balancer keeps to, as long as any of it can take a request. None: all of
    /// them.
    pub subset: Option<Subset>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            slow_start: Duration::ZERO,
            panic_threshold: 0.5,
            zone_spill: 1.5,
            latency_decay: Duration::from_secs(10),
            subset: None,
        }
    }
}

impl Policy {
    /// A policy over `servers`. Workers give different seeds, so that they do not all begin with the same server.
    pub fn new(settings: Settings, servers: &[ServerShape], seed: u64) -> Self {
        let zones_matter = servers
            .iter()
            .any(|server| !server.backup && server.in_own_zone);
        let of_zone = |own: bool| {
            let of_zone = move |server: &ServerShape| (!zones_matter || server.in_own_zone) == own;
            let ids = servers
                .iter()
                .enumerate()
                .filter(move |(_, server)| !server.backup && of_zone(server))
                .map(|(index, server)| (index, server.id));
            match settings.subset {
                Some(subset) => subset.of(ids),
                None => ids.map(|(index, _)| index).collect(),
            }
        };
        let (own, others) = (of_zone(true), of_zone(false));
        let (backups, primaries): (Vec<usize>, Vec<usize>) = (0..servers.len())
            .partition(|&index| servers.get(index).is_some_and(|server| server.backup));
        let is_outside = |index: &usize| {
            own.binary_search(index).is_err() && others.binary_search(index).is_err()
        };
        let outside: Vec<usize> = primaries.into_iter().filter(is_outside).collect();
        let tier = |chosen: &[usize]| Tier::new(&settings, servers, chosen, seed);
        Self {
            own_zone: tier(&own),
            other_zones: tier(&others),
            outside: tier(&outside),
            backups: tier(&backups),
            settings,
            rng: Rng::with_seed(seed),
        }
    }

    /// One that begins with another seed, for another worker. It shares the tables.
    #[must_use]
    pub fn reseeded(&self, seed: u64) -> Self {
        let mut other = self.clone();
        other.rng = Rng::with_seed(seed);
        for tier in other.tiers().0 {
            tier.reseed(seed);
        }
        other
    }

    /// Gives the servers other weights, one for each in their order; a server without one keeps its own. What comes of weights
    /// is worked out anew, where they changed: that takes as long as [`Policy::new`]. All else goes on as it was.
    pub fn set_weights(&mut self, weights: &[Weight]) {
        let (tiers, settings, _) = self.tiers();
        for tier in tiers {
            tier.set_weights(settings, weights);
        }
    }

    /// Takes over the weights of `other`, a policy over the same servers with the same settings, and what was worked out from
    /// them. So a worker need not do it again.
    pub fn share_weights(&mut self, other: &Self) {
        self.own_zone.reweigh(&other.own_zone);
        self.other_zones.reweigh(&other.other_zones);
        self.outside.reweigh(&other.outside);
        self.backups.reweigh(&other.backups);
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
            .or_else(|| self.outside.pick(settings, servers, ask, rng))
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
        let (tiers, _, rng) = self.tiers();
        for tier in tiers {
            tier.probed(server, probe, now, rng);
        }
    }

    /// How it chooses.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn tiers(&mut self) -> ([&mut Tier; 4], &Settings, &mut Rng) {
        let tiers = [
            &mut self.own_zone,
            &mut self.other_zones,
            &mut self.outside,
            &mut self.backups,
        ];
        (tiers, &self.settings, &mut self.rng)
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
