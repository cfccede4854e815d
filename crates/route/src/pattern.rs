//! Patterns of values: a literal, a glob or a regular expression.

use std::fmt;
use std::str::FromStr;

use regex::bytes::Regex;
use thiserror::Error;

use crate::glob::Glob;
use crate::regular::{self, RegexError};

/// What a value must look like: a regular expression if it starts with `~`, a glob if it holds `*`, else a literal.
///
/// All three speak of the whole value: `~v[0-9]` holds for `v1` but not for `v10`; write `~.*v[0-9].*` to search. A
/// glob of only `*` means that there is a value, whatever it is. Case counts; `~(?i)...` ignores it.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Box<str>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Any,
    Literal,
    Glob(Glob),
    Regex(Regex),
}

impl Pattern {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let form = if let Some(regex) = text.strip_prefix('~') {
            if regex.is_empty() {
                return Err(PatternError::EmptyRegex);
            }
            Form::Regex(regular::compile(regex, false)?)
        } else if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            Form::Any
        } else if let Some(glob) = Glob::new(text, false) {
            Form::Glob(glob)
        } else {
            Form::Literal
        };
        Ok(Self {
            source: text.into(),
            form,
        })
    }

    /// Whether it is `*`: any value will do.
    pub(crate) fn is_any(&self) -> bool {
        matches!(self.form, Form::Any)
    }

    /// Whether the whole of `value` is as the pattern says.
    pub fn matches(&self, value: &[u8]) -> bool {
        match &self.form {
            Form::Any => true,
            Form::Literal => self.source.as_bytes() == value,
            Form::Glob(glob) => glob.matches(value),
            Form::Regex(regex) => regex.is_match(value),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether every value that `later` matches is surely matched by this pattern too.
    pub(crate) fn covers(&self, later: &Self) -> bool {
        match (&self.form, &later.form) {
            (Form::Any, _) => true,
            (_, Form::Literal) => self.matches(later.source.as_bytes()),
            _ => self == later,
        }
    }
}

/// By the text they were written as.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// `~` with nothing after it.
    #[error("`~` starts a regular expression, but none follows")]
    EmptyRegex,
    /// What follows the `~` cannot be used.
    #[error(transparent)]
    Regex(#[from] RegexError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (pattern, value, expected) in [
            ("premium", "premium", true),
            ("premium", "Premium", false),
            ("premium", "premium ", false),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("*", "anything", true),
            ("*Mobile*", "a Mobile b", true),
            ("~[0-9]+", "42", true),
            ("~[0-9]+", "x42", false),
            ("~(?i)yes", "YES", true),
        ] {
            let compiled = Pattern::parse(pattern).expect("a pattern");
            assert_eq!(
                compiled.matches(value.as_bytes()),
                expected,
                "{pattern} {value}"
            );
            assert_eq!(compiled.to_string(), pattern);
        }
        assert_eq!(Pattern::parse("~"), Err(PatternError::EmptyRegex));
        assert!(matches!(Pattern::parse("~["), Err(PatternError::Regex(_))));
    }

    #[test]
    fn covering() {
        for (a, b, expected) in [
            ("*", "~x+", true),
            ("a*", "ab", true),
            ("a*", "b", false),
            ("a*", "a*", true),
            ("a*", "ab*", false),
            ("~a+", "aa", true),
            ("ab", "a*", false),
        ] {
            let parse = |text| Pattern::parse(text).expect("a pattern");
            assert_eq!(parse(a).covers(&parse(b)), expected, "{a} {b}");
        }
    }
}
