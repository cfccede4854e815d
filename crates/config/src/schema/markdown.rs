//! The reference of every key, as it stands in `docs/reference.md`.

use std::fmt::Write as _;

use super::{Default, Key, Kind, Shape, keys};
use crate::units::{ShowDuration, ShowRate, ShowSize};

/// The reference of every key as a Markdown page.
pub fn reference_markdown() -> String {
    let mut page = String::from(HEAD);
    for shape in keys::FILE.all() {
        section(&mut page, shape);
    }
    page
}

const HEAD: &str = "\
# Every key of the file

This page is generated from the table that the file is read by. [configuration.md](configuration.md) explains the
file as a whole. Any text value may hold references to the environment: `${NAME}` or `${NAME:-default}`.
";

fn section(page: &mut String, shape: &Shape) {
    let title = if shape.is_file() {
        "The file"
    } else {
        shape.place
    };
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {title}\n\n{}\n\n", shape.doc);
    page.push_str("| key | takes | default | |\n|---|---|---|---|\n");
    for key in shape.built() {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            key.name,
            cell(&takes(&key.kind)),
            cell(&default(key)),
            cell(key.doc),
        );
    }
    let not_yet: Vec<String> = shape
        .not_yet()
        .map(|key| format!("`{}`", key.name))
        .collect();
    if !not_yet.is_empty() {
        let _ = write!(
            page,
            "\nNot supported yet, and refused: {}.\n",
            not_yet.join(", ")
        );
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn default(key: &Key) -> String {
    match key.default {
        Default::Required(example) => format!("**required**, such as `{example}`"),
        Default::Is(value) => format!("`{value}`"),
        Default::Absent(meaning) => format!("not set: {meaning}"),
        Default::Depends(value) => value.to_owned(),
    }
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Number { min, max } => format!("a number from {min} to {max}"),
        Kind::Share { min, max } => format!("a share from {min}% to {max}%"),
        Kind::Duration { min, max } => {
            format!(
                "a duration from {} to {}",
                ShowDuration(*min),
                ShowDuration(*max)
            )
        }
        Kind::Size { max: u64::MAX, .. } => "a size".to_owned(),
        Kind::Size { min, max } => format!("a size from {} to {}", ShowSize(*min), ShowSize(*max)),
        Kind::Rate { min, max } => format!("a rate from {} to {}", ShowRate(*min), ShowRate(*max)),
        Kind::Choice(choices) => {
            let words = choices
                .iter()
                .map(|choice| format!("`\"{}\"`", choice.word));
            words.collect::<Vec<_>>().join(", ")
        }
        Kind::Either(kinds) => kinds.iter().map(takes).collect::<Vec<_>>().join(", or "),
        Kind::List { item, .. } => format!("a list, each item {}", takes(item)),
        Kind::OneOrList(item) => format!("{}, or a list of such", takes(item)),
        Kind::Fields(item) => format!("a table of field names, each with {}", takes(item)),
        Kind::Map { key, item } => {
            format!("a table, each key {} with {}", key.noun(), takes(item))
        }
        Kind::Secret { min } if *min > 1 => {
            format!("a text of at least {min} bytes, or `file:/path` that holds it")
        }
        Kind::Secret { .. } => "a text, or `file:/path` that holds it".to_owned(),
        Kind::Table(shape) => format!("a table: {}", link(shape)),
        Kind::Named(shape) => format!("tables by name: {}", link(shape)),
        Kind::Tables(shape) => format!("a list of tables: {}", link(shape)),
        other => other.noun(),
    }
}

/// A link to the section of a table.
fn link(shape: &Shape) -> String {
    let anchor: String = shape
        .place
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' => Some(c),
            _ => None,
        })
        .collect();
    format!("[{}](#{anchor})", shape.place)
}
