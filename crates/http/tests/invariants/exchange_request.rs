//! Requests of HTTP/2 and HTTP/3 as heads of HTTP/1.1: any fields in, and what the strict parser makes of the text says the
//! same, or nothing.
//!
//! The input is `b` for a request with a body, then its fields: each begins with a byte FF, and FE stands between its name
//! and its value.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri};
use sluice_http::exchange::{RequestBody, RequestHead, compose_head};
use sluice_wire::h1::{self, FieldStorage, Framing, Limits, parse_request};

const LIMITS: Limits = Limits {
    max_head: 1 << 20,
    max_target: 1 << 20,
    max_fields: h1::MAX_FIELDS,
};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let Some(asked) = Asked::read(input) else {
        return;
    };
    let request = RequestHead {
        parts: &asked.parts,
        protocol: asked.protocol.as_deref(),
        has_body: asked.has_body,
    };
    let mut text = b"before".to_vec();
    let Ok(body) = compose_head(request, "KEY", &mut text) else {
        return;
    };
    let text = text.strip_prefix(b"before").expect("it appends");
    check_lines(text);
    let mut storage = FieldStorage::new();
    // What the parser refuses reaches nobody.
    let Ok(head) = parse_request(text, &mut storage, &LIMITS) else {
        return;
    };
    let head = head.expect("what we write is whole");
    assert_eq!(head.len, text.len(), "something hides behind the head");
    asked.check_head(&head, body);
}

/// Lines end in CR LF and have no CR, LF or NUL within; the only empty one is the last.
fn check_lines(text: &[u8]) {
    let ends = text.windows(4).filter(|window| window == b"\r\n\r\n");
    assert!(text.ends_with(b"\r\n\r\n") && ends.count() == 1);
    assert!(!text.starts_with(b"\r\n") && !text.contains(&0));
    for pair in text.windows(2) {
        assert_eq!(pair[0] == b'\r', pair[1] == b'\n', "CR or LF alone");
    }
}

/// A request as the decoders of HTTP/2 and HTTP/3 hand it on.
struct Asked {
    parts: Parts,
    protocol: Option<String>,
    has_body: bool,
}

impl Asked {
    /// `None` where a decoder refuses it.
    fn read(input: &[u8]) -> Option<Self> {
        let mut pieces = input.split(|byte| *byte == 0xFF);
        let has_body = pieces.next()? == b"b";
        let mut pseudo = Pseudo::default();
        let mut fields = HeaderMap::new();
        for piece in pieces {
            let at = piece.iter().position(|byte| *byte == 0xFE)?;
            let (name, value) = (&piece[..at], &piece[at + 1..]);
            if let Some(name) = name.strip_prefix(b":") {
                if !fields.is_empty() {
                    return None;
                }
                pseudo.note(name, value)?;
                continue;
            }
            let name = HeaderName::from_lowercase(name).ok()?;
            let value = HeaderValue::from_bytes(value).ok()?;
            if is_of_connection(&name, &value) {
                return None;
            }
            fields.try_append(name, value).ok()?;
        }
        let lies = |value: &HeaderValue| value != "0";
        if !has_body && fields.get_all(CONTENT_LENGTH).iter().any(lies) {
            return None;
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = pseudo.method.clone()?;
        parts.uri = pseudo.uri()?;
        parts.headers = fields;
        Some(Self {
            parts,
            protocol: pseudo.protocol,
            has_body,
        })
    }

    fn check_head(&self, head: &h1::RequestHead<'_, '_>, body: RequestBody) {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = &self.parts;
        let is_tunnel = self.protocol.is_some();
        let method = if is_tunnel { "GET" } else { method.as_str() };
        assert_eq!(head.method.as_str(), method);
        let authority = uri.authority().map(Authority::as_str);
        if let Some(path) = uri.path_and_query() {
            let target = format!("{method} {path} HTTP/1.1\r\n");
            // The parser's own form of it is checked where the parser is.
            assert!(
                head.target.origin_form() == path.as_str() || path == "*",
                "{target}"
            );
        }
        let host = headers.get(HOST).map(HeaderValue::as_bytes);
        let host = authority.map(str::as_bytes).or(host);
        assert_eq!(Some(head.host.as_bytes()), host);

        let mut count = 1;
        for name in headers.keys().filter(|name| **name != HOST) {
            if is_tunnel && name == "sec-websocket-key" {
                continue;
            }
            let values: Vec<&[u8]> = headers
                .get_all(name)
                .iter()
                .map(HeaderValue::as_bytes)
                .collect();
            let values = if name == COOKIE {
                // A last crumb may be empty.
                vec![values.join(&b"; "[..]).trim_ascii_end().to_vec()]
            } else {
                values.into_iter().map(<[u8]>::to_vec).collect()
            };
            let seen = head.fields.iter();
            let seen = seen.filter(|field| field.name.eq_ignore_ascii_case(name.as_str()));
            let seen: Vec<_> = seen.map(|field| field.value.to_vec()).collect();
            assert_eq!(seen, values, "{name}");
            count += values.len();
        }
        let said: Option<u64> = headers
            .get(CONTENT_LENGTH)
            .map(|value| value.to_str().expect("digits").parse().expect("digits"));
        let (framing, added) = match body {
            RequestBody::Tunnel => {
                assert!(is_tunnel);
                assert_eq!(head.upgrade, Some("websocket"));
                (head.framing, 3)
            }
            RequestBody::Chunked => (Framing::Chunked, 1),
            RequestBody::AsIs => (Framing::Length(said.expect("a length")), 0),
            RequestBody::None => match (said, head.framing) {
                (Some(said), _) => (Framing::Length(said), 0),
                (None, Framing::Length(_)) => (Framing::Length(0), 1),
                (None, _) => (Framing::None, 0),
            },
        };
        assert_eq!(head.framing, framing);
        assert_eq!(head.fields.iter().count(), count + added, "another field");
    }
}

#[derive(Default)]
struct Pseudo {
    method: Option<Method>,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    path: Option<PathAndQuery>,
    protocol: Option<String>,
}

impl Pseudo {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let is_first = match name {
            b"method" => self
                .method
                .replace(Method::from_bytes(value).ok()?)
                .is_none(),
            b"scheme" => self.scheme.replace(Scheme::try_from(value).ok()?).is_none(),
            b"authority" => self
                .authority
                .replace(Authority::try_from(value).ok()?)
                .is_none(),
            b"path" if !value.is_empty() => self
                .path
                .replace(PathAndQuery::try_from(value).ok()?)
                .is_none(),
            b"protocol" => {
                let value = String::from_utf8(value.to_vec()).ok()?;
                self.protocol.replace(value).is_none()
            }
            _ => false,
        };
        is_first.then_some(())
    }

    fn uri(&self) -> Option<Uri> {
        let is_connect = self.method == Some(Method::CONNECT);
        let has_target = self.path.is_some() && self.scheme.is_some();
        let has_none = self.path.is_none() && self.scheme.is_none();
        let is_well_formed = match (is_connect, &self.protocol) {
            (true, None) => has_none,
            (true, Some(_)) | (false, None) => has_target,
            (false, Some(_)) => false,
        };
        if !is_well_formed {
            return None;
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = self.scheme.clone().filter(|_| self.authority.is_some());
        parts.authority.clone_from(&self.authority);
        parts.path_and_query.clone_from(&self.path);
        Uri::from_parts(parts).ok()
    }
}

fn is_of_connection(name: &HeaderName, value: &HeaderValue) -> bool {
    match name.as_str() {
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => true,
        "te" => value != "trailers",
        _ => false,
    }
}
