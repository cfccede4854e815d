//! Opening streams on a connection with a server.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use quinn::{RecvStream, SendStream};
use sluice_wire::h1::RequestHead;
use sluice_wire::qpack::Encoder;

use super::core::Core;
use super::driver::Waiting;
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

    /// Whether a stream has to wait until the server lets it begin: as many are under way as it takes.
    pub fn is_full(&self) -> bool {
        self.core.stalled.get() > 0
    }

    /// Whether the server lets WebSocket pass (RFC 9220, 3).
    pub fn takes_websocket(&self) -> bool {
        self.core.heard.get().takes_connect
    }

    /// A stream, which begins with the head that is written to it.
    pub fn stream(&self, local_address: Option<SocketAddr>) -> Asked<Http3Requests> {
        let requests = Http3Requests {
            core: Rc::clone(&self.core),
            opening: None,
            opened: None,
        };
        Asked::new(requests, local_address)
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
    /// It waits for leave to begin.
    opening: Option<Waiting<(SendStream, RecvStream)>>,
    opened: Option<(SendStream, RecvStream)>,
}

impl Http3Requests {
    fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(SendStream, RecvStream), quinn::ConnectionError>> {
        if let Some(opening) = &mut self.opening {
            let opened = ready!(opening.as_mut().poll(cx));
            self.settle();
            return Poll::Ready(opened);
        }
        // Mostly it is let at once.
        if let Poll::Ready(opened) = pin!(self.core.quinn.open_bi()).poll(cx) {
            return Poll::Ready(opened);
        }
        let quinn = self.core.quinn.clone();
        let mut opening: Waiting<_> = Box::pin(async move { quinn.open_bi().await });
        let opened = opening.as_mut().poll(cx);
        if opened.is_pending() {
            self.opening = Some(opening);
            self.core.stalled.set(self.core.stalled.get() + 1);
        }
        opened
    }

    /// It does not wait any more.
    fn settle(&mut self) {
        if self.opening.take().is_some() {
            self.core.stalled.set(self.core.stalled.get() - 1);
        }
    }
}

impl Drop for Http3Requests {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Requests for Http3Requests {
    type Stream = Http3Exchange;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.opened.is_none() {
            self.opened = Some(ready!(self.poll_open(cx))?);
        }
        Poll::Ready(Ok(()))
    }

    fn ask(&mut self, head: &RequestHead<'_, '_>) -> Option<(Http3Exchange, bool)> {
        let (send, receive) = self.opened.take()?;
        if self.core.is_left_out(send.id()) {
            return None;
        }
        let (expected, is_tunnel) = Expected::of(head, self.core.heard.get().takes_connect);
        let mut wire = Wire::new(send, receive, &self.core);
        wire.put_section(|out| {
            exchange::encode_request(head, true, is_tunnel, &mut Encoder, out);
        });
        if !is_tunnel && exchange::is_whole(head.framing) {
            wire.sending = Out::Ending;
        }
        Some((Http3Exchange::asked(wire, expected), is_tunnel))
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
