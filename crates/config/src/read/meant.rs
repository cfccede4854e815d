//! What is meant by a value of another type than its key takes.

use crate::schema::{Default, Form, Key, Kind, Shape, keys};
use crate::syntax::{Value, ValueKind};

/// How a value of another type would be written so that `key` takes it.
pub(super) fn meant_by(value: &Value, kind: &Kind, key: &Key, written: &str) -> Option<String> {
    match (kind, &value.kind) {
        (Kind::Duration { .. }, ValueKind::Integer(number)) => {
            Some(format!("with its unit, in quotes: \"{number}s\""))
        }
        (Kind::Size { .. }, ValueKind::Integer(number)) => {
            Some(format!("with its unit, in quotes: \"{number}B\""))
        }
        (Kind::Rate { .. }, ValueKind::Integer(number)) => {
            Some(format!("with its unit, in quotes: \"{number}B/s\""))
        }
        (Kind::Share { .. }, ValueKind::Integer(number)) => {
            Some(format!("in percent, in quotes: \"{number}%\""))
        }
        (Kind::Share { .. }, ValueKind::Fraction(share)) => {
            Some(format!("in percent, in quotes: \"{:.0}%\"", share * 100.0))
        }
        (Kind::Text(Form::Bind), ValueKind::Integer(number)) => {
            Some(format!("did you mean \":{number}\"?"))
        }
        (Kind::Number { .. } | Kind::OneOf(_), ValueKind::Text(text))
            if text.value.parse::<i64>().is_ok() =>
        {
            Some(format!("without quotes: {}", text.value))
        }
        (Kind::Flag, ValueKind::Text(text)) => flag(&text.value),
        (Kind::List { .. }, ValueKind::Text(_)) if !written.contains('\n') => {
            Some(format!("in brackets: `{} = [{written}]`", key.name))
        }
        (Kind::Tables(_), ValueKind::Table(_)) if keys::FILE.key(key.name).is_some() => {
            Some(format!("with two brackets: `[[{}]]`", key.name))
        }
        (Kind::List { .. } | Kind::Tables(_), ValueKind::Table(_)) => {
            Some(format!("in brackets: `{} = [{{ … }}]`", key.name))
        }
        (Kind::Named(_), ValueKind::List(_)) => Some(format!(
            "each under a name of its own: `[{}.NAME]`",
            key.name
        )),
        (Kind::Text(Form::Pattern), ValueKind::List(_)) => Some(
            "one pattern can be for all of them: `\"~a|b\"` is a regular expression".to_owned(),
        ),
        (Kind::Text(Form::RequestRate), ValueKind::Integer(number)) => {
            Some(format!("with its time, in quotes: \"{number}/s\""))
        }
        (Kind::Table(shape), _) => table(value, shape, key, written),
        (Kind::Text(Form::Path), ValueKind::List(_)) => {
            Some("a route has one: write a route for each, or one pattern for all".to_owned())
        }
        (Kind::Text(Form::HedgeAfter), ValueKind::Integer(number)) => {
            Some(format!("with its unit, in quotes: \"{number}ms\""))
        }
        (Kind::Text(_) | Kind::OneOrList(_), ValueKind::Integer(_)) => {
            Some(format!("in quotes: \"{written}\""))
        }
        (Kind::Either(_), ValueKind::Integer(number)) if kind.takes_duration() => {
            Some(format!("with its unit, in quotes: \"{number}s\""))
        }
        _ => None,
    }
}

/// The same where a table is taken: the one with its main key.
fn table(value: &Value, shape: &Shape, key: &Key, written: &str) -> Option<String> {
    let main = match value.kind {
        ValueKind::Flag(true) => {
            return shape.keys.iter().find_map(|main| match main.default {
                Default::Required(example) => Some(format!(
                    "for example `{} = {{ {} = {example} }}`",
                    key.name, main.name
                )),
                _ => None,
            });
        }
        ValueKind::Integer(_) => {
            let numbers = |key: &&Key| matches!(key.kind, Kind::Number { .. });
            shape.keys.iter().find(numbers)?
        }
        ValueKind::Text(_) if !written.contains('\n') => shape.keys.first()?,
        _ => return None,
    };
    Some(format!(
        "did you mean `{} = {{ {} = {written} }}`?",
        key.name, main.name
    ))
}

fn flag(text: &str) -> Option<String> {
    let meant = match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => "true",
        "false" | "no" | "off" | "0" => "false",
        _ => return None,
    };
    Some(format!("without quotes: {meant}"))
}
