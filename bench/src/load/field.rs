//! Cluster and crowd on one thread, one epoll: a server's answer and a client's request are never late for one another.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::cluster::{Cluster, SERVER};
use super::crowd::{Crowd, Ended};
use super::poll::{EventFlags, Poll};
use super::{Clients, Tally};

/// The field that a proxy stands in the middle of.
pub(crate) struct Field<L> {
    cluster: Cluster,
    crowd: Crowd,
    measuring: bool,
    ledger: L,
}

/// What is written down of it.
pub(crate) trait Ledger: Send + 'static {
    /// A request has come to its end.
    fn note(&mut self, ended: Ended);
    /// The measuring begins, or ends. `waiting` says since when each has waited whose request is under way; `taken` what
    /// each server has taken since the last time.
    fn turn_page(
        &mut self,
        measuring: bool,
        waiting: &mut dyn Iterator<Item = Instant>,
        taken: Vec<u64>,
    );
}

impl<L> Field<L> {
    pub(crate) fn new(cluster: Cluster, crowd: Crowd, ledger: L) -> Self {
        Self {
            cluster,
            crowd,
            measuring: false,
            ledger,
        }
    }

    /// What was written.
    pub(crate) fn ledger(self) -> L {
        self.ledger
    }
}

impl<L: Ledger> Clients for Field<L> {
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
        } else if let Some(ended) = self.crowd.ready(token, flags) {
            self.ledger.note(ended);
            tally.completed.fetch_add(1, Relaxed);
        }
    }

    fn turn(&mut self, poll: &Poll, tally: &Tally) {
        self.cluster.turn();
        let ledger = &mut self.ledger;
        self.crowd.turn(poll, |ended| ledger.note(ended));
        let measuring = tally.measuring.load(Relaxed);
        if measuring != self.measuring {
            self.measuring = measuring;
            let taken = self.cluster.taken();
            ledger.turn_page(measuring, &mut self.crowd.waiting(), taken);
        }
    }

    fn next(&self) -> Option<Instant> {
        let (crowd, cluster) = (self.crowd.next(), self.cluster.next());
        Some(cluster.map_or(crowd, |cluster| cluster.min(crowd)))
    }
}
