//! The trailer section of a chunked body: held back until whole, checked like a head's fields, and rid of fields that
//! must not come after the body.

use httparse::{EMPTY_HEADER, Error, Status};

use super::BodyError;
use crate::h1::fields::offset;

/// The longest trailer section, in bytes, its empty line included.
pub const MAX_TRAILER_SECTION: usize = 8 * 1024;

/// The most trailers of one body.
pub const MAX_TRAILER_FIELDS: usize = 64;

/// A trailer section: as it came, while it is collected; what is passed on of it, when it is whole.
#[derive(Debug, Default)]
pub(super) struct Trailers {
    section: Vec<u8>,
}

impl Trailers {
    /// Takes bytes up to the section's end; returns how many, and whether the section is whole.
    pub(super) fn take(&mut self, input: &[u8]) -> Result<(usize, bool), BodyError> {
        let before = self.section.len();
        let room = MAX_TRAILER_SECTION - before;
        self.section.extend(input.iter().take(room));
        match self.find_end(before)? {
            Some(end) => {
                self.section.truncate(end);
                self.section = filter(&self.section)?;
                Ok((end - before, true))
            }
            None if input.len() >= room => Err(BodyError::TrailersTooLong),
            None => Ok((input.len(), false)),
        }
    }

    /// The fields passed on, and an empty line.
    pub(super) fn kept(&self) -> &[u8] {
        &self.section
    }

    /// Looks for the empty line in what was added from `added` on. LF alone is refused at once.
    fn find_end(&self, added: usize) -> Result<Option<usize>, BodyError> {
        let new = self.section.get(added..).unwrap_or_default();
        for at in memchr::memchr_iter(b'\n', new) {
            match self.section.get(..added + at) {
                Some([.., b'\r', b'\n', b'\r']) => return Ok(Some(added + at + 1)),
                Some([.., b'\r']) => {}
                _ => return Err(BodyError::Trailers),
            }
        }
        Ok(None)
    }
}

/// Checks a whole section and copies what may be passed on.
fn filter(section: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut room = [EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let lines = match httparse::parse_headers(section, &mut room) {
        Ok(Status::Complete((len, lines))) if len == section.len() => lines,
        Err(Error::TooManyHeaders) => return Err(BodyError::TrailersTooLong),
        _ => return Err(BodyError::Trailers),
    };
    let mut kept = Vec::with_capacity(section.len());
    let end = section.len().saturating_sub(2);
    let ends = lines
        .iter()
        .skip(1)
        .map(|line| offset(section, line))
        .chain([end]);
    for (line, end) in lines.iter().zip(ends) {
        if !is_forbidden(line.name) {
            kept.extend_from_slice(section.get(offset(section, line)..end).unwrap_or_default());
        }
    }
    kept.extend_from_slice(b"\r\n");
    Ok(kept)
}

/// Fields for framing, routing, authentication, request modifiers, response control and content format, which must not
/// be sent as trailers (RFC 9110, 6.5.1), and those in which proxies vouch for the client.
fn is_forbidden(name: &str) -> bool {
    FORBIDDEN
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
        || name
            .get(..12)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-forwarded-"))
        || name
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("if-"))
}

const FORBIDDEN: &[&str] = &[
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-real-ip",
    "x-request-id",
];
