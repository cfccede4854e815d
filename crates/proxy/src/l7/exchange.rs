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

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use sluice_http::h1::relay::{Outbox, Relay, RelayError, Sides};
use sluice_http::h1::response::{Delivery, Return, compose};
use sluice_net::Stream;
use sluice_telemetry::End;
use sluice_telemetry::metrics::{BadRequest, ResponseFailure};
use sluice_wire::h1::{FieldStorage, Framing, Limits, ResponseHead, parse_response};

use super::decide::Outgoing;
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
}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) struct Fault {
    /// Why, for the trip.
    pub(super) end: End,
    /// What was wrong with the request's body, if that was it.
    pub(super) refused: Option<(u16, BadRequest)>,
    /// What the server did wrong, if it was the server.
    pub(super) server: Option<ResponseFailure>,
    /// Whether the client has got bytes of an answer: then there is no way back.
    pub(super) answered: bool,
    /// Whether the server may have taken note of the request: it sent something, or got more than is kept here.
    pub(super) repeatable: bool,
    /// Whether the client could take what it got for the whole, unless its connection is reset.
    pub(super) truncation_hidden: bool,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        downstream: &'a mut Downstream,
        server: &'a mut Stream,
        request: &'a mut Outgoing,
        trip: &'a mut Trip,
    ) -> Self {
        // The time for the answer begins when the request has been sent.
        let patience = if request.body.is_received() {
            request.timeout
        } else {
            request.body_timeout
        };
        let started = trip.now;
        downstream.deadline.set(started + patience);
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
                interim: Outbox::default(),
                spoke: false,
            },
            surplus: Vec::new(),
            received: 0,
            counted: Traffic::default(),
            keep_alive: false,
            reusable: false,
            truncation_hidden: false,
        }
    }

    /// Ready when the answer was passed on, or cannot be any more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Fault>> {
        if let Err(fault) = self.send_request(cx) {
            return Poll::Ready(Err(fault));
        }
        match self.poll_answer(cx) {
            Poll::Ready(outcome) => return Poll::Ready(outcome),
            Poll::Pending => {}
        }
        if self.request.body.is_received() && self.downstream.is_gone(cx) {
            return Poll::Ready(Err(self.fault(End::ClientClosed)));
        }
        self.downstream
            .deadline
            .poll(cx)
            .map(|()| Err(self.timed_out()))
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
            self.count_traffic();
            let now = self.trip.tick();
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
                    self.downstream.deadline.set(now + self.request.timeout);
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

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Fault>> {
        loop {
            match &mut self.answer {
                Answering::Head { interim, .. } => {
                    if !interim.is_empty() {
                        let buffers = &mut self.downstream.worker.buffers();
                        let stream = &mut self.downstream.stream;
                        match interim.poll_flush(cx, stream, buffers) {
                            Poll::Ready(Ok(())) => {}
                            Poll::Ready(Err(_)) => {
                                return Poll::Ready(Err(self.fault(End::ClientClosed)));
                            }
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    match self.poll_head(cx) {
                        Poll::Ready(Ok(None)) => {}
                        Poll::Ready(Ok(Some(ended))) => return Poll::Ready(Ok(ended)),
                        Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Answering::Body(_) => return self.poll_body(cx),
            }
        }
    }

    /// Receives until there is a head, and takes it from there. `None` where there is more to do.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ended>, Fault>> {
        let worker = std::rc::Rc::clone(&self.downstream.worker);
        let mut scratch = worker.scratch();
        // The smaller area: of a long body the rest is not received here at all.
        let count = match self.server.poll_read(cx, scratch.head_area()) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.server_gone(None))),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.server_gone(Some(&error)))),
            Poll::Ready(Ok(count)) => count,
        };
        self.received += count as u64;
        let Answering::Head { early, spoke, .. } = &mut self.answer else {
            return Poll::Ready(Ok(None));
        };
        *spoke = true;
        if early.is_empty() {
            let bytes = scratch.received(count);
            let mut storage = FieldStorage::new();
            match parse_response(bytes, &mut storage, &LIMITS, self.request.is_head) {
                Ok(Some(head)) if head.status >= 200 => {
                    let mut out = worker.head();
                    let (relay, start) = self.begin_answer(&head, &mut out);
                    drop(scratch);
                    let passed = self.pass_first(cx, relay, &out, start, count);
                    return Poll::Ready(passed.map(|()| None));
                }
                Ok(_) => early.extend_from_slice(bytes),
                Err(_) => return Poll::Ready(Err(self.invalid())),
            }
        } else {
            early.extend_from_slice(scratch.received(count));
        }
        drop(scratch);
        Poll::Ready(self.read_early())
    }

    /// The uncommon way: heads that came in pieces, and interim responses.
    fn read_early(&mut self) -> Result<Option<Ended>, Fault> {
        let Answering::Head { early, .. } = &mut self.answer else {
            return Ok(None);
        };
        let mut bytes = std::mem::take(early);
        loop {
            let mut storage = FieldStorage::new();
            let head = match parse_response(&bytes, &mut storage, &LIMITS, self.request.is_head) {
                Ok(Some(head)) => head,
                Ok(None) => {
                    if let Answering::Head { early, .. } = &mut self.answer {
                        *early = bytes;
                    }
                    return Ok(None);
                }
                Err(_) => return Err(self.invalid()),
            };
            let length = head.len;
            if head.status == 101 {
                return self.switch(&head, &bytes).map(Some);
            }
            if head.status >= 200 {
                let mut out = Vec::new();
                let (mut relay, start) = self.begin_answer(&head, &mut out);
                let body = bytes.get(start..).unwrap_or_default();
                let used = relay.take_in(body, &mut out).map_err(|_| self.invalid())?;
                self.surplus
                    .extend_from_slice(body.get(used..).unwrap_or_default());
                let mut first = self.take_interim();
                first.push(&out);
                relay.send_first(first);
                self.answer = Answering::Body(relay);
                return Ok(None);
            }
            // HTTP/1.0 clients know no interim responses (RFC 9110, 15.2).
            if self.request.version == sluice_wire::h1::Version::Http11 {
                let mut out = Vec::new();
                compose(&head, &self.back(Delivery::None, true, &[]), &mut out);
                if let Answering::Head { interim, .. } = &mut self.answer {
                    interim.push(&out);
                }
            }
            bytes.drain(..length);
        }
    }

    fn take_interim(&mut self) -> Outbox {
        match &mut self.answer {
            Answering::Head { interim, .. } => std::mem::take(interim),
            Answering::Body(_) => Outbox::default(),
        }
    }

    /// Decides how the answer goes out and composes its head. Returns the relay for its body, and where in the received
    /// bytes the body starts.
    fn begin_answer(&mut self, head: &ResponseHead<'_, '_>, out: &mut Vec<u8>) -> (Relay, usize) {
        let now = self.trip.tick();
        let delivery = Delivery::of(head.framing, self.request.version);
        // An answer before the end of the request leaves the rest of it unread: the connection ends with the answer
        // (RFC 9112, 9.3), and the client is told.
        self.keep_alive = self.request.persistent
            && delivery != Delivery::UntilClose
            && !self.downstream.slot.is_closed()
            && self.request.body.is_received();
        self.reusable = head.persistent && head.framing != Framing::UntilClose;
        self.truncation_hidden = delivery == Delivery::UntilClose;
        self.trip.status = head.status;
        self.trip.answered_by_server = true;
        self.trip.response_after = Some(now - self.started);
        let date = self.downstream.worker.clock().date_of(now);
        compose(head, &self.back(delivery, self.keep_alive, &date), out);
        self.downstream
            .deadline
            .set(now + self.request.body_timeout);
        (Relay::of_response(head.framing, delivery), head.len)
    }

    fn back<'b>(&'b self, delivery: Delivery, keep_alive: bool, date: &'b [u8]) -> Return<'b> {
        Return {
            client: self.request.version,
            keep_alive,
            delivery,
            date,
            via: self.request.via.as_deref(),
        }
    }

    /// Sends the head with what of the body came with it.
    fn pass_first(
        &mut self,
        cx: &mut Context<'_>,
        mut relay: Relay,
        head: &[u8],
        start: usize,
        end: usize,
    ) -> Result<(), Fault> {
        // Nothing of it waits any more; it knows how much was sent.
        relay.send_first(self.take_interim());
        let worker = &self.downstream.worker;
        let mut unsent = head;
        let outcome = relay.pass_on(
            cx,
            &mut unsent,
            start,
            end,
            &mut Sides {
                source: self.server,
                target: &mut self.downstream.stream,
                scratch: &mut worker.scratch(),
                buffers: &mut worker.buffers(),
                pipes: &mut worker.pipes(),
                surplus: &mut self.surplus,
            },
        );
        if outcome.is_err() && !unsent.is_empty() {
            // The client has got nothing yet: it can be told.
            return Err(self.invalid());
        }
        self.answer = Answering::Body(relay);
        outcome.map_err(|error| self.relay_fault(&error))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Fault>> {
        let Answering::Body(relay) = &mut self.answer else {
            return Poll::Pending;
        };
        if !relay.is_done() {
            let worker = &self.downstream.worker;
            let before = relay.progress();
            let outcome = relay.poll(
                cx,
                &mut Sides {
                    source: self.server,
                    target: &mut self.downstream.stream,
                    scratch: &mut worker.scratch(),
                    buffers: &mut worker.buffers(),
                    pipes: &mut worker.pipes(),
                    surplus: &mut self.surplus,
                },
            );
            match outcome {
                Poll::Pending => {
                    if relay.progress() != before {
                        self.count_traffic();
                        let now = self.trip.tick();
                        self.downstream
                            .deadline
                            .set(now + self.request.body_timeout);
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.relay_fault(&error))),
                Poll::Ready(Ok(())) => {
                    self.trip.tick();
                }
            }
        }
        Poll::Ready(Ok(self.complete()))
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

    /// RFC 9110, 7.8. A switch that was not asked for, or before the request was through, is no valid answer.
    fn switch(&mut self, head: &ResponseHead<'_, '_>, bytes: &[u8]) -> Result<Ended, Fault> {
        let may_switch = self.request.wants_upgrade && self.sending == Sending::Done;
        if !may_switch || head.upgrade.is_none() {
            return Err(self.invalid());
        }
        let now = self.trip.tick();
        self.trip.status = head.status;
        self.trip.answered_by_server = true;
        self.trip.response_after = Some(now - self.started);
        self.count_traffic();
        let mut out = self.take_interim().into_rest();
        compose(head, &self.back(Delivery::None, true, &[]), &mut out);
        let early = bytes.get(head.len..).unwrap_or_default();
        out.extend_from_slice(early);
        self.trip.response_body = early.len() as u64;
        Ok(Ended::Switched(out))
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
        }
    }

    /// Whom to blame for the silence.
    fn timed_out(&self) -> Fault {
        let client_is_slow = match &self.answer {
            Answering::Body(relay) => relay.waits_for_target(),
            Answering::Head { interim, spoke, .. } => {
                // A client that waits to be told to go on is as silent as the server that does not tell it.
                let is_held_up =
                    self.request.expects_continue && !spoke && self.request.body.received() == 0;
                !interim.is_empty()
                    || (self.sending == Sending::Body
                        && !self.request.body.waits_for_target()
                        && !is_held_up)
            }
        };
        if client_is_slow {
            let mut fault = self.fault(End::ClientTimeout);
            fault.refused = Some((408, BadRequest::BodyTimeout));
            fault
        } else {
            let mut fault = self.fault(End::UpstreamTimeout);
            fault.server = Some(ResponseFailure::Timeout);
            fault
        }
    }

    fn server_gone(&self, error: Option<&io::Error>) -> Fault {
        let spoke = matches!(&self.answer, Answering::Head { spoke: true, .. });
        let mut fault = self.fault(End::UpstreamClosed);
        fault.server = Some(match error.map(io::Error::kind) {
            None => ResponseFailure::Closed,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                ResponseFailure::Reset
            }
            Some(_) => ResponseFailure::Other,
        });
        let all_is_kept = self.request.body.streamed() == 0;
        let may_repeat = self.request.is_idempotent || self.sent == 0;
        fault.repeatable = !spoke && all_is_kept && may_repeat;
        fault
    }

    fn invalid(&self) -> Fault {
        let mut fault = self.fault(End::UpstreamInvalid);
        fault.server = Some(ResponseFailure::Invalid);
        fault
    }

    fn refused(&self, status: u16, word: BadRequest) -> Fault {
        let mut fault = self.fault(End::BadRequest);
        fault.refused = Some((status, word));
        fault
    }

    fn relay_fault(&self, error: &RelayError) -> Fault {
        match error {
            RelayError::Target(_) => self.fault(End::ClientClosed),
            RelayError::Source(error) => self.server_gone(Some(error)),
            RelayError::Truncated => self.server_gone(None),
            RelayError::Malformed(_) | RelayError::TooLarge => self.invalid(),
        }
    }

    fn fault(&self, end: End) -> Fault {
        Fault {
            end,
            refused: None,
            server: None,
            answered: match &self.answer {
                Answering::Body(_) => true,
                // Part of an interim response may be out: nothing can follow it but its rest.
                Answering::Head { interim, .. } => interim.is_partly_sent(),
            },
            repeatable: false,
            truncation_hidden: self.truncation_hidden,
        }
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

/// What is accepted of a server's head.
const LIMITS: Limits = Limits {
    max_head: 64 * 1024,
    max_target: 0,
    max_fields: 256,
};
