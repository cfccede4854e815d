//! Prequal: among servers that are not busier than others the one that answers soonest. Load itself is not evened out, as
//! a server that is busy with something else is better left alone, whatever it has in flight from here.
//!
//! Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance: Introducing Prequal" (NSDI 2024). A server
//! is hot where it has more in flight than a share of [`HOT_ABOVE`] of the servers have. Where all are hot, the one with
//! the fewest in flight wins. Else it is the cold one of the lowest latency, latency being what requests took that came
//! with about as many in flight, and here it is multiplied by one more than those in flight: averages of a few dozen
//! requests differ by chance, and the product keeps chance from sending everything to one of many equal servers. With 100
//! balancers over 100 servers of four processors each at 90 % of use, half of them with other work now and then, p99 was
//! 0.8 s by the product and 3.1 s by latency alone.
//!
//! Few servers are all looked at. Of many, only those that were probed of late: see [`Pool`].

use std::cmp::Ordering;

use fastrand::Rng;
use sluice_model::Moment;

use crate::probe::Probe;
use crate::servers::Servers;
use crate::view::{Member, View, tellable};

use pool::Pool;

mod pool;

/// Where Prequal learns of servers from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probes {
    /// From the traffic through this balancer, which all its workers see: a look at a [`crate::Load`] is the probe.
    #[default]
    Local,
    /// From the servers: the caller asks whom [`crate::Policy::probe_target`] names, and hands what they answer to
    /// [`crate::Policy::probed`]. For many balancers, none of which sees the whole load.
    Asked,
}

/// Prequal over a tier.
#[derive(Clone, Debug)]
pub(crate) enum Prequal {
    WholeSet,
    Pool(Box<Pool>),
}

impl Prequal {
    /// Over these servers.
    pub(crate) fn new(probes: Probes, members: &[Member]) -> Self {
        if probes == Probes::Local && members.len() <= WHOLE_SET_UP_TO {
            Self::WholeSet
        } else {
            Self::Pool(Box::new(Pool::new(probes, members)))
        }
    }

    /// The place of the server that takes the request.
    pub(crate) fn pick<S: Servers>(&mut self, view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
        match self {
            Self::WholeSet => best_of_all(view, rng),
            Self::Pool(pool) => pool.pick(view, rng),
        }
    }

    /// Draws by the weights of `other`.
    pub(crate) fn reweigh(&mut self, other: &Self) {
        if let (Self::Pool(own), Self::Pool(other)) = (self, other) {
            own.reweigh(other);
        }
    }

    /// The place of a server to ask now.
    pub(crate) fn probe_target(&mut self, now: Moment, rng: &mut Rng) -> Option<usize> {
        match self {
            Self::WholeSet => None,
            Self::Pool(pool) => pool.probe_target(now, rng),
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
        if let Self::Pool(pool) = self {
            pool.add(place, member.weight, probe, now, rng);
        }
    }
}

/// A server that could take the request.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    place: usize,
    weight: f32,
    /// For each unit of weight.
    in_flight: f32,
    /// Latency × (in flight by weight + 1).
    wait: f32,
}

impl Candidate {
    fn new<S: Servers>(view: &View<'_, S>, place: usize, in_flight: f32, latency: f32) -> Self {
        let weight = view.weight(place);
        Self {
            place,
            weight,
            in_flight: in_flight / weight,
            wait: tellable(latency) * (view.by_weight(place, in_flight) + 1.0),
        }
    }

    fn standing(&self, limit: f32) -> Standing {
        if self.in_flight > limit {
            Standing::Hot(self.in_flight)
        } else {
            Standing::Cold(self.wait)
        }
    }
}

/// How a server stands beside others: any cold one comes before any hot one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Standing {
    /// By latency × (in flight by weight + 1).
    Cold(f32),
    /// By requests in flight.
    Hot(f32),
}

/// The least of the candidates by standing; equals have chances by their weights.
fn best(candidates: &[Candidate], limit: f32, rng: &mut Rng) -> Option<usize> {
    let mut best: Option<(usize, Standing)> = None;
    let mut total = 0.0;
    for candidate in candidates {
        let standing = candidate.standing(limit);
        match best.map_or(Some(Ordering::Less), |(_, least)| {
            standing.partial_cmp(&least)
        }) {
            Some(Ordering::Less) => {
                (best, total) = (Some((candidate.place, standing)), candidate.weight);
            }
            Some(Ordering::Equal) => {
                total += candidate.weight;
                if rng.f32() * total < candidate.weight {
                    best = Some((candidate.place, standing));
                }
            }
            Some(Ordering::Greater) | None => {}
        }
    }
    best.map(|(place, _)| place)
}

/// The worst of the candidates: the hot one with the most in flight, or else the slowest.
fn worst(candidates: &[Candidate], limit: f32) -> Option<usize> {
    let order = |a: &&Candidate, b: &&Candidate| {
        a.standing(limit)
            .partial_cmp(&b.standing(limit))
            .unwrap_or(Ordering::Equal)
    };
    candidates.iter().max_by(order).map(|worst| worst.place)
}

fn best_of_all<S: Servers>(view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
    let mut candidates = [Candidate::default(); WHOLE_SET_UP_TO];
    let eligible = (0..view.len()).filter(|&place| view.is_eligible(place));
    let mut count = 0;
    for (slot, place) in candidates.iter_mut().zip(eligible) {
        *slot = Candidate::new(
            view,
            place,
            view.in_flight(place),
            view.latency_of_one_more(place),
        );
        count += 1;
    }
    let candidates = candidates.get(..count)?;
    let mut in_flight = [0.0; WHOLE_SET_UP_TO];
    for (slot, candidate) in in_flight.iter_mut().zip(candidates) {
        *slot = candidate.in_flight;
    }
    let limit = hot_limit(in_flight.get_mut(..count)?);
    best(candidates, limit, rng)
}

/// The requests in flight above which a server is hot, from what several have; puts them out of order.
fn hot_limit(in_flight: &mut [f32]) -> f32 {
    let count = in_flight.len();
    if count == 0 {
        return 0.0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small count"
    )]
    let rank = (HOT_ABOVE * count as f32).ceil() as usize;
    let at = rank.clamp(1, count) - 1;
    *in_flight.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The share of servers that are not hot: 2^(−1/4), as in the paper.
const HOT_ABOVE: f32 = 0.84;
/// So many servers are all looked at for each request.
const WHOLE_SET_UP_TO: usize = 32;
