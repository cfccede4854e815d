//! A request as a server saw it, in a form that can be compared.

use std::fmt;

use crate::conditions::ADDED;

/// A whole request: field names in lower case and sorted by name, without those that a proxy adds; the body without its
/// framing. Bytes above 127 of the head are Latin-1.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// `METHOD target version`
    pub line: String,
    /// Names and values.
    pub fields: Vec<(String, String)>,
    /// The payload.
    pub body: Vec<u8>,
    /// Names and values behind a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Seen {
    /// From the lines of a head, parted by `\n`, and a body.
    pub fn new(head: &str, body: &[u8]) -> Self {
        let mut lines = head.split('\n');
        let line = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(|line| field(line).unwrap_or_else(|| panic!("no field: {line:?}")));
        Self::of(line, fields.collect(), body.to_vec(), Vec::new())
    }

    pub(crate) fn of(
        line: String,
        fields: Vec<(String, String)>,
        body: Vec<u8>,
        trailers: Vec<(String, String)>,
    ) -> Self {
        Self {
            line,
            fields: comparable(fields),
            body,
            trailers: comparable(trailers),
        }
    }

    pub(crate) fn with_trailers(self, lines: &str) -> Self {
        let trailers = lines.split('\n').filter_map(field).collect();
        Self::of(self.line, self.fields, self.body, trailers)
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// What the origin answers to it: what it saw.
    pub(crate) fn echo(&self) -> Vec<u8> {
        [self.line.as_bytes(), b"\n", &self.body].concat()
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.line)?;
        for (name, value) in &self.fields {
            write!(f, " | {name}: {}", value.escape_debug())?;
        }
        write!(f, " | body \"{}\"", self.body.escape_ascii())?;
        for (name, value) in &self.trailers {
            write!(f, " | trailer {name}: {}", value.escape_debug())?;
        }
        Ok(())
    }
}

/// `Name: value`, without the whitespace around the value.
pub(crate) fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn comparable(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !ADDED.contains(&name.as_str()))
        .collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}
