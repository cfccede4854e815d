//! One client's datagrams to one server and back.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use sluice_net::datagrams::{Flow, Offload, Received, Run};
use sluice_telemetry::End;
use sluice_telemetry::access::TcpRecord;
use sluice_telemetry::metrics::ConnectFailure;
use sluice_upstream::{Association, Cluster, Fate, InFlight, Tried};

use super::unanswered::Unanswered;
use crate::connections::Guard;
use crate::live::LiveListener;
use crate::trip::end_of_dropped;
use crate::worker::Worker;

/// A session. Accounted for when dropped.
pub(super) struct Session {
    pub(super) flow: Flow,
    pub(super) association: Association,
    /// Set from outside when the session is to end.
    pub(super) is_cut: Rc<Cell<bool>>,
    /// Arrivals that were there at once the last time, or may have been more.
    burst: usize,
    /// Datagrams that the server was sent since it last spoke.
    asked: usize,
    started: Instant,
    listener: Rc<LiveListener>,
    cluster: Rc<Cluster>,
    place: InFlight,
    worker: Rc<Worker>,
    _guard: Guard,
    attempts: u32,
    received: Tally,
    sent: Tally,
    end: Option<End>,
    /// Servers that were gone when this one was chosen.
    tried: Tried,
    unanswered: Unanswered,
}

/// What a session with a server that is gone leaves to the one that follows.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) tried: Tried,
    pub(super) unanswered: Unanswered,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    datagrams: u64,
    bytes: u64,
}

/// What a session is made of.
pub(super) struct Parts {
    pub(super) flow: Flow,
    pub(super) association: Association,
    pub(super) is_cut: Rc<Cell<bool>>,
    pub(super) listener: Rc<LiveListener>,
    pub(super) cluster: Rc<Cluster>,
    pub(super) place: InFlight,
    pub(super) worker: Rc<Worker>,
    pub(super) guard: Guard,
    pub(super) attempts: u32,
}

impl Session {
    pub(super) fn new(parts: Parts, now: Instant) -> Self {
        parts.place.lane().metrics().sessions.increment();
        Self {
            flow: parts.flow,
            association: parts.association,
            is_cut: parts.is_cut,
            burst: 1,
            asked: 0,
            started: now,
            listener: parts.listener,
            cluster: parts.cluster,
            place: parts.place,
            worker: parts.worker,
            _guard: parts.guard,
            attempts: parts.attempts,
            received: Tally::default(),
            sent: Tally::default(),
            end: None,
            tried: Tried::default(),
            unanswered: Unanswered::default(),
        }
    }

    /// Sends what an earlier server left.
    ///
    /// # Errors
    /// Those of [`Self::send`]. All of it is kept for yet another server.
    pub(super) fn take_over(&mut self, left: &mut Left, now: Instant) -> io::Result<()> {
        self.tried = left.tried.clone();
        let datagrams = std::mem::take(&mut left.unanswered);
        for datagram in datagrams.iter() {
            self.unanswered.note(datagram);
        }
        for datagram in datagrams.iter() {
            self.association.socket.send(datagram)?;
            self.passed_on(1, datagram.len(), now);
        }
        Ok(())
    }

    /// Sends datagrams of the client to the server, and takes off `run` those that were sent. While they are kept for another server, each
    /// goes alone, so that the first one that meets nobody is known before many are lost.
    ///
    /// # Errors
    /// The kernel's. A refusal is that of an earlier datagram; the first of the rest was not sent.
    pub(super) fn send(
        &mut self,
        run: &mut Run<'_>,
        offload: &Offload,
        now: Instant,
    ) -> io::Result<()> {
        while let Some(first) = run.first() {
            let count = if self.unanswered.is_open() {
                self.association.socket.send(first)?;
                self.unanswered.note(first);
                1
            } else {
                self.association.socket.send_run(run, offload)?
            };
            let sent = run.take_first(count);
            self.passed_on(sent.len(), sent.bytes().len(), now);
        }
        Ok(())
    }

    fn passed_on(&mut self, datagrams: usize, bytes: usize, now: Instant) {
        self.asked += datagrams;
        self.received.add(datagrams, bytes);
        let lane = self.place.lane();
        lane.metrics().bytes_sent.add(bytes as u64);
        self.cluster.moved(lane, now, bytes as u64);
    }

    /// How many arrivals from the server to ask for at once. Where it was asked one thing, one answer is there: asking for more than
    /// there is costs a little more.
    pub(super) fn expected(&self) -> usize {
        self.burst.max(self.asked).clamp(1, BURST)
    }

    /// Datagrams of the server came for the client.
    pub(super) fn answered(&mut self, received: Received, now: Instant) {
        let bytes = received.bytes as u64;
        let lane = self.place.lane();
        if self.sent.datagrams == 0 {
            self.cluster.ended(lane, now, false);
            let after = now - self.started;
            self.cluster.answered(lane, now, after);
            self.place.ended(now, Fate::Served { after });
            self.unanswered.give_up();
        }
        let expected = self.expected();
        self.sent.add(received.datagrams, received.bytes);
        // A server that sends more than it is asked may have sent more than there was room for.
        let is_streaming = self.sent.datagrams > self.received.datagrams;
        self.burst = if received.is_full && is_streaming {
            expected * 2
        } else {
            received.arrivals
        };
        self.asked = 0;
        lane.metrics().bytes_received.add(bytes);
        self.cluster.moved(lane, now, bytes);
        self.listener
            .metrics
            .datagrams_sent
            .add(received.datagrams as u64);
        self.listener.metrics.bytes_sent.add(bytes);
    }

    /// Whether as many answers have come as each datagram gets.
    pub(super) fn is_complete(&self, responses: u32) -> bool {
        self.sent.datagrams >= self.received.datagrams.saturating_mul(responses.into())
    }

    /// The server's machine says that nobody listens there. The session stays until its client speaks again, so that it is
    /// known where not to try.
    pub(super) fn refuse(&mut self, now: Instant) {
        let lane = self.place.lane();
        lane.metrics()
            .connect_failures
            .increment(ConnectFailure::Refused);
        self.cluster.ended(lane, now, true);
        self.place.ended(now, Fate::ConnectFailed);
        self.end = Some(if self.sent.datagrams == 0 {
            End::ConnectFailed
        } else {
            End::UpstreamClosed
        });
    }

    /// Whether the server turned out to be gone.
    pub(super) fn is_refused(&self) -> bool {
        self.end.is_some()
    }

    /// Whether a server that is gone leaves something to be sent to another.
    pub(super) fn leaves_datagrams(&self) -> bool {
        self.unanswered.len() > 0
    }

    /// What another server is to know and get.
    pub(super) fn leave(&mut self, left: &mut Left) {
        left.tried = self.tried.clone();
        self.cluster.note_tried(&mut left.tried, &self.place);
        left.unanswered = std::mem::take(&mut self.unanswered);
    }

    /// The session was silent for too long; `responses` says whether the server had something to say.
    pub(super) fn fell_silent(mut self, responses: Option<u32>, now: Instant) {
        if self.is_refused() {
            return;
        }
        let is_owed = responses.is_some_and(|responses| !self.is_complete(responses));
        if is_owed {
            self.cluster.ended(self.place.lane(), now, true);
            self.place.ended(now, Fate::TimedOut);
        }
        self.end = Some(if is_owed {
            End::UpstreamTimeout
        } else {
            End::IdleTimeout
        });
    }

    /// The session ends.
    pub(super) fn ended(mut self, end: End) {
        self.end.get_or_insert(end);
    }
}

impl Tally {
    fn add(&mut self, datagrams: usize, bytes: usize) {
        self.datagrams += datagrams as u64;
        self.bytes += bytes as u64;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let end = self.end.unwrap_or_else(end_of_dropped);
        self.listener.metrics.udp_sessions.increment(end);
        if let Some(log) = &*self.worker.access_log() {
            log.tcp(&TcpRecord {
                time: self.worker.clock().time_of(self.started),
                client: Some(self.flow.client()),
                listener: self
                    .listener
                    .settings()
                    .map_or("", |settings| &settings.name),
                server_name: None,
                tls: None,
                upstream: Some(&self.cluster.settings().name),
                server: Some(&**self.place.lane().endpoint().label()),
                attempts: self.attempts,
                datagrams: Some((self.received.datagrams, self.sent.datagrams)),
                received_bytes: self.received.bytes,
                sent_bytes: self.sent.bytes,
                duration: self.started.elapsed(),
                end,
            });
        }
    }
}

/// Arrivals of one session before others have a turn.
const BURST: usize = 32;
