//! One client's datagrams to one server and back.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use sluice_net::datagrams::Flow;
use sluice_telemetry::End;
use sluice_telemetry::access::TcpRecord;
use sluice_telemetry::metrics::ConnectFailure;
use sluice_upstream::{Association, Cluster, InFlight, Tried};

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
    /// Datagrams that were there at once the last time, and so how many are asked for the next.
    pub(super) burst: u32,
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
            self.passed_on(datagram.len(), now);
        }
        Ok(())
    }

    /// Sends a datagram of the client to the server.
    ///
    /// # Errors
    /// The kernel's. A refusal is that of an earlier datagram; this one was not sent.
    pub(super) fn send(&mut self, datagram: &[u8], now: Instant) -> io::Result<()> {
        self.association.socket.send(datagram)?;
        if self.sent.datagrams == 0 {
            self.unanswered.note(datagram);
        }
        self.passed_on(datagram.len(), now);
        Ok(())
    }

    fn passed_on(&mut self, bytes: usize, now: Instant) {
        let bytes = bytes as u64;
        self.received.add(bytes);
        let lane = self.place.lane();
        lane.metrics().bytes_sent.add(bytes);
        self.cluster.moved(lane, now, bytes);
    }

    /// A datagram of the server came for the client.
    pub(super) fn answered(&mut self, bytes: usize, now: Instant) {
        let bytes = bytes as u64;
        let lane = self.place.lane();
        if self.sent.datagrams == 0 {
            self.cluster.ended(lane, now, false);
            self.cluster.answered(lane, now, now - self.started);
            self.unanswered.give_up();
        }
        self.sent.add(bytes);
        lane.metrics().bytes_received.add(bytes);
        self.cluster.moved(lane, now, bytes);
        self.listener.metrics.datagrams_sent.increment();
        self.listener.metrics.bytes_sent.add(bytes);
    }

    /// Whether as many answers have come as each datagram gets.
    pub(super) fn is_complete(&self, responses: u32) -> bool {
        self.sent.datagrams >= self.received.datagrams.saturating_mul(responses.into())
    }

    /// Whether the server sends more than it is asked.
    pub(super) fn is_streaming(&self) -> bool {
        self.sent.datagrams > self.received.datagrams
    }

    /// The server's machine says that nobody listens there. The session stays until its client speaks again, so that it is
    /// known where not to try.
    pub(super) fn refuse(&mut self, now: Instant) {
        let lane = self.place.lane();
        lane.metrics()
            .connect_failures
            .increment(ConnectFailure::Refused);
        self.cluster.ended(lane, now, true);
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
    fn add(&mut self, bytes: u64) {
        self.datagrams += 1;
        self.bytes += bytes;
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
