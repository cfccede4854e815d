//! What is said of a key that there is not.

use super::{Reader, Section};
use crate::diagnostic::Diagnostic;
use crate::schema::{Key, Kind, Shape, keys};
use crate::suggest::{all_of, closest, same_word};
use crate::syntax::{Entry, ValueKind};

impl Reader<'_> {
    /// Reports the key, and returns the one of this table that was probably meant.
    pub(super) fn unknown_key(&mut self, entry: &Entry, section: &Section) -> Option<&'static Key> {
        let is_table = matches!(entry.value.kind, ValueKind::Table(_) | ValueKind::List(_));
        let message = if section.shape.is_file() && is_table {
            format!("unknown table `{}`", entry.key)
        } else {
            format!("unknown key `{}` in {}", entry.key, section.place)
        };
        let guess = guess(&entry.key, section.shape);
        let (help, meant) = match guess {
            Some(Guess::Here(key)) => (Some(here(key)), Some(key)),
            Some(Guess::Elsewhere(help)) => (Some(help), None),
            None => (known(section), None),
        };
        self.findings
            .push(Diagnostic::error(entry.key_span.clone(), message).maybe_help(help));
        meant
    }
}

enum Guess {
    /// A key of the same table.
    Here(&'static Key),
    /// A key of another table, in words.
    Elsewhere(String),
}

/// From the surest guess to the boldest.
fn guess(word: &str, shape: &'static Shape) -> Option<Guess> {
    if let Some(key) = shape
        .built()
        .find(|key| is_called(key, word) || strsim::osa_distance(word, key.name) == 1)
    {
        return Some(Guess::Here(key));
    }
    if let Some(help) = within(word, shape) {
        return Some(Guess::Elsewhere(help));
    }
    let elsewhere: Vec<&str> = keys::FILE
        .all()
        .into_iter()
        .filter(|other| !std::ptr::eq(*other, shape) && !other.is_file())
        .filter(|other| other.key(word).is_some())
        .map(|other| other.place)
        .collect();
    if !elsewhere.is_empty() {
        let help = format!("`{word}` belongs in {}", elsewhere.join(" or "));
        return Some(Guess::Elsewhere(help));
    }
    closest(word, shape.built().map(|key| key.name))
        .or_else(|| closest(word, shape.not_yet().map(|key| key.name)))
        .or_else(|| longer_or_shorter(word, shape))
        .and_then(|name| shape.key(name))
        .map(Guess::Here)
}

fn is_called(key: &Key, word: &str) -> bool {
    same_word(word, key.name) || key.also.iter().any(|other| same_word(word, other))
}

/// The key of a table within this one, left without that table: `path` for `match.path`.
fn within(word: &str, shape: &'static Shape) -> Option<String> {
    if shape.is_file() {
        return None;
    }
    shape.built().find_map(|outer| {
        let Kind::Table(inner) = outer.kind else {
            return None;
        };
        let key = inner.keys.iter().find(|key| is_called(key, word))?;
        Some(format!("did you mean `{}.{}`?", outer.name, key.name))
    })
}

/// `healthcheck` for `health`.
fn longer_or_shorter(word: &str, shape: &'static Shape) -> Option<&'static str> {
    shape.keys.iter().map(|key| key.name).find(|name| {
        let shorter = word.len().min(name.len());
        shorter >= TELLING_LETTERS && (word.starts_with(name) || name.starts_with(word))
    })
}

const TELLING_LETTERS: usize = 4;

fn here(key: &Key) -> String {
    match key.kind {
        Kind::NotYet => format!("did you mean `{}`? It is not supported yet", key.name),
        _ => format!("did you mean `{}`?", key.name),
    }
}

/// All keys, where they are few enough to be read.
fn known(section: &Section) -> Option<String> {
    let names: Vec<&str> = section.shape.built().map(|key| key.name).collect();
    (names.len() <= LISTED_KEYS).then(|| format!("{} takes {}", section.place, all_of(names)))
}

const LISTED_KEYS: usize = 8;
