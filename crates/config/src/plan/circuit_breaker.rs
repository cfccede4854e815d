//! When an upstream's servers are given a rest.

use sluice_health::BreakerSettings;
use sluice_model::Share;

/// `[upstreams.NAME.circuit-breaker]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// What opens and closes it.
    pub settings: BreakerSettings,
    /// `max-ejected`
    pub max_ejected: Share,
    /// `failures`
    pub failures: Failures,
}

/// What counts as a failure of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// `connect-failure`
    pub connect_failure: bool,
    /// `reset`
    pub reset: bool,
    /// `timeout`
    pub timeout: bool,
    statuses: [u64; 4],
}

/// One of `failures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// `connect-failure`: no connection, or none in time, for a reason that is the server's.
    ConnectFailure,
    /// `reset`: the connection ends before the answer does, or what comes is no answer.
    Reset,
    /// `timeout`: no answer in time.
    Timeout,
    /// `503`: an answer with that status, 400 to 599.
    Status(u16),
    /// `5xx`: an answer of that class, 4 or 5.
    Class(u8),
}

impl Failures {
    /// Adds a kind.
    pub fn insert(&mut self, kind: FailureKind) {
        match kind {
            FailureKind::ConnectFailure => self.connect_failure = true,
            FailureKind::Reset => self.reset = true,
            FailureKind::Timeout => self.timeout = true,
            FailureKind::Status(status) => self.insert_status(status),
            FailureKind::Class(class) => {
                let first = u16::from(class) * 100;
                (first..first + 100).for_each(|status| self.insert_status(status));
            }
        }
    }

    /// Whether an answer with this status is one.
    pub fn has_status(&self, status: u16) -> bool {
        let Some((word, bit)) = place_of(status) else {
            return false;
        };
        self.statuses.get(word).is_some_and(|word| word & bit != 0)
    }

    fn insert_status(&mut self, status: u16) {
        if let Some((word, bit)) = place_of(status)
            && let Some(word) = self.statuses.get_mut(word)
        {
            *word |= bit;
        }
    }
}

/// The word and the bit that stand for a status.
fn place_of(status: u16) -> Option<(usize, u64)> {
    let number = status.checked_sub(400).filter(|number| *number < 200)?;
    Some((usize::from(number / 64), 1 << (number % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_known_one_by_one_and_by_class() {
        let mut failures = Failures::default();
        assert!(!failures.has_status(503));
        failures.insert(FailureKind::Status(429));
        failures.insert(FailureKind::Class(5));
        for status in 0..=1_000 {
            let is_one = status == 429 || (500..600).contains(&status);
            assert_eq!(failures.has_status(status), is_one, "{status}");
        }
    }
}
