//! What becomes of requests that are held against a rate limit.

use super::cell::{Counter, CounterBy, Gauge};
use crate::word::words;

/// A rate limit, as one worker saw it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct RateLimitMetrics {
    /// Requests, by what came of them.
    pub requests: CounterBy<LimitOutcome, { LimitOutcome::COUNT }>,
    /// Requests that wait for their turn now.
    pub waiting: Gauge,
    /// Keys that were forgotten though they had used some of their quota.
    pub forgotten: Counter,
}

words! {
    /// What a rate limit said to a request.
    pub enum LimitOutcome {
        /// It was within the limit.
        Allowed = "allowed",
        /// The store was away, and it was within the share that holds here then.
        Alone = "alone",
        /// It was over the limit and had to wait for its turn.
        Delayed = "delayed",
        /// It was over the limit and was refused, or would have had to wait for too long.
        Refused = "refused",
        /// Its key had `max-concurrent` requests under way, and it was refused.
        Concurrent = "concurrent",
        /// It would have been refused but for `dry-run`.
        WouldRefuse = "would-refuse",
        /// Its client is in `allow`.
        Exempt = "exempt",
    }
}
