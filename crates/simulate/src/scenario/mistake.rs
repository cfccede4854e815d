//! What is wrong with a scenario's file, and how it is said: the line, the underlined words, what was probably meant.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use thiserror::Error;

/// Why there is no scenario.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// A file cannot be read: the scenario's own, or one that it names.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Wrong(#[from] Box<Mistake>),
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    file: String,
    text: String,
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// What is wrong, before it is known in which file.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            message: message.into(),
            help: None,
        }
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    pub(super) fn in_file(self, file: &str, text: &str) -> ScenarioError {
        ScenarioError::Wrong(Box::new(Mistake {
            file: file.to_owned(),
            text: text.to_owned(),
            span: self.span,
            message: self.message,
            help: self.help,
        }))
    }
}

/// What TOML or a type says, in the words of this program.
impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        let said = error.message();
        let words: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
        let unknown = said.starts_with("unknown field") || said.starts_with("unknown variant");
        let (message, help) = match words.split_first() {
            Some((word, known)) if unknown => {
                let message = if said.starts_with("unknown field") {
                    format!("unknown key `{word}`")
                } else {
                    format!("`{word}` is not known here")
                };
                let help = suggest(word, known.iter().copied()).unwrap_or_else(|| {
                    format!(
                        "what can stand here is {}",
                        either_of(known.iter().copied())
                    )
                });
                (message, Some(help))
            }
            Some((word, _)) if said.starts_with("missing field") => (
                format!("`{word}` is missing"),
                Some(format!("add `{word} = …` here")),
            ),
            Some((word, _))
                if said.starts_with("invalid type: ") && said.ends_with(" a string") =>
            {
                (
                    format!("`{word}` lacks its quotes, and perhaps its unit"),
                    Some("amounts are written as \"250ms\", \"70%\" or \"1000/s\"".to_owned()),
                )
            }
            _ => (said.to_owned(), None),
        };
        Self {
            span: error.span(),
            message,
            help,
        }
    }
}

impl Mistake {
    /// As a person reads it, with terminal colours only where `coloured`.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.message));
        group = match &self.span {
            Some(span) => group.element(
                Snippet::source(&self.text)
                    .path(&self.file)
                    .annotation(AnnotationKind::Primary.span(first_line(&self.text, span))),
            ),
            None => group.element(annotate_snippets::Origin::path(&self.file)),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let mut text = renderer.render(&[group]);
        text.push('\n');
        text
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Mistake {}

/// "did you mean", where a word is near enough to be meant.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let plain = word.to_ascii_lowercase().replace('_', "-");
    let allowed = |name: &str| name.len().min(word.len()).div_ceil(3).min(3);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&plain, name), name))
        .filter(|(distance, name)| *distance <= allowed(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

/// `a`, `b` or `c`, each in backticks.
pub(super) fn either_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => {
            format!("{} or {last}", others.join(", "))
        }
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

/// The part of `span` on its first line.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let words = text.get(span.clone()).unwrap_or_default();
    let line = words.lines().next().unwrap_or_default();
    span.start.min(text.len())..(span.start + line.len()).min(text.len())
}
