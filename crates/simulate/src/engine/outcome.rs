//! How a run went.

use hdrhistogram::Histogram;

use crate::scenario::{Nanos, seconds};

/// What was measured in a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Nanoseconds from arrival until the answer, of the requests that were answered, and of those that were given up.
    pub latencies: Histogram<u32>,
    /// Their mean, in seconds.
    pub mean_latency: f64,
    /// Requests that were measured.
    pub requests: u64,
    /// That had an error for an answer.
    pub failed: u64,
    /// That no server took, though some were asked.
    pub refused: u64,
    /// For which the balancer had no server.
    pub unserved: u64,
    /// That took longer than clients wait.
    pub late: u64,
    /// The share of each server's slots that was in use.
    pub utilizations: Vec<f64>,
    /// How it went for the servers of each group, in the order of the scenario.
    pub groups: Vec<GroupOutcome>,
    /// Seconds that were measured.
    pub measured_time: f64,
    /// Requests that were simulated, measured or not.
    pub simulated: u64,
    /// Seconds that passed in the simulation.
    pub virtual_time: f64,
}

/// How a run went for the servers of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupOutcome {
    /// The share of requests that came to them, tries included.
    pub share: f64,
    /// The share of their slots that was in use, in the mean.
    pub utilization: f64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    Refused,
    Unserved,
    Late,
}

/// What is known of servers when the last request has arrived.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// How long it was.
    pub(super) span: Nanos,
    pub(super) utilizations: Vec<f64>,
    pub(super) groups: Vec<GroupOutcome>,
}

/// Counts while a run is under way.
#[derive(Debug)]
pub(super) struct Tally {
    latencies: Histogram<u32>,
    latency_sum: f64,
    requests: u64,
    failed: u64,
    refused: u64,
    unserved: u64,
    late: u64,
    measured: Measured,
    is_closed: bool,
}

impl Default for Tally {
    fn default() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX, DIGITS);
        Self {
            latencies: latencies.expect("the bounds are sound"),
            latency_sum: 0.0,
            requests: 0,
            failed: 0,
            refused: 0,
            unserved: 0,
            late: 0,
            measured: Measured::default(),
            is_closed: false,
        }
    }
}

impl Tally {
    /// A measured request begins.
    pub(super) fn begun(&mut self) {
        self.requests += 1;
    }

    /// A measured request ends, `latency` after its arrival.
    pub(super) fn ended(&mut self, end: End, latency: Nanos) {
        match end {
            End::Done => {}
            End::Late => self.late += 1,
            End::Failed => self.failed += 1,
            End::Refused => self.refused += 1,
            End::Unserved => self.unserved += 1,
        }
        // A quick error is no quick answer.
        if matches!(end, End::Done | End::Late) {
            self.latencies.saturating_record(latency.max(1));
            self.latency_sum += seconds(latency);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The measured time is over.
    pub(super) fn close(&mut self, measured: Measured) {
        self.measured = measured;
        self.is_closed = true;
    }

    pub(super) fn outcome(self, simulated: u64, now: Nanos) -> Outcome {
        let answered = self.latencies.len();
        Outcome {
            mean_latency: if answered == 0 {
                0.0
            } else {
                self.latency_sum / answered as f64
            },
            latencies: self.latencies,
            requests: self.requests,
            failed: self.failed,
            refused: self.refused,
            unserved: self.unserved,
            late: self.late,
            utilizations: self.measured.utilizations,
            groups: self.measured.groups,
            measured_time: seconds(self.measured.span),
            simulated,
            virtual_time: seconds(now),
        }
    }
}

impl Outcome {
    /// Requests that did not get what they asked for.
    pub fn errors(&self) -> u64 {
        self.failed + self.refused + self.unserved + self.late
    }
}

/// An hour, in nanoseconds: more counts as that.
const LATENCY_MAX: u64 = 3_600_000_000_000;
/// Latencies are kept to a thousandth.
const DIGITS: u8 = 3;
