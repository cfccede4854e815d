//! Globs: `*` stands for any run of characters, an empty one too; everything else for itself.

use memchr::memmem;

/// A compiled glob. Matches the whole of a value, in time linear in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    before: Box<[u8]>,
    /// The pieces between two stars, none of them empty.
    between: Box<[Box<[u8]>]>,
    after: Box<[u8]>,
    ignore_case: bool,
}

impl Glob {
    /// `None` where `text` holds no `*`.
    pub(crate) fn new(text: &str, ignore_case: bool) -> Option<Self> {
        let (before, rest) = text.split_once('*')?;
        let (between, after) = rest.rsplit_once('*').unwrap_or(("", rest));
        Some(Self {
            before: before.as_bytes().into(),
            between: between
                .split('*')
                .filter(|piece| !piece.is_empty())
                .map(|piece| piece.as_bytes().into())
                .collect(),
            after: after.as_bytes().into(),
            ignore_case,
        })
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let Some(rest) = value.len().checked_sub(self.after.len()) else {
            return false;
        };
        let Some((head, tail)) = value.split_at_checked(rest) else {
            return false;
        };
        let Some((start, mut middle)) = head.split_at_checked(self.before.len()) else {
            return false;
        };
        if !self.same(start, &self.before) || !self.same(tail, &self.after) {
            return false;
        }
        for piece in &self.between {
            let found = self
                .position(middle, piece)
                .and_then(|at| middle.get(at + piece.len()..));
            match found {
                Some(rest) => middle = rest,
                None => return false,
            }
        }
        true
    }

    /// Of two texts of the same length. Comparing empty ones would be slow, see `Segment::matches`.
    fn same(&self, a: &[u8], b: &[u8]) -> bool {
        if b.is_empty() {
            true
        } else if self.ignore_case {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    }

    fn position(&self, value: &[u8], piece: &[u8]) -> Option<usize> {
        if self.ignore_case {
            // Only host names are compared so, where both sides are short.
            value
                .windows(piece.len())
                .position(|window| window.eq_ignore_ascii_case(piece))
        } else {
            memmem::find(value, piece)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (glob, value, expected) in [
            ("*", "", true),
            ("*", "a", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*Mobile*", "x Mobile y", true),
            ("*Mobile*", "x mobile y", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aba", false),
            ("a**b", "ab", true),
        ] {
            let compiled = Glob::new(glob, false).expect("holds a star");
            assert_eq!(
                compiled.matches(value.as_bytes()),
                expected,
                "{glob} {value}"
            );
        }
        let folded = Glob::new("*.Eu-*.example.com", true).expect("holds a star");
        assert!(folded.matches(b"A.eU-1.EXAMPLE.com"));
        assert!(!folded.matches(b"A.us-1.EXAMPLE.com"));
        assert!(Glob::new("plain", false).is_none());
    }
}
