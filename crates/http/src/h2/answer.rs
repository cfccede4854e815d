//! A head of HTTP/1.1 as fields of HTTP/2.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use sluice_wire::h1::{FieldKind, Framing, ResponseHead};

/// The response that `head` is; `None` where it holds what HTTP/2 cannot say.
///
/// Where a tunnel was asked for, 101 is the 200 of an extended CONNECT (RFC 8441, 5), and what belongs to the handshake of
/// HTTP/1.1 stays behind.
pub(super) fn translate(head: &ResponseHead<'_, '_>) -> Option<Response<()>> {
    let switches = head.status == 101;
    let status = if switches { 200 } else { head.status };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let fields = response.headers_mut();
    // One copy for all the values.
    let total = head.fields.iter().map(|field| field.value.len()).sum();
    let mut values = Vec::with_capacity(total);
    for field in head.fields {
        values.extend_from_slice(field.value);
    }
    let mut values = Bytes::from(values);
    fields.try_reserve(head.fields.len()).ok()?;
    for field in head.fields {
        let value = values.split_to(field.value.len());
        let is_of_handshake = switches
            && (field.kind == FieldKind::ContentLength
                || field.name.eq_ignore_ascii_case("sec-websocket-accept"));
        if field.hop_by_hop || is_of_handshake {
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(value).ok()?;
        fields.try_append(name, value).ok()?;
    }
    Some(response)
}

/// Whether the head is the whole answer.
pub(super) fn is_whole(framing: Framing) -> bool {
    matches!(framing, Framing::None | Framing::Length(0))
}

/// A trailer section, its empty line included, as fields.
pub(super) fn trailers(section: &[u8]) -> Option<HeaderMap> {
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
