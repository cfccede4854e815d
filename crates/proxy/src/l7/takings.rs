//! What a request has taken of its limits, until it is known whether it counts.
//!
//! It counts with all of them or with none: once all have let it pass. Where one refuses in the end, or the client goes before, what the
//! others gave is given back.

use std::mem::take;
use std::sync::Arc;

use sluice_telemetry::metrics::{LimitOutcome, RateLimitMetrics};

use super::admission::{Refusal, Step};
use super::lease::Ask;
use super::turn::Turn;
use crate::limits::{LiveLimit, Taking, Used};

/// Given back where it is dropped before it counts.
#[derive(Default)]
pub(super) struct Takings(Vec<Got>);

/// What one limit gave.
pub(super) struct Got {
    pub(super) used: Arc<Used>,
    pub(super) metrics: Arc<RateLimitMetrics>,
    pub(super) outcome: LimitOutcome,
    pub(super) taken: Option<Taking>,
}

impl Takings {
    pub(super) fn add(&mut self, limit: &LiveLimit, outcome: LimitOutcome, taken: Option<Taking>) {
        self.0.push(Got {
            used: Arc::clone(&limit.used),
            metrics: Arc::clone(&limit.metrics),
            outcome,
            taken,
        });
    }

    /// The request counts.
    pub(super) fn count(mut self) {
        for got in take(&mut self.0) {
            got.metrics.requests.increment(got.outcome);
        }
    }
}

impl Drop for Takings {
    fn drop(&mut self) {
        for got in &self.0 {
            if let Some(taken) = got.taken {
                got.used.give_back(taken);
            }
        }
    }
}

/// What a request has got, and has yet to wait for, when no limit has refused it so far.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) takings: Takings,
    pub(super) asks: Vec<Ask>,
    pub(super) turns: Vec<Turn>,
}

impl Passed {
    pub(super) fn waits(&self) -> bool {
        !self.asks.is_empty() || !self.turns.is_empty()
    }

    /// The request counts with what it took `before` and with this: at once, or when all of it was waited for.
    pub(super) fn count(mut self, mut before: Takings) -> Option<Step> {
        self.takings.0.append(&mut before.0);
        if !self.waits() {
            self.takings.count();
            return None;
        }
        Some(Box::pin(async move {
            self.granted().await?.count();
            Ok(())
        }))
    }

    /// Waits for all of it. Whoever is refused in the end waits for no turn.
    pub(super) async fn granted(self) -> Result<Takings, Box<Refusal>> {
        let Self {
            mut takings,
            asks,
            turns,
        } = self;
        for ask in asks {
            takings.0.push(ask.answer().await?);
        }
        for turn in turns {
            turn.comes().await;
        }
        Ok(takings)
    }
}
