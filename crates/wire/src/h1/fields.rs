//! The fields of one head, and the copying of those that are passed on.

use std::mem::MaybeUninit;

use httparse::Header;

use super::field::{Field, FieldKind};

/// The most fields a head may have, whatever [`Limits`](super::Limits) say.
pub const MAX_FIELDS: usize = 256;

/// Room for the fields of one head, made anew on the stack for each parse. It is left uninitialised, so making one
/// costs next to nothing.
#[derive(Debug)]
pub struct FieldStorage<'b> {
    pub(super) lines: [MaybeUninit<Header<'b>>; MAX_FIELDS],
    pub(super) marks: [Mark; MAX_FIELDS],
    /// In place of `lines`, for what is parsed in pieces. Nearly always empty.
    pub(super) rare_lines: Vec<Header<'b>>,
}

impl FieldStorage<'_> {
    /// Empty room.
    #[inline]
    pub const fn new() -> Self {
        Self {
            lines: [const { MaybeUninit::uninit() }; MAX_FIELDS],
            marks: [Mark::OTHER; MAX_FIELDS],
            rare_lines: Vec::new(),
        }
    }
}

impl Default for FieldStorage<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The fields of one head, in the order they came.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'s, 'b> {
    /// The head's bytes, from its first line to the end of its empty line.
    pub(super) head: &'b [u8],
    pub(super) lines: &'s [Header<'b>],
    /// One mark for each line.
    pub(super) marks: &'s [Mark],
    /// The kinds among them.
    pub(super) kinds: Kinds,
}

impl<'s, 'b> Fields<'s, 'b> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All of them, in order, hop-by-hop ones included.
    pub fn iter(&self) -> FieldsIter<'s, 'b> {
        FieldsIter {
            lines: self.lines.iter(),
            marks: self.marks.iter(),
        }
    }

    /// Whether there is a field of that kind.
    #[inline]
    pub fn has(&self, kind: FieldKind) -> bool {
        self.kinds.contains(kind)
    }

    /// The value of the first field of that kind.
    #[inline]
    pub fn first(&self, kind: FieldKind) -> Option<&'b [u8]> {
        // Most of what is asked for is not there.
        if !self.has(kind) {
            return None;
        }
        let found = self.marks.iter().position(|mark| mark.kind == kind)?;
        self.lines.get(found).map(|line| line.value)
    }

    /// The value of the first field of that name, in any case.
    pub fn named(&self, name: &str) -> Option<&'b [u8]> {
        self.all_named(name).next()
    }

    /// The values of all fields of that name, in any case and in order.
    pub fn all_named<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'s, 'b, 'n> {
        self.lines
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(name))
            .map(|line| line.value)
    }

    /// Appends the field lines to be passed on to `out`, as they stand in the original, each with its line end.
    ///
    /// Hop-by-hop fields (see [`Field::hop_by_hop`]) are never written; `keep` is asked about each of the others.
    /// Neighbouring lines that are kept are copied together.
    #[inline]
    pub fn write_kept(&self, out: &mut Vec<u8>, mut keep: impl FnMut(&Field<'b>) -> bool) {
        let mut run: Option<usize> = None;
        for (line, mark) in self.lines.iter().zip(self.marks) {
            let kept = !mark.hop_by_hop && keep(&mark.field(line));
            match run {
                None if kept => run = Some(offset(self.head, line)),
                Some(start) if !kept => {
                    self.copy(out, start, offset(self.head, line));
                    run = None;
                }
                _ => {}
            }
        }
        if let Some(start) = run {
            // The last line ends where the head's empty line begins.
            self.copy(out, start, self.head.len().saturating_sub(2));
        }
    }

    fn copy(&self, out: &mut Vec<u8>, start: usize, end: usize) {
        let run = self.head.get(start..end);
        debug_assert!(run.is_some(), "field lines lie in order inside the head");
        out.extend_from_slice(run.unwrap_or_default());
    }
}

impl<'s, 'b> IntoIterator for Fields<'s, 'b> {
    type Item = Field<'b>;
    type IntoIter = FieldsIter<'s, 'b>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'s, 'b> IntoIterator for &Fields<'s, 'b> {
    type Item = Field<'b>;
    type IntoIter = FieldsIter<'s, 'b>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterates over [`Fields`].
#[derive(Debug, Clone)]
pub struct FieldsIter<'s, 'b> {
    lines: std::slice::Iter<'s, Header<'b>>,
    marks: std::slice::Iter<'s, Mark>,
}

impl<'b> Iterator for FieldsIter<'_, 'b> {
    type Item = Field<'b>;

    #[inline]
    fn next(&mut self) -> Option<Field<'b>> {
        let line = self.lines.next()?;
        let mark = self.marks.next()?;
        Some(mark.field(line))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.lines.size_hint()
    }
}

impl ExactSizeIterator for FieldsIter<'_, '_> {}

/// What was found out about one line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) kind: FieldKind,
    pub(super) hop_by_hop: bool,
}

impl Mark {
    const OTHER: Self = Self {
        kind: FieldKind::Other,
        hop_by_hop: false,
    };

    #[inline]
    fn field<'b>(self, line: &Header<'b>) -> Field<'b> {
        Field {
            name: line.name,
            value: line.value,
            kind: self.kind,
            hop_by_hop: self.hop_by_hop,
        }
    }
}

/// A set of kinds: one bit for each.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Kinds(u64);

impl Kinds {
    #[inline]
    pub(super) fn add(&mut self, kind: FieldKind) {
        self.0 |= 1 << kind as u8;
    }

    #[inline]
    fn contains(self, kind: FieldKind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

/// Where in the head a line begins: names are slices of it.
#[inline]
pub(super) fn offset(head: &[u8], line: &Header<'_>) -> usize {
    line.name.as_ptr().addr().wrapping_sub(head.as_ptr().addr())
}
