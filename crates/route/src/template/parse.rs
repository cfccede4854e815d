//! From the text of a template to its parts.

use std::ops::Range;

use thiserror::Error;

use super::{Part, Template, Variable};

/// Why a text is not a template. `at` are the bytes of the text, braces included, that are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// Neither a variable nor a capture of the route's path.
    #[error(
        "there is no variable `{name}`: write `{{{{{name}}}}}` if the braces are meant literally"
    )]
    Unknown {
        /// What stands in the braces.
        name: String,
        /// Where.
        at: Range<usize>,
    },
    /// `{header}`, `{cookie:}` or `{claim}`.
    #[error("`{name}` needs the name of one: `{{{name}:NAME}}`")]
    NoArgument {
        /// `header`, `cookie` or `claim`.
        name: String,
        /// Where.
        at: Range<usize>,
    },
    /// The name after the colon cannot be one of a header or cookie (RFC 9110 §5.6.2).
    #[error("`{argument}` cannot be the name of a {name}")]
    BadArgument {
        /// `header` or `cookie`.
        name: String,
        /// What stands after the colon.
        argument: String,
        /// Where.
        at: Range<usize>,
    },
}

impl TemplateError {
    /// The bytes of the text, braces included, that are wrong.
    pub fn at(&self) -> Range<usize> {
        match self {
            Self::Unknown { at, .. }
            | Self::NoArgument { at, .. }
            | Self::BadArgument { at, .. } => at.clone(),
        }
    }
}

pub(super) fn parse<S: AsRef<str>>(text: &str, captures: &[S]) -> Result<Template, TemplateError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = if let Some(name) = escaped_name(rest) {
            plain.extend(["{", name, "}"]);
            name.len() + 4
        } else if let Some(name) = braced_name(rest) {
            let length = name.len() + 2;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain).into()));
            }
            let variable = variable(name, at..at + length, captures)?;
            parts.push(Part::Variable(variable));
            length
        } else {
            // Up to the next brace, which is not this one.
            let length = rest
                .char_indices()
                .skip(1)
                .find(|&(_, c)| c == '{')
                .map_or(rest.len(), |(next, _)| next);
            plain.push_str(rest.get(..length).unwrap_or_default());
            length
        };
        at += length;
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain.into()));
    }
    Ok(Template {
        parts: parts.into(),
    })
}

impl Variable {
    /// Whether a text can name a capture or a variable without an argument.
    pub(crate) fn is_name(text: &str) -> bool {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    /// Whether the language gives the name a meaning.
    pub(crate) fn is_reserved(name: &str) -> bool {
        Self::plain(name).is_some() || WITH_ARGUMENT.contains(&name)
    }

    fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "client-ip" => Self::ClientIp,
            "client-port" => Self::ClientPort,
            "method" => Self::Method,
            "scheme" => Self::Scheme,
            "host" => Self::Host,
            "path" => Self::Path,
            "query" => Self::Query,
            "request-id" => Self::RequestId,
            "route" => Self::Route,
            "upstream" => Self::Upstream,
            "server" => Self::Server,
            "tls-version" => Self::TlsVersion,
            "country" => Self::Country,
            "tls-subject" => Self::TlsSubject,
            _ => return None,
        })
    }
}

const WITH_ARGUMENT: [&str; 3] = ["header", "cookie", "claim"];

fn variable<S: AsRef<str>>(
    text: &str,
    at: Range<usize>,
    captures: &[S],
) -> Result<Variable, TemplateError> {
    let (name, argument) = match text.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text, None),
    };
    if WITH_ARGUMENT.contains(&name) {
        return with_argument(name, argument.unwrap_or_default(), at);
    }
    let capture = || {
        captures
            .iter()
            .position(|capture| capture.as_ref() == name)
            .map(Variable::Capture)
    };
    if argument.is_none()
        && let Some(variable) = Variable::plain(name).or_else(capture)
    {
        return Ok(variable);
    }
    let name = text.to_owned();
    Err(TemplateError::Unknown { name, at })
}

fn with_argument(name: &str, argument: &str, at: Range<usize>) -> Result<Variable, TemplateError> {
    if argument.is_empty() {
        let name = name.to_owned();
        return Err(TemplateError::NoArgument { name, at });
    }
    // Claims may have any name, a URL too (RFC 7519, 4.2).
    if name != "claim" && !argument.bytes().all(is_token) {
        return Err(TemplateError::BadArgument {
            name: name.to_owned(),
            argument: argument.to_owned(),
            at,
        });
    }
    Ok(match name {
        "header" => Variable::Header(argument.to_ascii_lowercase().into()),
        "cookie" => Variable::Cookie(argument.into()),
        _ => Variable::Claim(argument.into()),
    })
}

/// The name in `{{name}}` at the start of a text.
fn escaped_name(text: &str) -> Option<&str> {
    let name = braced_name(text.strip_prefix('{')?)?;
    text.get(name.len() + 3..)?.starts_with('}').then_some(name)
}

/// What looks like a name in `{name}` or `{name:argument}` at the start of a text.
fn braced_name(text: &str) -> Option<&str> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let (name, argument) = inside.split_once(':').unwrap_or((inside, ""));
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '{' | '"' | '\'');
    (Variable::is_name(name) && argument.chars().all(plain)).then_some(inside)
}

/// RFC 9110 §5.6.2
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
