//! Single values by their kind, and what is said of those that do not fit.

use std::fmt::Display;
use std::path::Path;

use super::meant::meant_by;
use super::{Read, Reader, Typed};
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::Secret;
use crate::schema::{Choice, Form, Key, Kind};
use crate::suggest::{closest, either_of, either_text};
use crate::syntax::{Text, Value, ValueKind};
use crate::units::{
    self, DURATION, RATE, SHARE, SIZE, ShowDuration, ShowRate, ShowSize, UnitError, Units,
};

impl Reader<'_> {
    pub(super) fn scalar(
        &mut self,
        value: &Value,
        kind: &'static Kind,
        key: &'static Key,
    ) -> Option<Read> {
        let typed = match (kind, &value.kind) {
            (Kind::Text(form), ValueKind::Text(text)) => self.text(text, *form, &value.span),
            (Kind::Choice(choices), ValueKind::Text(text)) => {
                self.choice(text, choices, &value.span, key)
            }
            (Kind::Duration { min, max }, ValueKind::Text(text)) => {
                let fits = |found| {
                    (*min..=*max)
                        .contains(&found)
                        .then_some(Typed::Duration(found))
                };
                let found = units::duration(&text.value).map(fits);
                let bounds: (&dyn Display, &dyn Display) =
                    (&ShowDuration(*min), &ShowDuration(*max));
                self.quantity(text, found, &DURATION, bounds, &value.span, key)
            }
            (Kind::Size { min, max }, ValueKind::Text(text)) => {
                let fits = |found| (*min..=*max).contains(&found).then_some(Typed::Size(found));
                let found = units::size(&text.value).map(fits);
                let bounds: (&dyn Display, &dyn Display) = (&ShowSize(*min), &ShowSize(*max));
                self.quantity(text, found, &SIZE, bounds, &value.span, key)
            }
            (Kind::Rate { min, max }, ValueKind::Text(text)) => {
                let fits = |found| (*min..=*max).contains(&found).then_some(Typed::Rate(found));
                let found = units::rate(&text.value).map(fits);
                let bounds: (&dyn Display, &dyn Display) = (&ShowRate(*min), &ShowRate(*max));
                self.quantity(text, found, &RATE, bounds, &value.span, key)
            }
            (Kind::Share { min, max }, ValueKind::Text(text)) => {
                self.share(text, *min..=*max, &value.span, key)
            }
            (Kind::Decimal { min, max }, ValueKind::Integer(number)) => {
                #[expect(clippy::cast_precision_loss, reason = "far beyond any range")]
                let number = *number as f64;
                self.decimal(number, *min..=*max, &value.span, key)
            }
            (Kind::Decimal { min, max }, ValueKind::Fraction(number)) => {
                self.decimal(*number, *min..=*max, &value.span, key)
            }
            (
                Kind::Decimal { min, max },
                ValueKind::Text(Text {
                    value: text,
                    resolved: true,
                }),
            ) => match text.parse() {
                Ok(number) => self.decimal(number, *min..=*max, &value.span, key),
                Err(_) => return self.does_not_stand_for("a number", &value.span),
            },
            (Kind::Secret { min }, ValueKind::Text(text)) => {
                self.secret(text, *min, &value.span, key)
            }
            (Kind::Flag, ValueKind::Flag(flag)) => Some(Typed::Flag(*flag)),
            (
                Kind::Flag,
                ValueKind::Text(Text {
                    value: text,
                    resolved: true,
                }),
            ) => match text.as_str() {
                "true" => Some(Typed::Flag(true)),
                "false" => Some(Typed::Flag(false)),
                _ => return self.does_not_stand_for("`true` or `false`", &value.span),
            },
            (Kind::Number { .. } | Kind::OneOf(_), ValueKind::Integer(number)) => {
                self.number(*number, kind, &value.span, key)
            }
            (
                Kind::Number { .. } | Kind::OneOf(_),
                ValueKind::Text(Text {
                    value: text,
                    resolved: true,
                }),
            ) => match text.parse() {
                Ok(number) => self.number(number, kind, &value.span, key),
                Err(_) => return self.does_not_stand_for("a whole number", &value.span),
            },
            _ => return self.mismatch(value, kind, key),
        };
        Some(Read {
            span: value.span.clone(),
            typed: typed?,
        })
    }

    fn text(&mut self, text: &Text, form: Form, span: &Span) -> Option<Typed> {
        match form.parse(&text.value) {
            Ok(typed) => Some(typed),
            Err(_) if text.resolved => {
                self.does_not_stand_for(form.noun(), span);
                None
            }
            Err(misfit) => {
                let shown = if form.hides(&text.value) {
                    "this".to_owned()
                } else {
                    quote(&text.value)
                };
                let message = format!("{shown} is not {}", form.noun());
                self.findings.push(
                    Diagnostic::error(span.clone(), message)
                        .label(misfit.reason)
                        .maybe_help(misfit.help),
                );
                None
            }
        }
    }

    fn choice(
        &mut self,
        text: &Text,
        choices: &'static [Choice],
        span: &Span,
        key: &Key,
    ) -> Option<Typed> {
        if let Some(choice) = choices.iter().find(|choice| choice.word == text.value) {
            return Some(Typed::Word(choice.word));
        }
        let takes = match key.kind {
            Kind::Either(_) => key.kind.noun(),
            _ => words(choices),
        };
        if text.resolved {
            self.does_not_stand_for(&takes, span);
            return None;
        }
        let known = choices.iter().map(|choice| choice.word);
        let help = match closest(&text.value, known) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("it takes {takes}"),
        };
        let message = format!("{} is not a value of `{}`", quote(&text.value), key.name);
        self.findings
            .push(Diagnostic::error(span.clone(), message).help(help));
        None
    }

    /// A number with its unit: `found` is nothing where it is out of its `bounds`.
    fn quantity(
        &mut self,
        text: &Text,
        found: Result<Option<Typed>, UnitError>,
        units: &Units,
        bounds: (&dyn Display, &dyn Display),
        span: &Span,
        key: &Key,
    ) -> Option<Typed> {
        match found {
            Ok(Some(typed)) => Some(typed),
            Ok(None) => {
                let (min, max) = (bounds.0.to_string(), bounds.1.to_string());
                self.out_of_range(&text_shown(text), key, &min, &max, span)
            }
            Err(error) => self.not_in_units(text, units, &error, span, key),
        }
    }

    fn number(&mut self, number: i64, kind: &Kind, span: &Span, key: &Key) -> Option<Typed> {
        match kind {
            Kind::Number { min, max } if !(*min..=*max).contains(&number) => self.out_of_range(
                &number.to_string(),
                key,
                &min.to_string(),
                &max.to_string(),
                span,
            ),
            Kind::OneOf(numbers) if !numbers.contains(&number) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                let message = format!(
                    "`{}` is {}, not {number}",
                    key.name,
                    either_of(numbers.iter().map(String::as_str))
                );
                self.findings.error(span, message);
                None
            }
            _ => Some(Typed::Number(number)),
        }
    }

    fn decimal(
        &mut self,
        number: f64,
        range: std::ops::RangeInclusive<f32>,
        span: &Span,
        key: &Key,
    ) -> Option<Typed> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is too large is out of range"
        )]
        let rounded = number as f32;
        if range.contains(&rounded) {
            return Some(Typed::Decimal(rounded));
        }
        let (min, max) = (range.start().to_string(), range.end().to_string());
        self.out_of_range(&number.to_string(), key, &min, &max, span)
    }

    fn share(
        &mut self,
        text: &Text,
        range: std::ops::RangeInclusive<u8>,
        span: &Span,
        key: &Key,
    ) -> Option<Typed> {
        match units::share(&text.value) {
            Ok(share) if range.contains(&share) => Some(Typed::Share(share)),
            Ok(_) => {
                let (min, max) = (format!("{}%", range.start()), format!("{}%", range.end()));
                self.out_of_range(&text_shown(text), key, &min, &max, span)
            }
            Err(error) => self.not_in_units(text, &SHARE, &error, span, key),
        }
    }

    fn out_of_range(
        &mut self,
        shown: &str,
        key: &Key,
        min: &str,
        max: &str,
        span: &Span,
    ) -> Option<Typed> {
        self.findings.error(
            span,
            format!("`{}` is from {min} to {max}, not {shown}", key.name),
        );
        None
    }

    fn not_in_units(
        &mut self,
        text: &Text,
        units: &Units,
        error: &UnitError,
        span: &Span,
        key: &Key,
    ) -> Option<Typed> {
        let noun = match key.kind {
            Kind::Either(_) => key.kind.noun(),
            _ => units.noun.to_owned(),
        };
        if text.resolved {
            self.does_not_stand_for(&noun, span);
            return None;
        }
        let help = match units.guess(&text.value) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("{} is {}", units.noun, units.form),
        };
        let message = format!("{} is not {noun}", quote(&text.value));
        self.findings.push(
            Diagnostic::error(span.clone(), message)
                .label(error.to_string())
                .help(help),
        );
        None
    }

    /// A secret is taken from a file where it says `file:`; nothing of it is ever shown.
    fn secret(&mut self, text: &Text, min: usize, span: &Span, key: &Key) -> Option<Typed> {
        let secret = match text.value.strip_prefix("file:") {
            None => text.value.clone(),
            Some(path) => match self.surroundings.secret(Path::new(path)) {
                Ok(secret) => secret,
                Err(reason) => {
                    self.findings.push(
                        Diagnostic::error(span.clone(), "the file of this secret cannot be read")
                            .label(reason),
                    );
                    return None;
                }
            },
        };
        if secret.len() < min {
            let message = if secret.is_empty() {
                format!("`{}` is empty", key.name)
            } else {
                format!("`{}` is too short: it needs at least {min} bytes", key.name)
            };
            self.findings.error(span, message);
            return None;
        }
        Some(Typed::Secret(Secret::new(&secret)))
    }

    /// A reference was resolved, but not to what is needed.
    fn does_not_stand_for(&mut self, noun: &str, span: &Span) -> Option<Read> {
        let written = self.source.get(span.clone()).unwrap_or_default();
        let message = format!(
            "`{}` does not stand for {noun}",
            written.trim_matches(['"', '\''])
        );
        self.findings.push(
            Diagnostic::error(span.clone(), message)
                .help("what it stands for is not shown here, since it may be a secret"),
        );
        None
    }

    /// A value of another type than the key takes.
    pub(super) fn mismatch(&mut self, value: &Value, kind: &Kind, key: &Key) -> Option<Read> {
        let message = format!(
            "`{}` takes {}, not {}",
            key.name,
            kind.noun(),
            value.kind.noun()
        );
        let written = self.source.get(value.span.clone()).unwrap_or_default();
        let help = meant_by(value, kind, key, written);
        self.findings
            .push(Diagnostic::error(value.span.clone(), message).maybe_help(help));
        None
    }
}

/// The kind of several that is meant: the word if it is one, else the first that takes such a value.
pub(super) fn fitting(value: &Value, kinds: &'static [Kind]) -> Option<&'static Kind> {
    let takes = |kind: &&Kind| {
        matches!(
            (kind, &value.kind),
            (
                Kind::Text(_)
                    | Kind::Choice(_)
                    | Kind::Duration { .. }
                    | Kind::Size { .. }
                    | Kind::Rate { .. }
                    | Kind::Share { .. },
                ValueKind::Text(_)
            ) | (
                Kind::Number { .. } | Kind::Decimal { .. },
                ValueKind::Integer(_)
            ) | (Kind::Decimal { .. }, ValueKind::Fraction(_))
                | (
                    Kind::Number { .. } | Kind::Decimal { .. },
                    ValueKind::Text(Text { resolved: true, .. })
                )
                | (
                    Kind::Flag,
                    ValueKind::Flag(_) | ValueKind::Text(Text { resolved: true, .. })
                )
                | (Kind::Table(_), ValueKind::Table(_))
        )
    };
    let is_word = |kind: &&Kind| {
        matches!((kind, &value.kind), (Kind::Choice(choices), ValueKind::Text(text))
            if choices.iter().any(|choice| choice.word == text.value))
    };
    let is_choice = |kind: &&Kind| matches!(kind, Kind::Choice(_));
    // Beside what has other units, a share is told by its sign.
    let is_share = matches!(&value.kind, ValueKind::Text(text) if text.value.ends_with('%'));
    let is_of_sign = |kind: &&Kind| matches!(kind, Kind::Share { .. }) == is_share;
    let mut fitting: Vec<_> = kinds.iter().filter(takes).collect();
    fitting.sort_by_key(|kind| (!is_word(kind), is_choice(kind), !is_of_sign(kind)));
    fitting.first().copied()
}

/// A text in backticks, cut where it is long.
pub(crate) fn quote(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let mut shown: String = text.chars().take(QUOTED_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!(
        "`{}`",
        shown
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'")
    )
}

const QUOTED_CHARACTERS: usize = 60;

/// The words, in quotes.
fn words(choices: &[Choice]) -> String {
    either_text(choices.iter().map(|choice| choice.word))
}

fn text_shown(text: &Text) -> String {
    if text.resolved {
        "what it stands for".to_owned()
    } else {
        text.value.clone()
    }
}
