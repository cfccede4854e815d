//! From fields to a field block.
//!
//! What is said again and again goes into the dynamic table; what is said once does not, so that request ids and the like push
//! nothing out of it. Nothing is put in the Huffman code: it would cost more than the few bytes are worth that a repeated field
//! does not take anyway.

use super::table::Table;
use super::{TABLE_SIZE, integer, static_table};

/// Writes field blocks of one connection.
#[derive(Debug)]
pub struct Encoder {
    table: Table,
    /// Fields said lately, by their hash.
    said: [Said; SLOTS],
    /// The smallest size that was set since the last block, and the last.
    resized: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    hash: u32,
    /// Its number in the table; 0 where it was said once.
    number: u32,
}

impl Encoder {
    /// For a connection whose other side has said nothing about its table yet.
    pub fn new() -> Self {
        Self {
            table: Table::new(),
            said: [Said::default(); SLOTS],
            resized: None,
        }
    }

    /// The other side keeps a table of at most `size` (`SETTINGS_HEADER_TABLE_SIZE`); of more than [`TABLE_SIZE`] no use is made.
    pub fn resize(&mut self, size: usize) {
        let size = size.min(TABLE_SIZE);
        let smallest = self
            .resized
            .map_or(size, |(smallest, _)| smallest.min(size));
        self.resized = Some((smallest, size));
        self.table.resize(smallest);
        self.table.resize(size);
    }

    /// Begins a block: what was changed since the last one is said first (RFC 7541, 4.2).
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some((smallest, last)) = self.resized.take() {
            if smallest < last {
                integer::write(smallest, 5, 0x20, out);
            }
            integer::write(last, 5, 0x20, out);
        }
    }

    /// Appends `:status`.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        let index = match status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => {
                let digit = |value: u16| b'0' + (value % 10).to_le_bytes()[0];
                let digits = [digit(status / 100), digit(status / 10), digit(status)];
                return self.field(b":status", &digits, out);
            }
        };
        out.push(0x80 | index);
    }

    /// Appends `:method`.
    pub fn method(&mut self, method: &str, out: &mut Vec<u8>) {
        match method {
            "GET" => out.push(0x82),
            "POST" => out.push(0x83),
            _ => self.field(b":method", method.as_bytes(), out),
        }
    }

    /// Appends `:scheme`: `https` where `is_ciphered`.
    pub fn scheme(&mut self, is_ciphered: bool, out: &mut Vec<u8>) {
        out.push(if is_ciphered { 0x87 } else { 0x86 });
    }

    /// Appends a field. Its name is in lowercase.
    pub fn field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        if name == b"set-cookie" || name == b"authorization" {
            // Secrets are not to be guessed by how well they compress (7.1).
            return Self::literal(name, value, 4, NEVER_INDEXED, out);
        }
        if value.len() > LONGEST_REMEMBERED {
            return Self::literal(name, value, 4, 0, out);
        }
        let hash = hash_of(name, value);
        let Some(slot) = self.said.get_mut(hash as usize % SLOTS) else {
            return;
        };
        if slot.hash != hash {
            *slot = Said { hash, number: 0 };
            return Self::literal(name, value, 4, 0, out);
        }
        if slot.number != 0 {
            let position = self.table.position_of(slot.number);
            if self.table.field(position) == Some((name, value)) {
                let index = static_table::COUNT + 1 + position;
                return integer::write(index, 7, 0x80, out);
            }
        }
        slot.number = self.table.insert(name, value);
        Self::literal(name, value, 6, 0x40, out);
    }

    fn literal(name: &[u8], value: &[u8], bits: u32, pattern: u8, out: &mut Vec<u8>) {
        if let Some(index) = static_table::number_of(name) {
            integer::write(index, bits, pattern, out);
        } else {
            out.push(pattern);
            integer::write(name.len(), 7, 0, out);
            out.extend_from_slice(name);
        }
        integer::write(value.len(), 7, 0, out);
        out.extend_from_slice(value);
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells apart what one server says; nobody gains by making it fail.
#[inline]
fn hash_of(name: &[u8], value: &[u8]) -> u32 {
    let mut hash = name.len() as u64;
    let mut add =
        |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    for text in [name, value] {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (slot, byte) in last.iter_mut().zip(rest) {
            *slot = *byte;
        }
        add(u64::from_le_bytes(last));
    }
    // The high bits are the well mixed ones. 0 is the empty slot's.
    ((hash >> 32) as u32) | 1
}

const SLOTS: usize = 64;
const NEVER_INDEXED: u8 = 0x10;
/// Longer values are not remembered: they would push out too much.
const LONGEST_REMEMBERED: usize = 512;
