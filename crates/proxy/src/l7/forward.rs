//! Forwarding a request: one server after the other until one answers.
//!
//! A server that cannot be connected to, or that drops the connection before a byte of its answer, costs the client
//! nothing where the request may be repeated. A connection that was kept and turns out closed is replaced by a fresh one
//! to the same server.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sluice_config::plan::{Fallback, SourceAddress};
use sluice_http::exchange::Untouched;
use sluice_telemetry::End;
use sluice_upstream::{
    Asked, Check, Cluster, ConnectError, Connection, Fate, InFlight, Lane, Need, Offer,
};

use super::exchange::{Ended, Exchange};
use super::failure::Failure;
use super::fallback;
use super::hedge::{self, Slow};
use super::mirror;
use super::outgoing::Outgoing;
use super::pipeline::After;
use super::respond::{self, Answer};
use super::serve::Downstream;
use super::tunnel;
use crate::live::LiveListener;
use crate::queue::{self, Interruption};
use crate::trip::Trip;
use crate::upstream_preface;

/// Forwards a request and passes its answer on, or answers with what went wrong.
pub(super) async fn run(
    downstream: &mut Downstream,
    listener: &LiveListener,
    trip: &mut Trip,
    request: &mut Outgoing,
) -> After {
    let mut cluster = Rc::clone(&request.cluster);
    let mut failure = Failure::of(End::NoServer);
    // What is rare is boxed here: its state would make every request's future larger.
    let after = loop {
        let mut next = None;
        let begun = request.tries.begun();
        if begun == 0
            || (failure.may_be_mended(&request.tries)
                && Box::pin(may_go_on(downstream, trip, request, &mut failure)).await)
        {
            // Where its own server was the first to be tried, the store is asked once more.
            if begun <= 1 && request.session.is_shared() {
                let tried = &request.tries.tried;
                Box::pin(request.session.ask(&cluster, tried, trip.now)).await;
                trip.tick();
            }
            let asked = Asked {
                now: trip.now,
                key: request.key,
                priority: request.priority,
                is_request: true,
                home: request.session.home(),
            };
            next = cluster.pick(&mut request.tries.tried, asked);
            if next.is_none() && cluster.settings().queue.is_some() {
                let waiting = wait(downstream, trip, request, &mut failure);
                next = Box::pin(waiting).await;
            }
        }
        let Some(mut place) = next else {
            if failure.end == End::NoServer {
                failure.is_told_why(&cluster, request, trip.now);
            }
            let fallback = failure.fallback(listener, trip, request);
            if let Some(Fallback::Upstream(id)) = fallback
                && let Some(other) = listener.live.cluster(*id)
            {
                fallback::redirect(request, other, trip);
                cluster = Rc::clone(other);
                failure = Failure::of(End::NoServer);
                continue;
            }
            break Box::pin(fail(downstream, trip, request, &failure, fallback)).await;
        };
        let mut started = trip.now;
        request.tries.begin(&cluster);
        count_attempt(trip, &cluster);
        trip.lane = Some(Rc::clone(place.lane()));
        request.picked(place.lane(), trip.now);
        downstream.guard.uses(Some(place.lane()));
        let outcome = match try_server(downstream, trip, request, &cluster, &place).await {
            Ok(outcome) => outcome,
            Err(slow) => {
                let hedged = hedge::run(downstream, trip, request, place, slow);
                let finished = Box::pin(hedged).await;
                (place, started) = (finished.place, finished.started);
                finished.outcome
            }
        };
        match outcome {
            Outcome::Done(after) => {
                cluster.ended(place.lane(), trip.now, trip.status >= 500);
                place.ended(trip.now, answered(trip));
                break after;
            }
            Outcome::Switched(server, for_client) => {
                cluster.ended(place.lane(), trip.now, false);
                place.ended(trip.now, answered(trip));
                give_back(downstream, request);
                let tunnel = tunnel::run(downstream, listener, trip, server, for_client, &place);
                break Box::pin(tunnel).await;
            }
            Outcome::Failed(failed) => {
                settle(&cluster, &place, trip.tick(), started, &failed);
                failure = failed;
            }
        }
    };
    if let Some(mirrored) = request.mirrored.take() {
        mirror::send(&mirrored, downstream, listener, request);
    }
    give_back(downstream, request);
    // Between two requests the client's connection depends on no server: one that leaves must not cut it.
    downstream.guard.uses(None);
    after
}

/// Tells all who learn of servers what a failure says of this one.
pub(super) fn settle(
    cluster: &Cluster,
    place: &InFlight,
    now: Instant,
    started: Instant,
    failure: &Failure,
) {
    let after = now.saturating_duration_since(started);
    place.ended(now, failure.fate(after));
    if failure.blames_server {
        cluster.ended(place.lane(), now, true);
    }
    if failure.is_silence() {
        cluster.answered(place.lane(), now, after);
    }
}

/// Pauses before another try, until the upstream bears it; whether it may begin.
async fn may_go_on(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &mut Outgoing,
    failure: &mut Failure,
) -> bool {
    let cluster = Rc::clone(&request.cluster);
    let is_unreached = failure.is_unreached();
    let first = request
        .tries
        .go_on(is_unreached, &cluster, downstream.worker.random_id());
    if !pause(downstream, trip, request, failure, first).await {
        return false;
    }
    // What certainly reached no server adds nothing to their load.
    let mut waits = 0;
    while !is_unreached && !request.tries.is_borne_by(&cluster) {
        // Many failed at once, perhaps of one server: the others are not to be hit by all of them at once.
        let Some(next) = request.tries.wait(waits, downstream.worker.random_id()) else {
            cluster.metrics().retries_denied.increment();
            return false;
        };
        waits += 1;
        if !pause(downstream, trip, request, failure, next).await {
            return false;
        }
    }
    true
}

/// Waits; whether the client has waited too.
async fn pause(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &Outgoing,
    failure: &mut Failure,
    pause: Duration,
) -> bool {
    if pause.is_zero() {
        return true;
    }
    downstream.deadline.set(trip.tick() + pause);
    let is_gone = poll_fn(|cx| {
        if request.body.is_received() && downstream.is_gone(cx) {
            return Poll::Ready(true);
        }
        downstream.deadline.poll(cx).map(|()| false)
    })
    .await;
    trip.tick();
    if is_gone {
        *failure = Failure::for_good(End::ClientClosed);
    }
    !is_gone
}

/// Waits in the upstream's queue for a place; `None` where there is none to be had, and `failure` says why.
async fn wait(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &mut Outgoing,
    failure: &mut Failure,
) -> Option<InFlight> {
    let asked = Asked {
        now: trip.tick(),
        key: request.key,
        priority: request.priority,
        is_request: true,
        home: request.session.home(),
    };
    let interrupted = |cx: &mut Context<'_>, due| {
        if request.body.is_received() && downstream.is_gone(cx) {
            return Some(Interruption::Gone);
        }
        downstream.deadline.set(due);
        let is_due = downstream.deadline.poll(cx).is_ready();
        is_due.then_some(Interruption::Due)
    };
    let tried = &mut request.tries.tried;
    let outcome = queue::wait(&request.cluster, tried, asked, interrupted).await;
    trip.tick();
    outcome.unwrap_or_else(|end| {
        *failure = Failure::refused(end);
        None
    })
}

/// What came of trying one server.
pub(super) enum Outcome {
    /// The answer was passed on.
    Done(After),
    /// The server switched protocols; the bytes go to the client first.
    Switched(Box<Connection>, Vec<u8>),
    Failed(Failure),
}

/// Sends the request on a kept connection where there is one; where that turns out closed, or there is none, on a fresh
/// one. What the server says that it has not touched is sent to it once more.
async fn try_server(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &mut Outgoing,
    cluster: &Cluster,
    place: &InFlight,
) -> Result<Outcome, Slow> {
    let lane = place.lane();
    let check = if request.is_idempotent && request.body.is_received() {
        Check::Seen
    } else {
        Check::Asked
    };
    let mut kept = cluster.take_idle(lane, downstream.client, check, request.need);
    let mut is_again = false;
    loop {
        let is_kept = kept.is_some();
        let mut server = match kept.take() {
            Some(kept) => kept,
            None => match open(downstream, trip, request, cluster, place).await {
                Ok(fresh) => fresh,
                Err(failure) => return Ok(Outcome::Failed(failure)),
            },
        };
        let started = trip.now;
        match Exchange::new(downstream, &mut server.stream, request, trip).await {
            Ok(Ended::Complete {
                reusable,
                keep_alive,
            }) => {
                if reusable {
                    cluster.keep(lane, server, trip.now);
                }
                return Ok(Outcome::Done(after_answer(keep_alive, request)));
            }
            Ok(Ended::Switched(for_client)) => return Ok(Outcome::Switched(server, for_client)),
            Ok(Ended::Slow) => {
                return Err(Slow {
                    server,
                    is_kept,
                    started,
                });
            }
            Err(fault) => {
                if let Some(word) = fault.server {
                    lane.metrics().response_failures.increment(word);
                }
                let has_another = fault.repeatable
                    && fault.passed_over.is_none()
                    && match fault.untouched {
                        // It may have been closed meanwhile. One that is silent is not: so will the next to that server be.
                        None => is_kept && fault.end != End::UpstreamTimeout,
                        // Another connection may well be served.
                        Some(Untouched::Leaving) => !is_again,
                        // Another server is rather less busy.
                        Some(Untouched::Refused) => !is_again && request.tries.is_last(),
                    };
                if !has_another {
                    return Ok(Outcome::Failed(fault.into()));
                }
                is_again = true;
                if fault.untouched == Some(Untouched::Refused) {
                    kept = cluster.take_idle(lane, downstream.client, check, request.need);
                } else {
                    lane.metrics().connections_stale.increment();
                }
                count_attempt(trip, cluster);
            }
        }
    }
}

/// Opens a connection, for as long as the client waits for it.
async fn open(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &Outgoing,
    cluster: &Cluster,
    place: &InFlight,
) -> Result<Box<Connection>, Failure> {
    let client: SocketAddr = downstream.client;
    let header = upstream_preface::header(cluster, client, &downstream.stream);
    // Boxed: connecting is rare, and its state would make every request's future larger.
    let need = request.need;
    let mut opening = Box::pin(connect(cluster, place.lane(), client, need, &header));
    let opened = poll_fn(|cx| match opening.as_mut().poll(cx) {
        Poll::Ready(opened) => Poll::Ready(Some(opened)),
        Poll::Pending if request.body.is_received() && downstream.is_gone(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let error = match opened.await {
        Some(Ok(connection)) => {
            trip.tick();
            return Ok(connection);
        }
        Some(Err(error)) => error,
        None => return Err(Failure::for_good(End::ClientClosed)),
    };
    Err(not_connected(cluster, place, &error))
}

/// A connection that takes the request: one that is shared, or a new one.
pub(super) async fn connect(
    cluster: &Cluster,
    lane: &Rc<Lane>,
    client: SocketAddr,
    need: Need,
    header: &[u8],
) -> Result<Box<Connection>, ConnectError> {
    let mut offer = cluster.offer(lane, need)?;
    let _turn = match cluster.await_turn(lane, client, need).await {
        Ok(stream) => return Ok(stream),
        Err(turn) => turn,
    };
    if offer == Offer::Http3 {
        return cluster.dial(lane, client, need).await;
    }
    loop {
        let mut connection = cluster
            .connect(lane, client, SourceAddress::Balancer)
            .await?;
        upstream_preface::send(&mut connection, header).await?;
        cluster
            .secure(lane, &mut connection, offer.protocols())
            .await?;
        let prepared = cluster.prepare(lane, client, connection, offer, need);
        match prepared.await {
            Err(ConnectError::NoWebSocket) if offer == Offer::Choice => offer = Offer::Http1,
            outcome => return outcome,
        }
    }
}

/// What follows from there being no connection.
pub(super) fn not_connected(cluster: &Cluster, place: &InFlight, error: &ConnectError) -> Failure {
    tracing::debug!(
        upstream = %cluster.settings().name,
        server = %place.lane().endpoint().label(),
        %error,
        "cannot connect"
    );
    let end = match error {
        ConnectError::Timeout => End::ConnectTimeout,
        ConnectError::NoWebSocket => End::NoWebSocket,
        _ => End::ConnectFailed,
    };
    Failure {
        blames_server: error.blames_server(),
        ..Failure::of(end)
    }
}

/// A client that still sends its request is seen through to the end of it.
pub(super) fn after_answer(keep_alive: bool, request: &Outgoing) -> After {
    match (keep_alive, request.body.is_received()) {
        (true, _) => After::KeepAlive,
        (false, true) => After::Close,
        (false, false) => After::Linger,
    }
}

/// Tells the client what went wrong, where it can still be told.
async fn fail(
    downstream: &mut Downstream,
    trip: &mut Trip,
    request: &Outgoing,
    failure: &Failure,
    fallback: Option<&Fallback>,
) -> After {
    trip.end = failure.end;
    if failure.answered {
        if failure.truncation_hidden {
            downstream.stream.reset_on_close();
        }
        return After::Close;
    }
    // Whatever the server said of it, the answer is ours now.
    trip.answered_by_server = false;
    trip.complete_for_client();
    if failure.end == End::ClientClosed {
        return After::Close;
    }
    if let Some(Fallback::Answer(answer)) = fallback {
        let mut answer = fallback::answer(answer, downstream, request, trip);
        return respond::send(downstream, trip, &mut answer).await;
    }
    let (status, word) = match failure.refused {
        Some((status, word)) => (status, Some(word)),
        None => (respond::status_of(failure.end), None),
    };
    trip.refused = word;
    let keep_alive = request.persistent
        && word.is_none()
        && request.body.is_received()
        && !downstream.slot.is_closed();
    let mut bytes = downstream.worker.buffers().take();
    let reply = respond::Reply {
        downstream,
        version: request.version,
        is_head: request.is_head,
        is_grpc: request.is_grpc,
        keep_alive,
        for_client: trip.for_client.as_deref(),
    };
    respond::plain_with(status, failure.retry_after, reply, &mut bytes);
    let said = respond::said_to(status, request.is_grpc);
    respond::send(downstream, trip, &mut Answer::new(said, bytes, keep_alive)).await
}

/// What the server's breaker is to know of an answer that was passed on.
fn answered(trip: &Trip) -> Fate {
    Fate::Answered {
        status: trip.status,
        after: trip.response_after.unwrap_or_default(),
    }
}

fn count_attempt(trip: &mut Trip, cluster: &Cluster) {
    if trip.attempts > 0 {
        cluster.metrics().retries.increment();
    }
    trip.attempts += 1;
}

fn give_back(downstream: &Downstream, request: &mut Outgoing) {
    let bytes = std::mem::take(&mut request.bytes);
    downstream.worker.buffers().give_back(bytes);
}
