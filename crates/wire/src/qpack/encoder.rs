//! From fields to a field section.

use super::static_table::{self, Found};
use crate::hpack::integer;

/// Writes field sections. It remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoder;

impl Encoder {
    /// Begins a section: nothing is needed of the dynamic table (RFC 9204, 4.5.1).
    pub fn begin(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0, 0]);
    }

    /// Appends `:status`.
    pub fn status(self, status: u16, out: &mut Vec<u8>) {
        if status == 200 {
            return out.push(INDEXED | STATUS_200);
        }
        let digit = |value: u16| b'0' + (value % 10).to_le_bytes()[0];
        let digits = [digit(status / 100), digit(status / 10), digit(status)];
        self.field(b":status", &digits, out);
    }

    /// Appends `:method`.
    pub fn method(self, method: &str, out: &mut Vec<u8>) {
        self.field(b":method", method.as_bytes(), out);
    }

    /// Appends `:scheme`: `https` where `is_ciphered`, as it always is over QUIC but for tests.
    pub fn scheme(self, is_ciphered: bool, out: &mut Vec<u8>) {
        out.push(INDEXED | if is_ciphered { HTTPS } else { HTTP });
    }

    /// Appends a field. Its name is in lowercase.
    pub fn field(self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        match static_table::find(name, value) {
            Some(Found::Field(index)) => return integer::write(index, 6, INDEXED, out),
            Some(Found::Name(index)) => {
                let secret = if is_secret(name) { NEVER_INDEXED } else { 0 };
                integer::write(index, 4, NAME_BY_NUMBER | secret, out);
            }
            None => {
                integer::write(name.len(), 3, LITERAL_NAME, out);
                out.extend_from_slice(name);
            }
        }
        integer::write(value.len(), 7, 0, out);
        out.extend_from_slice(value);
    }
}

/// Secrets are not to be guessed by how well they compress, wherever they are encoded again (7.1).
fn is_secret(name: &[u8]) -> bool {
    name == b"set-cookie" || name == b"authorization"
}

/// Numbers of the static table.
const HTTP: u8 = 0x16;
const HTTPS: u8 = 0x17;
const STATUS_200: u8 = 0x19;
/// A field of the static table (4.5.2).
const INDEXED: u8 = 0xC0;
/// A name of the static table, and a value (4.5.4).
const NAME_BY_NUMBER: u8 = 0x50;
const NEVER_INDEXED: u8 = 0x20;
/// A name and a value (4.5.6).
const LITERAL_NAME: u8 = 0x20;
