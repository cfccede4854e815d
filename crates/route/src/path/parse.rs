//! From the text of a path pattern to its form.

use thiserror::Error;

use super::{Form, Segment};
use crate::captures::Captures;
use crate::glob::Glob;
use crate::normalise::{PathError, write_canonical};
use crate::regular::{self, RegexError};
use crate::template::Variable;

/// Why a text is not a pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathPatternError {
    /// It starts with neither `/` nor `~`.
    #[error("a path starts with `/`, or with `~` for a regular expression")]
    NoLeadingSlash,
    /// `?` or `#` is in it.
    #[error("`{0}` cannot stand in a path: what follows it is not part of the path")]
    NotPath(char),
    /// An escape cannot stand in a path.
    #[error("{0}")]
    Escape(#[from] PathError),
    /// `//`, `/./` or `/../` is in it.
    #[error("`{0}` never stands in a path when routes are matched: it is resolved before")]
    NeverInPath(&'static str),
    /// `{` without `}`.
    #[error("`{{` is not closed: a capture is written as `{{name}}`")]
    Unclosed,
    /// `}` without `{`.
    #[error("`}}` has no `{{` before it: a capture is written as `{{name}}`")]
    Unopened,
    /// The name in braces is none.
    #[error(
        "`{0}` is not the name of a capture: that is a letter, then letters, digits, `-` or `_`"
    )]
    CaptureName(String),
    /// The name is that of a variable that a template fills in.
    #[error("a capture cannot be called `{0}`, which is a variable already")]
    ReservedName(String),
    /// The same name is given twice. A `*` at the end has the name `rest`.
    #[error("two captures are called `{0}`")]
    DuplicateCapture(String),
    /// Two captures between the same two slashes.
    #[error(
        "only one capture can stand between two slashes: use a regular expression, `~...(?<name>...)`"
    )]
    TwoInSegment,
    /// `{name*}` is not the last segment.
    #[error("`{{{0}*}}` takes all the rest, so it must be the whole last segment")]
    RestNotLast(String),
    /// A glob cannot say where its captures are.
    #[error(
        "captures and a `*` before the end cannot be combined: use a regular expression, `~...(?<name>...)`"
    )]
    CaptureInGlob,
    /// More captures than [`Captures::MAX`].
    #[error("a path has at most {max} captures", max = Captures::MAX)]
    TooManyCaptures,
    /// `~` with nothing after it.
    #[error("`~` starts a regular expression, but none follows")]
    EmptyRegex,
    /// What follows the `~` cannot be used.
    #[error(transparent)]
    Regex(#[from] RegexError),
}

/// What a `*` at the end is captured as.
const REST: &str = "rest";

/// The form and the names of the captures in order.
pub(super) fn parse(text: &str) -> Result<(Form, Vec<Box<str>>), PathPatternError> {
    if let Some(regex) = text.strip_prefix('~') {
        return parse_regex(regex);
    }
    if !text.starts_with('/') {
        return Err(PathPatternError::NoLeadingSlash);
    }
    if let Some(c) = text.chars().find(|c| matches!(c, '?' | '#')) {
        return Err(PathPatternError::NotPath(c));
    }
    let text = collapse_stars(text);
    let (body, rest) = split_rest(&text)?;
    if body.contains('*') {
        return Ok((parse_glob(body, rest.as_deref())?, Vec::new()));
    }
    let mut names = Vec::new();
    let mut segments = Vec::new();
    let mut parts = body.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = rest.is_none() && parts.peek().is_none();
        segments.push(parse_segment(part, last, &mut names)?);
    }
    if let Some(name) = &rest {
        add_name(name, &mut names)?;
    }
    Ok((form_of(segments, rest.is_some()), names))
}

fn parse_regex(text: &str) -> Result<(Form, Vec<Box<str>>), PathPatternError> {
    if text.is_empty() {
        return Err(PathPatternError::EmptyRegex);
    }
    let regex = regular::compile(text, false)?;
    let mut names = Vec::new();
    let mut groups = Vec::new();
    for (index, name) in regex.capture_names().enumerate() {
        if let Some(name) = name {
            add_name(name, &mut names)?;
            groups.push(index);
        }
    }
    let form = Form::Regex {
        regex,
        groups: groups.into(),
        literal: regular::beginning(text).into(),
    };
    Ok((form, names))
}

/// `body` is all before a final `/*`, and `rest` the name of that, if there is one.
fn parse_glob(body: &str, rest: Option<&str>) -> Result<Form, PathPatternError> {
    if body.contains(['{', '}']) || rest.is_some_and(|name| name != REST) {
        return Err(PathPatternError::CaptureInGlob);
    }
    let mut text = String::new();
    let mut parts = body.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        text.push('/');
        let last = rest.is_none() && parts.peek().is_none();
        text.push_str(&literal(part, last)?);
    }
    let before = text.split('*').next().unwrap_or_default().into();
    let (whole, bare) = match rest {
        Some(_) => (
            Glob::new(&format!("{text}/*"), false),
            Glob::new(&text, false),
        ),
        None => (Glob::new(&text, false), None),
    };
    Ok(match whole {
        Some(glob) => Form::Glob {
            glob,
            bare,
            literal: before,
        },
        None => Form::Exact(text.into()),
    })
}

/// Cuts off a last segment that takes all the rest, and gives the name it is captured by.
fn split_rest(text: &str) -> Result<(&str, Option<String>), PathPatternError> {
    let Some((body, last)) = text.rsplit_once('/') else {
        return Ok((text, None));
    };
    let name = match last {
        "*" => Some(REST),
        _ => last
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix("*}"))
            .filter(|name| !name.contains(['{', '}'])),
    };
    let before = if name.is_some() { body } else { text };
    if let Some((inside, _)) = before.split_once("*}") {
        let name = inside.rsplit('{').next().unwrap_or(inside);
        return Err(PathPatternError::RestNotLast(name.to_owned()));
    }
    Ok((before, name.map(str::to_owned)))
}

fn parse_segment(
    text: &str,
    last: bool,
    names: &mut Vec<Box<str>>,
) -> Result<Segment, PathPatternError> {
    let Some((before, rest)) = text.split_once('{') else {
        if text.contains('}') {
            return Err(PathPatternError::Unopened);
        }
        return Ok(Segment::Literal(literal(text, last)?.into()));
    };
    if before.contains('}') {
        return Err(PathPatternError::Unopened);
    }
    let (name, after) = rest.split_once('}').ok_or(PathPatternError::Unclosed)?;
    if after.contains('{') {
        return Err(PathPatternError::TwoInSegment);
    }
    if after.contains('}') {
        return Err(PathPatternError::Unopened);
    }
    add_name(name, names)?;
    let mut canonical = [String::new(), String::new()];
    for (text, out) in [before, after].into_iter().zip(&mut canonical) {
        write_canonical(text, "", out)?;
    }
    let [before, after] = canonical.map(Into::into);
    Ok(Segment::Capture { before, after })
}

/// In the form that paths have when they are matched. Only the last segment may be empty.
fn literal(text: &str, last: bool) -> Result<String, PathPatternError> {
    let mut canonical = String::new();
    write_canonical(text, "*", &mut canonical)?;
    match canonical.as_str() {
        "" if !last => Err(PathPatternError::NeverInPath("//")),
        "." => Err(PathPatternError::NeverInPath("/./")),
        ".." => Err(PathPatternError::NeverInPath("/../")),
        _ => Ok(canonical),
    }
}

fn add_name(name: &str, names: &mut Vec<Box<str>>) -> Result<(), PathPatternError> {
    if !Variable::is_name(name) {
        return Err(PathPatternError::CaptureName(name.to_owned()));
    }
    if Variable::is_reserved(name) {
        return Err(PathPatternError::ReservedName(name.to_owned()));
    }
    if names.iter().any(|taken| **taken == *name) {
        return Err(PathPatternError::DuplicateCapture(name.to_owned()));
    }
    if names.len() == Captures::MAX {
        return Err(PathPatternError::TooManyCaptures);
    }
    names.push(name.into());
    Ok(())
}

fn form_of(segments: Vec<Segment>, rest: bool) -> Form {
    let mut text = String::new();
    for segment in &segments {
        let Segment::Literal(literal) = segment else {
            let segments = segments.into();
            return Form::Segments { segments, rest };
        };
        text.push('/');
        text.push_str(literal);
    }
    if rest {
        Form::Prefix(text.into())
    } else {
        Form::Exact(text.into())
    }
}

/// `**` says no more than `*`.
fn collapse_stars(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '*' || !collapsed.ends_with('*') {
            collapsed.push(c);
        }
    }
    collapsed
}
