//! HPACK (RFC 7541): the fields of HTTP/2, compressed.
//!
//! A [`Decoder`] hands out names and values where they lie, whole blocks at a time; an [`Encoder`] appends to a buffer. Both hold
//! nothing but the dynamic table, of [`TABLE_SIZE`] at most.

mod decoder;
mod encoder;
pub(crate) mod huffman;
pub(crate) mod integer;
mod static_table;
mod table;

pub use decoder::{DecodeError, Decoder};
pub use encoder::Encoder;

/// The largest dynamic table that is kept, in the bytes that RFC 7541, 4.1 counts.
pub const TABLE_SIZE: usize = 4096;

#[cfg(test)]
mod tests;
