//! One worker's way to one server: its idle connections and its counters.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_net::connect::Destination;
use sluice_telemetry::metrics::ServerMetrics;
use sluice_tls::ClientConfig;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::fate::{Fate, Leave};
use crate::queue::Place;
use crate::session::Session;
use crate::throttle::Permit;

/// What a worker holds of a server. Kept over reloads for as long as the server stays in the file.
#[derive(Debug)]
pub struct Lane {
    endpoint: Arc<Endpoint>,
    metrics: Arc<ServerMetrics>,
    /// The most recently used last: it is the likeliest to be still open, and what is not needed grows old in front.
    idle: RefCell<VecDeque<Box<Connection>>>,
    /// Connections of HTTP/2 or HTTP/3, each shared by requests.
    sessions: RefCell<Vec<Session>>,
    /// Whether one is being opened, which others then wait for.
    opening: Cell<bool>,
    opened: Notify,
    /// How many were opened.
    shared: Cell<u64>,
    /// Set once the server has left the file: the next ticket of its queue then.
    retired: Cell<Option<u64>>,
    next_source: Cell<usize>,
    /// The last pick that passed the server by.
    passed_in: Cell<u64>,
}

impl Lane {
    pub(crate) fn new(endpoint: Arc<Endpoint>, metrics: Arc<ServerMetrics>) -> Self {
        Self {
            endpoint,
            metrics,
            idle: RefCell::default(),
            sessions: RefCell::default(),
            opening: Cell::new(false),
            opened: Notify::new(),
            shared: Cell::new(0),
            retired: Cell::new(None),
            next_source: Cell::new(0),
            passed_in: Cell::new(0),
        }
    }

    /// Whether this is asked for the first time in this pick.
    pub(crate) fn is_first_in(&self, pick: u64) -> bool {
        self.passed_in.replace(pick) != pick
    }

    /// The server's shared state.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// This worker's counters for the server.
    pub fn metrics(&self) -> &ServerMetrics {
        &self.metrics
    }

    /// The server left the file: keep no connection to it any more.
    pub fn retire(&self) {
        self.retired.set(Some(self.endpoint.queue().next_ticket()));
        self.idle.borrow_mut().clear();
        // Each ends with its last stream.
        self.sessions.borrow_mut().clear();
        self.metrics.connections_idle.set(0);
    }

    /// Whether the server left the file.
    pub fn is_retired(&self) -> bool {
        self.retired.get().is_some()
    }

    /// The next of `sources` that is of the server's family; each in turn, for each server by itself, since local ports run
    /// out for each pair of addresses by itself.
    pub(crate) fn next_source(&self, sources: &[IpAddr]) -> Option<IpAddr> {
        let is_ipv6 = match self.endpoint.destination() {
            Destination::Ip(address) => address.is_ipv6(),
            Destination::Unix(_) => return None,
        };
        let fitting = || sources.iter().filter(|one| one.is_ipv6() == is_ipv6);
        let turn = self.next_source.get();
        self.next_source.set(turn.wrapping_add(1));
        let position = turn.checked_rem(fitting().count())?;
        fitting().nth(position).copied()
    }

    /// An idle connection that `client` may use and that is still open by `check`.
    pub(crate) fn take_idle(
        &self,
        client: Option<SocketAddr>,
        secured_by: Option<&Arc<ClientConfig>>,
        check: Check,
    ) -> Option<Box<Connection>> {
        let may_be_used = |one: &Connection| {
            one.bound_to == client && is_same(one.secured_by.as_ref(), secured_by)
        };
        let mut idle = self.idle.borrow_mut();
        let found = loop {
            // Nearly always the last. One that began with a PROXY header is its client's alone, even where headers are not
            // sent any more since a reload.
            let last = idle.pop_back_if(|one| may_be_used(one));
            let Some(mut connection) = last.or_else(|| {
                let position = idle.iter().rposition(|one| may_be_used(one))?;
                idle.remove(position)
            }) else {
                break None;
            };
            let is_open = match check {
                Check::Seen => connection.stream.is_quiet(),
                Check::Asked => connection.stream.is_quiet_now(),
            };
            if is_open {
                self.metrics.connections_reused.increment();
                break Some(connection);
            }
            self.metrics.connections_stale.increment();
        };
        self.count_idle(&idle);
        found
    }

    /// A stream of a connection that `client` may use, that has room for one, and that does what is needed of it.
    pub(crate) fn take_stream(
        &self,
        client: Option<SocketAddr>,
        secured_by: Option<&Arc<ClientConfig>>,
        need: Need,
    ) -> Option<Box<Connection>> {
        let mut sessions = self.sessions.borrow_mut();
        sessions.retain(Session::is_usable);
        let stream = sessions
            .iter()
            .filter(|session| {
                session.bound_to == client
                    && is_same(session.secured_by.as_ref(), secured_by)
                    && need.is_met_by(session)
            })
            .find_map(Session::stream)?;
        self.metrics.connections_reused.increment();
        Some(stream)
    }

    /// Whether a connection that is shared is open that does not do what is needed: another would not do it either.
    pub(crate) fn is_known_not_to_do(&self, need: Need) -> bool {
        let sessions = self.sessions.borrow();
        let mut usable = sessions.iter().filter(|session| session.is_usable());
        usable.any(|session| !need.is_met_by(session))
    }

    /// Shares a connection among requests from now on; the first stream of it.
    pub(crate) fn share(&self, session: Session) -> Option<Box<Connection>> {
        let stream = session.stream();
        self.shared.set(self.shared.get().wrapping_add(1));
        if !self.is_retired() {
            self.sessions.borrow_mut().push(session);
        }
        stream
    }

    /// How many connections were shared so far.
    pub(crate) fn shared(&self) -> u64 {
        self.shared.get()
    }

    /// Begins to open a connection that is to be shared, unless one is being opened already.
    pub(crate) fn begin_opening(&self) -> Option<Opening<'_>> {
        (!self.opening.replace(true)).then(|| Opening { lane: self })
    }

    /// Waits until the connection that is being opened is there, or is not to be had.
    pub(crate) fn opened(&self) -> Notified<'_> {
        self.opened.notified()
    }

    /// Keeps a connection for the next request, unless `limit` are kept already.
    pub(crate) fn keep(&self, mut connection: Box<Connection>, limit: usize, now: Instant) {
        if connection.is_of_session() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if self.is_retired() || idle.len() >= limit {
            self.metrics.idle_dropped.increment();
            return;
        }
        connection.idle_since = now;
        idle.push_back(connection);
        self.count_idle(&idle);
    }

    /// Closes what was idle for `limit`.
    pub(crate) fn close_idle(&self, limit: Duration, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        while idle
            .front()
            .is_some_and(|oldest| now.saturating_duration_since(oldest.idle_since) >= limit)
        {
            idle.pop_front();
        }
        self.count_idle(&idle);
        let mut sessions = self.sessions.borrow_mut();
        sessions.retain(|session| session.is_usable() && !session.is_idle_for(limit, now));
    }

    fn count_idle(&self, idle: &VecDeque<Box<Connection>>) {
        self.metrics
            .connections_idle
            .set(i64::try_from(idle.len()).unwrap_or(i64::MAX));
    }
}

/// What a request needs of a connection beyond the exchange of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Messages,
    /// That WebSocket may be switched to: in HTTP/2 and HTTP/3 not every server lets it pass (RFC 8441, RFC 9220).
    WebSocket,
}

impl Need {
    pub(crate) fn is_met_by(self, session: &Session) -> bool {
        self == Self::Messages || session.takes_websocket()
    }
}

/// Whether a connection is ciphered as connections are now, which a reload may have changed.
fn is_same(before: Option<&Arc<ClientConfig>>, now: Option<&Arc<ClientConfig>>) -> bool {
    match (before, now) {
        (None, None) => true,
        (Some(before), Some(now)) => Arc::ptr_eq(before, now),
        _ => false,
    }
}

/// A shared connection that is being opened; who waits for it is told when this is dropped.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    lane: &'a Lane,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.lane.opening.set(false);
        self.lane.opened.notify_waiters();
    }
}

/// How it is found out whether an idle connection is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// By what the reactor has seen: costs nothing. One that has closed since costs a second try.
    Seen,
    /// By asking the kernel, which costs a system call: for a request that cannot be sent a second time. Only a close
    /// that is still on its way is missed.
    Asked,
}

/// A place at a server, held by the request or connection it works on; given back when dropped.
#[derive(Debug)]
pub struct InFlight {
    lane: Rc<Lane>,
    limit: Option<u32>,
    /// What its breaker is told by.
    leave: RefCell<Option<Leave>>,
    /// Its place among the requests that the upstream gets at a time.
    permit: Option<Permit>,
}

impl InFlight {
    /// Takes a place, if one of `limit` is free.
    pub(crate) fn enter(lane: &Rc<Lane>, limit: Option<u32>) -> Option<Self> {
        if !lane.endpoint.load().try_enter(limit) {
            return None;
        }
        Some(Self::entered(lane, limit))
    }

    /// Takes over a place that was taken already.
    pub(crate) fn entered(lane: &Rc<Lane>, limit: Option<u32>) -> Self {
        lane.metrics.in_flight.increment();
        Self {
            lane: Rc::clone(lane),
            limit,
            leave: RefCell::new(None),
            permit: None,
        }
    }

    /// It counts among the requests that the upstream gets at a time.
    pub(crate) fn with_permit(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Gives back its place among those, as it takes up none any more.
    pub(crate) fn counts_no_more(&self, now: Instant, fate: Fate) {
        if let Some(permit) = &self.permit {
            let standing = self.lane.endpoint.health().standing();
            permit.ended(standing.moment(now), fate);
            Place::look(&self.lane.endpoint, self.limit, self.lane.retired.get());
        }
    }

    /// The server's breaker is to be told what becomes of this.
    pub(crate) fn with_leave(self, leave: Option<Leave>) -> Self {
        self.leave.replace(leave);
        self
    }

    pub(crate) fn take_leave(&self) -> Option<Leave> {
        self.leave.take()
    }

    /// Where the place is.
    pub fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(leave) = self.leave.take() {
            let now = self.lane.endpoint.health().standing().now();
            leave.record(&self.lane, now, Fate::Unknown);
        }
        // Before it is looked for those who wait.
        drop(self.permit.take());
        Place::give_back(&self.lane.endpoint, self.limit, self.lane.retired.get());
        self.lane.metrics.in_flight.decrement();
    }
}
