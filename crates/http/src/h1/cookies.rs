//! The cookies of a request without one that is ours (RFC 6265, 4.2.1).

use sluice_route::{cookie_pairs, cookie_value};
use sluice_wire::h1::{FieldKind, Fields};

/// Appends a line with all cookies but those of that name; none where no others are left.
#[inline(never)]
pub(super) fn write_without(name: &str, fields: &Fields<'_, '_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"Cookie: ");
    let before = out.len();
    let lines = fields
        .iter()
        .filter(|field| field.kind == FieldKind::Cookie);
    let pairs = lines.flat_map(|field| cookie_pairs(field.value));
    for pair in pairs.filter(|pair| cookie_value(pair, name).is_none()) {
        if out.len() > before {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(pair);
    }
    if out.len() > before {
        out.extend_from_slice(b"\r\n");
    } else {
        out.truncate(start);
    }
}
