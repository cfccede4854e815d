//! What a worker counts of the copies of a route's requests.

use super::cell::{CounterBy, Gauge};
use crate::word::words;

/// The copies of a route's requests, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct MirrorMetrics {
    /// Requests that were to be copied, by what came of it.
    pub outcomes: CounterBy<MirrorOutcome, { MirrorOutcome::COUNT }>,
    /// Copies that are under way now.
    pub in_flight: Gauge,
}

words! {
    /// What came of a request that was to be copied.
    pub enum MirrorOutcome {
        /// The copy was answered, by whatever status.
        Answered = "answered",
        /// The copy was sent, or was to be, and there was no whole answer in time.
        Failed = "failed",
        /// There was no server for the copy.
        NoServer = "no-server",
        /// Not copied: the worker had `max-in-flight` copies under way, or memory was short.
        NoRoom = "no-room",
        /// Not copied: the body was longer than `max-body`.
        TooLong = "too-long",
        /// Not copied: the request itself did not come whole.
        Incomplete = "incomplete",
    }
}
