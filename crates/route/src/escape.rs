//! What comes from a request, as it may stand in a URL (RFC 3986, 2): what would mean something else there is escaped.

use crate::normalise::{is_path_byte, is_unreserved, write_escape};

/// A part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Path,
    Query,
}

/// A piece of a path, where a `%` is of an escape. In a query, what would begin another parameter or stand for a space is escaped.
pub(crate) fn of_path(text: &[u8], part: Part, out: &mut String) {
    for &byte in text {
        let is_special = part == Part::Query && matches!(byte, b'&' | b'=' | b'+' | b';');
        // The others are there for patterns that capture a part of an escape.
        if is_special || !(is_path_byte(byte) || byte == b'%') {
            write_escape(byte, out);
        } else {
            out.push(char::from(byte));
        }
    }
}

/// What can hold anything: all that has a meaning in a URL is escaped, slashes too.
pub(crate) fn foreign(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            write_escape(byte, out);
        }
    }
}

/// What may be a URL itself: only what none holds is escaped, the `\` too that browsers take for a `/`. A `%` is of an escape that came.
pub(crate) fn of_url(raw: &[u8], out: &mut String) {
    for &byte in raw {
        if is_unreserved(byte) || b"%:/?#[]@!$&'()*+,;=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write_escape(byte, out);
        }
    }
}
