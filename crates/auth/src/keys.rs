//! Keys of clients, of which only the SHA-256 is kept, each under a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;

use crate::hexadecimal;

/// The keys that let in.
///
/// What is looked for is a digest, found by its first eight bytes and then compared in constant time: to learn anything from how long that
/// takes, one needs a text whose SHA-256 begins with the same 64 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeys {
    by_start: ByStart,
}

/// Digests with their names, by their first eight bytes.
type ByStart = BTreeMap<u64, Vec<([u8; 32], Arc<str>)>>;

/// Why a text holds no keys. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// There is none.
    #[error("there is no key in it")]
    Empty,
    /// A line is not a name and a digest.
    #[error("line {0} is not a name, a space and a SHA-256 in 64 hexadecimal digits")]
    Line(usize),
    /// A name that could not be passed on.
    #[error("the name on line {0} is not made of letters, digits and `-_.@`")]
    Name(usize),
    /// The same key under two names.
    #[error("the key on line {0} was there before")]
    Twice(usize),
}

impl ApiKeys {
    /// Reads lines of a name and the SHA-256 of a key, in hexadecimal digits. Empty lines and those that begin with `#` are passed over. A
    /// name may have several keys.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut by_start = ByStart::new();
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(digits), None) = (words.next(), words.next(), words.next())
            else {
                return Err(KeysError::Line(number));
            };
            let digest = hexadecimal::digest(digits).ok_or(KeysError::Line(number))?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
            if name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
                return Err(KeysError::Name(number));
            }
            let same_start = by_start.entry(start_of(&digest)).or_default();
            if same_start.iter().any(|(known, _)| *known == digest) {
                return Err(KeysError::Twice(number));
            }
            same_start.push((digest, name.into()));
        }
        if by_start.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self { by_start })
    }

    /// The line for a key under a name, as [`Self::parse`] reads it.
    pub fn line(name: &str, key: &[u8]) -> Result<String, KeysError> {
        let digits = hexadecimal::digits(digest(&SHA256, key).as_ref());
        let line = format!("{name} {digits}");
        Self::parse(&line).map(|_| line)
    }

    /// The name of a key; `None` where it is none of these.
    pub fn name_of(&self, key: &[u8]) -> Option<&Arc<str>> {
        let shown = digest(&SHA256, key);
        let shown: [u8; 32] = shown.as_ref().try_into().ok()?;
        let same_start = self.by_start.get(&start_of(&shown))?;
        let is_it = |known: &[u8; 32]| verify_slices_are_equal(known, &shown).is_ok();
        let mut found = same_start.iter().filter(|(known, _)| is_it(known));
        found.next().map(|(_, name)| name)
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.by_start.values().flatten().map(|(_, name)| name);
        f.debug_list().entries(names).finish()
    }
}

fn start_of(digest: &[u8; 32]) -> u64 {
    digest
        .first_chunk()
        .map_or(0, |start: &[u8; 8]| u64::from_be_bytes(*start))
}

const LONGEST_NAME: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf %s secret | sha256sum`
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn a_key_is_known_by_its_digest() {
        let text = format!("# ours\n\nalice {SECRET}\n  bob\t{}\n", "0".repeat(64));
        let keys = ApiKeys::parse(&text).expect("keys");
        assert_eq!(keys.name_of(b"secret").map(|name| &**name), Some("alice"));
        for wrong in ["", "secret ", "Secret", SECRET] {
            assert_eq!(keys.name_of(wrong.as_bytes()), None, "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("2b"), "digests are not shown");
    }

    #[test]
    fn lines_are_written_as_they_are_read() {
        assert_eq!(
            ApiKeys::line("shop", b"secret"),
            Ok(format!("shop {SECRET}"))
        );
        assert_eq!(ApiKeys::line("", b"a"), Err(KeysError::Line(1)));
        assert_eq!(ApiKeys::line("a b", b"a"), Err(KeysError::Line(1)));
        assert_eq!(ApiKeys::line("a:b", b"a"), Err(KeysError::Name(1)));
        assert_eq!(ApiKeys::line("#", b"a"), Err(KeysError::Empty));
    }

    #[test]
    fn wrong_files() {
        let upper = SECRET.to_uppercase();
        for (text, error) in [
            ("# nothing\n", KeysError::Empty),
            ("alice secret", KeysError::Line(1)),
            ("\nalice", KeysError::Line(2)),
            (&format!("alice {SECRET} x"), KeysError::Line(1)),
            (&format!("al:ice {SECRET}"), KeysError::Name(1)),
            (&format!("a {SECRET}\nb {upper}"), KeysError::Twice(2)),
        ] {
            assert_eq!(ApiKeys::parse(text), Err(error), "{text}");
        }
    }
}
