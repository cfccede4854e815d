//! What is counted of health checks.

use super::cell::{CounterBy, Gauge};
use crate::word::words;

/// The health checks of a server.
#[derive(Debug, Default)]
pub struct CheckMetrics {
    /// By what came of them.
    pub outcomes: CounterBy<CheckOutcome, { CheckOutcome::COUNT }>,
    /// How many nanoseconds the last one took.
    pub last_nanos: Gauge,
}

words! {
    /// What came of a health check.
    pub enum CheckOutcome {
        /// The server is as it should be.
        Good = "ok",
        /// Nobody listens there.
        Refused = "refused",
        /// It was not done within `timeout`.
        Timeout = "timeout",
        /// No way to the host or its network.
        Unreachable = "unreachable",
        /// The server broke off.
        Closed = "closed",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The TLS certificate of the server is not one that it must have.
        Certificate = "certificate",
        /// What the server said is not what its protocol has it say.
        Protocol = "protocol",
        /// The answer has another status than it should have.
        Status = "status",
        /// The answer has another body, or is another datagram, than it should be.
        Body = "body",
        /// A condition on the JSON of the body does not hold.
        Json = "json",
        /// The server says by the gRPC health protocol that it does not serve.
        NotServing = "not-serving",
        /// This process could not do the check: no port or no descriptor was free. It says nothing of the server.
        NotDone = "not-done",
        /// Anything else.
        Other = "other",
    }
}
