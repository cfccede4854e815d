//! The head of a message: its start line and its fields, each held to the syntax of RFC 9112.

use std::fmt;

use super::ReadError;

/// A start line and its fields, in the order received.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// Request line or status line.
    pub start: StartLine,
    /// Names as received, values without surrounding whitespace; bytes above 127 as Latin-1.
    pub fields: Vec<(String, String)>,
    /// The bytes as received, the empty line included.
    pub raw: Vec<u8>,
}

/// Without the raw bytes: the fields say the same, and can be read.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Head");
        shown
            .field("start", &self.start)
            .field("fields", &self.fields);
        shown.finish_non_exhaustive()
    }
}

/// The first line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLine {
    /// `METHOD TARGET HTTP/1.x`
    Request {
        /// The method.
        method: String,
        /// The target as received.
        target: String,
        /// `HTTP/1.1` or `HTTP/1.0`
        version: String,
    },
    /// `HTTP/1.x STATUS REASON`
    Status {
        /// `HTTP/1.1` or `HTTP/1.0`
        version: String,
        /// 100 to 999
        status: u16,
        /// What follows the status; may be empty.
        reason: String,
    },
}

impl Head {
    /// See [`Response::field`](super::Response::field).
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.fields(name);
        assert!(values.len() < 2, "`{name}` came {} times", values.len());
        values.first().copied()
    }

    /// See [`Response::fields`](super::Response::fields).
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let named = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        let fields = self.fields.iter().filter(named);
        fields.map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn parse(raw: Vec<u8>) -> Result<Self, ReadError> {
        let malformed = |why: &str| ReadError::Malformed(why.to_owned());
        let text = latin1(&raw);
        let text = text
            .strip_suffix("\r\n\r\n")
            .ok_or_else(|| malformed("head without an end"))?;
        let mut lines = text.split("\r\n");
        let start = StartLine::parse(lines.next().unwrap_or_default())?;
        let fields = lines.map(field_line).collect::<Result<_, _>>()?;
        Ok(Self { start, fields, raw })
    }
}

impl StartLine {
    fn parse(line: &str) -> Result<Self, ReadError> {
        let wrong = || ReadError::Malformed(format!("start line {line:?}"));
        if line.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(wrong());
        }
        let mut parts = line.splitn(3, ' ').map(str::to_owned);
        let (Some(first), Some(second), Some(third)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let is_version = |text: &str| matches!(text, "HTTP/1.1" | "HTTP/1.0");
        if is_version(&first) {
            let digits = second.len() == 3 && second.bytes().all(|byte| byte.is_ascii_digit());
            let status = second
                .parse()
                .ok()
                .filter(|status| digits && *status >= 100);
            Ok(Self::Status {
                version: first,
                status: status.ok_or_else(wrong)?,
                reason: third,
            })
        } else if is_version(&third) && is_token(&first) && !second.is_empty() {
            Ok(Self::Request {
                method: first,
                target: second,
                version: third,
            })
        } else {
            Err(wrong())
        }
    }
}

/// A field or a trailer, without its CRLF.
pub(super) fn field_line(line: &str) -> Result<(String, String), ReadError> {
    let wrong = || ReadError::Malformed(format!("field line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let bad = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    if !is_token(name) || value.bytes().any(bad) {
        return Err(wrong());
    }
    let value = value.trim_matches([' ', '\t']);
    Ok((name.to_owned(), value.to_owned()))
}

/// A char a byte, so that every byte a field may hold can be asserted on.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}
