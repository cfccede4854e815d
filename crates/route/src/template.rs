//! Texts with `{variables}` in them.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::TemplateError;

/// A text in which variables and captures are filled in for each request.
///
/// `{client-ip}` is a variable, `{id}` a capture if the route's path has one of that name. Braces around anything that
/// does not look like a name stand for themselves, so that JSON needs no care: `{"a": {}}`. `{{name}}` stands for
/// `{name}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Variable(Variable),
}

/// What stands in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `{client-ip}`
    ClientIp,
    /// `{client-port}`
    ClientPort,
    /// `{method}`
    Method,
    /// `{scheme}`: `http` or `https`
    Scheme,
    /// `{host}`: as `match.host` sees it, without a port
    Host,
    /// `{path}`
    Path,
    /// `{query}`: without the `?`
    Query,
    /// `{request-id}`
    RequestId,
    /// `{route}`
    Route,
    /// `{upstream}`
    Upstream,
    /// `{server}`
    Server,
    /// `{country}`: the client's country by its code; empty where it is not known.
    Country,
    /// `{tls-version}`: `TLSv1.2` or `TLSv1.3`; empty where nothing is ciphered.
    TlsVersion,
    /// `{tls-subject}`: the subject of the client's certificate; empty where it has shown none.
    TlsSubject,
    /// `{header:NAME}`; the name in lower case
    Header(Box<str>),
    /// `{cookie:NAME}`
    Cookie(Box<str>),
    /// `{claim:NAME}`: of the token by which the client was let in; empty where there is none.
    Claim(Box<str>),
    /// A capture: its index for [`Captures::get`](crate::Captures::get).
    Capture(usize),
}

impl Template {
    /// Every variable that can be used, as it is written between the braces.
    pub const VARIABLES: &'static [&'static str] = &[
        "client-ip",
        "client-port",
        "method",
        "scheme",
        "host",
        "path",
        "query",
        "request-id",
        "route",
        "upstream",
        "server",
        "country",
        "tls-version",
        "tls-subject",
        "header:NAME",
        "cookie:NAME",
        "claim:NAME",
    ];

    /// Reads a template. `captures` are the names that [`PathPattern::captures`](crate::PathPattern::captures) gives
    /// for the same route.
    pub fn parse<S: AsRef<str>>(text: &str, captures: &[S]) -> Result<Self, TemplateError> {
        parse::parse(text, captures)
    }

    /// A text in which no braces mean anything.
    pub fn literal(text: &str) -> Self {
        let part = (!text.is_empty()).then(|| Part::Text(text.into()));
        Self {
            parts: part.into_iter().collect(),
        }
    }

    /// The whole text where there is no variable in it.
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first variable; and where there is none, that variable.
    pub(crate) fn start(&self) -> (&str, Option<&Variable>) {
        match self.parts.first() {
            Some(Part::Text(text)) => (text, None),
            Some(Part::Variable(variable)) => ("", Some(variable)),
            None => ("", None),
        }
    }

    /// Whether nothing stands behind this variable.
    pub(crate) fn ends_with(&self, variable: &Variable) -> bool {
        matches!(self.parts.last(), Some(Part::Variable(last)) if last == variable)
    }

    /// How many variables stand before the first `mark` of the text itself; all of them where there is none.
    pub(crate) fn variables_before(&self, mark: char) -> usize {
        let has_mark = |part: &Part| matches!(part, Part::Text(text) if text.contains(mark));
        let before = self.parts.iter().take_while(|part| !has_mark(part));
        before
            .filter(|part| matches!(part, Part::Variable(_)))
            .count()
    }

    /// The variables in the order they stand, repeated ones too.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable(variable) => Some(variable),
        })
    }

    /// Appends the text to `out`. `value` appends what a variable stands for, or nothing where there is nothing.
    ///
    /// CR, LF and NUL in what it appends become spaces (RFC 9110 §5.5), so that no value can end a header field and
    /// begin another one.
    pub fn render(&self, mut value: impl FnMut(&Variable, &mut Vec<u8>), out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => {
                    let start = out.len();
                    value(variable, out);
                    blank_line_ends(out.get_mut(start..).unwrap_or_default());
                }
            }
        }
    }
}

/// CR, LF and NUL in a value become spaces (RFC 9110, 5.5), so that it ends no field line.
pub fn blank_line_ends(value: &mut [u8]) {
    for byte in value {
        if matches!(*byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
}
