//! A request that waits for a place at one of a cluster's servers.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sluice_health::Patience;
use sluice_model::Priority;
use sluice_telemetry::metrics::Refusal;

use crate::cluster::{Asked, Cluster};
use crate::lane::InFlight;
use crate::queue::{Comer, PushedOut, Ticket, Wants};
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
        let Some(queue) = self.queue().filter(|_| self.may_become_free(tried, asked)) else {
            return Wait::Useless;
        };
        let wants = Wants {
            made_before: self.made_before(),
            not: match self.waits_at_home(tried, asked) {
                Some(home) => self.ids_but(home),
                None => self.ids(tried),
            },
            is_limited: self.limiter_of(asked).is_some(),
        };
        let comer = Comer {
            priority: asked.priority,
            now: self.moment(asked.now),
        };
        let Some(ticket) = queue.join(&settings, comer, wants) else {
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

    /// Counts one that is refused as there are too many.
    pub fn refused(&self, why: Refusal, priority: Priority) {
        self.metrics().refused.increment(why, priority);
    }
}

/// A request's turn that has not come yet. Given up when dropped.
#[derive(Debug)]
pub struct Turn {
    ticket: Ticket,
    cluster: Rc<Cluster>,
}

impl Turn {
    /// When to ask again how long it may go on waiting: `until` at the latest.
    ///
    /// # Errors
    /// It may not.
    pub fn may_stay(&self, now: Instant, until: Instant) -> Result<Instant, Refusal> {
        if now >= until {
            return Err(Refusal::QueueTimeout);
        }
        let has_target = |queue: &sluice_config::plan::Queue| queue.sojourn.is_some();
        if !self
            .cluster
            .settings()
            .queue
            .as_ref()
            .is_some_and(has_target)
        {
            return Ok(until);
        }
        match self.ticket.patience(self.cluster.moment(now)) {
            Some(Patience::Over) => Err(Refusal::Shed),
            Some(Patience::Until(at)) => Ok(self.cluster.instant(at).min(until)),
            // It is being called.
            None => Ok(until),
        }
    }
}

/// Ready when there is a place; `None` where that is at a server that this cluster does not have: then wait again.
impl Future for Turn {
    type Output = Result<Option<InFlight>, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.ticket).poll(cx)) {
            Ok(place) => Ok(self.cluster.taken_over(place)),
            Err(PushedOut) => Err(Refusal::PushedOut),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.cluster.metrics().queue_waiting.decrement();
    }
}
