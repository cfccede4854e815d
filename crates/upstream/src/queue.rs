//! Where requests wait while every server has its `max-connections`: one line for each upstream, over all workers.
//!
//! A place that becomes free is handed to whoever is first in line, and does not become free for others. While nobody
//! waits, whoever gives a place back reads one counter; there is no lock then.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::endpoint::Endpoint;

/// The line of an upstream.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// How long the line is.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next_ticket: u64,
    /// In the order of their tickets.
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    wants: Wants,
    turn: oneshot::Sender<Place>,
}

/// Which places a request takes.
#[derive(Debug)]
pub(crate) struct Wants {
    /// Servers made before this one: those that the request's plan knows.
    pub(crate) made_before: u64,
    /// Servers that have had their chance.
    pub(crate) not: Vec<u64>,
}

impl Queue {
    /// Takes the last place in the line; `None` where that is as long as it may be. The caller has to look for a free place
    /// once more after this: one may have become free before it was seen that somebody waits.
    pub(crate) fn join(self: &Arc<Self>, length: usize, wants: Wants) -> Option<Ticket> {
        let mut line = self.lock();
        if line.waiters.len() >= length {
            return None;
        }
        let (turn, receiver) = oneshot::channel();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiters.push_back(Waiter {
            ticket,
            wants,
            turn,
        });
        self.note_length(&line);
        drop(line);
        // With the order of `leave` and `is_empty` in `Place::give_back`: whoever gave a place back and saw nobody here did
        // so before the caller looks again.
        fence(Ordering::SeqCst);
        Some(Ticket {
            queue: Arc::clone(self),
            number: ticket,
            receiver,
        })
    }

    fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// The ticket of whoever comes next.
    pub(crate) fn next_ticket(&self) -> u64 {
        self.lock().next_ticket
    }

    /// Hands a place that is free, or was a moment ago, to the first who takes it, of those whose ticket is less than
    /// `before`.
    fn serve(&self, endpoint: &Arc<Endpoint>, limit: Option<u32>, before: Option<u64>) {
        loop {
            let mut line = self.lock();
            let wanted = |waiter: &Waiter| {
                before.is_none_or(|before| waiter.ticket < before)
                    && waiter.wants.takes(endpoint.id())
            };
            let Some(first) = line.waiters.iter().position(wanted) else {
                return;
            };
            // Whoever has it now gives it back, and looks here then.
            if !endpoint.load().try_enter(limit) {
                return;
            }
            let Some(waiter) = line.waiters.remove(first) else {
                endpoint.load().leave();
                return;
            };
            self.note_length(&line);
            drop(line);
            match waiter.turn.send(Place::of(endpoint, limit)) {
                Ok(()) => return,
                // It has just gone away.
                Err(place) => place.leave(),
            }
        }
    }

    fn forget(&self, ticket: u64) {
        let mut line = self.lock();
        let found = line
            .waiters
            .binary_search_by_key(&ticket, |waiter| waiter.ticket);
        if let Ok(position) = found {
            line.waiters.remove(position);
            self.note_length(&line);
        }
    }

    fn note_length(&self, line: &Line) {
        self.waiting.store(line.waiters.len(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        // Nothing is done under the lock that could leave the line half changed.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wants {
    fn takes(&self, server: u64) -> bool {
        server < self.made_before && !self.not.contains(&server)
    }
}

/// A place in the line. Given up when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
    receiver: oneshot::Receiver<Place>,
}

impl Future for Ticket {
    type Output = Option<Place>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx).map(Result::ok)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.forget(self.number);
    }
}

/// A place at a server that belongs to no worker yet. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    endpoint: Option<Arc<Endpoint>>,
    limit: Option<u32>,
}

impl Place {
    fn of(endpoint: &Arc<Endpoint>, limit: Option<u32>) -> Self {
        Self {
            endpoint: Some(Arc::clone(endpoint)),
            limit,
        }
    }

    pub(crate) fn is_at(&self, endpoint: &Arc<Endpoint>) -> bool {
        self.endpoint
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, endpoint))
    }

    /// Where it is. The caller gives it back then.
    pub(crate) fn into_endpoint(mut self) -> Option<Arc<Endpoint>> {
        self.endpoint.take()
    }

    /// Gives back a place at `endpoint` where `limit` held: to who waits for it, or to all. Of a server that has left the file
    /// only those want one who came before that: those with tickets below `before`.
    pub(crate) fn give_back(endpoint: &Arc<Endpoint>, limit: Option<u32>, before: Option<u64>) {
        endpoint.load().leave();
        if !endpoint.queue().is_empty() {
            endpoint.queue().serve(endpoint, limit, before);
        }
    }

    /// Gives it back without a look at the line.
    pub(crate) fn leave(mut self) {
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.load().leave();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.take() {
            Self::give_back(&endpoint, self.limit, None);
        }
    }
}

#[cfg(test)]
mod tests;
