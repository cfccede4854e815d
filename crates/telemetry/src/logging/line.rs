//! One event as one line, as text or JSON. Whatever an event holds, it stays one line and moves no cursor.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::json::Object;
use crate::timestamp::Timestamp;

/// `2026-11-20T23:39:11.042Z  WARN message name=value`; the source of the event too where it is a matter of debugging.
pub(super) fn text(out: &mut Vec<u8>, event: &Event<'_>, now: Timestamp) {
    let metadata = event.metadata();
    now.write_rfc3339(out);
    // Writing to a Vec does not fail.
    let _ = write!(out, " {:>5}", metadata.level());
    if *metadata.level() > Level::INFO {
        let _ = write!(out, " {}:", metadata.target());
    }
    event.record(&mut TextFields(out));
    out.push(b'\n');
}

/// One object: `time`, `level`, `target`, `message` and the event's fields.
pub(super) fn json(out: &mut Vec<u8>, event: &Event<'_>, now: Timestamp) {
    let metadata = event.metadata();
    let mut object = Object::begin(out);
    object.timestamp("time", now);
    object.text("level", level_word(*metadata.level()));
    object.text("target", metadata.target());
    let mut fields = JsonFields(object);
    event.record(&mut fields);
    fields.0.end();
    out.push(b'\n');
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

struct TextFields<'a>(&'a mut Vec<u8>);

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push(b' ');
        if field.name() == MESSAGE {
            self.visible(value);
            return;
        }
        self.0.extend_from_slice(field.name().as_bytes());
        self.0.push(b'=');
        let bare = |character: char| {
            !character.is_whitespace() && character != '"' && !character.is_control()
        };
        if !value.is_empty() && value.chars().all(bare) {
            self.0.extend_from_slice(value.as_bytes());
        } else {
            self.0.push(b'"');
            self.visible(&value.replace('"', "\\\""));
            self.0.push(b'"');
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &with_causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl TextFields<'_> {
    fn visible(&mut self, text: &str) {
        for character in text.chars() {
            if character.is_control() {
                let _ = write!(self.0, "{}", character.escape_default());
            } else {
                let _ = write!(self.0, "{character}");
            }
        }
    }
}

struct JsonFields<'a>(Object<'a>);

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        let word = if value { "true" } else { "false" };
        self.0
            .literal(field.name(), |out| out.extend_from_slice(word.as_bytes()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.number(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.number(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.0.literal(field.name(), |out| {
                let _ = write!(out, "{value}");
            });
        } else {
            // JSON has no such number.
            self.record_str(field, &value.to_string());
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &with_causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// `what happened: because of this: because of that`
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // Bounded, in case an error names itself as its cause.
    for _ in 0..MAX_CAUSES {
        let Some(error) = cause else { break };
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

const MESSAGE: &str = "message";
const MAX_CAUSES: usize = 8;
