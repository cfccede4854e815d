//! QPACK (RFC 9204): the fields of HTTP/3, compressed.
//!
//! Of the two tables only the static one is used: neither side is offered a dynamic one. So a section can be read by itself, no stream
//! waits for another, and there is no state that a sender could make grow. What that costs is the few bytes of a repeated field.

mod decoder;
mod encoder;
mod static_table;

pub use decoder::{DecodeError, decode};
pub use encoder::Encoder;

#[cfg(test)]
mod tests;
