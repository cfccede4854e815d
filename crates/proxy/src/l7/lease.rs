//! Asking a store for some of a quota that several balancers share.
//!
//! What it gives is a lease: a few at a time, which later requests of the same key use up without asking, on whatever worker. Who
//! is told that there is none is not asked for again before the time. While the store is away a share of the quota holds here.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use sluice_config::plan::RateLimit;
use sluice_limit::{Algorithm, Quota, Verdict};
use sluice_model::Moment;
use sluice_store::{Script, Store};
use sluice_telemetry::End;
use sluice_telemetry::metrics::{LimitOutcome, RateLimitMetrics};

use super::admission::{Admitted, Refusal, Step};
use crate::limits::{LiveLimit, Used};

/// A request that needs another lease.
pub(super) struct Ask {
    store: Rc<Store>,
    used: Arc<Used>,
    metrics: Arc<RateLimitMetrics>,
    quota: Quota,
    position: usize,
    key: u64,
    /// What the key is called in the store: no client's words, which may be secret or long.
    name: Vec<u8>,
    now: Moment,
    dry_run: bool,
}

impl Ask {
    pub(super) fn new(
        store: &Rc<Store>,
        limit: &LiveLimit,
        settings: &RateLimit,
        (position, quota): (usize, &Quota),
        (words, key): (&[u8], u64),
        now: Moment,
    ) -> Self {
        let begin = format!("limit:{}:{position}:", settings.name);
        Self {
            store: Rc::clone(store),
            used: Arc::clone(&limit.used),
            metrics: Arc::clone(&limit.metrics),
            quota: *quota,
            position,
            key,
            name: [begin.as_bytes(), digest(&SHA256, words).as_ref()].concat(),
            now,
            dry_run: settings.dry_run,
        }
    }

    pub(super) fn step(self) -> Step {
        Box::pin(self.admit())
    }

    async fn admit(self) -> Admitted {
        let rate = self.quota.rate();
        let wanted = lease_of(&self.quota);
        let arguments = [
            algorithm(&self.quota),
            u64::try_from(rate.per().as_micros()).unwrap_or(u64::MAX),
            rate.count().into(),
            self.quota.burst().into(),
            wanted.into(),
        ];
        let answer = self.store.run(&TAKE, &self.name, &arguments).await;
        let number = |at: usize| {
            let number = answer.as_ref().ok()?.get(at)?;
            u64::try_from(*number).ok()
        };
        let Some((granted, wait)) = number(0).zip(number(1)) else {
            return self.alone();
        };
        let wait = Duration::from_micros(wait);
        let leases = self.used.leases(self.position);
        if granted > 0 {
            let more = u32::try_from(granted - 1).unwrap_or_default();
            if let Some(leases) = leases.filter(|_| more > 0) {
                leases.add(self.key, more, self.now, LASTS.min(rate.per()));
            }
            return self.allowed(LimitOutcome::Allowed);
        }
        if let Some(leases) = leases {
            leases.refuse(self.key, self.now, wait);
        }
        self.refused(wait)
    }

    /// The store is away.
    fn alone(&self) -> Admitted {
        let taken = self
            .used
            .limiter(self.position)
            .map(|limiter| limiter.take(self.key, self.now, Duration::ZERO));
        match taken {
            Some(taken) if taken.verdict == Verdict::Refused => {
                self.refused(taken.standing.retry_after)
            }
            _ => self.allowed(LimitOutcome::Alone),
        }
    }

    fn allowed(&self, outcome: LimitOutcome) -> Admitted {
        self.metrics.requests.increment(outcome);
        Admitted::On
    }

    fn refused(&self, wait: Duration) -> Admitted {
        if self.dry_run {
            return self.allowed(LimitOutcome::WouldRefuse);
        }
        self.metrics.requests.increment(LimitOutcome::Refused);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = seconds.max(1).to_string();
        Admitted::Refused(Box::new(Refusal {
            status: 429,
            fields: vec![("Retry-After".into(), seconds.into_bytes().into())],
            body: Vec::new(),
            end: End::RateLimited,
        }))
    }
}

/// A fiftieth of what there can be at once: so much may lie unused with each process.
fn lease_of(quota: &Quota) -> u32 {
    (quota.burst() / 50).clamp(1, LARGEST)
}

fn algorithm(quota: &Quota) -> u64 {
    match quota.algorithm() {
        Algorithm::TokenBucket => 0,
        Algorithm::SlidingWindow => 1,
        Algorithm::FixedWindow => 2,
    }
}

/// Takes as many as there are of those wanted, by the store's own clock. Returns how many, and if none, in how many microseconds there is
/// one.
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lease.lua")));

/// A lease that is not used up by then is lost, so that it is not used on top of what has come since.
const LASTS: Duration = Duration::from_secs(2);
const LARGEST: u32 = 1_000;
