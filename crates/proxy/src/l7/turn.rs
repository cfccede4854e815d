//! Waiting for a turn, where a rate limit delays what is over it.

use std::sync::Arc;
use std::time::Instant;

use sluice_telemetry::metrics::RateLimitMetrics;
use tokio::time::sleep_until;

use super::admission::{Admitted, Step};
use crate::limits::{LiveLimit, Taking, Used, Waiting};

/// That it is a request's turn at some time. What it took for that is given back where it is dropped before.
#[derive(Debug)]
pub(super) struct Turn {
    at: Instant,
    used: Arc<Used>,
    metrics: Arc<RateLimitMetrics>,
    /// `None` once it had its turn.
    taken: Option<Taking>,
    _waiting: Waiting,
}

impl Turn {
    pub(super) fn new(at: Instant, waiting: Waiting, limit: &LiveLimit, taken: Taking) -> Self {
        limit.metrics.waiting.increment();
        Self {
            at,
            used: Arc::clone(&limit.used),
            metrics: Arc::clone(&limit.metrics),
            taken: Some(taken),
            _waiting: waiting,
        }
    }

    /// Waits for it.
    pub(super) fn step(self) -> Step {
        Box::pin(async move {
            let mut turn = self;
            sleep_until(turn.at.into()).await;
            turn.taken = None;
            Admitted::On
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.metrics.waiting.decrement();
        if let Some(taken) = self.taken {
            self.used.give_back(taken);
        }
    }
}
