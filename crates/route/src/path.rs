//! Patterns of paths: exact, prefix, captures, glob, regular expression.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use regex::bytes::Regex;

use crate::captures::Captures;
use crate::glob::Glob;

pub use parse::PathPatternError;

/// Which paths a route is for. Compared with what [`normalise_path`](crate::normalise_path) returned; case counts.
///
/// - `/healthz`: exactly this path. `/healthz/` is another one.
/// - `/api/*`: `/api`, `/api/` and all below, but not `/apix`. What follows the slash is captured as `rest`;
///   `/api/{tail*}` is the same with another name.
/// - `/users/{id}/posts`: `{id}` captures one segment that is not empty, or a part of one, as in `/v{major}/x`.
/// - a `*` elsewhere makes a glob, in which it stands for any characters, slashes too.
/// - `~regex`: the whole path matches the regular expression; its named groups are captures.
///
/// What stands literally may be written plainly (`/café`) or percent-encoded (`/caf%C3%A9`).
#[derive(Clone, Debug)]
pub struct PathPattern {
    source: Box<str>,
    form: Form,
    captures: Box<[Box<str>]>,
}

#[derive(Clone, Debug)]
pub(crate) enum Form {
    Exact(Box<str>),
    /// Without its last slash: empty for `/*`.
    Prefix(Box<str>),
    Segments {
        segments: Box<[Segment]>,
        /// Whether what is below matches too and is captured.
        rest: bool,
    },
    Glob {
        glob: Glob,
        /// Where the glob ends in `/*`: the same without these two.
        bare: Option<Glob>,
        /// What every matching path starts with.
        literal: Box<str>,
    },
    Regex {
        regex: Regex,
        /// The indices of the named groups.
        groups: Box<[usize]>,
        /// What every matching path starts with.
        literal: Box<str>,
    },
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(Box<str>),
    Capture { before: Box<str>, after: Box<str> },
}

impl PathPattern {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        let (form, captures) = parse::parse(text)?;
        Ok(Self {
            source: text.into(),
            form,
            captures: captures.into(),
        })
    }

    /// Whether a normalised path is meant.
    pub fn matches(&self, path: &str) -> bool {
        match &self.form {
            Form::Exact(exact) => **exact == *path,
            Form::Prefix(prefix) => below(prefix, path).is_some(),
            Form::Segments { segments, rest } => walk(segments, *rest, path, |_, _| {}),
            Form::Glob { glob, bare, .. } => {
                let path = path.as_bytes();
                glob.matches(path) || bare.as_ref().is_some_and(|bare| bare.matches(path))
            }
            Form::Regex { regex, .. } => regex.is_match(path.as_bytes()),
        }
    }

    /// The names of the captures in the order of [`Captures::get`].
    pub fn captures(&self) -> &[Box<str>] {
        &self.captures
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    /// Notes what was captured in a path that matches. Allocates for named groups of regular expressions only.
    pub(crate) fn capture(&self, path: &str, captures: &mut Captures) {
        match &self.form {
            Form::Exact(_) | Form::Glob { .. } => {}
            Form::Prefix(prefix) => {
                if let Some(start) = below(prefix, path) {
                    captures.push(start, path.len());
                }
            }
            Form::Segments { segments, rest } => {
                walk(segments, *rest, path, |start, end| {
                    captures.push(start, end);
                });
            }
            Form::Regex { regex, groups, .. } => {
                if groups.is_empty() {
                    return;
                }
                let mut locations = regex.capture_locations();
                regex.captures_read(&mut locations, path.as_bytes());
                for &group in groups {
                    // A group that took no part stands for nothing.
                    let (start, end) = locations.get(group).unwrap_or((0, 0));
                    captures.push(start, end);
                }
            }
        }
    }

    /// Whether every path that `later` matches is surely matched by this pattern too.
    pub(crate) fn covers(&self, later: &Self) -> bool {
        match (&self.form, &later.form) {
            (_, Form::Exact(path)) => self.matches(path),
            // Whatever is not a regular expression starts with a slash.
            (Form::Prefix(wide), Form::Prefix(_) | Form::Segments { .. } | Form::Glob { .. })
                if wide.is_empty() =>
            {
                true
            }
            (Form::Prefix(wide), Form::Prefix(narrow)) => below(wide, narrow).is_some(),
            (Form::Prefix(wide), Form::Segments { segments, rest }) => {
                covers_segments(&literals(wide), true, segments, *rest)
            }
            (Form::Prefix(wide), Form::Glob { literal, .. }) => {
                literal.len() > wide.len() && below(wide, literal).is_some()
            }
            (Form::Segments { segments, rest }, Form::Prefix(narrow)) => {
                covers_segments(segments, *rest, &literals(narrow), true)
            }
            (
                Form::Segments { segments, rest },
                Form::Segments {
                    segments: narrow,
                    rest: narrow_rest,
                },
            ) => covers_segments(segments, *rest, narrow, *narrow_rest),
            _ => self == later,
        }
    }
}

/// By the text they were written as.
impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for PathPattern {}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl FromStr for PathPattern {
    type Err = PathPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Segment {
    /// Where in `text` the capture stands, from where to where; from 0 to 0 for a literal; `None` where it does not match.
    fn matches(&self, text: &str) -> Option<(usize, usize)> {
        match self {
            Self::Literal(literal) => (**literal == *text).then_some((0, 0)),
            Self::Capture { before, after } => {
                // Emptiness is asked first, since comparing nothing is slow: an empty text points nowhere, and where
                // `memcmp` is done with masked loads, one from an unmapped page costs over 100 ns.
                let end = text.len().checked_sub(after.len())?;
                let whole = (before.is_empty() || text.starts_with(&**before))
                    && (after.is_empty() || text.ends_with(&**after));
                (whole && before.len() < end).then_some((before.len(), end))
            }
        }
    }

    fn covers(&self, later: &Self) -> bool {
        match (self, later) {
            (_, Self::Literal(literal)) => self.matches(literal).is_some(),
            (
                Self::Capture { before, after },
                Self::Capture {
                    before: narrow_before,
                    after: narrow_after,
                },
            ) => narrow_before.starts_with(&**before) && narrow_after.ends_with(&**after),
            (Self::Literal(_), Self::Capture { .. }) => false,
        }
    }
}

/// Where what is below `prefix` starts in `path`: past the slash, or at the end where `path` is the prefix itself.
pub(crate) fn below(prefix: &str, path: &str) -> Option<usize> {
    if prefix.is_empty() {
        // The root has a slash always: `*` and an empty text are not below it.
        return path.starts_with('/').then_some(1);
    }
    let rest = path.strip_prefix(prefix)?;
    match rest.as_bytes().first() {
        None => Some(path.len()),
        Some(b'/') => Some(prefix.len() + 1),
        Some(_) => None,
    }
}

/// Matches segment by segment, telling `captured` of each capture in order, the rest last.
fn walk(
    segments: &[Segment],
    rest: bool,
    path: &str,
    mut captured: impl FnMut(usize, usize),
) -> bool {
    let mut at = 0;
    for segment in segments {
        let Some(remainder) = path.get(at..).and_then(|text| text.strip_prefix('/')) else {
            return false;
        };
        let start = at + 1;
        let length = segment_length(remainder);
        at = start + length;
        let Some((from, to)) = remainder
            .get(..length)
            .and_then(|text| segment.matches(text))
        else {
            return false;
        };
        if to > from {
            captured(start + from, start + to);
        }
    }
    if rest {
        captured((at + 1).min(path.len()), path.len());
    }
    rest || at == path.len()
}

/// Segments that are literals or captured whole as one text: behind each slash the literal, or [`WHOLE`]. `None` where a part of one is
/// captured.
pub(crate) fn written(segments: &[Segment]) -> Option<String> {
    let mut text = String::new();
    for segment in segments {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Capture { before, after } if before.is_empty() && after.is_empty() => {
                text.push(WHOLE.into());
            }
            Segment::Capture { .. } => return None,
        }
    }
    Some(text)
}

/// As [`walk`], along what [`written`] made. Byte by byte, since what is compared between two captures is short.
pub(crate) fn walk_written(
    written: &str,
    rest: bool,
    path: &str,
    mut captured: impl FnMut(usize, usize),
) -> bool {
    let mut at = 0;
    for byte in written.bytes() {
        if byte == WHOLE {
            let length = path.get(at..).map_or(0, segment_length);
            if length == 0 {
                return false;
            }
            captured(at, at + length);
            at += length;
        } else if path.as_bytes().get(at) == Some(&byte) {
            at += 1;
        } else {
            return false;
        }
    }
    match path.as_bytes().get(at) {
        None if !rest => true,
        None => {
            captured(at, at);
            true
        }
        Some(b'/') if rest => {
            captured(at + 1, path.len());
            true
        }
        Some(_) => false,
    }
}

/// Stands in no path.
const WHOLE: u8 = 0;

/// How far the next slash is. A plain loop, since segments are short.
pub(crate) fn segment_length(path: &str) -> usize {
    path.bytes()
        .position(|byte| byte == b'/')
        .unwrap_or(path.len())
}

/// The segments of a path of literals, which starts with a slash or is empty.
fn literals(path: &str) -> Vec<Segment> {
    path.split('/')
        .skip(1)
        .map(|literal| Segment::Literal(literal.into()))
        .collect()
}

fn covers_segments(
    wide: &[Segment],
    wide_rest: bool,
    narrow: &[Segment],
    narrow_rest: bool,
) -> bool {
    let enough = if wide_rest {
        narrow.len() >= wide.len()
    } else {
        narrow.len() == wide.len() && !narrow_rest
    };
    enough
        && wide
            .iter()
            .zip(narrow)
            .all(|(wide, narrow)| wide.covers(narrow))
}
