//! What becomes of a request at its server, as the server's circuit breaker is told.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_config::plan::{CircuitBreaker, Failures};
use sluice_health::{BreakerSettings, Cause, Change, Outcome, Pass};
use sluice_model::Moment;
use sluice_telemetry::metrics::BreakerCause;

use crate::lane::{InFlight, Lane};

/// What became of a request (http), connection (tcp) or session (udp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server answered with this status; the head came so long after the request was sent.
    Answered {
        /// The final status.
        status: u16,
        /// Until the head.
        after: Duration,
    },
    /// The server took the connection, or spoke, after so long.
    Served {
        /// Until then.
        after: Duration,
    },
    /// No connection, for a reason that is the server's.
    ConnectFailed,
    /// The connection ended before the answer did, or what came was no answer.
    Broke,
    /// No answer in time.
    TimedOut,
    /// It was not waited for any more after so long, as another server has answered.
    Cancelled {
        /// Since the request was sent.
        after: Duration,
    },
    /// Nobody knows: the client went away, or something of ours was wanting.
    Unknown,
}

impl InFlight {
    /// Tells the server's breaker what became of what was begun here. Only the first time counts; without a breaker it costs
    /// a glance.
    pub fn ended(&self, now: Instant, fate: Fate) {
        self.counts_no_more(now, fate);
        if let Some(leave) = self.take_leave() {
            let standing = self.lane().endpoint().health().standing();
            leave.record(self.lane(), standing.moment(now), fate);
        }
    }
}

/// Leave of a server's breaker for one request.
#[derive(Debug)]
pub(crate) struct Leave {
    pass: Pass,
    breaking: Rc<Breaking>,
}

/// How an upstream's breakers are set, for one worker.
#[derive(Debug)]
pub(crate) struct Breaking {
    upstream: Arc<str>,
    settings: BreakerSettings,
    failures: Failures,
}

impl Breaking {
    pub(crate) fn new(upstream: &Arc<str>, breaker: &CircuitBreaker) -> Self {
        Self {
            upstream: Arc::clone(upstream),
            settings: breaker.settings,
            failures: breaker.failures,
        }
    }

    pub(crate) fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    fn outcome(&self, fate: Fate) -> Outcome {
        let failures = &self.failures;
        let is_failure = match fate {
            Fate::Answered { status, .. } => failures.has_status(status),
            Fate::ConnectFailed => failures.connect_failure,
            Fate::Broke => failures.reset,
            Fate::TimedOut => failures.timeout,
            Fate::Served { .. } | Fate::Cancelled { .. } | Fate::Unknown => false,
        };
        match fate {
            _ if is_failure => Outcome::Failed,
            Fate::Answered { after, .. } | Fate::Served { after } => Outcome::Succeeded { after },
            // It was slow already, whatever would have come.
            Fate::Cancelled { after } if self.settings.is_slow(after) => {
                Outcome::Succeeded { after }
            }
            // What is not to count as a failure is no success either.
            Fate::ConnectFailed
            | Fate::Broke
            | Fate::TimedOut
            | Fate::Cancelled { .. }
            | Fate::Unknown => Outcome::Unknown,
        }
    }
}

impl Leave {
    pub(crate) fn of(breaking: &Rc<Breaking>, lane: &Lane, now: Moment) -> Option<Self> {
        let pass = lane
            .endpoint()
            .health()
            .try_enter(now, &breaking.settings)?;
        Some(Self {
            pass,
            breaking: Rc::clone(breaking),
        })
    }

    pub(crate) fn record(self, lane: &Lane, now: Moment, fate: Fate) {
        let Self { pass, breaking } = self;
        let outcome = breaking.outcome(fate);
        let health = lane.endpoint().health();
        let change = health.record(now, pass, outcome, &breaking.settings);
        if let Some(change) = change {
            tell(&breaking, lane, now, change);
        }
    }
}

/// Counts a change and writes it down.
#[cold]
fn tell(breaking: &Breaking, lane: &Lane, now: Moment, change: Change) {
    let (upstream, server) = (&breaking.upstream, lane.endpoint().label());
    match change {
        Change::Opened { lasts, cause } => {
            let cause = word_of(cause);
            lane.metrics().breaker_openings.increment(cause);
            tracing::warn!(
                %upstream,
                %server,
                cause = cause.as_str(),
                open_for = ?lasts,
                "circuit breaker opened: the server gets a rest"
            );
        }
        Change::Closed => {
            lane.endpoint().load().warm_up(now);
            tracing::info!(%upstream, %server, "circuit breaker closed: the server is back");
        }
    }
}

fn word_of(cause: Cause) -> BreakerCause {
    match cause {
        Cause::ConsecutiveFailures => BreakerCause::ConsecutiveFailures,
        Cause::FailureRate => BreakerCause::FailureRate,
        Cause::SlowCallRate => BreakerCause::SlowCallRate,
        Cause::FailedTrial => BreakerCause::FailedTrial,
        Cause::SlowTrials => BreakerCause::SlowTrials,
    }
}
