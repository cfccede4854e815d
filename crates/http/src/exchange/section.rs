//! A head of HTTP/1.1 as fields of HTTP/2 or HTTP/3.

use sluice_wire::h1::{Field, FieldKind, Fields, Framing, RequestHead, ResponseHead};
use sluice_wire::{hpack, qpack};

/// What compresses fields.
pub(crate) trait FieldEncoder {
    /// Begins a section.
    fn begin(&mut self, out: &mut Vec<u8>);
    /// Appends `:status`.
    fn status(&mut self, status: u16, out: &mut Vec<u8>);
    /// Appends `:method`.
    fn method(&mut self, method: &str, out: &mut Vec<u8>);
    /// Appends `:scheme`.
    fn scheme(&mut self, is_ciphered: bool, out: &mut Vec<u8>);
    /// Appends a field, whose name is in lowercase.
    fn field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>);
}

/// Appends the section that says what an answer's `head` says.
///
/// Where a tunnel was asked for, 101 is the 200 of an extended CONNECT (RFC 8441, 5), and what belongs to the handshake of
/// HTTP/1.1 stays behind.
pub(crate) fn encode_response(
    head: &ResponseHead<'_, '_>,
    encoder: &mut impl FieldEncoder,
    out: &mut Vec<u8>,
) {
    let switches = head.status == 101;
    let stays_behind = |field: &Field<'_>| {
        field.hop_by_hop
            || (switches
                && (field.kind == FieldKind::ContentLength
                    || field.name.eq_ignore_ascii_case("sec-websocket-accept")))
    };
    encoder.begin(out);
    encoder.status(if switches { 200 } else { head.status }, out);
    for field in head.fields {
        if !stays_behind(&field) {
            encode_field(field.name.as_bytes(), field.value, encoder, out);
        }
    }
}

/// Appends the section that says what a request's `head` says (RFC 9113, 8.3.1; RFC 8441, 4). `is_ciphered` is how the connection
/// is; `is_tunnel` tells whether the request asks for a tunnel.
pub(crate) fn encode_request(
    head: &RequestHead<'_, '_>,
    is_ciphered: bool,
    is_tunnel: bool,
    encoder: &mut impl FieldEncoder,
    out: &mut Vec<u8>,
) {
    encoder.begin(out);
    let method = if is_tunnel {
        "CONNECT"
    } else {
        head.method.as_str()
    };
    encoder.method(method, out);
    encoder.scheme(is_ciphered, out);
    encoder.field(b":authority", head.host.as_bytes(), out);
    encoder.field(b":path", head.target.origin_form().as_bytes(), out);
    if is_tunnel {
        encoder.field(b":protocol", b"websocket", out);
    }
    encode_request_fields(head.fields, is_tunnel, encoder, out);
    // The one thing that `te` may say (RFC 9113, 8.2.2). Of our own head it says nothing else.
    if head.fields.has(FieldKind::Te) {
        encoder.field(b"te", b"trailers", out);
    }
}

fn encode_request_fields(
    fields: Fields<'_, '_>,
    is_tunnel: bool,
    encoder: &mut impl FieldEncoder,
    out: &mut Vec<u8>,
) {
    for field in fields {
        let stays_behind = field.hop_by_hop
            || matches!(field.kind, FieldKind::Host | FieldKind::Te)
            || (is_tunnel
                && (field.kind == FieldKind::ContentLength
                    || field.name.eq_ignore_ascii_case("sec-websocket-key")));
        if !stays_behind {
            encode_field(field.name.as_bytes(), field.value, encoder, out);
        }
    }
}

/// Appends the section that says what the lines of a trailer section say; `false` where they are none.
pub(crate) fn encode_trailers(
    section: &[u8],
    encoder: &mut impl FieldEncoder,
    out: &mut Vec<u8>,
) -> bool {
    encoder.begin(out);
    section
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .all(|line| {
            let colon = line.iter().position(|byte| *byte == b':');
            let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else {
                return false;
            };
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            encode_field(name, value, encoder, out);
            true
        })
}

/// Names are in lowercase here (RFC 9113, 8.2.1).
fn encode_field(name: &[u8], value: &[u8], encoder: &mut impl FieldEncoder, out: &mut Vec<u8>) {
    let mut room = [0; LONG_NAME];
    match room.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            encoder.field(lower, value, out);
        }
        None => encoder.field(&name.to_ascii_lowercase(), value, out),
    }
}

/// Whether a head is the whole message.
pub(crate) fn is_whole(framing: Framing) -> bool {
    matches!(framing, Framing::None | Framing::Length(0))
}

impl FieldEncoder for hpack::Encoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        Self::begin(self, out);
    }

    fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        Self::status(self, status, out);
    }

    fn method(&mut self, method: &str, out: &mut Vec<u8>) {
        Self::method(self, method, out);
    }

    fn scheme(&mut self, is_ciphered: bool, out: &mut Vec<u8>) {
        Self::scheme(self, is_ciphered, out);
    }

    fn field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        Self::field(self, name, value, out);
    }
}

impl FieldEncoder for qpack::Encoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        Self::begin(*self, out);
    }

    fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        Self::status(*self, status, out);
    }

    fn method(&mut self, method: &str, out: &mut Vec<u8>) {
        Self::method(*self, method, out);
    }

    fn scheme(&mut self, is_ciphered: bool, out: &mut Vec<u8>) {
        Self::scheme(*self, is_ciphered, out);
    }

    fn field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        Self::field(*self, name, value, out);
    }
}

/// Longer names cost an allocation.
const LONG_NAME: usize = 64;
