//! Opening streams on a connection with a server.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use sluice_wire::h1::{FieldKind, Fields, Method, RequestHead};
use sluice_wire::hpack::Encoder;

use super::answer::encode_field;
use super::answered::Expected;
use super::asked::Asked;
use super::core::Core;
use super::exchange::Http2Exchange;
use crate::exchange;
use crate::websocket;

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
    pub fn stream(&self, is_ciphered: bool, local_address: Option<SocketAddr>) -> Asked {
        Asked::new(Requests(Rc::clone(&self.core)), is_ciphered, local_address)
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
pub(super) struct Requests(Rc<RefCell<Core>>);

impl Requests {
    /// Ready when a stream may be opened.
    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        if self.0.borrow_mut().may_open(cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Opens a stream with the request that `head` is. Whether it asks for a tunnel, too; `None` where no stream can be opened any
    /// more.
    pub(super) fn ask(
        &self,
        head: &RequestHead<'_, '_>,
        is_ciphered: bool,
    ) -> Option<(Http2Exchange, bool)> {
        let mut core = self.0.borrow_mut();
        // Any other switch is not in HTTP/2: the request goes without.
        let key = websocket::key_of(head).filter(|_| core.server.takes_connect);
        let is_tunnel = key.is_some();
        let expected = Expected {
            is_head: head.method == Method::Head,
            accept: key.map(websocket::accept),
        };
        let is_last = !is_tunnel && exchange::is_whole(head.framing);
        let key = core.ask(is_last, expected, |encoder, out| {
            encode(head, is_ciphered, is_tunnel, encoder, out);
        })?;
        drop(core);
        Some((Http2Exchange::new(Rc::clone(&self.0), key), is_tunnel))
    }
}

/// Appends the block that says what `head` says (RFC 9113, 8.3.1; RFC 8441, 4).
fn encode(
    head: &RequestHead<'_, '_>,
    is_ciphered: bool,
    is_tunnel: bool,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    encoder.begin(out);
    let method = if is_tunnel {
        "CONNECT"
    } else {
        head.method.as_str()
    };
    encoder.method(method, out);
    encoder.scheme(is_ciphered, out);
    encoder.field(b":authority", head.host.as_bytes(), out);
    encoder.field(b":path", head.target.origin_form().as_bytes(), out);
    if is_tunnel {
        encoder.field(b":protocol", b"websocket", out);
    }
    encode_fields(head.fields, is_tunnel, encoder, out);
    // The one thing that `te` may say (RFC 9113, 8.2.2). Of our own head it says nothing else.
    if head.fields.has(FieldKind::Te) {
        encoder.field(b"te", b"trailers", out);
    }
}

fn encode_fields(
    fields: Fields<'_, '_>,
    is_tunnel: bool,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    for field in fields {
        let stays_behind = field.hop_by_hop
            || matches!(field.kind, FieldKind::Host | FieldKind::Te)
            || (is_tunnel
                && (field.kind == FieldKind::ContentLength
                    || field.name.eq_ignore_ascii_case("sec-websocket-key")));
        if !stays_behind {
            encode_field(field.name.as_bytes(), field.value, encoder, out);
        }
    }
}
