//! From a field section to fields.

use thiserror::Error;

use super::static_table;
use crate::hpack::{huffman, integer};

/// What is no field section: the connection cannot go on after it (RFC 9204, 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The section ends within a field, or an integer is larger than anything could mean.
    #[error("the field section ends within a field, or holds an integer out of range")]
    Truncated,
    /// Text that is not in the Huffman code.
    #[error("the text is no Huffman code")]
    Huffman,
    /// A number that no field has.
    #[error("no field has that number")]
    Index,
    /// It refers to the dynamic table, which has no room.
    #[error("the dynamic table is referred to, which was not offered")]
    Dynamic,
}

/// Hands each field of a whole section (RFC 9204, 4.5) to `take`: its name and value.
///
/// `text` is room for what came in the Huffman code; kept by the caller, it is allocated once.
///
/// # Errors
/// [`DecodeError`]; some fields may have been handed out before.
pub fn decode(
    section: &[u8],
    text: &mut Vec<u8>,
    mut take: impl FnMut(&[u8], &[u8]),
) -> Result<(), DecodeError> {
    let mut input = section;
    // 4.5.1: what is needed of the dynamic table, and where its numbers begin. With nothing needed the latter means nothing.
    let needed = integer::read(&mut input, 8).ok_or(DecodeError::Truncated)?;
    integer::read(&mut input, 7).ok_or(DecodeError::Truncated)?;
    if needed != 0 {
        return Err(DecodeError::Dynamic);
    }
    while let Some(first) = input.first() {
        let first = *first;
        text.clear();
        if first & 0xC0 == 0xC0 {
            let (name, value) = numbered(&mut input, 6)?;
            take(name, value);
        } else if first & 0xF0 == 0x50 || first & 0xF0 == 0x70 {
            let (name, _) = numbered(&mut input, 4)?;
            let value = string(&mut input, 7, text)?;
            take(name, value.bytes(text));
        } else if first & 0xE0 == 0x20 {
            let name = string(&mut input, 3, text)?;
            let value = string(&mut input, 7, text)?;
            take(name.bytes(text), value.bytes(text));
        } else {
            return Err(DecodeError::Dynamic);
        }
    }
    Ok(())
}

/// The field of the static table whose number comes next.
fn numbered(input: &mut &[u8], bits: u32) -> Result<(&'static [u8], &'static [u8]), DecodeError> {
    let index = integer::read(input, bits).ok_or(DecodeError::Truncated)?;
    static_table::field(index).ok_or(DecodeError::Index)
}

/// Where a string is.
#[derive(Clone, Copy)]
enum Lies<'b> {
    InSection(&'b [u8]),
    InText(usize, usize),
}

impl<'b> Lies<'b> {
    fn bytes(self, text: &'b [u8]) -> &'b [u8] {
        match self {
            Self::InSection(bytes) => bytes,
            Self::InText(start, end) => text.get(start..end).unwrap_or_default(),
        }
    }
}

/// A string whose length has a prefix of so many bits, and the bit before them says whether it is in the Huffman code.
fn string<'b>(
    input: &mut &'b [u8],
    bits: u32,
    text: &mut Vec<u8>,
) -> Result<Lies<'b>, DecodeError> {
    let is_huffman = input.first().is_some_and(|first| first & (1 << bits) != 0);
    let length = integer::read(input, bits).ok_or(DecodeError::Truncated)?;
    let (bytes, rest) = input
        .split_at_checked(length)
        .ok_or(DecodeError::Truncated)?;
    *input = rest;
    if !is_huffman {
        return Ok(Lies::InSection(bytes));
    }
    let start = text.len();
    huffman::decode(bytes, text).ok_or(DecodeError::Huffman)?;
    Ok(Lies::InText(start, text.len()))
}
