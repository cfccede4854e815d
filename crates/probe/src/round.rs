//! The checks of one server, one after the other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_config::plan::HealthChecks;
use sluice_health::{Check, Verdict};
use sluice_telemetry::metrics::{CheckMetrics, CheckOutcome};
use sluice_upstream::Endpoint;
use tokio::time::{sleep, timeout};

use crate::failure::{Failure, Step};
use crate::kind;
use crate::rounds::Shared;
use crate::way::Way;

/// Checks the server until the task is ended.
pub(crate) async fn run(
    way: Way,
    health: HealthChecks,
    endpoint: Arc<Endpoint>,
    check: Rc<RefCell<Check>>,
    shared: Rc<Shared>,
) {
    let key = endpoint.key();
    let metrics = shared.registry.checks(&key.upstream, endpoint.label());
    let mut wait = health.settings.first_in(fastrand::u32(..));
    loop {
        sleep(wait).await;
        // Never closed.
        let Ok(permit) = shared.permits.acquire().await else {
            return;
        };
        let started = Instant::now();
        let outcome = one(&way, &health).await;
        drop(permit);
        note(&metrics, &outcome, started.elapsed());
        let says_something = !matches!(&outcome, Err(failure) if failure.is_ours());
        let now = shared.now();
        let mut check = check.borrow_mut();
        if says_something
            && let Some(verdict) = check.record(now, outcome.is_ok(), &health.settings)
        {
            endpoint.set_verdict(verdict);
            tell(&endpoint, verdict, outcome.as_ref().err());
        }
        wait = check.next_in(now, fastrand::u32(..), &health.settings);
    }
}

async fn one(way: &Way, health: &HealthChecks) -> Result<(), Failure> {
    let step = Cell::new(Step::Connecting);
    let check = kind::check(way, &health.kind, &step);
    match timeout(health.timeout, check).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::late(step.get(), health.timeout)),
    }
}

fn note(metrics: &CheckMetrics, outcome: &Result<(), Failure>, took: Duration) {
    let word = match outcome {
        Ok(()) => CheckOutcome::Good,
        Err(failure) => failure.outcome,
    };
    metrics.outcomes.increment(word);
    let nanos = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
    metrics.last_nanos.set(nanos);
}

fn tell(endpoint: &Endpoint, verdict: Verdict, failure: Option<&Failure>) {
    let upstream = &endpoint.key().upstream;
    let server = endpoint.label();
    match failure {
        None => tracing::info!(%upstream, %server, "{}", said(verdict)),
        Some(failure) => {
            tracing::warn!(%upstream, %server, reason = %failure.reason, "{}", said(verdict));
        }
    }
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "server is healthy",
        Verdict::Unhealthy => "server is unhealthy",
        Verdict::Unknown => "server was not checked",
    }
}
