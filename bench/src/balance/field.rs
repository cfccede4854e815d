//! Cluster and crowd on one thread, one epoll: a server's answer and a client's request are never late for one another.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use crate::load::cluster::{Cluster, SERVER};
use crate::load::crowd::{Count, Crowd};
use crate::load::poll::{EventFlags, Poll};
use crate::load::{Clients, Tally};

/// The field that a proxy stands in the middle of.
pub(crate) struct Field {
    cluster: Cluster,
    crowd: Crowd,
    counting: bool,
    outcome: Option<Outcome>,
}

/// What was counted.
pub(crate) struct Outcome {
    pub(crate) requests: Count,
    /// How many each server took.
    pub(crate) taken: Vec<u64>,
}

impl Field {
    pub(crate) fn new(cluster: Cluster, crowd: Crowd) -> Self {
        Self {
            cluster,
            crowd,
            counting: false,
            outcome: None,
        }
    }

    /// What was counted between the beginning and the end of the measuring.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        self.outcome
    }
}

impl Clients for Field {
    fn prepare(&mut self, poll: &Poll) -> io::Result<()> {
        self.cluster.listen(poll)
    }

    fn start(&mut self, _: &Poll) -> io::Result<()> {
        self.cluster.begin();
        self.crowd.begin();
        Ok(())
    }

    fn ready(&mut self, token: u64, flags: EventFlags, poll: &Poll, tally: &Tally) {
        if token & SERVER != 0 {
            self.cluster.ready(token, poll);
        } else if self.crowd.ready(token, flags) {
            tally.completed.fetch_add(1, Relaxed);
        }
    }

    fn turn(&mut self, poll: &Poll, tally: &Tally) {
        self.cluster.turn();
        self.crowd.turn(poll);
        let measuring = tally.measuring.load(Relaxed);
        if measuring != self.counting {
            self.counting = measuring;
            let (requests, taken) = (self.crowd.count(), self.cluster.taken());
            if !measuring {
                self.outcome = Some(Outcome { requests, taken });
            }
        }
    }
}
