//! One of the servers that work on the same request: from a place at it to the head of its answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sluice_http::exchange::Untouched;
use sluice_telemetry::End;
use sluice_telemetry::metrics::ResponseFailure;
use sluice_upstream::{Check, Cluster, ConnectError, Connection, Hedging, InFlight, Need};
use sluice_wire::h1::{FieldStorage, HeadEnd, parse_response};

use super::super::exchange::{ANSWER_LIMITS, word_of};
use super::super::failure::Failure;
use super::super::forward;
use super::super::outgoing::Outgoing;
use super::super::serve::Downstream;
use super::{Place, Slow};
use crate::upstream_preface;
use crate::worker::Worker;

/// A server that was asked.
pub(super) struct Contender {
    pub(super) place: InFlight,
    /// When it got the request, or was chosen to.
    pub(super) started: Instant,
    /// Until when it is waited for.
    pub(super) until: Instant,
    /// What the upstream bears of it, where it is not the first.
    hedging: Option<Hedging>,
    /// Whether its connection had served others before.
    is_kept: bool,
    stage: Stage,
}

/// How far it is.
enum Stage {
    Connecting(Connecting),
    Asked(Box<Conversation>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<Box<Connection>, ConnectError>>>>;

/// A server that gets the request.
struct Conversation {
    server: Box<Connection>,
    /// Bytes of head and body.
    sent: usize,
    is_sent: bool,
    /// What it said so far.
    answer: Vec<u8>,
    /// Where in that the head begins that is not whole: interim responses are before it.
    from: usize,
    end: HeadEnd,
    /// Once the head of its answer is whole.
    status: Option<u16>,
}

/// What it is asked, and by whose means.
pub(super) struct Request<'a> {
    pub(super) outgoing: &'a Outgoing,
    pub(super) worker: &'a Worker,
    pub(super) cluster: &'a Cluster,
    pub(super) now: Instant,
}

impl Request<'_> {
    /// What is to be sent after `sent` bytes: the head, what of the body came with it, and the rest as it was kept.
    fn rest(&self, sent: usize) -> Option<&[u8]> {
        let first = &self.outgoing.bytes;
        let rest = match sent.checked_sub(first.len()) {
            None => first.get(sent..),
            Some(sent) => self.outgoing.body.kept().get(sent..),
        };
        rest.filter(|rest| !rest.is_empty())
    }
}

impl Contender {
    /// The server that was asked first.
    pub(super) fn of_slow(place: InFlight, slow: Slow, until: Instant) -> Self {
        Self {
            place,
            started: slow.started,
            until,
            hedging: None,
            is_kept: slow.is_kept,
            stage: Stage::Asked(Box::new(Conversation::new(slow.server, true))),
        }
    }

    /// Another one, on a connection that is kept or a new one.
    pub(super) fn enter(
        place: Place,
        cluster: &Rc<Cluster>,
        downstream: &Downstream,
        need: Need,
        now: Instant,
        until: Instant,
    ) -> Self {
        let Place { place, hedging } = place;
        let kept = cluster.take_idle(place.lane(), downstream.client, Check::Asked, need);
        let is_kept = kept.is_some();
        let stage = match kept {
            Some(server) => Stage::Asked(Box::new(Conversation::new(server, false))),
            None => Stage::Connecting(connecting(&place, cluster, downstream, need)),
        };
        Self {
            place,
            started: now,
            until,
            hedging: Some(hedging),
            is_kept,
            stage,
        }
    }

    /// The status of its answer, once the head of that is whole.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.stage {
            Stage::Asked(conversation) => conversation.status,
            Stage::Connecting(_) => None,
        }
    }

    pub(super) fn has_answered(&self) -> bool {
        self.status().is_some()
    }

    /// Whether it has got the whole request.
    pub(super) fn is_sent(&self) -> bool {
        matches!(&self.stage, Stage::Asked(conversation) if conversation.is_sent)
    }

    /// Does what can be done now. Ready with the status once the head of its answer is whole, and whenever it is asked again
    /// after that.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<'_>,
    ) -> Poll<Result<u16, Failure>> {
        if let Stage::Connecting(connecting) = &mut self.stage {
            match ready!(connecting.as_mut().poll(cx)) {
                Ok(server) => {
                    self.started = Instant::now();
                    self.stage = Stage::Asked(Box::new(Conversation::new(server, false)));
                }
                Err(error) => {
                    let failure = forward::not_connected(request.cluster, &self.place, &error);
                    return Poll::Ready(Err(failure));
                }
            }
        }
        let Stage::Asked(conversation) = &mut self.stage else {
            return Poll::Pending;
        };
        conversation.send(cx, request, &self.place);
        match ready!(conversation.poll_answer(cx, request, &self.place)) {
            Ok(status) => Poll::Ready(Ok(status)),
            Err(fault) => Poll::Ready(Err(self.failure(fault))),
        }
    }

    /// It has had its time. `has_time` tells whether there is some left for others.
    pub(super) fn timed_out(&self, has_time: bool) -> Failure {
        let mut failure = self.failed(End::UpstreamTimeout, ResponseFailure::Timeout);
        failure.repeatable &= has_time;
        failure
    }

    fn failure(&self, fault: Fault) -> Failure {
        let Fault::Gone(error) = fault else {
            let failure = self.failed(End::UpstreamInvalid, ResponseFailure::Invalid);
            return Failure {
                repeatable: false,
                resendable: false,
                ..failure
            };
        };
        let untouched = error.as_ref().and_then(Untouched::by);
        let word = word_of(error.as_ref(), untouched);
        let failure = self.failed(End::UpstreamClosed, word);
        // A connection that was kept may have been closed before it had the request.
        let is_stale = self.is_kept && untouched.is_none() && failure.repeatable;
        if is_stale {
            self.place.lane().metrics().connections_stale.increment();
        }
        Failure {
            untouched: untouched.is_some(),
            blames_server: !is_stale && untouched != Some(Untouched::Leaving),
            ..failure
        }
    }

    /// What cannot be sent again is never here: unless the server has begun to answer, another one may have it.
    fn failed(&self, end: End, word: ResponseFailure) -> Failure {
        self.place
            .lane()
            .metrics()
            .response_failures
            .increment(word);
        let spoke = matches!(&self.stage, Stage::Asked(one) if !one.answer.is_empty());
        Failure {
            blames_server: true,
            repeatable: !spoke,
            resendable: !spoke,
            ..Failure::of(end)
        }
    }

    /// What is left of the first whose answer counts.
    pub(super) fn into_winner(self) -> Option<Winner> {
        let Stage::Asked(conversation) = self.stage else {
            return None;
        };
        Some(Winner {
            place: self.place,
            hedging: self.hedging,
            started: self.started,
            until: self.until,
            server: conversation.server,
            is_sent: conversation.is_sent,
            answer: conversation.answer,
        })
    }
}

/// A server that has answered, with a head that is whole.
pub(super) struct Winner {
    pub(super) place: InFlight,
    pub(super) hedging: Option<Hedging>,
    pub(super) started: Instant,
    pub(super) until: Instant,
    pub(super) server: Box<Connection>,
    /// Whether it has got the whole request.
    pub(super) is_sent: bool,
    /// What it said so far.
    pub(super) answer: Vec<u8>,
}

/// Why there will be no answer.
enum Fault {
    /// The connection has ended, by an error if there was one.
    Gone(Option<io::Error>),
    /// What came is none.
    Invalid,
}

impl Conversation {
    fn new(server: Box<Connection>, is_sent: bool) -> Self {
        Self {
            server,
            sent: 0,
            is_sent,
            answer: Vec::new(),
            from: 0,
            end: HeadEnd::default(),
            status: None,
        }
    }

    /// Sends what the server takes now. One that takes no more may have answered all the same.
    fn send(&mut self, cx: &mut Context<'_>, request: &Request<'_>, place: &InFlight) {
        while !self.is_sent {
            let Some(rest) = request.rest(self.sent) else {
                self.is_sent = true;
                break;
            };
            match self.server.stream.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.sent += count;
                    let lane = place.lane();
                    lane.metrics().bytes_sent.add(count as u64);
                    request.cluster.moved(lane, request.now, count as u64);
                }
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
    }

    /// Receives until the head of the answer is whole. It stays as it came, with the interim responses before it.
    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<'_>,
        place: &InFlight,
    ) -> Poll<Result<u16, Fault>> {
        loop {
            if let Some(status) = self.status {
                return Poll::Ready(Ok(status));
            }
            let mut scratch = request.worker.scratch();
            let received = self.server.stream.poll_read(cx, scratch.head_area());
            let count = match ready!(received) {
                Ok(0) => return Poll::Ready(Err(Fault::Gone(None))),
                Ok(count) => count,
                Err(error) => return Poll::Ready(Err(Fault::Gone(Some(error)))),
            };
            let lane = place.lane();
            lane.metrics().bytes_received.add(count as u64);
            request.cluster.moved(lane, request.now, count as u64);
            self.answer.extend_from_slice(scratch.received(count));
            if self.read(request.outgoing.is_head).is_err() {
                return Poll::Ready(Err(Fault::Invalid));
            }
        }
    }

    /// Looks for the head of the answer in what has come.
    fn read(&mut self, is_head: bool) -> Result<(), ()> {
        if self.from > MOST_INTERIM {
            return Err(());
        }
        loop {
            let head = self.answer.get(self.from..).unwrap_or_default();
            if !self.end.is_due(head, ANSWER_LIMITS.max_head) {
                return Ok(());
            }
            let mut storage = FieldStorage::new();
            let parsed = parse_response(head, &mut storage, &ANSWER_LIMITS, is_head);
            match parsed.map_err(|_| ())? {
                None => return Ok(()),
                // A switch that nobody asked for: whoever passes it on says so.
                Some(head) if head.status >= 200 || head.status == 101 => {
                    self.status = Some(head.status);
                    return Ok(());
                }
                Some(interim) => {
                    self.from += interim.len;
                    self.end = HeadEnd::default();
                }
            }
        }
    }
}

fn connecting(
    place: &InFlight,
    cluster: &Rc<Cluster>,
    downstream: &Downstream,
    need: Need,
) -> Connecting {
    let client: SocketAddr = downstream.client;
    let header = upstream_preface::header(cluster, client, &downstream.stream);
    let (cluster, lane) = (Rc::clone(cluster), Rc::clone(place.lane()));
    Box::pin(async move { forward::connect(&cluster, &lane, client, need, &header).await })
}

/// Bytes of interim responses that are kept of one server.
const MOST_INTERIM: usize = 64 * 1024;
