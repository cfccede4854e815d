//! Waiting for a turn, where a rate limit delays what is over it.

use std::sync::Arc;
use std::time::Instant;

use sluice_telemetry::metrics::RateLimitMetrics;
use tokio::time::sleep_until;

use crate::limits::{LiveLimit, Waiting};

/// That it is a request's turn at some time.
#[derive(Debug)]
pub(super) struct Turn {
    at: Instant,
    metrics: Arc<RateLimitMetrics>,
    _waiting: Waiting,
}

impl Turn {
    pub(super) fn new(at: Instant, waiting: Waiting, limit: &LiveLimit) -> Self {
        limit.metrics.waiting.increment();
        Self {
            at,
            metrics: Arc::clone(&limit.metrics),
            _waiting: waiting,
        }
    }

    /// Waits for it.
    pub(super) async fn comes(self) {
        sleep_until(self.at.into()).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.metrics.waiting.decrement();
    }
}
