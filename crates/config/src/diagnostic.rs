//! What is wrong with a file, and how it is said: the line, the underlined words, the mistake, what was probably meant.
//!
//! Every stage hands its findings to one [`Findings`]; they are shown together, in the order of the file.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A place in the text, in bytes.
pub type Span = Range<usize>;

/// A text to load and what it is called in messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's path as the user gave it.
    pub name: String,
    /// What the file holds.
    pub text: String,
}

/// Without the text, which may hold secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Whether a finding keeps the file from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably says something else than was meant.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// The words it is about; `None` where it is about what is not there.
    pub span: Option<Span>,
    /// What is wrong with these very words, shown under them.
    pub label: Option<String>,
    /// Another place that belongs to it, and what that place is.
    pub related: Option<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake in the words at `span`.
    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span: Some(span),
            label: None,
            related: None,
            help: None,
        }
    }

    /// A mistake that no words of the file stand for.
    pub(crate) fn error_without_place(message: impl Into<String>) -> Self {
        Self {
            span: None,
            ..Self::error(0..0, message)
        }
    }

    /// Something that is allowed but probably not meant.
    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// Adds what is wrong with the very words.
    #[must_use]
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do about it, where that is known.
    #[must_use]
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Adds another place that belongs to it, where it is known.
    #[must_use]
    pub(crate) fn maybe_related(mut self, span: Option<Span>, label: &str) -> Self {
        self.related = span.map(|span| (span, label.to_owned()));
        self
    }

    /// Adds another place that belongs to it.
    #[must_use]
    pub(crate) fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }
}

/// All that was found in one source, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    source: Source,
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// What the findings hide is made unreadable here, once for all uses of the report.
    pub(crate) fn new(source: &Source, findings: Findings) -> Self {
        let Findings {
            list: mut diagnostics,
            hidden,
        } = findings;
        let source = Source {
            name: source.name.clone(),
            text: hide(&source.text, &hidden),
        };
        diagnostics
            .sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(usize::MAX, |s| s.start));
        Self {
            source,
            diagnostics,
        }
    }

    /// The findings, in the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many findings are warnings.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// The findings as a person reads them, with terminal colours only where `coloured`. Beyond the first hundred they
    /// are only counted.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for diagnostic in self.diagnostics.iter().take(SHOWN_AT_MOST) {
            text.push_str(&renderer.render(&[self.group(diagnostic)]));
            text.push_str("\n\n");
        }
        let rest = self.diagnostics.len().saturating_sub(SHOWN_AT_MOST);
        if rest > 0 {
            text.push_str("and ");
            text.push_str(&rest.to_string());
            text.push_str(" more\n\n");
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// `sluice.toml: 2 errors, 1 warning`
    pub fn summary(&self) -> String {
        let counts: Vec<String> = [(self.errors(), "error"), (self.warnings(), "warning")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
            .collect();
        let counts = if counts.is_empty() {
            "nothing wrong".to_owned()
        } else {
            counts.join(", ")
        };
        format!("{}: {counts}", self.source.name)
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&diagnostic.message));
        match &diagnostic.span {
            Some(span) => {
                let mut snippet = Snippet::source(&self.source.text)
                    .path(&self.source.name)
                    .annotation(
                        AnnotationKind::Primary
                            .span(first_line(&self.source.text, span))
                            .label(diagnostic.label.as_deref()),
                    );
                if let Some((span, label)) = &diagnostic.related {
                    snippet = snippet.annotation(
                        AnnotationKind::Context
                            .span(first_line(&self.source.text, span))
                            .label(label),
                    );
                }
                group = group.element(snippet);
            }
            None => {
                group = group.element(annotate_snippets::Origin::path(&self.source.name));
            }
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Report {}

/// Where the stages put what they find.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    hidden: Vec<Span>,
}

impl Findings {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    pub(crate) fn error(&mut self, span: &Span, message: impl Into<String>) {
        self.push(Diagnostic::error(span.clone(), message));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Keeps the words at `span` out of what is shown.
    pub(crate) fn hide(&mut self, span: &Span) {
        self.hidden.push(span.clone());
    }
}

/// More than anybody reads at once; each is drawn from the whole text, so a hostile file must not ask for thousands.
const SHOWN_AT_MOST: usize = 100;

/// The part of `span` on its first line, on character boundaries: a table of ten lines is underlined by its head.
fn first_line(text: &str, span: &Span) -> Span {
    let start = floor_char_boundary(text, span.start);
    let end = floor_char_boundary(text, span.end).max(start);
    let words = text.get(start..end).unwrap_or_default();
    let line = words.lines().next().unwrap_or_default();
    start..start + line.len()
}

/// The text with a `*` for each byte of the `hidden` places but line ends, so that all places stay where they are.
fn hide(text: &str, hidden: &[Span]) -> String {
    let mut shown = text.to_owned();
    for span in hidden {
        let Some(words) = shown.get(span.clone()) else {
            continue;
        };
        let stars: String = words
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { '*' })
            .collect();
        shown.replace_range(span.clone(), &stars);
    }
    shown
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}
