//! Connections of HTTP/3.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use sluice_http::h3::Driver;
use sluice_quic::{Dialed, VarInt};

use super::State;
use crate::connection::Counted;

/// Drives the connection until it ends, or its server is gone. Whether a silent server is there, QUIC finds out.
pub(super) async fn drive(mut driver: Driver, dialed: Dialed, counted: Counted, state: Rc<State>) {
    let Dialed {
        connection: quic,
        unreachable,
    } = dialed;
    let mut gone = pin!(unreachable.told());
    let mut is_settled = false;
    let ended = poll_fn(|cx| {
        if let Poll::Ready(kind) = gone.as_mut().poll(cx) {
            return Poll::Ready(kind);
        }
        if let Poll::Ready(error) = Pin::new(&mut driver).poll(cx) {
            return Poll::Ready(error.kind());
        }
        if !is_settled && driver.has_greeted() {
            is_settled = true;
            state.settled.notify_waiters();
        }
        Poll::Pending
    })
    .await;
    state.end(ended);
    if quic.close_reason().is_none() {
        // Whatever waits for an answer need not wait until the server is missed.
        quic.close(NO_ERROR, b"");
    }
    drop(counted);
}

/// `H3_NO_ERROR` (RFC 9114, 8.1)
const NO_ERROR: VarInt = VarInt::from_u32(0x100);
