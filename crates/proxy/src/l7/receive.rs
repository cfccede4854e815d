//! From bytes to a decision: receives until the head of a request is whole, and its body where routes look into it, and has it decided
//! upon on the spot.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use sluice_config::plan::HttpListener;
use sluice_telemetry::End;
use sluice_telemetry::metrics::BadRequest;
use sluice_wire::h1::{FieldStorage, Limits, RequestHead, parse_request};

use super::collect::Collected;
use super::decide::{self, Decision};
use super::respond;
use super::serve::Downstream;
use crate::live::LiveListener;
use crate::trip::Trip;

/// Takes the next request's head, of which `received` bytes are in the scratch buffer, and decides upon it. A malformed
/// one is decided upon too: it is refused. `None` where the client went away, or the listener is an http one no more.
pub(super) async fn request(
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    trip: &mut Trip,
    received: usize,
) -> Option<Decision> {
    let http = listener.http()?;
    let decision = if received > 0 {
        from_scratch(downstream, listener, http, trip, received)
    } else {
        from_carry(downstream, listener, http, trip)
    };
    if decision.is_some() {
        return decision;
    }
    // The head is not whole: now it owns a buffer, and has a deadline of its own.
    if downstream.collected.is_none() {
        downstream.deadline.set(trip.started + http.head_timeout);
    }
    if downstream.is_early() {
        let waiting = poll_fn(|cx| poll_handshake(cx, downstream, listener, http, trip));
        if let ControlFlow::Break(outcome) = waiting.await {
            return outcome;
        }
    }
    poll_fn(|cx| poll_rest(cx, downstream, listener, http, trip)).await
}

/// Has a request decided upon once more that has waited for that; nothing of it was used up.
pub(super) fn again(
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    trip: &mut Trip,
) -> Option<Decision> {
    let decision = from_carry(downstream, listener, listener.http()?, trip);
    // It is of no other request.
    downstream.found_out = None;
    decision
}

/// What was just received: nearly always a whole head, and used up where it lies.
fn from_scratch(
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    http: &HttpListener,
    trip: &mut Trip,
    received: usize,
) -> Option<Decision> {
    listener.metrics.bytes_received.add(received as u64);
    let worker = Rc::clone(&downstream.worker);
    let scratch = worker.scratch();
    let bytes = scratch.received(received);
    let Some((decision, used)) = consider(bytes, downstream, listener, http, trip) else {
        downstream.carry.extend_from_slice(bytes);
        return None;
    };
    let rest = bytes.get(used..).unwrap_or_default();
    if !rest.is_empty() {
        downstream.carry.extend_from_slice(rest);
    }
    Some(decision)
}

/// What was received before.
fn from_carry(
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    http: &HttpListener,
    trip: &mut Trip,
) -> Option<Decision> {
    let mut bytes = std::mem::take(&mut downstream.carry);
    let decided = consider(&bytes, downstream, listener, http, trip);
    let decision = decided.map(|(decision, used)| {
        bytes.drain(..used);
        decision
    });
    downstream.carry = bytes;
    decision
}

/// Waits until the client's handshake is done, and decides then if the head is whole; goes on receiving if it is not. In the
/// meantime the head may become whole, and be of a request that need not wait. Breaks as [`request`] ends.
fn poll_handshake(
    cx: &mut Context<'_>,
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    http: &HttpListener,
    trip: &mut Trip,
) -> Poll<ControlFlow<Option<Decision>>> {
    let facts = downstream.tls.clone();
    let Some(early) = facts.as_ref().and_then(|facts| facts.early.as_ref()) else {
        return Poll::Ready(ControlFlow::Continue(()));
    };
    // The head of a stream is whole always, and its connection moves on by itself.
    while downstream.carrier.is_none() && !early.is_done() {
        let worker = Rc::clone(&downstream.worker);
        let mut scratch = worker.scratch();
        let Poll::Ready(received) = downstream.stream.poll_read(cx, scratch.head_area()) else {
            break;
        };
        let Ok(count @ 1..) = received else {
            return Poll::Ready(ControlFlow::Break(None));
        };
        listener.metrics.bytes_received.add(count as u64);
        downstream.carry.extend_from_slice(scratch.received(count));
        drop(scratch);
        trip.tick();
        if let Some(decision) = from_carry(downstream, listener, http, trip) {
            return Poll::Ready(ControlFlow::Break(Some(decision)));
        }
    }
    if early.poll_done(cx).is_pending() {
        ready!(downstream.deadline.poll(cx));
        let decision = timed_out(downstream, trip);
        return Poll::Ready(ControlFlow::Break(Some(decision)));
    }
    trip.tick();
    let decision = from_carry(downstream, listener, http, trip);
    Poll::Ready(match decision {
        Some(decision) => ControlFlow::Break(Some(decision)),
        None => ControlFlow::Continue(()),
    })
}

/// Receives until the head is whole.
fn poll_rest(
    cx: &mut Context<'_>,
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    http: &HttpListener,
    trip: &mut Trip,
) -> Poll<Option<Decision>> {
    let worker = Rc::clone(&downstream.worker);
    loop {
        if let Some(collected) = &mut downstream.collected {
            collected.poll_continue(cx, &mut downstream.stream);
        }
        let mut scratch = worker.scratch();
        let Poll::Ready(received) = downstream.stream.poll_read(cx, scratch.head_area()) else {
            ready!(downstream.deadline.poll(cx));
            return Poll::Ready(Some(timed_out(downstream, trip)));
        };
        let count = match received {
            // The client ended its side inside a head. It may still listen.
            Ok(0) => {
                let bytes = &downstream.carry;
                let decision = refuse(trip, downstream, bytes, 400, BadRequest::Truncated);
                return Poll::Ready(Some(decision));
            }
            Err(_) => return Poll::Ready(None),
            Ok(count) => count,
        };
        listener.metrics.bytes_received.add(count as u64);

        // A head ends with a line end: parsing before one has come would find out nothing. So a client that sends
        // byte by byte does not make us parse byte by byte.
        let bytes = scratch.received(count);
        let has_line_end = bytes.contains(&b'\n');
        downstream.carry.extend_from_slice(bytes);
        drop(scratch);
        let is_head = downstream.collected.is_none();
        if is_head && !has_line_end && downstream.carry.len() <= http.max_target {
            continue;
        }
        trip.tick();
        let decision = from_carry(downstream, listener, http, trip);
        if decision.is_some() {
            return Poll::Ready(decision);
        }
    }
}

/// Decides upon the request at the start of `bytes`, if its head is whole: the decision, and how many of the bytes
/// belong to the request.
fn consider(
    bytes: &[u8],
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    http: &HttpListener,
    trip: &mut Trip,
) -> Option<(Decision, usize)> {
    let limits = Limits {
        max_head: http.max_head,
        max_target: http.max_target,
        max_fields: http.max_fields,
    };
    let mut storage = FieldStorage::new();
    match parse_request(bytes, &mut storage, &limits) {
        Ok(None) => None,
        // It might be a copy of what was sent once already: it waits until the client has shown that it is not.
        Ok(Some(head)) if downstream.is_early() && !is_harmless(&head) => None,
        Ok(Some(head)) if awaits_body(&head, bytes, downstream, http, trip) => None,
        Ok(Some(head)) => {
            let found_out = downstream.found_out.take();
            let decided = decide::decide(&head, bytes, downstream, listener, found_out, trip)?;
            if !matches!(decided, (Decision::Inquire(_), _)) {
                downstream.collected = None;
            }
            Some(decided)
        }
        Err(error) => {
            let decision = refuse(trip, downstream, bytes, error.status(), error.into());
            Some((decision, bytes.len()))
        }
    }
}

/// Whether there is more to come of a body that routes look into. It has a deadline beyond that of the head.
fn awaits_body(
    head: &RequestHead<'_, '_>,
    bytes: &[u8],
    downstream: &mut Downstream,
    http: &HttpListener,
    trip: &Trip,
) -> bool {
    if !http.router.wants_json() || !Collected::is_wanted(head, http) {
        return false;
    }
    let after_head = bytes.get(head.len..).unwrap_or_default();
    let is_new = downstream.collected.is_none();
    let collected = downstream
        .collected
        .get_or_insert_with(|| Box::new(Collected::new(head)));
    let is_awaited = !collected.take_in(after_head, http.json_body_limit);
    if is_new && is_awaited {
        let by = trip.started + http.head_timeout + http.body_timeout;
        downstream.deadline.set(by);
    }
    is_awaited
}

/// Whether a request may come twice (RFC 8470, 4). What comes through a tunnel may not.
fn is_harmless(head: &RequestHead<'_, '_>) -> bool {
    head.method.is_safe() && head.upgrade.is_none()
}

fn timed_out(downstream: &Downstream, trip: &mut Trip) -> Decision {
    trip.end = End::ClientTimeout;
    let bytes = &downstream.carry;
    let word = match downstream.collected {
        Some(_) => BadRequest::BodyTimeout,
        None => BadRequest::HeadTimeout,
    };
    refuse(trip, downstream, bytes, 408, word)
}

/// Refuses what begins with `bytes` and is no request, or not yet.
fn refuse(
    trip: &mut Trip,
    downstream: &Downstream,
    bytes: &[u8],
    status: u16,
    word: BadRequest,
) -> Decision {
    trip.refused = Some(word);
    if trip.end == End::Ok {
        trip.end = End::BadRequest;
    }
    // Who means HEAD expects no body, however wrong the rest is (RFC 9110, 9.3.2).
    let is_head = bytes.trim_ascii_start().starts_with(b"HEAD ");
    // What is no request does not say that it is gRPC either.
    let to = respond::Recipient {
        is_head,
        is_grpc: false,
    };
    Decision::Answer(respond::refusal(downstream, status, to, None))
}
