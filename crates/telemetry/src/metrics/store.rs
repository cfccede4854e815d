//! What becomes of what stores are asked.

use super::cell::{CounterBy, Gauge};
use crate::word::words;

/// A store, as one worker saw it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct StoreMetrics {
    /// What it was asked, by what came of it.
    pub operations: CounterBy<StoreOutcome, { StoreOutcome::COUNT }>,
    /// 1 while the worker is connected to it.
    pub connected: Gauge,
}

words! {
    /// What came of an operation of a store.
    pub enum StoreOutcome {
        /// It was carried out.
        Ok = "ok",
        /// There was no answer within `timeout`.
        Timeout = "timeout",
        /// The connection broke, or the store refused it.
        Failed = "failed",
        /// It was not tried, as there was no connection.
        Away = "away",
    }
}
