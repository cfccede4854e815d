//! From a field block to fields.

use thiserror::Error;

use super::table::Table;
use super::{TABLE_SIZE, huffman, integer, static_table};

/// Reads field blocks of one connection, in the order they came.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// Text that came in the Huffman code.
    text: Vec<u8>,
}

/// What is no field block: the connection cannot go on after it (RFC 7541, 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The block ends within a field, or an integer is larger than anything could mean.
    #[error("the field block ends within a field, or holds an integer out of range")]
    Truncated,
    /// Text that is not in the Huffman code.
    #[error("the text is no Huffman code")]
    Huffman,
    /// A number that no field has.
    #[error("no field has that number")]
    Index,
    /// A table size above the one agreed upon, or at the wrong place.
    #[error("the table size is not allowed here")]
    TableSize,
}

impl Decoder {
    /// For a connection to whose other side no other table size than the default of 4096 was told.
    pub fn new() -> Self {
        Self {
            table: Table::new(),
            text: Vec::new(),
        }
    }

    /// Hands each field of a whole block to `take`: its name and value.
    pub fn decode(
        &mut self,
        block: &[u8],
        mut take: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), DecodeError> {
        let mut input = block;
        let mut has_field = false;
        while let Some(first) = input.first() {
            if first & 0xE0 == 0x20 {
                let size = integer::read(&mut input, 5).ok_or(DecodeError::Truncated)?;
                if has_field || size > TABLE_SIZE {
                    return Err(DecodeError::TableSize);
                }
                self.table.resize(size);
                continue;
            }
            has_field = true;
            if first & 0x80 != 0 {
                let index = integer::read(&mut input, 7).ok_or(DecodeError::Truncated)?;
                let (name, value) = self.field(index).ok_or(DecodeError::Index)?;
                take(name, value);
            } else if first & 0x40 != 0 {
                self.literal(&mut input, 6, &mut take)?;
            } else {
                self.literal(&mut input, 4, &mut take)?;
            }
        }
        Ok(())
    }

    /// A field said in full, or all but its name. With a prefix of 6 bits it is to be remembered.
    fn literal(
        &mut self,
        input: &mut &[u8],
        bits: u32,
        take: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), DecodeError> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let index = integer::read(input, bits).ok_or(DecodeError::Truncated)?;
        let name = if index == 0 {
            string(input, &mut text)?
        } else {
            // Copied, as inserting may evict it.
            let (name, _) = self.field(index).ok_or(DecodeError::Index)?;
            text.extend_from_slice(name);
            Lies::InText(0, name.len())
        };
        let value = string(input, &mut text)?;
        let (name, value) = (name.bytes(&text), value.bytes(&text));
        if bits == 6 {
            self.table.insert(name, value);
        }
        take(name, value);
        self.text = text;
        Ok(())
    }

    #[inline]
    fn field(&self, index: usize) -> Option<(&[u8], &[u8])> {
        match index.checked_sub(static_table::COUNT + 1) {
            None => static_table::field(index),
            Some(position) => self.table.field(position),
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a string is.
#[derive(Clone, Copy)]
enum Lies<'b> {
    InBlock(&'b [u8]),
    InText(usize, usize),
}

impl<'b> Lies<'b> {
    fn bytes(self, text: &'b [u8]) -> &'b [u8] {
        match self {
            Self::InBlock(bytes) => bytes,
            Self::InText(start, end) => text.get(start..end).unwrap_or_default(),
        }
    }
}

fn string<'b>(input: &mut &'b [u8], text: &mut Vec<u8>) -> Result<Lies<'b>, DecodeError> {
    let is_huffman = input.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer::read(input, 7).ok_or(DecodeError::Truncated)?;
    let (bytes, rest) = input
        .split_at_checked(length)
        .ok_or(DecodeError::Truncated)?;
    *input = rest;
    if !is_huffman {
        return Ok(Lies::InBlock(bytes));
    }
    let start = text.len();
    huffman::decode(bytes, text).ok_or(DecodeError::Huffman)?;
    Ok(Lies::InText(start, text.len()))
}
