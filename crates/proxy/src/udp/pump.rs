//! The task of a udp listener: datagrams in, to servers, and answers back, in batches both ways.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sluice_config::plan::{HashKey, Listener, Protocol, UdpListener};
use sluice_model::Priority;
use sluice_net::datagrams::{Answers, Arrivals, Flow, Offload, ReadySet, Run};
use sluice_telemetry::End;
use sluice_telemetry::metrics::DatagramDrop;
use sluice_upstream::{Asked, ConnectError, Fate, Lane, Tried};

use super::port::Port;
use super::session::{Left, Parts, Session};
use super::table::Table;
use crate::deadline::Deadline;
use crate::live::{ListenerSlot, LiveListener};
use crate::worker::Worker;

/// The task's state.
pub(super) struct Pump {
    port: Rc<Port>,
    slot: Rc<ListenerSlot>,
    worker: Rc<Worker>,
    table: Table<Flow, Session>,
    ready: ReadySet,
    offload: Offload,
    look: Deadline,
}

/// What comes in and goes out at a time. Apart from the sessions, so that both can be at hand.
#[derive(Default)]
struct Batches {
    arrivals: Arrivals,
    answers: Answers,
}

impl Pump {
    pub(super) fn new(
        port: Rc<Port>,
        slot: Rc<ListenerSlot>,
        worker: Rc<Worker>,
    ) -> io::Result<Self> {
        Ok(Self {
            port,
            slot,
            worker,
            table: Table::default(),
            ready: ReadySet::new()?,
            offload: Offload::new()?,
            look: Deadline::new(Instant::now() + LOOK),
        })
    }

    /// Runs until the listener is closed and its last session has ended.
    pub(super) async fn run(mut self) {
        let mut batches = Batches::default();
        poll_fn(|cx| self.poll(cx, &mut batches)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>, batches: &mut Batches) -> Poll<()> {
        self.port.wait(cx.waker());
        if self.port.take_cuts() {
            self.cut();
        }
        let mut is_busy = true;
        for _ in 0..ROUNDS {
            is_busy = self.receive(cx, &mut batches.arrivals);
            is_busy |= self.answer(cx, &mut batches.answers);
            if !is_busy {
                break;
            }
        }
        while self.table.oldest().is_some() && self.look.poll(cx).is_ready() {
            let now = Instant::now();
            self.expire(now);
            self.look.set(now + LOOK);
        }
        if self.slot.is_closed() && self.table.is_empty() {
            return Poll::Ready(());
        }
        if is_busy {
            // Others have a turn first.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// One batch from clients to servers; whether there was one.
    fn receive(&mut self, cx: &mut Context<'_>, arrivals: &mut Arrivals) -> bool {
        match self.port.socket().poll_receive(cx, arrivals) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                self.slot.metrics().accept_errors.increment();
                tracing::debug!(%error, "cannot receive datagrams");
                return false;
            }
            Poll::Pending => return false,
        }
        let now = Instant::now();
        let listener = self.slot.current();
        arrivals.join(&self.offload);
        for (flow, run) in arrivals.iter() {
            let metrics = &listener.metrics;
            metrics.datagrams_received.add(run.len() as u64);
            metrics.bytes_received.add(run.bytes().len() as u64);
            self.pass_on(&listener, flow, run, now);
        }
        true
    }

    /// Sends datagrams to their client's server, or to another where that turns out to be gone, after what that one was
    /// sent and did not answer. Without a datagram: only the latter.
    fn pass_on(&mut self, listener: &Rc<LiveListener>, flow: Flow, mut run: Run<'_>, now: Instant) {
        let mut left = Left::default();
        while let Err(why) = self.find_taker(listener, flow, &mut run, &mut left, now) {
            let lost = match why {
                // Not this one, but maybe those behind it.
                DatagramDrop::ToServer => run.take_first(1),
                _ => std::mem::take(&mut run),
            };
            let lost = lost.len() + std::mem::take(&mut left.unanswered).len();
            for _ in 0..lost {
                listener.metrics.datagrams_dropped.increment(why);
            }
            if run.is_empty() {
                return;
            }
        }
    }

    fn find_taker(
        &mut self,
        listener: &Rc<LiveListener>,
        flow: Flow,
        run: &mut Run<'_>,
        left: &mut Left,
        now: Instant,
    ) -> Result<(), DatagramDrop> {
        for _ in 0..SERVERS {
            let known = self.table.find(&flow);
            let known = known.filter(|id| !self.is_refused(*id, left));
            let (id, is_new) = match known {
                Some(id) => (id, false),
                None => (self.open(listener, flow, &mut left.tried, now)?, true),
            };
            let session = self.table.get_mut(id).ok_or(DatagramDrop::NoServer)?;
            let mut outcome = Ok(());
            if is_new {
                outcome = session.take_over(left, now);
            }
            match outcome.and_then(|()| session.send(run, &self.offload, now)) {
                Ok(()) => {
                    self.table.touch(id, now);
                    return Ok(());
                }
                Err(error) if is_refusal(&error) => {
                    // An earlier datagram met nobody; those that are left were not sent.
                    session.refuse(now);
                }
                Err(_) => return Err(DatagramDrop::ToServer),
            }
        }
        Err(DatagramDrop::NoServer)
    }

    /// Whether a session's server is gone: the session goes then too, and is to be followed by one with another server.
    fn is_refused(&mut self, id: usize, left: &mut Left) -> bool {
        let session = self.table.get_mut(id);
        let Some(session) = session.filter(|session| session.is_refused()) else {
            return false;
        };
        session.leave(left);
        self.table.remove(id);
        true
    }

    /// A session for a client that has none, with a server that was not tried.
    fn open(
        &mut self,
        listener: &Rc<LiveListener>,
        flow: Flow,
        tried: &mut Tried,
        now: Instant,
    ) -> Result<usize, DatagramDrop> {
        if self.slot.is_closed() {
            return Err(DatagramDrop::Closing);
        }
        let settings = listener.settings().ok_or(DatagramDrop::NoServer)?;
        let udp = udp(Some(settings)).ok_or(DatagramDrop::NoServer)?;
        let share = udp.max_sessions.div_ceil(self.worker.workers());
        while self.table.len() >= share {
            self.evict();
        }
        let cluster = listener
            .live
            .cluster(udp.upstream)
            .ok_or(DatagramDrop::NoServer)?;
        let start = settings.source_address;
        let associate = |lane: &Lane| cluster.associate(lane, flow.client(), start);
        let key = cluster
            .key()
            .map(|_| HashKey::of_address(flow.client().ip()));
        let mut attempts = u32::try_from(tried.count()).unwrap_or_default();
        let mut made_room = false;
        while let Some(place) = cluster.pick(
            tried,
            Asked {
                now,
                key,
                priority: Priority::default(),
                is_request: false,
                home: None,
            },
        ) {
            if attempts > 0 {
                cluster.metrics().retries.increment();
            }
            attempts += 1;
            let outcome = match associate(place.lane()) {
                Err(ConnectError::NoDescriptor) if !made_room && self.evict() => {
                    made_room = true;
                    associate(place.lane())
                }
                outcome => outcome,
            };
            match outcome {
                Ok(association) => {
                    let id = self.table.next_id();
                    if self.ready.add(&association.socket, id).is_err() {
                        return Err(DatagramDrop::NoServer);
                    }
                    let guard = self.worker.connections().enter(&self.slot);
                    guard.uses(Some(place.lane()));
                    let is_cut = Rc::new(Cell::new(false));
                    guard.entry().served_as_session(&is_cut, &self.port);
                    let parts = Parts {
                        flow,
                        association,
                        is_cut,
                        listener: Rc::clone(listener),
                        cluster: Rc::clone(cluster),
                        place,
                        worker: Rc::clone(&self.worker),
                        guard,
                        attempts,
                    };
                    listener.metrics.connections_accepted.increment();
                    self.worker.metrics().connections_accepted.increment();
                    if self.table.is_empty() {
                        self.look.set(now + LOOK);
                    }
                    return Ok(self.table.insert(flow, Session::new(parts, now), now));
                }
                Err(error) => {
                    if error.blames_server() {
                        cluster.ended(place.lane(), now, true);
                        place.ended(now, Fate::ConnectFailed);
                    }
                    tracing::debug!(upstream = %cluster.settings().name, server = %place.lane().endpoint().label(), %error, "no socket towards a server");
                }
            }
        }
        if cluster.refuses_for(now).is_some() {
            cluster.metrics().all_down.increment();
        } else {
            cluster.metrics().no_server.increment();
        }
        Err(DatagramDrop::NoServer)
    }

    /// What servers have sent, to their clients; whether there was anything.
    fn answer(&mut self, cx: &mut Context<'_>, answers: &mut Answers) -> bool {
        match self.ready.poll(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                tracing::error!(%error, "sessions cannot be watched");
                return false;
            }
            Poll::Pending => return false,
        }
        let now = Instant::now();
        let listener = self.slot.current();
        let responses = udp(listener.settings()).and_then(|udp| udp.responses);
        let mut next = 0;
        while let Some(id) = self.ready.found(next) {
            next += 1;
            self.answer_one(id, answers, responses, now);
        }
        self.send(answers);
        true
    }

    fn answer_one(
        &mut self,
        id: usize,
        answers: &mut Answers,
        responses: Option<u32>,
        now: Instant,
    ) {
        if answers.is_full() {
            self.send(answers);
        }
        let Some(session) = self.table.get_mut(id) else {
            return;
        };
        let socket = &session.association.socket;
        match answers.receive(session.flow, socket, session.expected(), &self.offload) {
            Ok(received) => session.answered(received, now),
            Err(error) => {
                if is_refusal(&error) {
                    session.refuse(now);
                    if session.leaves_datagrams() {
                        let flow = session.flow;
                        self.pass_on(&self.slot.current(), flow, Run::default(), now);
                    }
                }
                return;
            }
        }
        if responses.is_some_and(|responses| session.is_complete(responses)) {
            if let Some(session) = self.table.remove(id) {
                session.ended(End::Ok);
            }
        } else {
            self.table.touch(id, now);
        }
    }

    fn send(&self, answers: &mut Answers) {
        if answers.is_empty() {
            return;
        }
        let lost = self.port.socket().send(answers);
        for _ in 0..lost {
            let metrics = self.slot.metrics();
            metrics.datagrams_dropped.increment(DatagramDrop::ToClient);
        }
    }

    /// The session that was silent longest makes room; `false` where there is none.
    fn evict(&mut self) -> bool {
        let oldest = self
            .table
            .oldest()
            .and_then(|(id, _)| self.table.remove(id));
        let Some(session) = oldest else { return false };
        session.ended(End::Evicted);
        true
    }

    /// Ends what was silent for too long; when the listener is closing, that is not long.
    fn expire(&mut self, now: Instant) {
        let listener = self.slot.current();
        let settings = listener.settings();
        let mut limit = settings.map_or(CLOSING, |settings| settings.idle_timeout);
        if self.slot.is_closed() {
            limit = limit.min(CLOSING);
        }
        let responses = udp(settings).and_then(|udp| udp.responses);
        while let Some((id, used)) = self.table.oldest() {
            if now.saturating_duration_since(used) < limit {
                break;
            }
            if let Some(session) = self.table.remove(id) {
                session.fell_silent(responses, now);
            }
        }
    }

    /// Ends the sessions that were marked.
    fn cut(&mut self) {
        for id in self.table.which(|session| session.is_cut.get()) {
            if let Some(session) = self.table.remove(id) {
                session.ended(End::Drained);
            }
        }
    }
}

fn udp(settings: Option<&Listener>) -> Option<UdpListener> {
    match settings?.protocol {
        Protocol::Udp(udp) => Some(udp),
        Protocol::Http(_) | Protocol::Tcp(_) => None,
    }
}

/// Whether the server's machine, or one on the way, has said that the datagram did not arrive (ICMP).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

/// Batches before other tasks have a turn.
const ROUNDS: usize = 8;
/// Servers that one datagram is tried on.
const SERVERS: usize = 4;
/// Between two looks for silent sessions.
const LOOK: Duration = Duration::from_millis(250);
/// How long a session of a listener that closes may be silent.
const CLOSING: Duration = Duration::from_secs(2);
