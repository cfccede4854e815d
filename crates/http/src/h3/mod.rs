//! HTTP/3 (RFC 9114) in terms of HTTP/1.1: each request stream of a connection is an
//! [`Exchange`](crate::exchange::Exchange).
//!
//! QUIC is `quinn`'s; HTTP/3 is spoken here: fields become a head of HTTP/1.1 while they are decoded, and a head becomes fields where
//! it lies.
//!
//! ```text
//! Driver ── settings, GOAWAY, what means nothing: `control`
//! Http3Connection ── a client's ─► RequestStream ── head ─► Http3Exchange ── frames, both ways: `stream`
//! Opener ── to a server ─► Http3Requests ── ask ─► Http3Exchange
//! ```

mod connection;
mod control;
mod core;
mod driver;
mod exchange;
mod fault;
mod frames;
mod noise;
mod opener;
mod request;
mod stream;
mod varint;

pub use connection::Http3Connection;
pub use control::{Heard, Peer, Speech};
pub use driver::Driver;
pub use exchange::Http3Exchange;
pub use fault::{Code, Fault};
pub use frames::{Frames, Piece};
pub use noise::Noise;
pub use opener::{Http3Requests, Opener};
pub use request::{Request, RequestStream, Unserved};
