//! One request and its answer on one connection to a server, both directions at once.
//!
//! ```text
//!             ┌──────── head + body ────────►┐
//!   client ───┤                              ├─── server
//!             └◄── interim, head + body ─────┘
//! ```
//!
//! 1. The request's head and what of its body is here leave in one send; the rest of the body follows as the client
//!    sends it. The answer is listened for from the start: it may come before the request has ended.
//! 2. When the request is through, the client is still listened to: whoever goes away need not be served.
//! 3. Nothing has reached the client until the answer's head is whole. Up to there a fault costs it nothing, and the
//!    caller may try another server.

mod answer;
mod fault;
mod pace;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sluice_http::h1::relay::{Outbox, Relay, RelayError, Sides};
use sluice_net::Stream;
use sluice_telemetry::End;
use sluice_telemetry::metrics::BadRequest;
use sluice_wire::h1::HeadEnd;

pub(super) use self::answer::ANSWER_LIMITS;
pub(super) use self::fault::{Fault, word_of};
use self::pace::Paces;
use super::hedge;
use super::outgoing::Outgoing;
use super::serve::Downstream;
use crate::trip::Trip;

/// One request and its answer on their way.
pub(super) struct Exchange<'a> {
    downstream: &'a mut Downstream,
    server: &'a mut Stream,
    request: &'a mut Outgoing,
    trip: &'a mut Trip,
    started: Instant,
    /// Bytes of `request.bytes` that were sent.
    sent: usize,
    sending: Sending,
    answer: Answering,
    /// What the server sent after its answer: it should not have.
    surplus: Vec<u8>,
    /// Bytes received from the server before the body was streamed.
    received: u64,
    counted: Traffic,
    keep_alive: bool,
    reusable: bool,
    truncation_hidden: bool,
    /// Where clients may not be too slow, and this one was waited for.
    paces: Option<Box<Paces>>,
}

/// Bytes that were moved, everything included: heads, framing, interim responses.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    from_client: u64,
    to_server: u64,
    from_server: u64,
    to_client: u64,
}

/// How far the request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Head,
    Body,
    Done,
    /// The server takes no more of it. It may have answered all the same.
    Broken,
}

/// How far the answer is.
enum Answering {
    /// Bytes of a head that is not whole, and interim responses on their way to the client.
    Head {
        early: Vec<u8>,
        end: HeadEnd,
        interim: Outbox,
        spoke: bool,
    },
    Body(Relay),
}

/// How an exchange came to its end.
pub(super) enum Ended {
    /// The answer was passed on.
    Complete {
        /// Whether the connection to the server can carry another request.
        reusable: bool,
        /// Whether the client's can.
        keep_alive: bool,
    },
    /// The server switched protocols; these bytes go to the client first.
    Switched(Vec<u8>),
    /// The server has the request and has not said anything, and there is a place at another one.
    Slow,
}

/// What a server has answered to a request that was sent to it outside of an exchange.
pub(super) struct Answered {
    /// When it got the request.
    pub(super) started: Instant,
    /// Whether it got all of it.
    pub(super) is_sent: bool,
    /// A whole head and what came before and behind it.
    pub(super) bytes: Vec<u8>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        downstream: &'a mut Downstream,
        server: &'a mut Stream,
        request: &'a mut Outgoing,
        trip: &'a mut Trip,
    ) -> Self {
        let started = trip.now;
        // The time for the answer begins when the request has been sent.
        let patience = if request.body.is_received() {
            request.await_answer(started)
        } else {
            started + request.body_timeout
        };
        downstream.deadline.set(patience);
        request.body.rewind();
        if let Some(call) = request.call {
            call.tell(started, &mut request.bytes);
        }
        let counted = Traffic {
            from_client: request.body.streamed(),
            to_server: request.body.sent(),
            ..Traffic::default()
        };
        Self {
            downstream,
            server,
            request,
            trip,
            started,
            sent: 0,
            sending: Sending::Head,
            answer: Answering::Head {
                early: Vec::new(),
                end: HeadEnd::default(),
                interim: Outbox::default(),
                spoke: false,
            },
            surplus: Vec::new(),
            received: 0,
            counted,
            keep_alive: false,
            reusable: false,
            truncation_hidden: false,
            paces: None,
        }
    }

    /// Goes on with a server that has answered already.
    pub(super) fn resume(
        downstream: &'a mut Downstream,
        server: &'a mut Stream,
        request: &'a mut Outgoing,
        trip: &'a mut Trip,
        answered: Answered,
    ) -> Self {
        let sent = request.bytes.len();
        // What was moved so far is counted.
        let counted = Traffic {
            from_client: request.body.streamed(),
            to_server: sent as u64 + request.body.sent(),
            ..Traffic::default()
        };
        Self {
            downstream,
            server,
            request,
            trip,
            started: answered.started,
            sent,
            sending: if answered.is_sent {
                Sending::Done
            } else {
                Sending::Broken
            },
            answer: Answering::Head {
                early: answered.bytes,
                end: HeadEnd::default(),
                interim: Outbox::default(),
                spoke: true,
            },
            surplus: Vec::new(),
            received: 0,
            counted,
            keep_alive: false,
            reusable: false,
            truncation_hidden: false,
            paces: None,
        }
    }

    /// Passes on what was answered already, and what follows.
    pub(super) async fn finish(mut self) -> Result<Ended, Fault> {
        match self.read_early()? {
            Some(ended) => Ok(ended),
            None => self.await,
        }
    }

    /// Sends what of the request can be sent now.
    fn send_request(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.sending == Sending::Head {
            let Some(rest) = self
                .request
                .bytes
                .get(self.sent..)
                .filter(|rest| !rest.is_empty())
            else {
                self.sending = Sending::Body;
                break;
            };
            match self.server.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) if count > 0 => self.sent += count,
                Poll::Ready(_) => self.sending = Sending::Broken,
                Poll::Pending => return Ok(()),
            }
        }
        if self.sending == Sending::Body {
            return self.send_body(cx);
        }
        Ok(())
    }

    fn send_body(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if self.request.body.is_done() {
            self.sending = Sending::Done;
            return Ok(());
        }
        let worker = &self.downstream.worker;
        let before = self.request.body.progress();
        let outcome = self.request.body.poll(
            cx,
            &mut Sides {
                source: &mut self.downstream.stream,
                target: self.server,
                scratch: &mut worker.scratch(),
                buffers: &mut worker.buffers(),
                pipes: &mut worker.pipes(),
                surplus: &mut self.downstream.carry,
            },
        );
        if self.request.body.progress() != before {
            let now = self.trip.tick();
            self.count_traffic();
            self.downstream
                .deadline
                .set(now + self.request.body_timeout);
        }
        match outcome {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => {
                self.sending = Sending::Done;
                if matches!(self.answer, Answering::Head { .. }) {
                    let now = self.trip.tick();
                    let by = self.request.await_answer(now);
                    self.downstream.deadline.set(by);
                }
                Ok(())
            }
            Poll::Ready(Err(RelayError::Target(_))) => {
                self.sending = Sending::Broken;
                Ok(())
            }
            Poll::Ready(Err(RelayError::Source(_) | RelayError::Truncated)) => {
                Err(self.fault(End::ClientClosed))
            }
            Poll::Ready(Err(RelayError::TooLarge)) => {
                Err(self.refused(413, BadRequest::BodyTooLarge))
            }
            Poll::Ready(Err(RelayError::Malformed(error))) => Err(self.refused(400, error.into())),
        }
    }

    /// Nothing has happened for too long; or for so long that another server is to be asked.
    #[cold]
    fn time_is_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Fault>> {
        let Answering::Head { spoke, .. } = self.answer else {
            return Poll::Ready(Err(self.timed_out()));
        };
        let body = &self.request.body;
        let may_go_twice = body.is_received() && body.is_replayable();
        let hedge = self.request.hedge.as_mut().filter(|_| may_go_twice);
        let Some(patience) = hedge.and_then(|hedge| hedge.take_due()) else {
            return Poll::Ready(Err(self.timed_out()));
        };
        // Who has begun to speak is about to answer.
        let is_silent = self.sending == Sending::Done && !spoke;
        let now = self.trip.tick();
        if is_silent && hedge::find_place(self.request, now) {
            return Poll::Ready(Ok(Ended::Slow));
        }
        self.downstream.deadline.set(patience);
        ready!(self.downstream.deadline.poll(cx));
        Poll::Ready(Err(self.timed_out()))
    }

    /// The server's connection is good for another request only if it has got all of this one, head included; the
    /// client's if we have got all of it.
    fn complete(&self) -> Ended {
        let is_sent = self.sending == Sending::Done;
        Ended::Complete {
            reusable: self.reusable && is_sent && self.surplus.is_empty(),
            keep_alive: self.keep_alive && self.request.body.is_received(),
        }
    }

    /// Adds what was moved since the last time to the counters. Of a long body that is more than once.
    fn count_traffic(&mut self) {
        let (streamed, to_client) = match &self.answer {
            Answering::Head { interim, .. } => (0, interim.total_sent()),
            Answering::Body(relay) => (relay.streamed(), relay.sent()),
        };
        let body = &self.request.body;
        let now = Traffic {
            from_client: body.streamed(),
            to_server: self.sent as u64 + body.sent(),
            from_server: self.received + streamed,
            to_client,
        };
        let before = std::mem::replace(&mut self.counted, now);
        let listener = self.downstream.guard.metrics();
        listener
            .bytes_received
            .add(now.from_client - before.from_client);
        listener
            .bytes_sent
            .add(now.to_client.saturating_sub(before.to_client));
        if let Some(lane) = &self.trip.lane {
            let server = lane.metrics();
            server.bytes_sent.add(now.to_server - before.to_server);
            server
                .bytes_received
                .add(now.from_server - before.from_server);
            let moved = now.to_server - before.to_server + now.from_server - before.from_server;
            self.request.cluster.moved(lane, self.trip.now, moved);
        }
    }
}

/// Ready when the answer was passed on, or cannot be any more.
impl Future for Exchange<'_> {
    type Output = Result<Ended, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Err(fault) = this.send_request(cx) {
            return Poll::Ready(Err(fault));
        }
        if let Poll::Ready(outcome) = this.poll_answer(cx) {
            return Poll::Ready(outcome);
        }
        if this.request.body.is_received() && this.downstream.is_gone(cx) {
            return Poll::Ready(Err(this.fault(End::ClientClosed)));
        }
        ready!(this.poll_patience(cx))?;
        this.time_is_up(cx)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.count_traffic();
        self.trip.request_body = self.request.body.payload();
        if let Answering::Body(relay) = &self.answer {
            self.trip.response_body = relay.payload();
        }
    }
}
