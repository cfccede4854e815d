//! The schema: one table of every key, from which the rest follows.
//!
//! [`keys`] holds the table. Reading a file ([`crate::read`]) goes by it, and so do the reference ([`markdown`]) and the
//! JSON Schema ([`json`]): what is accepted, what is documented and what an editor offers cannot differ.

mod json;
pub(crate) mod keys;
mod markdown;

use std::time::Duration;

pub use json::schema_json;
pub use markdown::reference_markdown;

use crate::diagnostic::Findings;
use crate::suggest::{either_of, either_text};

/// Hides what looks like the value of a secret in a text that is no TOML, where nothing is sure: the rest of every line
/// behind the name of such a key and `=`.
pub(crate) fn hide_secrets(text: &str, findings: &mut Findings) {
    let secrets: Vec<&str> = keys::FILE
        .all()
        .iter()
        .flat_map(|shape| shape.built())
        .filter(|key| matches!(key.kind, Kind::Secret { .. }))
        .map(|key| key.name)
        .collect();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        for name in &secrets {
            let value = line.find(name).and_then(|at| {
                let behind = line.get(at + name.len()..)?;
                let equals = behind.find('=')?;
                Some(at + name.len() + equals + 1)
            });
            if let Some(value) = value.filter(|value| start + value < end) {
                findings.hide(&(start + value..end));
            }
        }
        start += line.len();
    }
}

/// The keys of one kind of table.
#[derive(Debug)]
pub(crate) struct Shape {
    /// How the table is written, `[listeners.NAME]`, or for a table within one `match` of `[[routes]]`.
    pub(crate) place: &'static str,
    /// What the table is for.
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

impl Shape {
    /// Whether this is the whole file, which is no table that could be named.
    pub(crate) fn is_file(&self) -> bool {
        std::ptr::eq(self, &raw const keys::FILE)
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The keys that can be used.
    pub(crate) fn built(&self) -> impl Iterator<Item = &'static Key> {
        self.keys
            .iter()
            .filter(|key| !matches!(key.kind, Kind::NotYet))
    }

    /// The keys of the language that cannot be used yet.
    pub(crate) fn not_yet(&self) -> impl Iterator<Item = &'static Key> {
        self.keys
            .iter()
            .filter(|key| matches!(key.kind, Kind::NotYet))
    }

    /// This shape and every shape within it, each once and right behind the one it is within.
    pub(crate) fn all(&'static self) -> Vec<&'static Self> {
        let mut shapes = Vec::new();
        self.collect(&mut shapes);
        shapes
    }

    fn collect(&'static self, shapes: &mut Vec<&'static Self>) {
        if shapes.iter().any(|known| std::ptr::eq(*known, self)) {
            return;
        }
        shapes.push(self);
        for shape in self.keys.iter().flat_map(|key| key.kind.shapes()) {
            shape.collect(shapes);
        }
    }
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// What it does, in one sentence or two.
    pub(crate) doc: &'static str,
    /// What other programs call it, to be recognised in "did you mean".
    pub(crate) also: &'static [&'static str],
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default,
            doc,
            also: &[],
        }
    }

    const fn also(mut self, words: &'static [&'static str]) -> Self {
        self.also = words;
        self
    }

    /// A key of the language that is refused until it does something.
    const fn not_yet(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::NotYet, Default::Absent(""), doc)
    }
}

/// What holds where the key is not set.
#[derive(Debug)]
pub(crate) enum Default {
    /// The key must be set; an example of its value.
    Required(&'static str),
    /// This value, as it would be written.
    Is(&'static str),
    /// No value; what that means.
    Absent(&'static str),
    /// A value that depends on other keys, in words.
    Depends(&'static str),
}

/// What a key takes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A string of a certain form.
    Text(Form),
    /// `true` or `false`.
    Flag,
    /// A whole number in a range, both ends included.
    Number { min: i64, max: i64 },
    /// A number, whole or not, in a range, both ends included.
    Decimal { min: f32, max: f32 },
    /// A share in whole percent, in a range, both ends included.
    Share { min: u8, max: u8 },
    /// One of a few numbers.
    OneOf(&'static [i64]),
    /// A duration in a range, both ends included.
    Duration { min: Duration, max: Duration },
    /// Bytes in a range, both ends included.
    Size { min: u64, max: u64 },
    /// Bytes a second in a range, both ends included.
    Rate { min: u64, max: u64 },
    /// One of a few words.
    Choice(&'static [Choice]),
    /// A text that is never shown, `file:/path` to read it from a file; at least so many bytes.
    Secret { min: usize },
    /// The first of these that takes a value of this type.
    Either(&'static [Self]),
    /// A list of at least so many.
    List { item: &'static Self, min: usize },
    /// One, or a list of at least one.
    OneOrList(&'static Self),
    /// Names of header fields, each with a value.
    Fields(&'static Self),
    /// Texts of a form, each with a value; at least one.
    Map { key: Form, item: &'static Self },
    /// Any value, which becomes a text of JSON.
    Json,
    /// A table.
    Table(&'static Shape),
    /// Tables under names that the user gives.
    Named(&'static Shape),
    /// A list of tables.
    Tables(&'static Shape),
    /// Belongs to the language, is not supported yet.
    NotYet,
}

impl Kind {
    /// What it is, with its article.
    pub(crate) fn noun(&self) -> String {
        match self {
            Self::Text(form) => form.noun().to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Decimal { min, max } => format!("a number from {min} to {max}"),
            Self::Share { .. } => "a share such as \"50%\"".to_owned(),
            Self::OneOf(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                either_of(numbers.iter().map(String::as_str))
            }
            Self::Duration { .. } => "a duration such as \"5s\"".to_owned(),
            Self::Size { .. } => "a size such as \"64KiB\"".to_owned(),
            Self::Rate { .. } => "a rate such as \"500B/s\"".to_owned(),
            Self::Choice(choices) => either_text(choices.iter().map(|choice| choice.word)),
            Self::Secret { .. } => "a secret text".to_owned(),
            Self::Either(kinds) => {
                let nouns: Vec<String> = kinds.iter().map(Self::noun).collect();
                nouns.join(" or ")
            }
            Self::List { .. } => "a list".to_owned(),
            Self::OneOrList(item) => format!("{} or a list", item.noun()),
            Self::Fields(_) => "a table of header fields".to_owned(),
            Self::Map { key, .. } => format!("a table with {} as each key", key.noun()),
            Self::Json => "any value".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Named(_) => "named tables".to_owned(),
            Self::Tables(_) => "a list of tables".to_owned(),
            Self::NotYet => "nothing yet".to_owned(),
        }
    }

    /// Whether a value can be a duration, beside others.
    pub(crate) fn takes_duration(&self) -> bool {
        match self {
            Self::Duration { .. } => true,
            Self::Either(kinds) => kinds.iter().any(Self::takes_duration),
            _ => false,
        }
    }

    /// The shapes that a value can have.
    fn shapes(&self) -> Vec<&'static Shape> {
        match self {
            Self::Table(shape) | Self::Named(shape) | Self::Tables(shape) => vec![*shape],
            Self::Either(kinds) => kinds.iter().flat_map(Self::shapes).collect(),
            Self::List { item, .. } | Self::OneOrList(item) | Self::Map { item, .. } => {
                item.shapes()
            }
            _ => Vec::new(),
        }
    }
}

/// What a string must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Where to listen.
    Bind,
    /// Where a server is.
    Server,
    /// An IP address.
    Ip,
    /// An IP address or a network in CIDR form.
    Network,
    /// The code of a country.
    Country,
    /// A network or a country.
    Origin,
    /// The name of an upstream of this file.
    Upstream,
    /// The name of a listener of this file.
    Listener,
    /// The name of an `[auth.NAME]` of this file.
    Auth,
    /// A name that the user gives.
    Name,
    /// A pattern of host names.
    Host,
    /// The name of an application protocol.
    Protocol,
    /// A pattern of paths.
    Path,
    /// A pattern of any text.
    Pattern,
    /// A request method.
    Method,
    /// Any text.
    Any,
    /// A text with `{variables}`.
    Template,
    /// A path or URL with `{variables}`.
    Location,
    /// What paths begin with.
    PathPrefix,
    /// A path, with a query or without, with `{variables}`.
    NewTarget,
    /// A regular expression of whole paths.
    PathRegex,
    /// The value of `Host` with `{variables}`.
    NewHost,
    /// The name of a header field.
    FieldName,
    /// The value of a header field.
    FieldValue,
    /// The value of a header field with `{variables}`.
    FieldTemplate,
    /// Whose pages: an origin or a pattern of such.
    WebOrigin,
    /// The name of a cookie.
    CookieName,
    /// The domain of a cookie.
    CookieDomain,
    /// The path of a cookie.
    CookiePath,
    /// A name as `Via` takes it.
    Pseudonym,
    /// Where log lines go.
    LogTarget,
    /// What of a request decides about its server.
    HashKey,
    /// Where servers say how loaded they are.
    LoadReport,
    /// What counts as a failure of a server.
    Failure,
    /// After what time a request is hedged.
    HedgeAfter,
    /// The path of a file.
    File,
    /// A host name or an IP address, without a port.
    HostName,
    /// A host name that an authority can certify without DNS-01.
    Domain,
    /// An e-mail address.
    Mail,
    /// An `https` URL.
    HttpsUrl,
    /// An `http` or `https` URL.
    HttpUrl,
    /// Where something is read or fetched from.
    FileOrUrl,
    /// A path with or without a query, as requests name it.
    Target,
    /// The value of `Host`.
    Authority,
    /// A status, or a range of them.
    Statuses,
    /// Where in a JSON text a value stands.
    JsonPath,
    /// The same as a JSON pointer.
    JsonPointer,
    /// What a value of a JSON text must be.
    JsonTest,
    /// The bytes of a datagram.
    Datagram,
    /// Where a Redis is.
    Redis,
    /// The name of a rate limit of this file.
    RateLimit,
    /// How many requests in which time.
    RequestRate,
    /// Who has a quota of their own.
    LimitKey,
}

/// One of the words of a [`Kind::Choice`].
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) word: &'static str,
}

impl Choice {
    const fn new(word: &'static str) -> Self {
        Self { word }
    }
}
