//! Asking a store for some of a quota that several balancers share.
//!
//! What it gives is a lease: a few at a time, which later requests of the same key use up without asking, on whatever worker. Who
//! is told that there is none is not asked for again before the time. While the store is away a share of the quota holds here.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use sluice_config::plan::{LimitId, RateLimit};
use sluice_limit::{Algorithm, Quota, Verdict};
use sluice_model::Moment;
use sluice_store::{Script, Store};
use sluice_telemetry::metrics::{LimitOutcome, RateLimitMetrics};

use super::admission::Refusal;
use super::takings::Got;
use crate::limits::{LiveLimit, Taking, Used};

/// A request that needs another lease.
pub(super) struct Ask {
    limit: LimitId,
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
        (id, limit): (LimitId, &LiveLimit),
        settings: &RateLimit,
        (position, quota): (usize, &Quota),
        (words, key): (&[u8], u64),
        now: Moment,
    ) -> Self {
        let begin = format!("limit:{}:{position}:", settings.name);
        Self {
            limit: id,
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

    /// What there is of it.
    pub(super) async fn answer(self) -> Result<Got, Box<Refusal>> {
        let limit = self.limit;
        let got = self.ask().await;
        got.map_err(|retry_after| Box::new(Refusal::limited(limit, retry_after)))
    }

    /// What there is, or in what time there is some.
    async fn ask(self) -> Result<Got, Duration> {
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
            let lasts = LASTS.min(rate.per());
            if let Some(leases) = leases {
                leases.add(self.key, more, self.now, lasts);
            }
            let taken = Taking::Lease(self.position, self.key, self.now);
            return Ok(self.got(LimitOutcome::Allowed, Some(taken)));
        }
        if let Some(leases) = leases {
            leases.refuse(self.key, self.now, wait);
        }
        self.refused(wait)
    }

    /// The store is away.
    fn alone(self) -> Result<Got, Duration> {
        let taken = self
            .used
            .limiter(self.position)
            .map(|limiter| limiter.take(self.key, self.now, Duration::ZERO));
        match taken {
            Some(taken) if taken.verdict == Verdict::Refused => {
                self.refused(taken.standing.retry_after)
            }
            _ => {
                let taken = Taking::Token(self.position, self.key, self.now);
                Ok(self.got(LimitOutcome::Alone, Some(taken)))
            }
        }
    }

    fn refused(self, wait: Duration) -> Result<Got, Duration> {
        if self.dry_run {
            return Ok(self.got(LimitOutcome::WouldRefuse, None));
        }
        self.metrics.requests.increment(LimitOutcome::Refused);
        Err(wait)
    }

    fn got(self, outcome: LimitOutcome, taken: Option<Taking>) -> Got {
        Got {
            used: self.used,
            metrics: self.metrics,
            outcome,
            taken,
        }
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
