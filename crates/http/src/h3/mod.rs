//! HTTP/3 (RFC 9114) in terms of HTTP/1.1: each request stream of a connection is an
//! [`Exchange`](crate::exchange::Exchange).
//!
//! ```text
//! Connection ── settings, GOAWAY: the `h3` crate, over `link`
//!   └─ RequestStream ── frames (own: `frames`) ── Head ─► Http3Exchange
//!        └─ Codec ── QPACK and the rules for fields: the `h3` crate at a `desk`, after a look at the `section`
//! ```
//!
//! QUIC is `quinn`'s. Of the `h3` crate the control streams and QPACK are used, and nothing of it is seen outside of this
//! room. The frames of requests are read and written here, because so nothing is collected beyond what was asked for.

mod codec;
mod connection;
mod desk;
mod exchange;
mod fault;
mod frames;
mod link;
mod noise;
mod section;
mod stream;

pub use codec::Codec;
pub use connection::Connection;
pub use exchange::Http3Exchange;
pub use fault::{Code, Fault};
pub use frames::{Frames, Piece};
pub use noise::Noise;
pub use section::{Malformed, Protocol, Section, has_pseudo, look_at};
pub use stream::{Head, RequestStream};
