//! The state of an algorithm over a tier, and the one place that knows them all.

use fastrand::Rng;
use sluice_model::Weight;

use crate::kind::Kind;
use crate::random::Random;
use crate::round_robin::RoundRobin;
use crate::scan::Sample;
use crate::servers::{ServerShape, Servers};
use crate::view::{Member, View};
use crate::{least_bandwidth, least_connections, least_response_time, peak_ewma, power_of_two};

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
}

impl Algorithm {
    /// The algorithm over the servers of a tier.
    pub(crate) fn new(kind: Kind, servers: &[ServerShape], members: &[Member], seed: u64) -> Self {
        let weights = || {
            servers
                .iter()
                .map(|server| server.weight)
                .collect::<Vec<Weight>>()
        };
        match kind {
            Kind::RoundRobin => Self::RoundRobin(RoundRobin::new(&weights(), seed)),
            Kind::Random => Self::Random(Random::new(members)),
            Kind::LeastConnections(sample) => Self::LeastConnections(sample),
            Kind::PowerOfTwo => Self::PowerOfTwo(Random::new(members)),
            Kind::LeastResponseTime(sample) => Self::LeastResponseTime(sample),
            Kind::PeakEwma(sample) => Self::PeakEwma(sample),
            Kind::LeastBandwidth(sample) => Self::LeastBandwidth(sample),
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
        }
    }
}
