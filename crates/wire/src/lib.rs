//! Sans-I/O codecs: HTTP/1 heads and bodies, frames and fields of HTTP/2, fields of HTTP/3, PROXY protocol, the first message of TLS.
//!
//! Bytes in, values out. Nothing here reads a socket, asks for the time, or holds more than a few dozen bytes between
//! calls. Everything is strict: what two implementations might read in two ways is refused, because the proxy's
//! answer to "where does this message end" must be the server's answer too.
//!
//! Network bytes must never cause a panic in this crate; the lints below, property tests and fuzz targets hold it to that.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

pub mod h1;
pub mod h2;
pub mod hpack;
pub mod proxy_protocol;
pub mod qpack;
pub mod tls;
