//! What a request has taken of its limits, until it is known whether it counts.
//!
//! It counts with all of them or with none: once all have let it pass. Where one refuses in the end, or the client goes before, what the
//! others gave is given back. But once it is found out who the client is, that costs: then it counts even where the client goes.

use std::sync::Arc;

use sluice_telemetry::metrics::{LimitOutcome, RateLimitMetrics};

use super::admission::{Refusal, Step};
use super::lease::Ask;
use super::turn::Turn;
use crate::limits::{LiveLimit, Taking, Used};

/// Given back when it is dropped, unless it counts.
#[derive(Default)]
pub(super) struct Takings {
    got: Vec<Got>,
    counts: bool,
}

/// What one limit gave.
pub(super) struct Got {
    pub(super) used: Arc<Used>,
    pub(super) metrics: Arc<RateLimitMetrics>,
    pub(super) outcome: LimitOutcome,
    pub(super) taken: Option<Taking>,
}

impl Takings {
    pub(super) fn add(&mut self, limit: &LiveLimit, outcome: LimitOutcome, taken: Option<Taking>) {
        self.got.push(Got {
            used: Arc::clone(&limit.used),
            metrics: Arc::clone(&limit.metrics),
            outcome,
            taken,
        });
    }

    /// The request counts from now on, unless it is [given back](Self::give_back) all the same.
    pub(super) fn begin_to_count(&mut self) {
        self.counts = true;
    }

    /// The request does not count.
    pub(super) fn give_back(mut self) {
        self.counts = false;
    }
}

impl Drop for Takings {
    fn drop(&mut self) {
        for got in &self.got {
            if self.counts {
                got.metrics.requests.increment(got.outcome);
            } else if let Some(taken) = got.taken {
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
        self.takings.got.append(&mut before.got);
        if !self.waits() {
            self.takings.begin_to_count();
            return None;
        }
        Some(Box::pin(async move {
            self.granted().await?.begin_to_count();
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
            takings.got.push(ask.answer().await?);
        }
        for turn in turns {
            turn.comes().await;
        }
        Ok(takings)
    }
}
