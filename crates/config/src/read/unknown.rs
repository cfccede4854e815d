//! What is said of a key that there is not.

use super::{Reader, Section};
use crate::diagnostic::Diagnostic;
use crate::schema::{Kind, Shape, keys};
use crate::suggest::{closest, either_of, same_word};
use crate::syntax::{Entry, ValueKind};

impl Reader<'_> {
    pub(super) fn unknown_key(&mut self, entry: &Entry, section: &Section) {
        let message = if section.shape.is_file()
            && matches!(entry.value.kind, ValueKind::Table(_) | ValueKind::List(_))
        {
            format!("unknown table `{}`", entry.key)
        } else {
            format!("unknown key `{}` in {}", entry.key, section.place)
        };
        let help = meant(&entry.key, section.shape).or_else(|| known(section.shape));
        self.findings
            .push(Diagnostic::error(entry.key_span.clone(), message).maybe_help(help));
    }
}

/// From the surest guess to the boldest.
fn meant(word: &str, shape: &'static Shape) -> Option<String> {
    let here = || shape.built().map(|key| key.name);
    if let Some(key) = shape.built().find(|key| {
        same_word(word, key.name)
            || strsim::osa_distance(word, key.name) == 1
            || key.also.iter().any(|other| same_word(word, other))
    }) {
        return Some(format!("did you mean `{}`?", key.name));
    }
    if let Some(help) = within(word, shape) {
        return Some(help);
    }
    let elsewhere: Vec<&str> = keys::FILE
        .all()
        .into_iter()
        .filter(|other| !std::ptr::eq(*other, shape) && !other.is_file())
        .filter(|other| other.key(word).is_some())
        .map(|other| other.place)
        .collect();
    if !elsewhere.is_empty() {
        return Some(format!("`{word}` belongs in {}", elsewhere.join(" or ")));
    }
    if let Some(key) = closest(word, here()) {
        return Some(format!("did you mean `{key}`?"));
    }
    closest(word, shape.not_yet().map(|key| key.name))
        .map(|key| format!("did you mean `{key}`? It is not supported yet"))
}

/// The key of a table within this one, left without that table: `path` for `match.path`.
fn within(word: &str, shape: &'static Shape) -> Option<String> {
    shape.built().find_map(|outer| {
        let Kind::Table(inner) = outer.kind else {
            return None;
        };
        let key = inner.keys.iter().find(|key| {
            same_word(word, key.name) || key.also.iter().any(|other| same_word(word, other))
        })?;
        (!shape.is_file()).then(|| format!("did you mean `{}.{}`?", outer.name, key.name))
    })
}

/// All keys, where they are few enough to be read.
fn known(shape: &Shape) -> Option<String> {
    let names: Vec<&str> = shape.built().map(|key| key.name).collect();
    (names.len() <= LISTED_KEYS).then(|| format!("it takes {}", either_of(names)))
}

const LISTED_KEYS: usize = 8;
