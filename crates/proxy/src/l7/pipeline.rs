//! The way of one request, in the order of the drawing:
//! listener → protocol → route → filters → balance → upstream.

use std::time::Instant;

use super::admission;
use super::decide::Decision;
use super::forward;
use super::inquiry;
use super::receive;
use super::record::UnderWay;
use super::respond;
use super::serve::Downstream;
use crate::trip::Trip;

/// What becomes of the client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It waits for the next one.
    KeepAlive,
    /// It is closed.
    Close,
    /// It is closed, but the client may still be sending: see it through.
    Linger,
}

/// Serves the request that is arriving, of which `received` bytes are in the worker's scratch buffer. Returns also when
/// that ended.
pub(super) async fn run(downstream: &mut Downstream, received: usize) -> (After, Instant) {
    let listener = downstream.slot.current();
    let mut under_way = UnderWay::new(downstream, &listener, Trip::new(Instant::now()));
    let UnderWay {
        downstream,
        trip,
        begun,
        ..
    } = &mut under_way;

    // Protocol and route: once the head is whole, what to do with it is decided while its bytes are at hand.
    let Some(mut decision) = receive::request(downstream, &listener, trip, received).await else {
        return (After::Close, trip.now);
    };

    // From here on it is recorded, however it ends.
    *begun = true;

    // Who the client is, where that has to be found out: perhaps after the keys that verify its token.
    for _ in 0..INQUIRIES {
        let Decision::Inquire(inquiry) = decision else {
            break;
        };
        let settled = Box::pin(inquiry::settle(downstream, &listener, trip, inquiry)).await;
        let Some(settled) = settled else {
            return (After::Close, under_way.ended());
        };
        decision = settled;
    }

    // Whether it is its turn.
    if let Decision::Wait(admission) = decision {
        let settled = Box::pin(admission::settle(downstream, trip, admission)).await;
        let Some(settled) = settled else {
            return (After::Close, under_way.ended());
        };
        decision = settled;
    }

    // By reference: what an await holds by value, this future would hold twice.
    let after = match &mut decision {
        // Balance and upstream.
        Decision::Forward(request) => forward::run(downstream, &listener, trip, request).await,
        // An answer of our own: a fixed one, a redirect, or a refusal.
        Decision::Answer(answer) => respond::send(downstream, trip, answer).await,
        // Nothing waits more often.
        Decision::Wait(_) | Decision::Inquire(_) => After::Close,
    };

    (after, under_way.ended())
}

/// How often it is found out who a client is: the second time by newer keys.
const INQUIRIES: usize = 2;
