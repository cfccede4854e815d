//! Opening streams on a connection with a server.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use quinn::{RecvStream, SendStream};
use sluice_wire::h1::RequestHead;
use sluice_wire::qpack::Encoder;

use super::core::{AskedPlace, Core};
use super::exchange::Http3Exchange;
use super::stream::{Out, Wire};
use crate::exchange::{self, Asked, Expected, Requests};

/// Opens streams. When it is dropped the connection ends with its last stream.
#[derive(Debug)]
pub struct Opener {
    core: Rc<Core>,
}

impl Opener {
    pub(super) fn new(core: Rc<Core>) -> Self {
        Self { core }
    }

    /// Whether further streams can be opened, now or once others have ended.
    pub fn is_usable(&self) -> bool {
        self.core.heard.get().farewell.is_none() && self.core.quinn.close_reason().is_none()
    }

    /// Whether the server lets WebSocket pass (RFC 9220, 3).
    pub fn takes_websocket(&self) -> bool {
        self.core.heard.get().takes_connect
    }

    /// A stream, which begins with the head that is written to it; `None` where the server takes no further one as long as
    /// those under way have not ended.
    pub fn stream(&self, local_address: Option<SocketAddr>) -> Option<Asked<Http3Requests>> {
        // Nobody waits here: there may be another connection.
        let mut nobody = Context::from_waker(Waker::noop());
        let opened = pin!(self.core.quinn.open_bi()).poll(&mut nobody);
        let Poll::Ready(Ok(opened)) = opened else {
            return None;
        };
        let requests = Http3Requests {
            place: Some(self.core.begin_asked()),
            opened: Some(opened),
            core: Rc::clone(&self.core),
        };
        Some(Asked::new(requests, local_address))
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.core.is_let_go.set(true);
        self.core.wake_driver();
    }
}

/// Where a stream's request goes.
pub struct Http3Requests {
    core: Rc<Core>,
    /// Until the request is there.
    opened: Option<(SendStream, RecvStream)>,
    place: Option<AskedPlace>,
}

impl Requests for Http3Requests {
    type Stream = Http3Exchange;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn ask(&mut self, head: &RequestHead<'_, '_>) -> Option<(Http3Exchange, bool)> {
        let (send, receive) = self.opened.take()?;
        let mut wire = Wire::new(send, receive, &self.core);
        if self.core.is_left_out(wire.send.id()) || self.core.quinn.close_reason().is_some() {
            return None;
        }
        let (expected, is_tunnel) = Expected::of(head, self.core.heard.get().takes_connect);
        wire.put_section(|out| {
            exchange::encode_request(head, true, is_tunnel, &mut Encoder, out);
        });
        if !is_tunnel && exchange::is_whole(head.framing) {
            wire.sending = Out::Ending;
        }
        Some((
            Http3Exchange::asked(wire, expected, self.place.take()?),
            is_tunnel,
        ))
    }
}

impl Drop for Http3Requests {
    fn drop(&mut self) {
        if let Some((send, receive)) = self.opened.take() {
            // Resets it.
            drop(Wire::new(send, receive, &self.core));
        }
    }
}

impl fmt::Debug for Http3Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http3Requests")
            .field("core", &self.core)
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}
