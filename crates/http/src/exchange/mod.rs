//! One request and its answer on a connection that carries many beside each other, in terms of HTTP/1.1: a byte stream
//! that speaks it in memory. So whatever came in, the same strict parser reads it, and the same pipeline serves it.
//!
//! HTTP/2 and HTTP/3 have the same messages in other frames (RFC 9114, appendix A). What they share is here: [`Served`] is
//! the byte stream over an [`Exchange`], which each of them has its own of. [`compose_head`] turns a request's fields, as the `h3`
//! crate has them, into a head; HTTP/2 writes its heads while it decodes.

mod fields;
mod incoming;
mod outgoing;
mod request;
mod served;

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use sluice_wire::h1::ResponseHead;

pub(crate) use fields::{is_whole, read_trailers, response, write_lines};
pub(crate) use incoming::{Form, Incoming};
pub(crate) use outgoing::Outgoing;
pub use request::{Refusal, RequestBody, RequestHead, compose_head};
pub use served::{Progress, Served};

/// Where a body comes from.
///
/// Every error is the end of the stream; so of the other traits.
pub trait Receiving {
    /// The next part of the body; `None` where it has ended.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>>;

    /// So many bytes of the body were read: the other side may send as many more.
    fn release(&mut self, count: usize);

    /// What followed the body, once that has ended: appended to `out` as lines of HTTP/1.1.
    fn poll_trailers(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>>;
}

/// Where a body goes.
pub trait Sending {
    /// How many of `wanted` bytes may be sent now; at least one.
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>>;

    /// Sends a part of the body, not more than the window; where `is_last`, nothing follows.
    fn send_data(&mut self, cx: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()>;

    /// Sends the lines of a trailer section, and ends the body.
    fn send_trailers(&mut self, cx: &mut Context<'_>, section: &[u8]) -> io::Result<()>;
}

/// One stream of a client's connection: a request that comes in and its answer.
pub trait Exchange: Receiving + Sending {
    /// Ready when the client does not want the answer any more, or is gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error>;

    /// Sends an interim answer.
    fn send_interim(&mut self, cx: &mut Context<'_>, head: &ResponseHead<'_, '_>)
    -> io::Result<()>;

    /// Sends the answer's head; where `is_whole`, nothing follows. A 101 is that of a tunnel that was asked for.
    fn send_head(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
        is_whole: bool,
    ) -> io::Result<()>;

    /// Ready when nothing that was sent is held here any more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Breaks the answer off.
    fn reset(&mut self);
}
