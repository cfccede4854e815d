//! The one pass over a head's fields: recognise each, check its line end, note what framing and routing need.

use httparse::Header;

use super::Version;
use super::connection::Options;
use super::error::FieldsError;
use super::field::FieldKind;
use super::fields::{Kinds, Mark, offset};

/// What one pass over the fields found. Values borrow the head.
#[derive(Debug, Default)]
pub(super) struct Survey<'b> {
    pub(super) host: Once<'b>,
    pub(super) content_length: Once<'b>,
    pub(super) transfer_encoding: Once<'b>,
    pub(super) upgrade: Once<'b>,
    pub(super) expect: Once<'b>,
    pub(super) connection: Options,
    pub(super) kinds: Kinds,
}

impl<'b> Survey<'b> {
    /// What the sender wants to change to, if it may (RFC 9110, 7.8).
    #[inline]
    pub(super) fn upgrade(&self, version: Version) -> Option<&'b str> {
        match self.upgrade {
            Once::One(value)
                if self.connection.upgrade && version == Version::Http11 && !value.is_empty() =>
            {
                std::str::from_utf8(value).ok()
            }
            _ => None,
        }
    }
}

/// A field that has one meaning only when it comes once.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Once<'b> {
    #[default]
    Absent,
    One(&'b [u8]),
    Repeated,
}

impl<'b> Once<'b> {
    #[inline]
    fn add(&mut self, value: &'b [u8]) {
        *self = match self {
            Self::Absent => Self::One(value),
            Self::One(_) | Self::Repeated => Self::Repeated,
        };
    }

    pub(super) fn is_absent(self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Surveys the lines of `head` into `found`, filling one of `marks` for each.
#[inline]
pub(super) fn survey<'b>(
    head: &'b [u8],
    lines: &[Header<'b>],
    marks: &mut [Mark],
    found: &mut Survey<'b>,
) -> Result<(), FieldsError> {
    let mut kinds = Kinds::default();
    for (line, mark) in lines.iter().zip(marks.iter_mut()) {
        check_line_end(head, offset(head, line))?;
        let kind = FieldKind::of(line.name);
        kinds.add(kind);
        *mark = Mark {
            kind,
            hop_by_hop: kind.is_hop_by_hop(),
        };
        match kind {
            FieldKind::Host => found.host.add(line.value),
            FieldKind::ContentLength => found.content_length.add(line.value),
            FieldKind::TransferEncoding => found.transfer_encoding.add(line.value),
            FieldKind::Upgrade => found.upgrade.add(line.value),
            FieldKind::Expect => found.expect.add(line.value),
            FieldKind::Connection => found.connection.add(line.value)?,
            _ => {}
        }
    }
    found.kinds = kinds;
    // The last line before the empty one, and the empty one itself.
    let end = head.len();
    check_line_end(head, end)?;
    check_line_end(head, end.saturating_sub(2))?;
    if found.connection.names_fields() {
        mark_named_fields(lines, marks);
    }
    Ok(())
}

/// The tolerant parser below this accepts LF alone as a line end; a proxy must not.
#[inline]
fn check_line_end(head: &[u8], next_line: usize) -> Result<(), FieldsError> {
    match head.get(next_line.wrapping_sub(2)) {
        Some(b'\r') => Ok(()),
        _ => Err(FieldsError::LineEnd),
    }
}

/// Marks what `Connection` names as hop-by-hop, except the fields that have a kind of their own: those are meant for
/// every recipient (RFC 9110, 7.6.1 forbids naming such), and letting a client name `Host`, `Content-Length` or
/// `Authorization` would let it take away what the server relies on.
#[cold]
fn mark_named_fields(lines: &[Header<'_>], marks: &mut [Mark]) {
    for (index, line) in lines.iter().enumerate() {
        if marks
            .get(index)
            .is_none_or(|mark| mark.kind != FieldKind::Connection)
        {
            continue;
        }
        for name in Options::named_fields(line.value) {
            for (other, mark) in lines.iter().zip(marks.iter_mut()) {
                if mark.kind == FieldKind::Other && other.name.as_bytes().eq_ignore_ascii_case(name)
                {
                    mark.hop_by_hop = true;
                }
            }
        }
    }
}
