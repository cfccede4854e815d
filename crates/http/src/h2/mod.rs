//! HTTP/2 (RFC 9113) in terms of HTTP/1.1: each stream of a connection is an [`Exchange`](crate::exchange::Exchange).
//!
//! Towards clients the protocol is spoken here, as their requests are most of what a balancer does: fields become a head of
//! HTTP/1.1 while they are decoded, and an answer's head becomes fields where it lies.
//!
//! ```text
//!            Http2Connection ── receive ─► Core ── frames, blocks, windows ─► Http2Exchange (one a stream)
//!                            ◄─ poll_send ──┘◄──────── heads, bodies ──────────┘
//! ```
//!
//! Towards servers frames, HPACK, windows and the states of streams are the `h2` crate's: [`Carried`] is what it reads from and
//! writes to, and [`Asked`] is a stream.

mod answer;
mod asked;
mod block;
mod carried;
mod connection;
mod core;
mod exchange;
mod noise;
mod receive;
mod request;
mod streams;
mod watch;

pub use asked::{Asked, Untouched};
pub use carried::Carried;
pub use connection::{Event, Http2Connection, Request, Settings, Supplies};
pub use exchange::Http2Exchange;
pub use sluice_wire::h2::{PREFACE, Reason};
pub use watch::Watch;

/// Whether `bytes` are the start of a connection of HTTP/2; `None` where more have to come to tell.
pub fn begins_with_preface(bytes: &[u8]) -> Option<bool> {
    let length = bytes.len().min(PREFACE.len());
    if bytes.get(..length) != PREFACE.get(..length) {
        return Some(false);
    }
    (length == PREFACE.len()).then_some(true)
}

#[cfg(test)]
mod tests;
