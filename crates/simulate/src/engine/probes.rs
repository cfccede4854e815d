//! Balancers ask servers how loaded they are, for policies that want to know. A question travels as a request does, and is
//! answered at once by what the server knows of itself; one that is down does not answer.

use std::time::Duration;

use sluice_balance::{Kind, Probe, Probes};
use sluice_model::Moment;

use super::Simulation;
use super::lane::Lane;
use crate::scenario::{NamedPolicy, Nanos};

/// Questions and answers under way, between a balancer and a server.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Whether the policy asks at all.
    pub(super) wanted: bool,
    /// How long a server remembers what requests took.
    pub(super) decay: Duration,
    questions: Lane<(u32, u32)>,
    answers: Lane<(u32, u32, Probe)>,
}

impl Asking {
    pub(super) fn new(policy: &NamedPolicy) -> Self {
        Self {
            wanted: matches!(policy.settings.kind, Kind::Prequal(Probes::Asked)),
            decay: policy.settings.latency_decay,
            ..Self::default()
        }
    }

    /// When the next question or answer arrives; never, where there is none.
    pub(super) fn next_at(&self) -> Nanos {
        self.questions.next_at().min(self.answers.next_at())
    }
}

impl Simulation {
    /// The balancer asks whom it wants to ask.
    pub(super) fn ask(&mut self, balancer: u32) {
        while let Some(server) = self.balancers[balancer as usize].probe_target(self.now) {
            let at = self.now + self.settings.one_way;
            self.asking.questions.put(at, (balancer, server));
        }
    }

    /// The next question or answer arrives.
    pub(super) fn asked(&mut self) {
        if self.asking.answers.next_at() <= self.asking.questions.next_at() {
            if let Some((balancer, server, probe)) = self.asking.answers.take() {
                self.balancers[balancer as usize].probed(self.now, server, probe);
            }
        } else if let Some((balancer, number)) = self.asking.questions.take() {
            let server = &self.servers[number as usize];
            if !server.is_down {
                let probe = server
                    .load
                    .probe(Moment::from_nanos(self.now), self.asking.decay);
                let at = self.now + self.settings.one_way;
                self.asking.answers.put(at, (balancer, number, probe));
            }
        }
    }
}
