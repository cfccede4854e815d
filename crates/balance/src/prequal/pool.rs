//! What was learned of a few servers a moment ago, for each request anew: constant work among however many servers, and
//! as servers are drawn anew all the time, many balancers do not run to the same one.

use std::time::Duration;

use fastrand::Rng;
use sluice_model::Moment;

use super::{Candidate, Probes, best, worst};
use crate::probe::Probe;
use crate::random::Random;
use crate::servers::Servers;
use crate::view::{Member, View};

/// Probes that may still be used, with the paper's ways to keep them fresh: each is good for a few requests and for a
/// second; each request removes one, by turns the oldest and the worst, lest the bad ones that nobody uses pile up.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    source: Probes,
    /// Draws by weight.
    random: Random,
    probes: Vec<Kept>,
    /// How many requests a probe serves, not whole as a rule.
    reuse: f32,
    removes_worst: bool,
    /// Probes that the caller should make for the requests so far.
    owed: u32,
    /// When it was last told of one.
    asked: Moment,
    usual: Usual,
}

/// A probe in the pool.
#[derive(Clone, Copy, Debug)]
struct Kept {
    place: usize,
    /// One more for each request that was sent there since.
    in_flight: f32,
    /// In seconds.
    latency: Option<f32>,
    at: Moment,
    uses: u32,
}

impl Pool {
    /// An empty pool over these servers.
    pub(super) fn new(source: Probes, members: &[Member]) -> Self {
        Self {
            source,
            random: Random::new(members),
            probes: Vec::with_capacity(PROBES_MAX),
            reuse: reuse(members.len()),
            removes_worst: false,
            owed: 0,
            asked: Moment::default(),
            usual: Usual::default(),
        }
    }

    /// The best of the pool; a server drawn by weight where the pool has too few.
    pub(super) fn pick<S: Servers>(&mut self, view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
        let now = view.ask.now;
        self.probes.retain(|kept| now.since(kept.at) < AGE_MAX);
        match self.source {
            Probes::Local => self.look_around(view, rng),
            Probes::Asked => self.owed = (self.owed + PROBES_PER_REQUEST).min(OWED_MAX),
        }
        let Some((best, worst)) = self.best_and_worst(view, rng) else {
            return self.random.pick(view, rng);
        };
        self.remove_one(worst);
        self.used(best);
        Some(best)
    }

    /// Draws by the weights of `other`. What was learned stays.
    pub(super) fn reweigh(&mut self, other: &Self) {
        self.random = other.random.clone();
    }

    /// Whom the caller should ask: as often as requests call for, and now and then without any, lest the next one finds
    /// nothing.
    pub(super) fn probe_target(&mut self, now: Moment, rng: &mut Rng) -> Option<usize> {
        if self.source == Probes::Local || (self.owed == 0 && now.since(self.asked) < IDLE) {
            return None;
        }
        self.owed = self.owed.saturating_sub(1);
        self.asked = now;
        self.random.draw(rng)
    }

    /// Remembers what a server of this weight said.
    pub(super) fn add(
        &mut self,
        place: usize,
        weight: f32,
        probe: Probe,
        now: Moment,
        rng: &mut Rng,
    ) {
        if !probe.in_flight.is_finite() {
            return;
        }
        let in_flight = probe.in_flight.max(0.0);
        self.usual.add(in_flight / weight);
        let one_more = u32::from(rng.f32() < self.reuse.fract());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to REUSE_MAX"
        )]
        let uses = self.reuse as u32 + one_more;
        let kept = Kept {
            place,
            in_flight,
            latency: probe.latency.map(|latency| latency.as_secs_f32()),
            at: now,
            uses,
        };
        if let Some(known) = self.probes.iter_mut().find(|known| known.place == place) {
            *known = kept;
            return;
        }
        if self.probes.len() >= PROBES_MAX {
            self.remove_oldest();
        }
        self.probes.push(kept);
    }

    /// Probes of servers that could take the request.
    fn look_around<S: Servers>(&mut self, view: &View<'_, S>, rng: &mut Rng) {
        for _ in 0..PROBES_PER_REQUEST {
            let drawn = self.random.draw(rng);
            if let Some(place) = drawn.filter(|&place| view.is_eligible(place)) {
                let probe = Probe {
                    in_flight: view.in_flight(place),
                    latency: None,
                };
                self.add(place, view.weight(place), probe, view.ask.now, rng);
            }
        }
    }

    /// The places of the best and the worst of the servers in the pool that can take the request, where there are two at
    /// least.
    fn best_and_worst<S: Servers>(
        &self,
        view: &View<'_, S>,
        rng: &mut Rng,
    ) -> Option<(usize, usize)> {
        let mut candidates = [Candidate::default(); PROBES_MAX];
        let eligible = self
            .probes
            .iter()
            .filter(|kept| view.is_eligible(kept.place));
        let mut count = 0;
        for (slot, kept) in candidates.iter_mut().zip(eligible) {
            *slot = self.candidate(kept, view);
            count += 1;
        }
        let candidates = candidates.get(..count).filter(|_| count >= PROBES_MIN)?;
        let limit = self.usual.hot_limit;
        best(candidates, limit, rng).zip(worst(candidates, limit))
    }

    /// The server of a probe as it stands now. What is known here is not older than now.
    fn candidate<S: Servers>(&self, kept: &Kept, view: &View<'_, S>) -> Candidate {
        let (in_flight, latency) = match self.source {
            Probes::Local => (
                view.in_flight(kept.place),
                view.latency_of_one_more(kept.place),
            ),
            Probes::Asked => (
                kept.in_flight,
                kept.latency.unwrap_or(view.survey.mean_latency),
            ),
        };
        Candidate::new(view, kept.place, in_flight, latency)
    }

    /// A request goes there: until the next probe it counts as in flight.
    fn used(&mut self, place: usize) {
        let Some(at) = self.probes.iter().position(|kept| kept.place == place) else {
            return;
        };
        if let Some(kept) = self.probes.get_mut(at) {
            kept.in_flight += 1.0;
            kept.uses = kept.uses.saturating_sub(1);
            if kept.uses == 0 {
                self.probes.swap_remove(at);
            }
        }
    }

    fn remove_one(&mut self, worst: usize) {
        if self.probes.len() <= PROBES_MIN {
            return;
        }
        if self.removes_worst {
            self.probes.retain(|kept| kept.place != worst);
        } else {
            self.remove_oldest();
        }
        self.removes_worst = !self.removes_worst;
    }

    fn remove_oldest(&mut self) {
        let ages = self.probes.iter().enumerate();
        if let Some((at, _)) = ages.min_by_key(|(_, kept)| kept.at) {
            self.probes.swap_remove(at);
        }
    }
}

/// What servers had in flight by the latest probes, for each unit of weight.
#[derive(Clone, Debug)]
struct Usual {
    late: [f32; LATE],
    seen: usize,
    hot_limit: f32,
}

impl Default for Usual {
    fn default() -> Self {
        Self {
            late: [0.0; LATE],
            seen: 0,
            hot_limit: 0.0,
        }
    }
}

impl Usual {
    fn add(&mut self, in_flight: f32) {
        if let Some(slot) = self.late.get_mut(self.seen % LATE) {
            *slot = in_flight;
        }
        self.seen += 1;
        // Sorting for each probe would cost more than all else.
        if self.seen < LATE || self.seen.is_multiple_of(SORT_EVERY) {
            let mut known = self.late;
            self.hot_limit = known
                .get_mut(..self.seen.min(LATE))
                .map_or(0.0, super::hot_limit);
        }
    }
}

/// Probes in the pool.
const PROBES_MAX: usize = 16;
/// With fewer than two there is no choice.
const PROBES_MIN: usize = 2;
/// Servers probed for each request: `r_probe`.
const PROBES_PER_REQUEST: u32 = 3;
/// Probes removed for each request: `r_remove`.
const REMOVED_PER_REQUEST: f32 = 1.0;
/// The rate at which probes should pile up beside what is used: `δ`.
const SURPLUS: f32 = 1.0;
/// A caller that does not keep up need not make up for more.
const OWED_MAX: u32 = 32;
/// What is older says nothing.
const AGE_MAX: Duration = Duration::from_secs(1);
/// Without requests a server is asked so often: a few of the probes are fresh then.
const IDLE: Duration = Duration::from_millis(250);
/// Probes that tell what is usual.
const LATE: usize = 64;
/// Probes after which that is worked out again.
const SORT_EVERY: usize = 16;
/// Among few servers nearly all are in the pool and a probe is replaced by a newer one before it is worn.
const REUSE_MAX: f32 = 16.0;

/// How many requests a probe serves, so that the pool stays full: (1 + δ) / ((1 − m/n) × `r_probe` − `r_remove`), at least
/// 1, of n servers in a pool of m.
fn reuse(servers: usize) -> f32 {
    let known = (PROBES_MAX as f32 / servers.max(1) as f32).min(1.0);
    let gained = (1.0 - known) * PROBES_PER_REQUEST as f32 - REMOVED_PER_REQUEST;
    if gained <= 0.0 {
        return REUSE_MAX;
    }
    ((1.0 + SURPLUS) / gained).clamp(1.0, REUSE_MAX)
}
