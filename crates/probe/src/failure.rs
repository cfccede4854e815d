//! How a check fails.

use std::io;
use std::time::Duration;

use sluice_telemetry::metrics::{CheckOutcome, ConnectFailure};
use sluice_upstream::ConnectError;

/// Why a check failed: a word for metrics, a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) outcome: CheckOutcome,
    pub(crate) reason: String,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connecting,
    Handshake,
    Answer,
}

impl Failure {
    pub(crate) fn new(outcome: CheckOutcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: reason.into(),
        }
    }

    /// It was not done in time.
    pub(crate) fn late(step: Step, limit: Duration) -> Self {
        let missing = match step {
            Step::Connecting => "no connection",
            Step::Handshake => "no end of the handshake",
            Step::Answer => "no whole answer",
        };
        Self::new(CheckOutcome::Timeout, format!("{missing} within {limit:?}"))
    }

    /// Whether it is for a want of this process, which says nothing of the server.
    pub(crate) fn is_ours(&self) -> bool {
        self.outcome == CheckOutcome::NotDone
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let outcome = if error.blames_server() {
            of_connecting(error.word())
        } else {
            CheckOutcome::NotDone
        };
        Self::new(outcome, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let outcome = match error.kind() {
            io::ErrorKind::ConnectionRefused => CheckOutcome::Refused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                CheckOutcome::Unreachable
            }
            io::ErrorKind::InvalidData => CheckOutcome::Protocol,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero => CheckOutcome::Closed,
            _ => CheckOutcome::Other,
        };
        Self::new(outcome, error.to_string())
    }
}

fn of_connecting(word: ConnectFailure) -> CheckOutcome {
    match word {
        ConnectFailure::Refused => CheckOutcome::Refused,
        ConnectFailure::Timeout => CheckOutcome::Timeout,
        ConnectFailure::Reset => CheckOutcome::Closed,
        ConnectFailure::Unreachable => CheckOutcome::Unreachable,
        ConnectFailure::NoPort | ConnectFailure::NoDescriptor => CheckOutcome::NotDone,
        ConnectFailure::Tls => CheckOutcome::Tls,
        ConnectFailure::Certificate => CheckOutcome::Certificate,
        ConnectFailure::Protocol => CheckOutcome::Protocol,
        ConnectFailure::Other => CheckOutcome::Other,
    }
}
