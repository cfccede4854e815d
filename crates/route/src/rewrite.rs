//! Another path in the place of the one that was asked for.
//!
//! What is written is always a path as [`normalise_path`] leaves it, whatever clients send: the pieces that come from the
//! request are escaped, and a path that leads elsewhere by its dots is refused.

use thiserror::Error;

use crate::captures::Captures;
use crate::escape::{Part, foreign, of_path};
use crate::normalise::normalise_path;
use crate::path::{PathPattern, below};
use crate::template::{Template, Variable};

/// How a path becomes another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// What the path begins with is left out: `/api` of `/api/x`. A path that does not begin so stays.
    StripPrefix(Box<str>),
    /// What the path of the route stands for but for its last capture, the rest, becomes this. Without a slash at its end.
    Prefix(Box<str>),
    /// The whole path becomes this.
    Whole(NewTarget),
    /// The whole path becomes this where it matches, and stays where it does not. The captures are those of `pattern`.
    Matching {
        /// A regular expression.
        pattern: PathPattern,
        /// What it becomes.
        to: NewTarget,
    },
}

/// A path with or without a query, of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTarget {
    /// The path.
    pub path: Template,
    /// What follows the `?`; `None` keeps the request's.
    pub query: Option<Template>,
}

/// What is rewritten.
#[derive(Clone, Copy, Debug)]
pub struct Requested<'a> {
    /// The path as [`normalise_path`] returned it, which the captures are of.
    pub path: &'a str,
    /// The query, as received.
    pub query: Option<&'a str>,
    /// The captures of the route.
    pub captures: &'a Captures,
}

/// The pieces of the request lead to another place than the one that the route means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeadsElsewhere {
    /// `/safe/{header:x}` with `..`
    #[error("the new path holds dot segments")]
    ByDots,
    /// `/tenants/{claim:tenant}/{rest}` without a tenant: the first of what follows would be taken for one.
    #[error("the new path has nothing where a variable of it is a whole segment")]
    ByNothing,
}

impl PathRewrite {
    /// Replaces the content of `out` by the target that is asked for now, in origin form. `value` appends what a variable
    /// that is no capture stands for, as it is.
    ///
    /// The query stays, unless the new target has one.
    pub fn target(
        &self,
        asked: &Requested<'_>,
        mut value: impl FnMut(&Variable, &mut Vec<u8>),
        out: &mut String,
    ) -> Result<(), LeadsElsewhere> {
        out.clear();
        let mut query = asked.query;
        let mut own = String::new();
        let written = match self {
            // `OPTIONS *` is about no path.
            _ if asked.path == "*" => None,
            Self::StripPrefix(prefix) => Some(strip(prefix, asked.path).to_owned()),
            Self::Prefix(prefix) => Some(format!("{prefix}{}", tail(asked))),
            Self::Whole(to) => Some(to.write(asked, &mut value, &mut query, &mut own)?),
            Self::Matching { pattern, to } => match pattern.captured(asked.path) {
                Some(captures) => {
                    let asked = Requested {
                        captures: &captures,
                        ..*asked
                    };
                    Some(to.write(&asked, &mut value, &mut query, &mut own)?)
                }
                None => None,
            },
        };
        match written.as_deref() {
            None => out.push_str(asked.path),
            Some("") => out.push('/'),
            Some(path) => {
                if path.split('/').any(|segment| matches!(segment, "." | "..")) {
                    return Err(LeadsElsewhere::ByDots);
                }
                let mut buffer = String::new();
                let path = normalise_path(path, &mut buffer).map_err(|_| LeadsElsewhere::ByDots)?;
                out.push_str(path);
            }
        }
        let query = if own.is_empty() { query } else { Some(&*own) };
        if let Some(query) = query {
            out.push('?');
            out.push_str(query);
        }
        Ok(())
    }
}

impl NewTarget {
    /// The path; the query into `own` where this has one, and `query` is none then.
    fn write(
        &self,
        asked: &Requested<'_>,
        value: &mut dyn FnMut(&Variable, &mut Vec<u8>),
        query: &mut Option<&str>,
        own: &mut String,
    ) -> Result<String, LeadsElsewhere> {
        if let Some(template) = &self.query {
            *query = None;
            *own = write_part(template, Part::Query, asked, value, &mut Vec::new());
        }
        let mut gaps = Vec::new();
        let path = write_part(&self.path, Part::Path, asked, value, &mut gaps);
        let is_segment = |&gap: &usize| {
            let (before, behind) = path.split_at_checked(gap).unwrap_or_default();
            before.ends_with('/') && (behind.is_empty() || behind.starts_with('/'))
        };
        if gaps.iter().any(is_segment) {
            return Err(LeadsElsewhere::ByNothing);
        }
        Ok(path)
    }
}

/// `gaps` gets the places where a variable stands for nothing.
fn write_part(
    template: &Template,
    part: Part,
    asked: &Requested<'_>,
    value: &mut dyn FnMut(&Variable, &mut Vec<u8>),
    gaps: &mut Vec<usize>,
) -> String {
    let mut out = Vec::new();
    let mut raw = Vec::new();
    let render = |variable: &Variable, out: &mut Vec<u8>| {
        let mut text = String::new();
        match (variable, part) {
            (Variable::Capture(index), _) => {
                let capture = asked.captures.get(*index, asked.path);
                of_path(capture.unwrap_or_default().as_bytes(), part, &mut text);
            }
            (Variable::Path, _) => of_path(asked.path.as_bytes(), part, &mut text),
            (Variable::Query, Part::Query) => {
                text.push_str(asked.query.unwrap_or_default());
                if text.is_empty() && out.ends_with(b"&") {
                    out.pop();
                }
            }
            _ => {
                raw.clear();
                value(variable, &mut raw);
                foreign(&raw, &mut text);
                if text.is_empty() {
                    gaps.push(out.len());
                }
            }
        }
        out.extend_from_slice(text.as_bytes());
    };
    template.render(render, &mut out);
    // Texts of files are UTF-8, and what is filled in is ASCII.
    String::from_utf8(out).unwrap_or_default()
}

fn strip<'p>(prefix: &str, path: &'p str) -> &'p str {
    match path.strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => path,
    }
}

/// The last capture, with the slash before it.
fn tail<'p>(asked: &Requested<'p>) -> &'p str {
    let last = asked.captures.len().checked_sub(1);
    let rest = last.and_then(|last| asked.captures.get(last, asked.path));
    let start = asked.path.len() - rest.unwrap_or_default().len();
    let before = asked.path.get(..start).unwrap_or_default();
    let start = start - usize::from(before.ends_with('/'));
    asked.path.get(start..).unwrap_or_default()
}

impl PathPattern {
    /// What is captured in a normalised path; `None` where it does not match.
    pub fn captured(&self, path: &str) -> Option<Captures> {
        if !self.matches(path) {
            return None;
        }
        let mut captures = Captures::new();
        self.capture(path, &mut captures);
        Some(captures)
    }

    /// Whether the last capture is all that is below what stands before it, as in `/api/*`.
    pub fn captures_the_rest(&self) -> bool {
        use crate::path::Form::{Prefix, Segments};
        matches!(self.form(), Prefix(_) | Segments { rest: true, .. })
    }

    /// Whether one of its paths may be `prefix` or below it.
    pub fn may_be_below(&self, prefix: &str) -> bool {
        use crate::path::Form::{Exact, Prefix};
        match self.form() {
            Exact(path) => below(prefix, path).is_some(),
            Prefix(own) => below(prefix, own).is_some() || below(own, prefix).is_some(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests;
