//! The `Connection` field: options for this connection, and names of fields meant for it alone (RFC 9110, 7.6.1).

use super::Version;
use super::error::FieldsError;

/// The options seen in all `Connection` lines of a head.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Options {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// How many options were something else: names of fields.
    named: u8,
}

/// The most field names `Connection` may list. Each costs a look at every field, so a client must not choose how many.
const MAX_NAMED: u8 = 32;

impl Options {
    /// Takes in one `Connection` line.
    #[inline]
    pub(super) fn add(&mut self, value: &[u8]) -> Result<(), FieldsError> {
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return Ok(());
        }
        if value.eq_ignore_ascii_case(b"close") {
            self.close = true;
            return Ok(());
        }
        for option in elements(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if is_token(option) {
                self.named += 1;
                if self.named > MAX_NAMED {
                    return Err(FieldsError::Connection);
                }
            } else if !option.is_empty() {
                return Err(FieldsError::Connection);
            }
        }
        Ok(())
    }

    /// Whether the sender wants the connection kept open (RFC 9112, 9.3).
    #[inline]
    pub(super) fn persistent(self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// Whether some option may be a field's name.
    #[inline]
    pub(super) fn names_fields(self) -> bool {
        self.named > 0
    }

    /// The options of one line that may be names of fields.
    pub(super) fn named_fields(value: &[u8]) -> impl Iterator<Item = &[u8]> {
        elements(value).filter(|option| !option.is_empty())
    }
}

/// The elements of a comma-separated list, without the whitespace around them; empty ones included.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Whether this is a token (RFC 9110, 5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
