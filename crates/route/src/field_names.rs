//! Names of header fields, as a set: whole names, and globs such as `x-internal-*`.
//!
//! Servers that hand fields to programs as variables (CGI, WSGI, PHP) make the same name of `x-user` and `x_user`. So whoever
//! sets the one means the other too, or clients could say beside it what they like.

use std::borrow::Cow;

use crate::glob::Glob;

/// Names of header fields, in any case, and with `_` for `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames {
    names: Box<[Box<str>]>,
    globs: Box<[Glob]>,
    /// The globs as they were written.
    written: Box<[Box<str>]>,
    /// A bit for each length that one of the names has: most fields are none of them, and need no comparison.
    lengths: u64,
}

impl FieldNames {
    /// The set of these; what holds a `*` is a glob.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let (mut whole, mut globs) = (Vec::<Box<str>>::new(), Vec::new());
        let mut written = Vec::new();
        for name in names {
            match Glob::new(&name.replace('_', "-"), true) {
                Some(glob) => {
                    globs.push(glob);
                    written.push(name.into());
                }
                None => whole.push(name.into()),
            }
        }
        whole.sort_unstable();
        whole.dedup();
        Self {
            lengths: whole
                .iter()
                .fold(0, |bits, name| bits | length_bit(name.as_bytes())),
            names: whole.into(),
            globs: globs.into(),
            written: written.into(),
        }
    }

    /// Whether the field of this name is meant.
    pub fn contains(&self, name: &[u8]) -> bool {
        let is_it = |one: &str| are_alike(one.as_bytes(), name);
        (self.lengths & length_bit(name) != 0 && self.names.iter().any(|one| is_it(one)))
            || (!self.globs.is_empty() && self.is_of_a_glob(name))
    }

    fn is_of_a_glob(&self, name: &[u8]) -> bool {
        let name = with_hyphens(name);
        self.globs.iter().any(|glob| glob.matches(&name))
    }

    /// The names, and then the globs, as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.written).map(|name| &**name)
    }

    /// Whether no field is meant.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.globs.is_empty()
    }
}

/// Whether servers may take one name of a field for the other: in any case, and `_` for `-` too, as many do.
pub fn is_taken_for(ours: &str, name: &str) -> bool {
    are_alike(ours.as_bytes(), name.as_bytes())
}

fn are_alike(ours: &[u8], name: &[u8]) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
    ours.len() == name.len()
        && ours
            .iter()
            .zip(name)
            .all(|(ours, theirs)| plain(*ours).eq_ignore_ascii_case(&plain(*theirs)))
}

fn with_hyphens(name: &[u8]) -> Cow<'_, [u8]> {
    if name.contains(&b'_') {
        let hyphen = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
        Cow::Owned(name.iter().map(hyphen).collect())
    } else {
        Cow::Borrowed(name)
    }
}

/// All lengths from 63 on share one.
fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_and_globs() {
        let long = "x".repeat(70);
        let names = FieldNames::new(["x-a", "server", "x-a", "X-Internal-*", &long]);
        for (name, expected) in [
            ("x-a", true),
            ("X-A", true),
            ("x_a", true),
            ("X_b", false),
            ("server_", false),
            ("x_internal_user", true),
            ("x-ab", false),
            ("Server", true),
            ("x-internal-", true),
            ("X-INTERNAL-user", true),
            ("x-internal", false),
            ("", false),
            (&long.to_uppercase(), true),
            (&"x".repeat(71), false),
        ] {
            assert_eq!(names.contains(name.as_bytes()), expected, "{name}");
        }
        let all: Vec<_> = names.iter().collect();
        assert_eq!(all, ["server", "x-a", &long, "X-Internal-*"]);
        assert!(!names.is_empty());
        assert!(FieldNames::default().is_empty());
        assert!(FieldNames::new(["*"]).contains(b"anything"));
    }
}
