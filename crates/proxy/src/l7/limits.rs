//! Holds requests against the rate limits of their route.
//!
//! A request passes when all of them let it pass; what it took of one is given back when another refuses it. Whoever has to
//! wait has a [`Turn`], and for some a store has to be [asked](Ask): what the others gave are [`Takings`](super::takings::Takings) until
//! it is known.

use std::time::{Duration, Instant};

use sluice_config::plan::{LimitId, Over, RateLimit, Route};
use sluice_limit::{Lease, Quota, Standing, Taken, Verdict};
use sluice_route::Facts;
use sluice_telemetry::metrics::LimitOutcome;

use super::decide::Asked;
use super::lease::Ask;
use super::refuse::Refused;
use super::takings::Passed;
use super::turn::Turn;
use crate::limits::{LiveLimit, Place, Taking};
use crate::trip::Trip;

impl Asked<'_, '_, '_> {
    /// The limits of a route that do not go by who the client is, and those that do.
    pub(super) fn limits_of<'r>(&self, route: &'r Route) -> (&'r [LimitId], &'r [LimitId]) {
        let all = &self.listener.live.plan.rate_limits;
        let settings = |id: &LimitId| all.get(id.0);
        let first = route
            .rate_limits
            .partition_point(|id| settings(id).is_some_and(|limit| !limit.goes_by_identity()));
        route.rate_limits.split_at(first)
    }

    /// Takes from each of these limits of the route what a request takes. `held_back` is whether that is to be given back, or counted,
    /// by whoever gets it, even where nothing is waited for.
    pub(super) fn limit(
        &self,
        limits: &[LimitId],
        held_back: bool,
        route: &Route,
        facts: &Facts<'_>,
        trip: &mut Trip,
    ) -> Result<Passed, Refused> {
        let Some((first, others)) = limits.split_first() else {
            return Ok(Passed::default());
        };
        let live = &self.listener.live;
        let settings = live.plan.rate_limits.get(first.0);
        let Some((limit, settings)) = live.limit(*first).zip(settings) else {
            return self.limit(others, held_back, route, facts, trip);
        };
        let held = match self.hold(*first, limit, settings, route, facts, trip.now) {
            Ok(held) => held,
            Err(over) => {
                limit.metrics.requests.increment(over.outcome);
                trip.limited_by = Some(*first);
                over.tell(settings, trip);
                return Err(Refused::Limited(over.retry_after()));
            }
        };
        let held_back = held_back || held.ask.is_some() || held.turn.is_some();
        let mut passed = match self.limit(others, held_back, route, facts, trip) {
            Ok(passed) => passed,
            Err(refused) => {
                held.give_back(limit);
                return Err(refused);
            }
        };
        if held.forgot {
            limit.metrics.forgotten.increment();
        }
        if let Some((quota, standing)) = held.told {
            tell(settings, quota, &standing, trip);
        }
        trip.places.extend(held.place);
        if let Some(ask) = held.ask {
            passed.asks.push(ask);
        } else if held_back || passed.waits() {
            passed.takings.add(limit, held.outcome, held.taken);
        } else {
            limit.metrics.requests.increment(held.outcome);
        }
        passed.turns.extend(held.turn);
        Ok(passed)
    }

    /// Takes from one limit, or says why not.
    fn hold<'p>(
        &self,
        id: LimitId,
        limit: &LiveLimit,
        settings: &'p RateLimit,
        route: &Route,
        facts: &Facts<'_>,
        now: Instant,
    ) -> Result<Held<'p>, TooMuch<'p>> {
        let mut held = Held::default();
        if settings.lets_pass(facts.client) {
            held.outcome = LimitOutcome::Exempt;
            return Ok(held);
        }
        let mut words = self.downstream.worker.head();
        settings.key.write(facts, &route.name, &mut words);
        let key = limit.used.hash(&words);
        if let Some(most) = settings.max_concurrent {
            held.place = limit.used.enter(key, most);
            if held.place.is_none() {
                if !settings.dry_run {
                    return Err(TooMuch::at_a_time());
                }
                held.outcome = LimitOutcome::WouldRefuse;
                held.place = limit.used.enter(key, u32::MAX);
            }
        }
        let Some((position, quota)) = settings.quota_of(facts) else {
            return Ok(held);
        };
        let Some(limiter) = limit.used.limiter(position) else {
            return Ok(held);
        };
        let moment = limit.used.moment(now);
        if let Some(shared) = &settings.shared
            && let Some(leases) = limit.used.leases(position)
            && let Some(store) = self.listener.live.store_named(&shared.store)
            && store.is_here()
        {
            match leases.take(key, moment) {
                Lease::Taken => held.taken = Some(Taking::Lease(position, key, moment)),
                Lease::Refused(_) if settings.dry_run => held.outcome = LimitOutcome::WouldRefuse,
                Lease::Refused(wait) => return Err(TooMuch::until(quota, wait)),
                Lease::Ended => {
                    let whose = (&words[..], key);
                    let of = (position, quota);
                    held.ask = Some(Ask::new(store, (id, limit), settings, of, whose, moment));
                }
            }
            return Ok(held);
        }
        let patience = match settings.over {
            Over::Delay { longest, .. } if !settings.dry_run => longest,
            _ => Duration::ZERO,
        };
        if settings.shared.is_some() {
            held.outcome = LimitOutcome::Alone;
        }
        let taken = limiter.take(key, moment, patience);
        held.forgot = taken.forgot;
        held.taken = Some(Taking::Token(position, key, moment));
        held.judge(&taken, settings, quota, limit, now)
    }
}

/// What a request has taken of a limit.
struct Held<'p> {
    outcome: LimitOutcome,
    taken: Option<Taking>,
    place: Option<Place>,
    turn: Option<Turn>,
    /// What a store is to be asked for.
    ask: Option<Ask>,
    /// What the client is told.
    told: Option<(&'p Quota, Standing)>,
    forgot: bool,
}

impl Default for Held<'_> {
    fn default() -> Self {
        Self {
            outcome: LimitOutcome::Allowed,
            taken: None,
            place: None,
            turn: None,
            ask: None,
            told: None,
            forgot: false,
        }
    }
}

impl<'p> Held<'p> {
    fn judge(
        mut self,
        taken: &Taken,
        settings: &'p RateLimit,
        quota: &'p Quota,
        limit: &LiveLimit,
        now: Instant,
    ) -> Result<Self, TooMuch<'p>> {
        let too_much = TooMuch {
            outcome: LimitOutcome::Refused,
            told: Some((quota, taken.standing)),
        };
        match taken.verdict {
            Verdict::Now => {}
            Verdict::Refused if settings.dry_run => {
                self.outcome = LimitOutcome::WouldRefuse;
                self.taken = None;
            }
            Verdict::Refused => return Err(too_much),
            Verdict::After(wait) => {
                let most = match settings.over {
                    Over::Delay { waiting, .. } => waiting,
                    Over::Refuse => 0,
                };
                let Some(waiting) = limit.used.wait(most) else {
                    self.give_back(limit);
                    return Err(too_much);
                };
                self.outcome = LimitOutcome::Delayed;
                self.turn = Some(Turn::new(now + wait, waiting, limit));
            }
        }
        let is_told = settings.fields && !settings.dry_run;
        self.told = is_told.then_some((quota, taken.standing));
        Ok(self)
    }

    /// The request is not served after all.
    fn give_back(self, limit: &LiveLimit) {
        if let Some(taken) = self.taken {
            limit.used.give_back(taken);
        }
    }
}

/// Why a request is refused.
struct TooMuch<'p> {
    outcome: LimitOutcome,
    told: Option<(&'p Quota, Standing)>,
}

impl<'p> TooMuch<'p> {
    fn at_a_time() -> Self {
        Self {
            outcome: LimitOutcome::Concurrent,
            told: None,
        }
    }

    /// There is none of the quota before `retry_after`.
    fn until(quota: &'p Quota, retry_after: Duration) -> Self {
        let standing = Standing {
            retry_after,
            ..Standing::default()
        };
        Self {
            outcome: LimitOutcome::Refused,
            told: Some((quota, standing)),
        }
    }

    fn tell(&self, settings: &RateLimit, trip: &mut Trip) {
        if let Some((quota, standing)) = self.told.as_ref().filter(|_| settings.fields) {
            tell(settings, quota, standing, trip);
        }
    }

    /// In seconds, at least one: when somebody of the same key will be done is not known.
    fn retry_after(&self) -> u64 {
        let wait = self.told.map(|(_, standing)| standing.retry_after);
        seconds(wait.unwrap_or_default()).max(1)
    }
}

/// Adds the fields by which a client sees how it stands (draft-ietf-httpapi-ratelimit-headers-10).
fn tell(settings: &RateLimit, quota: &Quota, standing: &Standing, trip: &mut Trip) {
    let (name, rate) = (&settings.name, quota.rate());
    let policy = format!("\"{name}\";q={};w={}", rate.count(), rate.per().as_secs());
    let (left, reset) = (standing.remaining, seconds(standing.reset));
    let limit = format!("\"{name}\";r={left};t={reset}");
    let lines = trip.for_client.get_or_insert_default();
    lines.add("RateLimit-Policy", policy.as_bytes());
    lines.add("RateLimit", limit.as_bytes());
}

/// Rounded up.
fn seconds(duration: Duration) -> u64 {
    let more = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(more)
}
