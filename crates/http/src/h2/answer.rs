//! A head of HTTP/1.1 as a field block.

use sluice_wire::h1::{Field, FieldKind, ResponseHead};
use sluice_wire::hpack::Encoder;

/// Appends the block that says what `head` says.
///
/// Where a tunnel was asked for, 101 is the 200 of an extended CONNECT (RFC 8441, 5), and what belongs to the handshake of
/// HTTP/1.1 stays behind.
pub(super) fn encode(head: &ResponseHead<'_, '_>, encoder: &mut Encoder, out: &mut Vec<u8>) {
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

/// Appends the block that says what the lines of a trailer section say.
pub(super) fn encode_trailers(section: &[u8], encoder: &mut Encoder, out: &mut Vec<u8>) -> bool {
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
pub(super) fn encode_field(name: &[u8], value: &[u8], encoder: &mut Encoder, out: &mut Vec<u8>) {
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

/// Longer names cost an allocation.
const LONG_NAME: usize = 64;
