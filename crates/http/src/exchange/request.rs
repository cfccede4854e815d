//! A request of HTTP/3 as a head of HTTP/1.1 (RFC 9114, 4.2 to 4.4), and the words that HTTP/2 has for the same.
//!
//! What has been refused already is not looked for here: unknown, repeated, missing and late pseudo-fields, fields of the
//! connection, `te` with anything but `trailers`, names with uppercase letters, values with CR, LF or NUL. What is written
//! is read by the same parser as a head off the wire, so that anything which slipped through is refused there.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY};
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{Method, Uri};
use thiserror::Error;

use super::fields::{write_field, write_line};
use crate::websocket;

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

/// A request as it came in fields.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Method, target and fields.
    pub parts: &'a Parts,
    /// `:protocol` of an extended CONNECT.
    pub protocol: Option<&'a str>,
    /// Whether anything follows the fields.
    pub has_body: bool,
}

/// Appends to `out` the head that says what `request` says.
///
/// An extended CONNECT for `websocket` becomes the upgrade of
/// HTTP/1.1 (RFC 6455), with `key` for the one that HTTP/2 does not have.
///
/// Where `host` differs from `:authority` both are written, which the parser refuses with 400.
pub fn compose_head(
    request: RequestHead<'_>,
    key: &str,
    out: &mut Vec<u8>,
) -> Result<RequestBody, Refusal> {
    let RequestHead {
        parts,
        protocol,
        has_body,
    } = request;
    let is_tunnel = match protocol {
        None => false,
        Some(protocol) if websocket::is_meant(protocol) => true,
        Some(_) => return Err(Refusal::Protocol),
    };
    check(parts)?;
    write_request_line(&parts.method, &parts.uri, is_tunnel, out);
    write_host(parts, out);
    for (name, value) in &parts.headers {
        if name == COOKIE || name == HOST || (is_tunnel && name == SEC_WEBSOCKET_KEY) {
            continue;
        }
        write_field(out, name, value);
    }
    write_cookie(&parts.headers, out);
    let body = if is_tunnel {
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\r\n");
        RequestBody::Tunnel
    } else {
        write_framing(parts, has_body, out)
    };
    out.extend_from_slice(b"\r\n");
    Ok(body)
}

fn check(parts: &Parts) -> Result<(), Refusal> {
    // 8.2.1: whoever writes the value into a line would lose them.
    let has_edge = |value: &HeaderValue| {
        let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        is_blank(value.as_bytes().first()) || is_blank(value.as_bytes().last())
    };
    if parts.headers.values().any(has_edge) {
        return Err(Refusal::Malformed);
    }
    match parts.uri.scheme() {
        Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => {
            Err(Refusal::Malformed)
        }
        _ => Ok(()),
    }
}

fn write_request_line(method: &Method, uri: &Uri, is_tunnel: bool, out: &mut Vec<u8>) {
    let method = if is_tunnel { &Method::GET } else { method };
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let target = match uri.path_and_query() {
        Some(path) => path.as_str(),
        None => uri.authority().map_or("", Authority::as_str),
    };
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// 8.3.1: `:authority` is the host; `host` may be there too if it says the same.
fn write_host(parts: &Parts, out: &mut Vec<u8>) {
    let authority = parts.uri.authority().map(Authority::as_str);
    if let Some(authority) = authority {
        write_line(out, b"host", authority.as_bytes());
    }
    for host in parts.headers.get_all(HOST) {
        let is_same = authority
            .is_some_and(|authority| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()));
        if !is_same {
            write_field(out, &HOST, host);
        }
    }
}

/// 8.2.3: crumbs of one cookie field.
fn write_cookie(fields: &HeaderMap, out: &mut Vec<u8>) {
    let mut crumbs = fields.get_all(COOKIE).iter();
    let Some(first) = crumbs.next() else {
        return;
    };
    out.extend_from_slice(b"cookie: ");
    out.extend_from_slice(first.as_bytes());
    for crumb in crumbs {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(crumb.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn write_framing(parts: &Parts, has_body: bool, out: &mut Vec<u8>) -> RequestBody {
    let says_length = parts.headers.contains_key(CONTENT_LENGTH);
    match (has_body, says_length) {
        (true, true) => RequestBody::AsIs,
        (true, false) => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            RequestBody::Chunked
        }
        (false, true) => RequestBody::None,
        (false, false) => {
            // Servers of HTTP/1.1 ask for it where a body is to be expected (RFC 9110, 8.6).
            if matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
                out.extend_from_slice(b"content-length: 0\r\n");
            }
            RequestBody::None
        }
    }
}

#[cfg(test)]
mod tests;
