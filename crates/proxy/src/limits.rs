//! What clients have used of rate limits, over all workers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use sluice_config::Plan;
use sluice_config::plan::{KeyPart, LimitKey, RateLimit, SharedLimit};
use sluice_limit::{Concurrent, Leases, Limiter, Quota};
use sluice_model::Moment;
use sluice_telemetry::metrics::RateLimitMetrics;

/// What was used of all rate limits, by name. Belongs to the control plane.
#[derive(Clone, Debug, Default)]
pub struct Limits(HashMap<Arc<str>, Arc<Used>>);

impl Limits {
    /// Those of `plan`: where keys and quotas are as they were, what was used stays used.
    #[must_use]
    pub fn updated(&self, plan: &Plan) -> Self {
        let all = plan.rate_limits.iter().map(|limit| {
            let known = self.0.get(&limit.name).filter(|used| used.is_of(limit));
            let used = match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(Used::new(limit)),
            };
            (Arc::clone(&limit.name), used)
        });
        Self(all.collect())
    }

    pub(crate) fn get(&self, limit: &str) -> Option<&Arc<Used>> {
        self.0.get(limit)
    }
}

/// A rate limit, as a worker holds requests against it.
#[derive(Debug)]
pub(crate) struct LiveLimit {
    pub(crate) used: Arc<Used>,
    pub(crate) metrics: Arc<RateLimitMetrics>,
}

/// What was used of one rate limit.
#[derive(Debug)]
pub(crate) struct Used {
    key: LimitKey,
    max_keys: usize,
    quotas: Vec<Quota>,
    shared: Option<SharedLimit>,
    /// One for each quota; of a share of it where a store counts.
    limiters: Vec<Limiter>,
    /// One for each quota, where a store counts.
    leases: Vec<Leases>,
    concurrent: Concurrent,
    waiting: AtomicU32,
    hasher: RandomState,
    /// What moments are counted from.
    begun: Instant,
}

impl Used {
    fn new(limit: &RateLimit) -> Self {
        let is_one = limit.key.parts.iter().all(|part| *part == KeyPart::Global);
        let max_keys = if is_one { 1 } else { limit.max_keys };
        let limiters = limit.quotas().map(|quota| match &limit.shared {
            Some(shared) => Limiter::new(&quota.percent(shared.alone), max_keys),
            None => Limiter::new(quota, max_keys),
        });
        let shared = limit.shared.iter();
        let leases = shared.flat_map(|_| limit.quotas().map(|_| Leases::new(max_keys)));
        Self {
            key: limit.key.clone(),
            max_keys: limit.max_keys,
            quotas: limit.quotas().copied().collect(),
            shared: limit.shared.clone(),
            limiters: limiters.collect(),
            leases: leases.collect(),
            concurrent: Concurrent::default(),
            waiting: AtomicU32::new(0),
            hasher: RandomState::new(),
            begun: Instant::now(),
        }
    }

    fn is_of(&self, limit: &RateLimit) -> bool {
        self.key == limit.key
            && self.max_keys == limit.max_keys
            && self.shared == limit.shared
            && self.quotas.iter().eq(limit.quotas())
    }

    /// The hash of a key, which clients cannot foresee.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(crate) fn limiter(&self, quota: usize) -> Option<&Limiter> {
        self.limiters.get(quota)
    }

    pub(crate) fn leases(&self, quota: usize) -> Option<&Leases> {
        self.leases.get(quota)
    }

    pub(crate) fn moment(&self, now: Instant) -> Moment {
        Moment::default() + now.saturating_duration_since(self.begun)
    }

    /// A request is not served after all.
    pub(crate) fn give_back(&self, taken: Taking) {
        match taken {
            Taking::Token(quota, key, at) => {
                if let Some(limiter) = self.limiter(quota) {
                    limiter.give_back(key, at);
                }
            }
            Taking::Lease(quota, key, at) => {
                if let Some(leases) = self.leases(quota) {
                    leases.give_back(key, at);
                }
            }
        }
    }

    /// One more request of a key is under way, where there are less than `most`.
    pub(crate) fn enter(self: &Arc<Self>, key: u64, most: u32) -> Option<Place> {
        self.concurrent.enter(key, most).then(|| Place {
            used: Arc::clone(self),
            key,
        })
    }

    /// One more request waits, where there are less than `most`.
    pub(crate) fn wait(self: &Arc<Self>, most: u32) -> Option<Waiting> {
        let more = |waiting: u32| (waiting < most).then(|| waiting + 1);
        let (order, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let has_room = self.waiting.fetch_update(order, failure, more).is_ok();
        has_room.then(|| Waiting(Arc::clone(self)))
    }
}

/// What a request has taken: from which quota, by which key, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taking {
    /// Of what is counted here.
    Token(usize, u64, Moment),
    /// Of what was leased.
    Lease(usize, u64, Moment),
}

/// That a request is under way; ends when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    used: Arc<Used>,
    key: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.used.concurrent.leave(self.key);
    }
}

/// That a request waits; ends when dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Used>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_limit::Verdict;

    use super::*;
    use crate::rig;

    fn plan(limit: &str) -> Arc<Plan> {
        rig::plan(&format!(
            "[listeners.web]\naddress = \":8080\"\n[[routes]]\nrespond = {{}}\nrate-limits = [\"one\"]\n[rate-limits.one]\n{limit}"
        ))
    }

    fn takes(limits: &Limits) -> bool {
        let used = limits.get("one").expect("it is there");
        let limiter = used.limiter(0).expect("a rate");
        let moment = used.moment(used.begun);
        limiter.take(7, moment, Duration::ZERO).verdict == Verdict::Now
    }

    #[test]
    fn what_was_used_stays_used_while_the_limit_is_the_same() {
        let first = Limits::default().updated(&plan("rate = \"1/d\""));
        assert!(takes(&first) && !takes(&first));
        // How it is applied is another thing.
        let same = first.updated(&plan("rate = \"1/d\"\nfields = true\nmax-concurrent = 3"));
        assert!(!takes(&same));
        let more = same.updated(&plan("rate = \"2/d\""));
        assert!(takes(&more) && takes(&more) && !takes(&more));
        let other = more.updated(&plan("rate = \"2/d\"\nkey = \"path\""));
        assert!(takes(&other));
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let limits = Limits::default().updated(&plan("rate = \"1/d\""));
        let used = limits.get("one").expect("it is there");
        for _ in 0..3 {
            // It ends at once.
            assert!(used.wait(2).is_some());
        }
        let (_one, two) = (used.wait(2), used.wait(2));
        assert!(used.wait(2).is_none());
        drop(two);
        assert!(used.wait(2).is_some());
    }
}
