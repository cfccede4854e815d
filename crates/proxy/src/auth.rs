//! What a worker holds of each `[auth.NAME]`.

use std::sync::Arc;

use sluice_config::plan::Auth;
use sluice_telemetry::metrics::{AuthMetrics, AuthOutcome};

/// An `[auth.NAME]` as one worker sees it.
#[derive(Debug)]
pub(crate) struct LiveAuth {
    pub(crate) settings: Auth,
    metrics: Arc<AuthMetrics>,
}

impl LiveAuth {
    pub(crate) fn new(settings: &Auth, metrics: Arc<AuthMetrics>) -> Self {
        Self {
            settings: settings.clone(),
            metrics,
        }
    }

    pub(crate) fn count(&self, outcome: AuthOutcome) {
        self.metrics.outcomes.increment(outcome);
    }
}
