//! Fields that are changed on the way as the file says: left out, copied, added.
//!
//! Fields that frame a message or concern one connection are none of these; who makes the edits sees to that.

use memchr::memchr;
use sluice_route::{FieldNames, blank_line_ends};
use sluice_wire::h1::{Field, FieldKind, Fields};

use super::request::write_field;

/// What is changed in the fields of a head.
#[derive(Clone, Copy, Debug)]
pub struct Edits<'a> {
    /// Fields that are left out: those that came, and those that would be added beside these edits.
    pub removes: Option<&'a FieldNames>,
    /// A field that came, and the name under which each of its lines goes out too.
    pub copies: &'a [(Box<str>, Box<str>)],
    /// Whole field lines, each with its line end, that are added.
    pub lines: &'a [u8],
}

impl Edits<'_> {
    /// Whether this field, which came, is left out. What frames the message never is, though `*` may mean it too.
    pub(super) fn leaves_out(&self, field: &Field<'_>) -> bool {
        use FieldKind::{ContentLength, Expect, Host, MaxForwards, Trailer};
        !matches!(
            field.kind,
            ContentLength | Expect | Host | MaxForwards | Trailer
        ) && self.removes(field.name.as_bytes())
    }

    fn removes(&self, name: &[u8]) -> bool {
        self.removes.is_some_and(|names| names.contains(name))
    }

    /// Changes a head that is being written: of the field lines in `out` since `start` those are taken out again that are left
    /// out, then what is copied of the fields that came and what is added follows.
    ///
    /// `may_be_copied` says no to what would be forged under its own name, and would be under another.
    pub fn apply(
        &self,
        came: &Fields<'_, '_>,
        may_be_copied: impl Fn(&Field<'_>) -> bool,
        start: usize,
        out: &mut Vec<u8>,
    ) {
        self.take_out(start, out);
        for (from, to) in self.copies {
            let is_it = |field: &Field<'_>| {
                !field.hop_by_hop && field.name.eq_ignore_ascii_case(from) && may_be_copied(field)
            };
            for field in came.iter().filter(is_it) {
                write_field(out, to, field.value);
            }
        }
        out.extend_from_slice(self.lines);
    }

    /// The same for a head of which no fields came from elsewhere.
    pub fn apply_to_own(&self, start: usize, out: &mut Vec<u8>) {
        self.take_out(start, out);
        out.extend_from_slice(self.lines);
    }

    fn take_out(&self, start: usize, out: &mut Vec<u8>) {
        if self.removes.is_none_or(FieldNames::is_empty) {
            return;
        }
        let mut at = start;
        while let Some(rest) = out.get(at..).filter(|rest| !rest.is_empty()) {
            let line = memchr(b'\n', rest).map_or(rest.len(), |line| line + 1);
            let end = at + line;
            let name = memchr(b':', rest).and_then(|colon| rest.get(..colon));
            if name.is_some_and(|name| self.removes(name)) {
                out.drain(at..end);
            } else {
                at = end;
            }
        }
    }
}

/// Appends a field line, for [`Edits::lines`]. CR, LF and NUL in the value become spaces (RFC 9110, 5.5).
pub fn write_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    let start = out.len() + name.len() + 2;
    write_field(out, name, value);
    let end = start + value.len();
    blank_line_ends(out.get_mut(start..end).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_lines_are_taken_out_again() {
        let removes = FieldNames::new(["date", "x-*"]);
        let edits = Edits {
            removes: Some(&removes),
            copies: &[],
            lines: b"New: line\r\n",
        };
        for (own, expected) in [
            ("", ""),
            ("Date: now\r\n", ""),
            (
                "A: b\r\nDate: now\r\nX-1: 2\r\nC: d: e\r\n",
                "A: b\r\nC: d: e\r\n",
            ),
            ("A: date: x\r\n", "A: date: x\r\n"),
        ] {
            let mut out = format!("Date: kept\r\n{own}").into_bytes();
            edits.apply_to_own("Date: kept\r\n".len(), &mut out);
            let out = String::from_utf8(out).expect("text");
            assert_eq!(out, format!("Date: kept\r\n{expected}New: line\r\n"));
        }
    }

    #[test]
    fn no_value_begins_another_field() {
        let mut out = b"A: \r\n".to_vec();
        write_line("b", b"1\r\nc: 2\0", &mut out);
        assert_eq!(out, b"A: \r\nb: 1  c: 2 \r\n");
    }
}
