//! The fields of a request as a head of HTTP/1.1 (RFC 9113, 8.2 and 8.3; RFC 9114, 4.2 and 4.3), written while they are decoded.
//!
//! What a field or its place makes malformed is found here. What is written is read by the same parser as a head off the wire, so
//! that anything which slipped through is refused there.

use std::ops::Range;

use thiserror::Error;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The stream is reset.
    #[error("the request is malformed")]
    Malformed,
    /// An extended CONNECT (RFC 8441) for something that is not known here: 501.
    #[error("the protocol is not known")]
    Protocol,
    /// The fields are more than are taken: 431.
    #[error("the request's fields are too large")]
    TooLarge,
}

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// There is none.
    None,
    /// As it comes: the length was said.
    AsIs,
    /// In chunks, with trailers.
    Chunked,
    /// As it comes, once the server has switched to it: an extended CONNECT.
    Tunnel,
}

/// A request's head that is being written.
#[derive(Debug, Default)]
pub struct RequestDraft {
    /// Values of pseudo-fields.
    text: Vec<u8>,
    method: Option<Range<usize>>,
    path: Option<Range<usize>>,
    authority: Option<Range<usize>>,
    protocol: Option<Range<usize>>,
    scheme: Option<Scheme>,
    cookie: Vec<u8>,
    length: Option<u64>,
    /// Of the fields so far, as `SETTINGS_MAX_HEADER_LIST_SIZE` counts them.
    size: usize,
    max_size: usize,
    has_begun: bool,
    is_malformed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Other,
}

/// What a head says of what follows it.
#[derive(Clone, Copy, Debug)]
pub struct DraftedRequest {
    /// How the body follows.
    pub kind: RequestBody,
    /// Whether the request is `HEAD`.
    pub is_head: bool,
    /// The body's length, where it was said.
    pub length: Option<u64>,
}

impl RequestDraft {
    /// Makes it ready for another head, whose fields may have `max_size` in all.
    pub fn clear(&mut self, max_size: usize) {
        self.text.clear();
        self.cookie.clear();
        (self.method, self.path, self.authority, self.protocol) = (None, None, None, None);
        (self.scheme, self.length) = (None, None);
        (self.size, self.max_size) = (0, max_size);
        (self.has_begun, self.is_malformed) = (false, false);
    }

    /// Takes a field, and appends to `out` what can be written.
    #[inline]
    pub fn take(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        self.size += name.len() + value.len() + FIELD_OVERHEAD;
        if self.is_malformed || self.size > self.max_size {
            return;
        }
        let is_good = match name.first() {
            Some(b':') => self.take_pseudo(name, value),
            _ => self.take_field(name, value, out),
        };
        self.is_malformed = !is_good;
    }

    /// The end of the fields. Where `has_body`, something follows them. `key` is for an upgrade to WebSocket, which HTTP/2 has
    /// none for.
    ///
    /// # Errors
    /// The request is not to be served; what was appended to `out` is no head.
    pub fn finish(
        &mut self,
        has_body: bool,
        key: impl FnOnce() -> String,
        out: &mut Vec<u8>,
    ) -> Result<DraftedRequest, Refusal> {
        if self.size > self.max_size {
            return Err(Refusal::TooLarge);
        }
        if self.is_malformed || !(self.has_begun || self.begin(out)) {
            return Err(Refusal::Malformed);
        }
        if !self.cookie.is_empty() {
            write_line(out, b"cookie", &self.cookie);
        }
        let kind = if self.protocol.is_some() {
            if !self
                .part(self.protocol.as_ref())
                .eq_ignore_ascii_case(b"websocket")
            {
                return Err(Refusal::Protocol);
            }
            out.extend_from_slice(
                b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ",
            );
            out.extend_from_slice(key().as_bytes());
            out.extend_from_slice(b"\r\n");
            RequestBody::Tunnel
        } else {
            self.write_framing(has_body, out)?
        };
        out.extend_from_slice(b"\r\n");
        let is_tunnel = kind == RequestBody::Tunnel;
        Ok(DraftedRequest {
            kind,
            is_head: self.part(self.method.as_ref()) == b"HEAD",
            length: self.length.filter(|_| !is_tunnel),
        })
    }

    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> bool {
        // What stands in the first line must not reach beyond its place in it.
        let is_one_word = value.iter().all(|byte| *byte > b' ' && *byte != 0x7F);
        if self.has_begun || !is_one_word {
            return false;
        }
        let start = self.text.len();
        let here = start..start + value.len();
        let slot = match name {
            b":method" => &mut self.method,
            b":path" => &mut self.path,
            b":authority" => &mut self.authority,
            b":protocol" => &mut self.protocol,
            b":scheme" => {
                let is_http = matches!(value, b"http" | b"https");
                let scheme = if is_http { Scheme::Http } else { Scheme::Other };
                return self.scheme.replace(scheme).is_none();
            }
            _ => return false,
        };
        if slot.replace(here).is_some() {
            return false;
        }
        self.text.extend_from_slice(value);
        true
    }

    fn take_field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) -> bool {
        if !self.has_begun && !self.begin(out) {
            return false;
        }
        if !is_field(name, value) {
            return false;
        }
        match name {
            b"cookie" => {
                // 8.2.3: crumbs of one field.
                if !self.cookie.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
                return true;
            }
            // 8.3.1: it may be there beside `:authority` if it says the same. Where it does not both are written, which the
            // parser refuses.
            b"host"
                if self.authority.is_some()
                    && value.eq_ignore_ascii_case(self.part(self.authority.as_ref())) =>
            {
                return true;
            }
            b"content-length" => {
                let length = parse_length(value);
                if length.is_none() || self.length.is_some_and(|before| Some(before) != length) {
                    return false;
                }
                if self.length.replace(length.unwrap_or_default()).is_some() {
                    return true;
                }
            }
            b"sec-websocket-key" if self.protocol.is_some() => return true,
            _ => {}
        }
        write_line(out, name, value);
        true
    }

    /// Writes the first line and the host, once the pseudo-fields are there; whether they are all that have to be.
    fn begin(&mut self, out: &mut Vec<u8>) -> bool {
        self.has_begun = true;
        let method = self.part(self.method.as_ref());
        let is_connect = method == b"CONNECT";
        let is_tunnel = self.protocol.is_some();
        let (has_path, has_scheme) = (self.path.is_some(), self.scheme.is_some());
        let path = self.part(self.path.as_ref());
        let is_good = if is_connect && !is_tunnel {
            !has_path && !has_scheme && !self.part(self.authority.as_ref()).is_empty()
        } else if is_tunnel {
            // RFC 8441, 4
            is_connect && has_path && has_scheme && self.authority.is_some()
        } else {
            !method.is_empty() && has_path && has_scheme
        };
        let is_path = path.first() == Some(&b'/') || path == b"*";
        if !is_good || (has_path && !is_path) || self.scheme == Some(Scheme::Other) {
            return false;
        }
        let target = if has_path {
            path
        } else {
            self.part(self.authority.as_ref())
        };
        let method = if is_tunnel { b"GET".as_slice() } else { method };
        for part in [method, b" ", target, b" HTTP/1.1\r\n"] {
            out.extend_from_slice(part);
        }
        if self.authority.is_some() {
            write_line(out, b"host", self.part(self.authority.as_ref()));
        }
        true
    }

    fn write_framing(&self, has_body: bool, out: &mut Vec<u8>) -> Result<RequestBody, Refusal> {
        Ok(match (has_body, self.length) {
            (true, Some(_)) => RequestBody::AsIs,
            (true, None) => {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
                RequestBody::Chunked
            }
            (false, Some(1..)) => return Err(Refusal::Malformed),
            (false, Some(0)) => RequestBody::None,
            (false, None) => {
                // Servers of HTTP/1.1 ask for it where a body is to be expected (RFC 9110, 8.6).
                if matches!(self.part(self.method.as_ref()), b"POST" | b"PUT" | b"PATCH") {
                    out.extend_from_slice(b"content-length: 0\r\n");
                }
                RequestBody::None
            }
        })
    }

    fn part(&self, range: Option<&Range<usize>>) -> &[u8] {
        range
            .and_then(|range| self.text.get(range.clone()))
            .unwrap_or_default()
    }
}

/// Appends a trailer; `false` where it makes the request malformed.
pub(crate) fn take_trailer(name: &[u8], value: &[u8], out: &mut Vec<u8>) -> bool {
    let is_good = is_field(name, value);
    if is_good {
        write_line(out, name, value);
    }
    is_good
}

/// Whether a field may be there (8.2.1, 8.2.2).
pub(super) fn is_field(name: &[u8], value: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_name = !name.is_empty() && name.iter().all(|byte| is_name_byte(*byte));
    let is_value = !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
        && !is_blank(value.first())
        && !is_blank(value.last());
    is_name
        && is_value
        && match name {
            b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding"
            | b"upgrade" => false,
            b"te" => value == b"trailers",
            _ => true,
        }
}

/// What a name is made of: a token without uppercase letters.
fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

pub(super) fn parse_length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    text.parse().ok()
}

#[inline]
pub(super) fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// What a field counts beyond its bytes (RFC 9113, 6.5.2).
const FIELD_OVERHEAD: usize = 32;

#[cfg(test)]
mod tests;
