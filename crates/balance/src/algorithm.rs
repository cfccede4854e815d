//! The state of an algorithm over a tier, and the one place that knows them all.

use fastrand::Rng;
use sluice_model::Moment;

use crate::keyed::Keyed;
use crate::kind::Kind;
use crate::prequal::Prequal;
use crate::probe::Probe;
use crate::random::Random;
use crate::round_robin::RoundRobin;
use crate::scan::Sample;
use crate::servers::Servers;
use crate::view::{Member, View};
use crate::{c3, least_bandwidth, least_connections, least_response_time, peak_ewma, power_of_two};

/// An algorithm at work.
#[derive(Clone, Debug)]
pub(crate) enum Algorithm {
    RoundRobin(RoundRobin),
    Random(Random),
    LeastConnections(Sample),
    PowerOfTwo(Random),
    LeastResponseTime(Sample),
    PeakEwma(Sample),
    LeastBandwidth(Sample),
    Prequal(Prequal),
    C3 { sample: Sample, balancers: f32 },
    Keyed(Keyed),
}

impl Algorithm {
    /// The algorithm over the servers of a tier.
    pub(crate) fn new(kind: Kind, members: &[Member], seed: u64) -> Self {
        match kind {
            Kind::RoundRobin => {
                let weights = members.iter().map(Member::whole_weight);
                Self::RoundRobin(RoundRobin::new(weights, seed))
            }
            Kind::Random => Self::Random(Random::new(members)),
            Kind::LeastConnections(sample) => Self::LeastConnections(sample),
            Kind::PowerOfTwo => Self::PowerOfTwo(Random::new(members)),
            Kind::LeastResponseTime(sample) => Self::LeastResponseTime(sample),
            Kind::PeakEwma(sample) => Self::PeakEwma(sample),
            Kind::LeastBandwidth(sample) => Self::LeastBandwidth(sample),
            Kind::Prequal(probes) => Self::Prequal(Prequal::new(probes, members)),
            Kind::C3 { sample, balancers } => Self::C3 {
                sample,
                balancers: balancers.get() as f32,
            },
            Kind::ConsistentHash {
                virtual_nodes,
                load_bound,
            } => Self::Keyed(Keyed::consistent_hash(members, virtual_nodes, load_bound)),
            Kind::Maglev { table_size } => Self::Keyed(Keyed::maglev(members, table_size)),
            Kind::IpHash => Self::Keyed(Keyed::ip_hash(members)),
        }
    }

    /// The place of the server that takes the request, `None` where none is eligible.
    pub(crate) fn pick<S: Servers>(&mut self, view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
        match self {
            Self::RoundRobin(round_robin) => round_robin.pick(|place| view.is_eligible(place)),
            Self::Random(random) => random.pick(view, rng),
            Self::LeastConnections(sample) => least_connections::pick(view, *sample, rng),
            Self::PowerOfTwo(random) => power_of_two::pick(view, random, rng),
            Self::LeastResponseTime(sample) => least_response_time::pick(view, *sample, rng),
            Self::PeakEwma(sample) => peak_ewma::pick(view, *sample, rng),
            Self::LeastBandwidth(sample) => least_bandwidth::pick(view, *sample, rng),
            Self::Prequal(prequal) => prequal.pick(view, rng),
            Self::C3 { sample, balancers } => c3::pick(view, *sample, *balancers, rng),
            Self::Keyed(keyed) => keyed.pick(view, rng),
        }
    }

    /// Begins anew with another seed. What was learned of servers stays.
    pub(crate) fn reseed(&mut self, seed: u64) {
        if let Self::RoundRobin(round_robin) = self {
            round_robin.restart(seed);
        }
    }

    /// Takes over what comes of the weights from `other`, which is of the same kind over the same servers. What came of requests
    /// stays.
    pub(crate) fn reweigh(&mut self, other: &Self) {
        match (self, other) {
            (Self::RoundRobin(own), Self::RoundRobin(other)) => own.reweigh(other),
            (Self::Prequal(own), Self::Prequal(other)) => own.reweigh(other),
            (own, other) => *own = other.clone(),
        }
    }

    /// The place of a server to ask for its load now.
    pub(crate) fn probe_target(&mut self, now: Moment, rng: &mut Rng) -> Option<usize> {
        match self {
            Self::Prequal(prequal) => prequal.probe_target(now, rng),
            _ => None,
        }
    }

    /// What the server at `place` answered.
    pub(crate) fn probed(
        &mut self,
        place: usize,
        member: &Member,
        probe: Probe,
        now: Moment,
        rng: &mut Rng,
    ) {
        if let Self::Prequal(prequal) = self {
            prequal.probed(place, member, probe, now, rng);
        }
    }
}
