//! Where requests wait while every server has its `max-connections`: one line for each upstream, over all workers.
//!
//! A place that becomes free is handed to whoever is next in line, and does not become free for others: of the highest
//! priority the oldest or, in overload, the newest. While nobody waits, whoever gives a place back reads one counter; there
//! is no lock then.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use sluice_config::plan;
use sluice_health::{Patience, Sojourn, SojournSettings};
use sluice_model::{Moment, Priority};
use tokio::sync::oneshot;

use crate::endpoint::Endpoint;
use crate::throttle::Granted;

/// The line of an upstream.
#[derive(Debug)]
pub(crate) struct Queue {
    /// How long the line is.
    waiting: AtomicUsize,
    line: Mutex<Line>,
    /// The origin of all moments.
    epoch: Instant,
}

#[derive(Debug, Default)]
struct Line {
    next_ticket: u64,
    /// By priority, each in the order of their tickets.
    waiters: [VecDeque<Waiter>; Priority::COUNT],
    sojourn: Sojourn,
    /// As the plan of who came last has it.
    settings: Option<SojournSettings>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    joined: Moment,
    wants: Wants,
    turn: oneshot::Sender<Called>,
}

/// What becomes of somebody in line.
#[derive(Debug)]
enum Called {
    /// It is their turn.
    Place(Place),
    /// Somebody of higher priority needs the room.
    PushedOut,
}

/// Which places a request takes.
#[derive(Debug)]
pub(crate) struct Wants {
    /// Servers made before this one: those that the request's plan knows.
    pub(crate) made_before: u64,
    /// Servers that have had their chance.
    pub(crate) not: Vec<u64>,
    /// Whether it counts among those that the upstream gets at a time.
    pub(crate) is_limited: bool,
}

/// Who joins the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comer {
    pub(crate) priority: Priority,
    pub(crate) now: Moment,
}

/// Somebody in line made room for one of higher priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PushedOut;

impl Queue {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
            epoch,
        }
    }

    /// Takes a place in the line, where it is too long that of the newest of the lowest priority below; `None` where there is
    /// none. The caller has to look for a free place once more after this: one may have become free before it was seen
    /// that somebody waits.
    pub(crate) fn join(
        self: &Arc<Self>,
        settings: &plan::Queue,
        comer: Comer,
        wants: Wants,
    ) -> Option<Ticket> {
        let Comer { priority, now } = comer;
        let mut line = self.lock();
        line.settings = settings.sojourn;
        let pushed_out = if line.len() >= settings.length {
            Some(line.push_out(now, priority)?)
        } else {
            None
        };
        let (turn, receiver) = oneshot::channel();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.joins(
            priority,
            Waiter {
                ticket,
                joined: now,
                wants,
                turn,
            },
        );
        self.note_length(&line);
        drop(line);
        if let Some(pushed_out) = pushed_out {
            // It may have gone away just now.
            let _ = pushed_out.turn.send(Called::PushedOut);
        }
        // With the order of `leave` and `is_empty` in `Place::give_back`: whoever gave a place back and saw nobody here did
        // so before the caller looks again.
        fence(Ordering::SeqCst);
        Some(Ticket {
            queue: Arc::clone(self),
            number: ticket,
            priority,
            receiver,
            is_called: false,
        })
    }

    fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// The ticket of whoever comes next.
    pub(crate) fn next_ticket(&self) -> u64 {
        self.lock().next_ticket
    }

    /// Hands a place that is free, or was a moment ago, to the next who takes it, of those whose ticket is less than
    /// `before`. Whether there may be more for others: how many requests the upstream gets at a time may have grown.
    fn serve(&self, endpoint: &Arc<Endpoint>, limit: Option<u32>, before: Option<u64>) -> bool {
        let throttle = endpoint.throttle();
        let now = self.now();
        loop {
            let mut line = self.lock();
            let wanted = |waiter: &Waiter, priority| {
                before.is_none_or(|before| waiter.ticket < before)
                    && waiter.wants.takes(endpoint.id())
                    && (!waiter.wants.is_limited || throttle.has_place(priority))
            };
            let Some((priority, position)) = line.next(now, wanted) else {
                return false;
            };
            // Whoever has it now gives it back, and looks here then.
            if !endpoint.load().try_enter(limit) {
                return false;
            }
            let is_limited = line.is_limited(priority, position);
            let granted = is_limited.then(|| Granted::of(throttle, priority));
            if let Some(None) = granted {
                endpoint.load().leave();
                return false;
            }
            let Some(waiter) = line.serves(now, priority, position) else {
                endpoint.load().leave();
                return false;
            };
            self.note_length(&line);
            drop(line);
            let place = Place::of(endpoint, limit, granted.flatten());
            match waiter.turn.send(Called::Place(place)) {
                // It has just gone away.
                Err(Called::Place(place)) => place.leave(),
                _ => return is_limited,
            }
        }
    }

    /// Leaves the line, unless it has been called.
    fn forget(&self, ticket: u64, priority: Priority) {
        let mut line = self.lock();
        if let Some(position) = line.position(ticket, priority) {
            line.leaves(self.now(), priority, position);
            self.note_length(&line);
        }
    }

    /// For how long somebody may stay in line, where that is not for the whole time that a request may wait. Whoever may
    /// not any more has left.
    fn patience(&self, ticket: u64, priority: Priority, now: Moment) -> Option<Patience> {
        let mut line = self.lock();
        let settings = line.settings?;
        let position = line.position(ticket, priority)?;
        let joined = line.waiters_mut(priority).get(position)?.joined;
        let patience = line.sojourn.patience(&settings, now, priority, joined);
        if patience == Patience::Over {
            line.leaves(now, priority, position);
            self.note_length(&line);
        }
        Some(patience)
    }

    fn now(&self) -> Moment {
        let nanos = self.epoch.elapsed().as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn note_length(&self, line: &Line) {
        self.waiting.store(line.len(), Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        // Nothing is done under the lock that could leave the line half changed.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn len(&self) -> usize {
        self.waiters.iter().map(VecDeque::len).sum()
    }

    fn joins(&mut self, priority: Priority, waiter: Waiter) {
        if let Some(settings) = &self.settings {
            self.sojourn.joined(settings, waiter.joined, priority);
        }
        self.waiters_mut(priority).push_back(waiter);
    }

    /// Who is served next, of those that are `wanted`.
    fn next(
        &self,
        now: Moment,
        wanted: impl Fn(&Waiter, Priority) -> bool,
    ) -> Option<(Priority, usize)> {
        let lines = Priority::ALL.into_iter().zip(&self.waiters).rev();
        lines
            .filter(|(_, waiters)| !waiters.is_empty())
            .find_map(|(priority, waiters)| {
                let newest_first = self
                    .settings
                    .is_some_and(|settings| self.sojourn.is_overloaded(&settings, now, priority));
                let mut waiters = waiters.iter();
                let position = if newest_first {
                    waiters.rposition(|waiter| wanted(waiter, priority))
                } else {
                    waiters.position(|waiter| wanted(waiter, priority))
                };
                Some((priority, position?))
            })
    }

    fn is_limited(&self, priority: Priority, position: usize) -> bool {
        let waiters = self.waiters.get(priority as usize);
        waiters
            .and_then(|waiters| waiters.get(position))
            .is_some_and(|waiter| waiter.wants.is_limited)
    }

    /// Takes out who is served.
    fn serves(&mut self, now: Moment, priority: Priority, position: usize) -> Option<Waiter> {
        let waiters = self.waiters_mut(priority);
        let waiter = waiters.remove(position)?;
        let is_empty = waiters.is_empty();
        if let Some(settings) = &self.settings {
            let waited = now.since(waiter.joined);
            self.sojourn
                .served(settings, now, priority, waited, is_empty);
        }
        Some(waiter)
    }

    /// Takes out who is not served.
    fn leaves(&mut self, now: Moment, priority: Priority, position: usize) -> Option<Waiter> {
        let waiters = self.waiters_mut(priority);
        let waiter = waiters.remove(position)?;
        let is_empty = waiters.is_empty();
        if let Some(settings) = &self.settings {
            self.sojourn.left(settings, now, priority, is_empty);
        }
        Some(waiter)
    }

    /// Takes out the newest of the lowest priority, where that is below `priority`.
    fn push_out(&mut self, now: Moment, priority: Priority) -> Option<Waiter> {
        let lines = Priority::ALL.into_iter().zip(&self.waiters);
        let (lowest, waiters) = lines
            .take_while(|(other, _)| *other < priority)
            .find(|(_, waiters)| !waiters.is_empty())?;
        let newest = waiters.len().checked_sub(1)?;
        self.leaves(now, lowest, newest)
    }

    fn position(&self, ticket: u64, priority: Priority) -> Option<usize> {
        let waiters = self.waiters.get(priority as usize)?;
        waiters
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
            .ok()
    }

    fn waiters_mut(&mut self, priority: Priority) -> &mut VecDeque<Waiter> {
        &mut self.waiters[priority as usize]
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
    priority: Priority,
    receiver: oneshot::Receiver<Called>,
    is_called: bool,
}

impl Ticket {
    /// For how long it may go on waiting, where that is not for the whole time that a request may wait.
    pub(crate) fn patience(&self, now: Moment) -> Option<Patience> {
        self.queue.patience(self.number, self.priority, now)
    }
}

impl Future for Ticket {
    type Output = Result<Place, PushedOut>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let called = std::task::ready!(Pin::new(&mut self.receiver).poll(cx));
        self.is_called = true;
        Poll::Ready(match called {
            Ok(Called::Place(place)) => Ok(place),
            Ok(Called::PushedOut) | Err(_) => Err(PushedOut),
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_called {
            self.queue.forget(self.number, self.priority);
        }
    }
}

/// A place at a server that belongs to no worker yet. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    endpoint: Option<Arc<Endpoint>>,
    limit: Option<u32>,
    /// Its place among the requests that the upstream gets at a time.
    granted: Option<Granted>,
}

impl Place {
    fn of(endpoint: &Arc<Endpoint>, limit: Option<u32>, granted: Option<Granted>) -> Self {
        Self {
            endpoint: Some(Arc::clone(endpoint)),
            limit,
            granted,
        }
    }

    pub(crate) fn is_at(&self, endpoint: &Arc<Endpoint>) -> bool {
        self.endpoint
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, endpoint))
    }

    /// The caller has it now, and gives it back.
    pub(crate) fn keep(mut self) -> Option<Granted> {
        self.endpoint = None;
        self.granted.take()
    }

    /// Gives back a place at `endpoint` where `limit` held: to who waits for it, or to all. Of a server that has left the file
    /// only those want one who came before that: those with tickets below `before`.
    pub(crate) fn give_back(endpoint: &Arc<Endpoint>, limit: Option<u32>, before: Option<u64>) {
        endpoint.load().leave();
        Self::look(endpoint, limit, before);
    }

    /// Looks for those who may have a place that became free.
    pub(crate) fn look(endpoint: &Arc<Endpoint>, limit: Option<u32>, before: Option<u64>) {
        while !endpoint.queue().is_empty() && endpoint.queue().serve(endpoint, limit, before) {}
    }

    /// Gives it back without a look at the line.
    pub(crate) fn leave(mut self) {
        self.granted = None;
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.load().leave();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.granted = None;
        if let Some(endpoint) = self.endpoint.take() {
            Self::give_back(&endpoint, self.limit, None);
        }
    }
}

#[cfg(test)]
mod tests;
