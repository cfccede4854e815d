//! Opening streams on a connection with a server.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use sluice_wire::h1::RequestHead;

use super::core::Core;
use super::exchange::Http2Exchange;
use crate::exchange::{self, Asked, Expected, Requests};

/// Opens streams. When the last one is dropped the connection ends with its last stream.
#[derive(Debug)]
pub struct Opener {
    core: Rc<RefCell<Core>>,
}

impl Opener {
    pub(super) fn new(core: Rc<RefCell<Core>>) -> Self {
        Self { core }
    }

    /// Whether further streams can be opened, now or once others have ended.
    pub fn is_usable(&self) -> bool {
        self.core.borrow().is_usable()
    }

    /// Streams that the server takes at a time.
    pub fn limit(&self) -> usize {
        usize::try_from(self.core.borrow().server.max_streams).unwrap_or(usize::MAX)
    }

    /// Whether the server lets WebSocket pass (RFC 8441, 3).
    pub fn takes_websocket(&self) -> bool {
        self.core.borrow().server.takes_connect
    }

    /// A stream, which begins with the head that is written to it. `is_ciphered` is how the connection is.
    pub fn stream(
        &self,
        is_ciphered: bool,
        local_address: Option<SocketAddr>,
    ) -> Asked<Http2Requests> {
        let requests = Http2Requests {
            core: Rc::clone(&self.core),
            is_ciphered,
        };
        Asked::new(requests, local_address)
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        let mut core = self.core.borrow_mut();
        core.is_let_go = true;
        core.schedule();
    }
}

/// Where a stream's request goes.
#[derive(Debug)]
pub struct Http2Requests {
    core: Rc<RefCell<Core>>,
    is_ciphered: bool,
}

impl Requests for Http2Requests {
    type Stream = Http2Exchange;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.core.borrow_mut().may_open(cx) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn ask(&mut self, head: &RequestHead<'_, '_>) -> Option<(Http2Exchange, bool)> {
        let mut core = self.core.borrow_mut();
        let (expected, is_tunnel) = Expected::of(head, core.server.takes_connect);
        let is_last = !is_tunnel && exchange::is_whole(head.framing);
        let is_ciphered = self.is_ciphered;
        let key = core.ask(is_last, expected, |encoder, out| {
            exchange::encode_request(head, is_ciphered, is_tunnel, encoder, out);
        })?;
        drop(core);
        Some((Http2Exchange::new(Rc::clone(&self.core), key), is_tunnel))
    }
}
