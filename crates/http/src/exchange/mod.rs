//! One request and its answer on a connection that carries many beside each other, in terms of HTTP/1.1: a byte stream
//! that speaks it in memory. So whatever came in, the same strict parser reads it, and the same pipeline serves it.
//!
//! HTTP/2 and HTTP/3 have the same messages in other frames (RFC 9114, appendix A). What they share is here: [`Served`] is
//! the byte stream over an [`Exchange`] with a client, [`Asked`] over one with a server; each of them has its own of both.
//! Fields become heads while they are decoded ([`RequestDraft`] and its like for answers), and heads become fields where they
//! lie (`section`).

mod answered;
mod asked;
mod incoming;
mod outgoing;
mod request;
mod section;
mod served;

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use sluice_wire::h1::ResponseHead;

pub use answered::Untouched;
pub(crate) use answered::{Answer, Expected};
pub use asked::{Asked, AskedExchange, Requests};
pub use incoming::Form;
pub(crate) use incoming::Incoming;
pub(crate) use outgoing::Outgoing;
pub(crate) use request::take_trailer;
pub use request::{DraftedRequest, Refusal, RequestBody, RequestDraft};
pub(crate) use section::{encode_request, encode_response, encode_trailers, is_whole};
pub use served::{Progress, Served};

/// What a connection with a client needs from its surroundings.
pub trait Supplies {
    /// An empty buffer for a head.
    fn buffer(&mut self) -> Vec<u8>;
    /// 16 bytes that nobody expects.
    fn random(&mut self) -> u128;
}

/// A server begins nothing.
impl Supplies for () {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn random(&mut self) -> u128 {
        0
    }
}

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

/// Where a body goes. What is sent may be held until it is pushed.
pub trait Sending {
    /// How many of `wanted` bytes may be sent now; at least one.
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>>;

    /// Sends a part of the body, not more than the window; where `is_last`, nothing follows.
    fn send_data(&mut self, cx: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()>;

    /// Sends the lines of a trailer section, and ends the body.
    fn send_trailers(&mut self, cx: &mut Context<'_>, section: &[u8]) -> io::Result<()>;

    /// Nothing else follows for now: what was sent goes out, as far as the other side takes it.
    fn push(&mut self, cx: &mut Context<'_>) -> io::Result<()>;
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

    /// Whether the client may send nothing of its body, as what it has sent on other streams was not read.
    fn is_held_back(&self) -> bool;
}
