//! The first stage: TOML text to a tree in which every key and value knows where it stands.
//!
//! The tree keeps the order of the file. What the parser can save from a text with mistakes is kept, so that the later
//! stages can report theirs at once.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Findings, Span};

/// Keys and values in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    /// Its header `[…]`, its braces, or the key it was made by.
    pub(crate) span: Span,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) span: Span,
    pub(crate) kind: ValueKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueKind {
    Text(Text),
    Integer(i64),
    Fraction(f64),
    Flag(bool),
    /// A date: no key takes one.
    Other(&'static str),
    List(Vec<Value>),
    Table(Table),
    /// A value that an earlier stage has already found wrong.
    Reported,
}

impl ValueKind {
    /// The tables directly within.
    fn tables(&self) -> Vec<&Table> {
        match self {
            Self::Table(table) => vec![table],
            Self::List(items) => items.iter().flat_map(|item| item.kind.tables()).collect(),
            _ => Vec::new(),
        }
    }

    /// What it is, with its article.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Fraction(_) => "a number with a fraction",
            Self::Flag(_) => "a boolean",
            Self::Other(noun) => noun,
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Reported => "a wrong value",
        }
    }
}

/// A string value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// Holds what a reference stood for, so it must not be quoted in messages.
    pub(crate) resolved: bool,
}

/// What became of a text.
pub(crate) struct Parsed {
    pub(crate) table: Table,
    /// Whether the table holds all that the text says. It does where the only mistakes are keys that are set twice.
    pub(crate) intact: bool,
}

/// Parses `text`; what is wrong with it goes to `findings`.
pub(crate) fn parse(text: &str, findings: &mut Findings) -> Parsed {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut intact = true;
    let lines = line_starts(text);
    let mut reported_lines = HashSet::new();
    let mut mistakes = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        intact &= error.message() == DUPLICATE;
        // One slip makes the parser stumble several times on its line; the first is the telling one.
        let line = lines.partition_point(|start| *start <= span.start);
        if reported_lines.insert(line) {
            mistakes.push((span, error.message().to_owned()));
        }
    }
    let mut conversion = Conversion { findings };
    let table = conversion.table(0..0, table.into_inner());
    for (span, message) in mistakes {
        findings.push(explain(text, &table, span, &message));
    }
    Parsed { table, intact }
}

/// Turns the parser's tree into ours; numbers that fit no `i64` are reported on the way.
struct Conversion<'a> {
    findings: &'a mut Findings,
}

impl Conversion<'_> {
    fn table(&mut self, span: Span, table: DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .into_iter()
            .map(|(key, value)| Entry {
                key_span: key.span(),
                key: key.into_inner().into_owned(),
                value: self.value(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        Table { span, entries }
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>) -> Value {
        let span = value.span();
        let kind = match value.into_inner() {
            DeValue::String(text) => ValueKind::Text(Text {
                value: text.into_owned(),
                resolved: false,
            }),
            DeValue::Integer(number) => self.integer(&number, &span),
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => ValueKind::Fraction(number),
                Err(_) => ValueKind::Other("a number with a fraction"),
            },
            DeValue::Boolean(flag) => ValueKind::Flag(flag),
            DeValue::Datetime(_) => ValueKind::Other("a date or time"),
            DeValue::Array(items) => {
                ValueKind::List(items.into_iter().map(|item| self.value(item)).collect())
            }
            DeValue::Table(table) => ValueKind::Table(self.table(span.clone(), table)),
        };
        Value { span, kind }
    }

    fn integer(&mut self, number: &DeInteger<'_>, span: &Span) -> ValueKind {
        if let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) {
            return ValueKind::Integer(number);
        }
        self.findings
            .error(span, "the number is too large for any key");
        ValueKind::Reported
    }
}

/// The parser's message in the words of a user, where it needs some.
fn explain(text: &str, table: &Table, span: Span, message: &str) -> Diagnostic {
    let words = text.get(span.clone()).unwrap_or_default();
    if message == DUPLICATE {
        let first = first_of(text, table, words, span.start);
        return Diagnostic::error(span, format!("`{words}` is set twice"))
            .maybe_related(first, "first here");
    }
    let token = token_at(text, span.start);
    let token_words = text.get(token.clone()).unwrap_or_default();
    let unquoted = [
        "string values must be quoted",
        "invalid float",
        "invalid integer",
        "invalid mantissa",
    ]
    .iter()
    .any(|start| message.starts_with(start));
    if unquoted && token_words.is_empty() {
        return Diagnostic::error(span, "a value is missing here");
    }
    if unquoted {
        // Not quoted here: what stands there may be a secret.
        return Diagnostic::error(token, "a text stands in quotes: \"…\"");
    }
    if message == "invalid basic string, expected `\"`" {
        return Diagnostic::error(span, "the text is not closed: a `\"` is missing");
    }
    Diagnostic::error(span, format!("not TOML: {message}"))
}

/// Where the key that is set again at `second` was set before, if that is sure: with no header between.
fn first_of(text: &str, table: &Table, key: &str, second: usize) -> Option<Span> {
    let mut nearest: Option<Span> = None;
    let mut tables = vec![table];
    while let Some(table) = tables.pop() {
        for entry in &table.entries {
            let is_nearer = nearest
                .as_ref()
                .is_none_or(|span| span.start < entry.key_span.start);
            if entry.key == key && entry.key_span.start < second && is_nearer {
                nearest = Some(entry.key_span.clone());
            }
            tables.extend(entry.value.kind.tables());
        }
    }
    let first = nearest?;
    let between = text.get(first.end..second)?;
    (!between.contains("\n[")).then_some(first)
}

/// The unquoted words around `offset`, up to what separates values.
fn token_at(text: &str, offset: usize) -> Span {
    let separates = |c: char| {
        c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}' | '=' | '#' | '"' | '\'')
    };
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let start = before.rfind(separates).map_or(0, |at| {
        at + before
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8)
    });
    let end = before.len() + after.find(separates).unwrap_or(after.len());
    start..end
}

/// The parser's words for a key that is set twice.
const DUPLICATE: &str = "duplicate key";

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .collect()
}
