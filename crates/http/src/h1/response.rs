//! The head that goes to the client: the server's, less what was meant for us.

use sluice_wire::h1::{Field, FieldKind, Framing, ResponseHead, Version};

use super::edits::Edits;
use super::request::{via_version, write_field, write_via};

/// How a response's body reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// No body.
    None,
    /// The bytes as they come: a content length, or chunks passed through.
    AsIs,
    /// A body that ends with the server's connection, put into chunks.
    Chunk,
    /// Until the connection to the client is closed; of chunks the payload only. For HTTP/1.0 clients, who know no
    /// chunks.
    UntilClose,
}

impl Delivery {
    /// RFC 9112, 6.1 and 6.3
    pub fn of(framing: Framing, client: Version) -> Self {
        match (framing, client) {
            (Framing::None, _) => Self::None,
            (Framing::Length(_), _) | (Framing::Chunked, Version::Http11) => Self::AsIs,
            (Framing::UntilClose, Version::Http11) => Self::Chunk,
            (Framing::Chunked | Framing::UntilClose, Version::Http10) => Self::UntilClose,
        }
    }
}

/// What is said to the client about the connection.
#[derive(Clone, Copy, Debug)]
pub struct Return<'a> {
    /// The client's version.
    pub client: Version,
    /// Whether the connection stays open after the response.
    pub keep_alive: bool,
    /// How the body goes out.
    pub delivery: Delivery,
    /// The time now as an IMF-fixdate (RFC 9110, 5.6.7), for a response that has no `Date`.
    pub date: &'a [u8],
    /// The name to add to `Via`.
    pub via: Option<&'a str>,
    /// `Strict-Transport-Security`, in the place of the server's own.
    pub hsts: Option<&'a str>,
    /// `Alt-Svc`, in the place of the server's own.
    pub alt_svc: Option<&'a str>,
    /// The name of a field that was meant for us, in any case.
    pub for_us: Option<&'a str>,
    /// What is changed in the fields, after all of the above.
    pub edits: Option<Edits<'a>>,
}

/// Appends the response head for the client to `out`.
pub fn compose(head: &ResponseHead<'_, '_>, back: &Return<'_>, out: &mut Vec<u8>) {
    write_status_line(head.status, head.reason.as_bytes(), out);
    let has_no_length = head.status < 200 || head.status == 204 || head.framing == Framing::Chunked;
    let is_kept = |field: &Field<'_>| {
        !field.hop_by_hop
            && match field.kind {
                FieldKind::ContentLength => !has_no_length,
                FieldKind::Via => back.via.is_none(),
                _ => true,
            }
    };
    // What goes before an answer is not it.
    let edits = back
        .edits
        .filter(|_| head.status >= 200 || head.status == 101);
    let replaced = [back.hsts.map(|_| HSTS), back.alt_svc.map(|_| ALT_SVC)];
    if back.for_us.is_none() && replaced == [None, None] && edits.is_none() {
        head.fields.write_kept(out, is_kept);
    } else {
        head.fields.write_kept(out, |field| {
            let is_named = |name: &str| field.name.eq_ignore_ascii_case(name);
            is_kept(field)
                && !back.for_us.is_some_and(is_named)
                && !replaced.into_iter().flatten().any(is_named)
                && !edits.is_some_and(|edits| edits.leaves_out(field))
        });
    }
    let start = out.len();
    if let Some(value) = back.hsts {
        write_field(out, HSTS, value.as_bytes());
    }
    if let Some(value) = back.alt_svc
        && head.status >= 200
    {
        write_field(out, ALT_SVC, value.as_bytes());
    }
    if head.status >= 200 && !head.fields.has(FieldKind::Date) {
        write_field(out, "Date", back.date);
    }
    if let Some(name) = back.via {
        write_via(&head.fields, via_version(head.version), name, out);
    }
    if let Some(edits) = &edits {
        edits.apply(&head.fields, |_| true, start, out);
    }
    write_hop(head, back, out);
    out.extend_from_slice(b"\r\n");
}

/// RFC 6797, 6.1
const HSTS: &str = "Strict-Transport-Security";
/// RFC 7838, 3
const ALT_SVC: &str = "Alt-Svc";

/// Appends `HTTP/1.1 200 OK` and its line end.
pub fn write_status_line(status: u16, reason: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    let digit = |unit: u16| b'0' + u8::try_from(status / unit % 10).unwrap_or_default();
    out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// What concerns the connection to the client.
fn write_hop(head: &ResponseHead<'_, '_>, back: &Return<'_>, out: &mut Vec<u8>) {
    // 101 switches to the protocol named in Upgrade; 426 asks for it (RFC 9110, 15.2.2 and 15.5.22).
    let upgrade = matches!(head.status, 101 | 426)
        .then(|| head.fields.first(FieldKind::Upgrade))
        .flatten();
    let connection: &[u8] = match (upgrade.is_some(), back.keep_alive, back.client) {
        (true, true, _) => b"Connection: upgrade\r\n",
        (true, false, _) => b"Connection: upgrade, close\r\n",
        (false, false, _) if head.status >= 200 => b"Connection: close\r\n",
        (false, true, Version::Http10) => b"Connection: keep-alive\r\n",
        (false, _, _) => b"",
    };
    out.extend_from_slice(connection);
    if let Some(protocols) = upgrade {
        write_field(out, "Upgrade", protocols);
    }
    let is_chunked = back.delivery == Delivery::Chunk
        || (back.delivery == Delivery::AsIs && head.framing == Framing::Chunked);
    if is_chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
}

#[cfg(test)]
mod tests;
