//! A request that waits for a place at one of a cluster's servers.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::cluster::{Asked, Cluster};
use crate::lane::InFlight;
use crate::queue::{Ticket, Wants};
use crate::tried::Tried;

/// What comes of wanting to wait.
#[derive(Debug)]
pub enum Wait {
    /// No waiting would help: there is no queue, or no server whose places are all taken.
    Useless,
    /// As many wait as may.
    Full,
    /// A place became free just now.
    Free(InFlight),
    /// In line.
    Turn(Turn),
}

impl Cluster {
    /// Waits in the upstream's queue for a place at a server that was not tried yet. To be called when
    /// [`Cluster::pick`] found none.
    pub fn wait(self: &Rc<Self>, tried: &mut Tried, asked: Asked) -> Wait {
        let Some(settings) = self.settings().queue else {
            return Wait::Useless;
        };
        let Some(queue) = self
            .queue()
            .filter(|_| self.may_become_free(tried, asked.now))
        else {
            return Wait::Useless;
        };
        let wants = Wants {
            made_before: self.made_before(),
            not: self.ids(tried),
        };
        let Some(ticket) = queue.join(settings.length, wants) else {
            self.metrics().queue_full.increment();
            return Wait::Full;
        };
        if let Some(place) = self.pick(tried, asked) {
            return Wait::Free(place);
        }
        self.metrics().queue_waits.increment();
        self.metrics().queue_waiting.increment();
        Wait::Turn(Turn {
            ticket,
            cluster: Rc::clone(self),
        })
    }
}

/// A request's turn that has not come yet. Given up when dropped.
#[derive(Debug)]
pub struct Turn {
    ticket: Ticket,
    cluster: Rc<Cluster>,
}

/// Ready when there is a place; `None` where that is at a server that this cluster does not have: then wait again.
impl Future for Turn {
    type Output = Option<InFlight>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.ticket)
            .poll(cx)
            .map(|place| self.cluster.taken_over(place?))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.cluster.metrics().queue_waiting.decrement();
    }
}
