//! Patterns of hosts, and what of a `Host` field they are compared with.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use regex::bytes::Regex;
use thiserror::Error;

use crate::glob::Glob;
use crate::regular::{self, RegexError};

/// Which hosts a route is for. Case never counts, nor do the port and a trailing dot of the request's host.
///
/// - `api.example.com`, `192.0.2.1`, `[2001:db8::1]`: exactly this one.
/// - `*.example.com`: every name below, at any depth, but not `example.com` itself.
/// - `*`: every host, and requests without one.
/// - any other text with a `*`: a glob, in which `*` stands for any characters, dots too.
/// - `~regex`: the whole name matches the regular expression.
#[derive(Clone, Debug)]
pub struct HostPattern {
    source: Box<str>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Any,
    /// In lower case, without a trailing dot.
    Exact(Box<str>),
    /// What names must end with, in lower case: `.example.com`.
    Below(Box<str>),
    Glob(Glob),
    Regex(Regex),
}

impl HostPattern {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        Ok(Self {
            source: text.into(),
            form: Form::parse(text)?,
        })
    }

    /// Whether a request with this host, as received, is meant.
    pub fn matches(&self, host: &str) -> bool {
        self.matches_name(&host_name(host))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    pub(crate) fn is_any(&self) -> bool {
        matches!(self.form, Form::Any)
    }

    /// Compares with what [`host_name`] returned.
    pub(crate) fn matches_name(&self, name: &str) -> bool {
        match &self.form {
            Form::Any => true,
            Form::Exact(exact) => **exact == *name,
            Form::Below(suffix) => ends_below(name, suffix),
            Form::Glob(glob) => glob.matches(name.as_bytes()),
            Form::Regex(regex) => regex.is_match(name.as_bytes()),
        }
    }

    /// How the pattern can be looked up.
    pub(crate) fn key(&self) -> HostKey<'_> {
        match &self.form {
            Form::Exact(name) => HostKey::Exact(name),
            Form::Below(suffix) => HostKey::Below(suffix),
            Form::Any | Form::Glob(_) | Form::Regex(_) => HostKey::Other,
        }
    }

    /// Whether every host that `later` matches is surely matched by this pattern too.
    pub(crate) fn covers(&self, later: &Self) -> bool {
        match (&self.form, &later.form) {
            (Form::Any, _) => true,
            (_, Form::Exact(name)) => self.matches_name(name),
            (Form::Below(wide), Form::Below(narrow)) => narrow.ends_with(&**wide),
            _ => {
                self.source.eq_ignore_ascii_case(&later.source) && !self.source.starts_with('~')
                    || self == later
            }
        }
    }
}

/// By what a table finds a pattern.
pub(crate) enum HostKey<'a> {
    /// The whole name.
    Exact(&'a str),
    /// What names end with, which begins with a dot.
    Below(&'a str),
    /// Only by trying.
    Other,
}

impl Form {
    fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(regex) = text.strip_prefix('~') {
            if regex.is_empty() {
                return Err(HostError::EmptyRegex);
            }
            return Ok(Self::Regex(regular::compile(regex, true)?));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            return Ok(Self::Any);
        }
        if let Ok(address) = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(text)
            .parse::<Ipv6Addr>()
        {
            return Ok(Self::Exact(format!("[{address}]").into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        check_name(name)?;
        let lower = name.to_ascii_lowercase();
        if let Some(suffix) = lower.strip_prefix('*')
            && suffix.starts_with('.')
            && !suffix.contains('*')
        {
            return Ok(Self::Below(suffix.into()));
        }
        Ok(Glob::new(&lower, true).map_or_else(|| Self::Exact(lower.into()), Self::Glob))
    }
}

/// By the text they were written as.
impl PartialEq for HostPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for HostPattern {}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Why a text is not a pattern of hosts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// Nothing is written.
    #[error("a host is missing: write `*` for every host")]
    Empty,
    /// A scheme or a path stands beside the host.
    #[error("a host is a name only: without `http://` and without a path")]
    NotOnlyAHost,
    /// The port of a request is not looked at.
    #[error("a host is matched without its port: leave `:{0}` away")]
    Port(String),
    /// Requests carry international names in their ASCII form.
    #[error("`{0}` is not ASCII: requests carry such names in their `xn--` form, so write that")]
    NotAscii(char),
    /// A character that is in no host.
    #[error("`{0}` cannot stand in a host")]
    Character(char),
    /// Two dots in a row or a dot at the start.
    #[error("a label between the dots is empty")]
    EmptyLabel,
    /// `~` with nothing after it.
    #[error("`~` starts a regular expression, but none follows")]
    EmptyRegex,
    /// What follows the `~` cannot be used.
    #[error(transparent)]
    Regex(#[from] RegexError),
}

/// What of a `Host` field (RFC 9110 §7.2) is compared, and what `{host}` stands for: without the port and a trailing dot,
/// in lower case; an IPv6 address in brackets and in its canonical form. Allocates only for IPv6 addresses and names with
/// capitals.
pub fn host_name(host: &str) -> Cow<'_, str> {
    if host.starts_with('[') {
        return v6_name_of(host);
    }
    let end = memchr::memchr(b':', host.as_bytes()).unwrap_or(host.len());
    let name = host.get(..end).unwrap_or(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    if has_capitals(name) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

/// Looks at all of it, which takes fewer steps than stopping at the first.
fn has_capitals(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .by_ref()
        .fold(false, |any, byte| any | byte.is_ascii_uppercase())
}

fn v6_name_of(host: &str) -> Cow<'_, str> {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or("", |(inner, _)| inner);
    match inner.parse::<Ipv6Addr>() {
        Ok(address) => Cow::Owned(format!("[{address}]")),
        Err(_) => Cow::Owned(host.to_ascii_lowercase()),
    }
}

/// `suffix` begins with a dot; something must stand before it.
pub(crate) fn ends_below(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len() && name.ends_with(suffix)
}

fn check_name(name: &str) -> Result<(), HostError> {
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    if name.contains('/') {
        return Err(HostError::NotOnlyAHost);
    }
    if let Some((_, port)) = name.rsplit_once(':')
        && (port == "*" || port.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(HostError::Port(port.to_owned()));
    }
    let wrong = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '*'));
    match name.chars().find(wrong) {
        Some(c) if !c.is_ascii() => return Err(HostError::NotAscii(c)),
        Some(c) => return Err(HostError::Character(c)),
        None => {}
    }
    if name.split('.').any(str::is_empty) {
        return Err(HostError::EmptyLabel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (pattern, host, expected) in [
            ("api.example.com", "api.example.com", true),
            ("API.example.com.", "api.EXAMPLE.com", true),
            ("api.example.com", "api.example.com:8080", true),
            ("api.example.com", "api.example.com.", true),
            ("api.example.com", "api.example.com.:80", true),
            ("api.example.com", "xapi.example.com", false),
            ("api.example.com", "", false),
            ("*.example.com", "a.example.com", true),
            ("*.Example.com", "A.b.eXample.com:1", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*", "anything", true),
            ("*", "", true),
            ("api-*.example.com", "api-1.eu.example.com", true),
            ("api-*.example.com", "api.example.com", false),
            ("*.*.com", "a.b.com", true),
            ("*.*.com", "b.com", false),
            ("~(?:a|b)\\.example\\.com", "B.Example.com:80", true),
            ("~example", "example.com", false),
            ("[2001:DB8::1]", "[2001:db8:0::1]:443", true),
            ("2001:db8::1", "[2001:db8::1]", true),
            ("[::1]", "[::2]", false),
            ("192.0.2.1", "192.0.2.1:80", true),
            ("*", "[junk", true),
            ("junk", "[junk", false),
        ] {
            let compiled = HostPattern::parse(pattern).expect("a pattern");
            assert_eq!(compiled.matches(host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn refused() {
        for (pattern, error) in [
            ("", HostError::Empty),
            (".", HostError::Empty),
            ("http://a", HostError::NotOnlyAHost),
            ("a/b", HostError::NotOnlyAHost),
            ("a:80", HostError::Port("80".into())),
            ("*:80", HostError::Port("80".into())),
            ("[::1]:80", HostError::Port("80".into())),
            ("bücher.example", HostError::NotAscii('ü')),
            ("a b", HostError::Character(' ')),
            ("[::g]", HostError::Character('[')),
            (".example.com", HostError::EmptyLabel),
            ("a..b", HostError::EmptyLabel),
            ("~", HostError::EmptyRegex),
            (
                "~*",
                HostError::Regex(RegexError::Syntax(
                    "repetition operator missing expression".into(),
                )),
            ),
        ] {
            assert_eq!(HostPattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn names_borrow_unless_they_must_change() {
        assert!(matches!(host_name("a.com.:80"), Cow::Borrowed("a.com")));
        assert!(matches!(host_name(""), Cow::Borrowed("")));
        assert_eq!(host_name("A.com"), "a.com");
        assert_eq!(host_name("[0:0::1]:80"), "[::1]");
        assert_eq!(host_name("[X"), "[x");
    }
}
