//! Heads and trailers of HTTP/1.1 as fields of HTTP/2 and HTTP/3, and the other way round.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use sluice_wire::h1::{Field, FieldKind, Fields, Framing, ResponseHead};

/// The response that `head` is; `None` where it holds what those cannot say.
///
/// Where a tunnel was asked for, 101 is the 200 of an extended CONNECT (RFC 8441, 5), and what belongs to the handshake of
/// HTTP/1.1 stays behind.
pub(crate) fn response(head: &ResponseHead<'_, '_>) -> Option<Response<()>> {
    let switches = head.status == 101;
    let status = if switches { 200 } else { head.status };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let is_kept = |field: &Field<'_>| {
        !(switches
            && (field.kind == FieldKind::ContentLength
                || field.name.eq_ignore_ascii_case("sec-websocket-accept")))
    };
    copy(head.fields, is_kept, response.headers_mut())?;
    Some(response)
}

/// Copies what is not of the connection.
fn copy(
    from: Fields<'_, '_>,
    is_kept: impl Fn(&Field<'_>) -> bool,
    to: &mut HeaderMap,
) -> Option<()> {
    // One copy for all the values.
    let total = from.iter().map(|field| field.value.len()).sum();
    let mut values = Vec::with_capacity(total);
    for field in from {
        values.extend_from_slice(field.value);
    }
    let mut values = Bytes::from(values);
    to.try_reserve(from.len()).ok()?;
    for field in from {
        let value = values.split_to(field.value.len());
        if field.hop_by_hop || !is_kept(&field) {
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(value).ok()?;
        to.try_append(name, value).ok()?;
    }
    Some(())
}

/// Whether the head is the whole answer.
pub(crate) fn is_whole(framing: Framing) -> bool {
    matches!(framing, Framing::None | Framing::Length(0))
}

/// A trailer section, its empty line included, as fields.
pub(crate) fn read_trailers(section: &[u8]) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for line in section.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..)?.trim_ascii();
        let name = HeaderName::from_bytes(name).ok()?;
        fields
            .try_append(name, HeaderValue::from_bytes(value).ok()?)
            .ok()?;
    }
    Some(fields)
}

/// Appends fields as lines.
pub(crate) fn write_lines(fields: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in fields {
        write_field(out, name, value);
    }
}

pub(super) fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    write_line(out, name.as_str().as_bytes(), value.as_bytes());
}

pub(super) fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
