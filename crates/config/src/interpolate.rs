//! References in text values: `${NAME}` and `${NAME:-default}` read the environment, `$${` stands for `${`.
//!
//! What a reference stood for is never quoted in a message: it may be a secret. Messages quote the file as it is
//! written.

use crate::Surroundings;
use crate::diagnostic::{Diagnostic, Findings, Span};
use crate::syntax::{Table, Text, Value, ValueKind};

/// Replaces every reference in the text values of `table`.
pub(crate) fn resolve(
    table: &mut Table,
    source: &str,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) {
    let mut resolver = Resolver {
        source,
        surroundings,
        findings,
    };
    resolver.table(table);
}

/// Whether a value, as written with its quotes, says only where to find what is meant: `"${NAME}"`, `"file:/path"`.
pub(crate) fn only_refers(written: &str) -> bool {
    let text = written.trim_matches(['"', '\'']);
    let name = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    text.starts_with("file:") || name.is_some_and(is_variable_name)
}

struct Resolver<'a> {
    source: &'a str,
    surroundings: &'a dyn Surroundings,
    findings: &'a mut Findings,
}

impl Resolver<'_> {
    fn table(&mut self, table: &mut Table) {
        for entry in &mut table.entries {
            self.value(&mut entry.value);
        }
    }

    fn value(&mut self, value: &mut Value) {
        match &mut value.kind {
            ValueKind::Text(text) if text.value.contains("${") => {
                value.kind = self
                    .text(&text.value, &value.span)
                    .map_or(ValueKind::Reported, ValueKind::Text);
            }
            ValueKind::List(items) => items.iter_mut().for_each(|item| self.value(item)),
            ValueKind::Table(table) => self.table(table),
            _ => {}
        }
    }

    /// `None` where a reference has no value; each such is reported.
    fn text(&mut self, text: &str, span: &Span) -> Option<Text> {
        let mut value = Some(String::with_capacity(text.len()));
        let mut resolved = false;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                append(&mut value, Some(&format!("{before}${{")));
                rest = after;
                continue;
            }
            append(&mut value, Some(before));
            let Some((inside, after)) = split_at_closing_brace(after) else {
                self.report(span, "${", "this reference is not closed", FORM.to_owned());
                return None;
            };
            append(&mut value, self.look_up(inside, span).as_deref());
            resolved = true;
            rest = after;
        }
        append(&mut value, Some(rest));
        value.map(|value| Text { value, resolved })
    }

    fn look_up(&mut self, inside: &str, span: &Span) -> Option<String> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let words = format!("${{{inside}}}");
        if !is_variable_name(name) {
            let message = format!("`{name}` is not the name of an environment variable");
            self.report(span, &words, &message, FORM.to_owned());
            return None;
        }
        match (self.surroundings.env(name), default) {
            // As in the shell, the default also stands in for a variable that is set but empty.
            (Some(value), Some(_)) if !value.is_empty() => Some(value),
            (_, Some(default)) => Some(default.to_owned()),
            (Some(value), None) => Some(value),
            (None, None) => {
                let message = format!("the environment variable `{name}` is not set");
                let help = format!("set it, or give a default: `${{{name}:-default}}`");
                self.report(span, &words, &message, help);
                None
            }
        }
    }

    /// Underlines `words` within the value, or all of the value where escapes hide them.
    fn report(&mut self, span: &Span, words: &str, message: &str, help: String) {
        let value = self.source.get(span.clone()).unwrap_or_default();
        let found = match value.find(words) {
            Some(at) => span.start + at..span.start + at + words.len(),
            None => span.clone(),
        };
        self.findings
            .push(Diagnostic::error(found, message).help(help));
    }
}

const FORM: &str = "a reference is `${NAME}` or `${NAME:-default}`, its name made of letters, digits and `_`; \
                    `$${` stands for `${` itself";

fn append(value: &mut Option<String>, more: Option<&str>) {
    match (value.as_mut(), more) {
        (Some(value), Some(more)) => value.push_str(more),
        _ => *value = None,
    }
}

/// Splits at the brace that closes the reference; a default may hold pairs of braces itself.
fn split_at_closing_brace(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
