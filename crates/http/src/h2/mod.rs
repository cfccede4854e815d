//! HTTP/2 (RFC 9113) in terms of HTTP/1.1: each stream of a connection is an [`Exchange`](crate::exchange::Exchange).
//!
//! The protocol is spoken here: fields become a head of HTTP/1.1 while they are decoded, and a head becomes fields where it lies.
//!
//! ```text
//! Http2Connection ── receive ─► Core ── frames, blocks, windows ─► Http2Exchange (one a stream)
//!                 ◄─ poll_send ──┘◄──────── heads, bodies ──────────┘
//! ```
//!
//! A client's streams are told of as they begin. Streams to a server are opened by an [`Opener`]; each is an
//! [`Asked`](crate::exchange::Asked), a byte stream that speaks HTTP/1.1.

mod block;
mod connection;
mod core;
mod exchange;
mod noise;
mod opener;
mod receive;
mod sending;
mod streams;
mod writing;

pub use connection::{Event, Http2Connection, Request, Settings};
pub use exchange::Http2Exchange;
pub use opener::{Http2Requests, Opener};
pub use sluice_wire::h2::{PREFACE, Reason};

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
