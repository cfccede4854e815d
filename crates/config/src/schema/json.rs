//! The JSON Schema of the file, for editors.

use serde_json::{Map, Value, json};

use super::{Choice, Default, Key, Kind, Shape, keys};

/// The JSON Schema (draft 2020-12) of the configuration file. Keys that are not supported yet are left out, so that an
/// editor marks them.
pub fn schema_json() -> String {
    let mut schema = shape(&keys::FILE);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        schema.insert("title".to_owned(), json!("sluice.toml"));
    }
    format!("{schema:#}")
}

fn shape(shape: &Shape) -> Value {
    let properties: Map<String, Value> = shape
        .built()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let required: Vec<&str> = shape
        .built()
        .filter(|key| matches!(key.default, Default::Required(_)))
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": shape.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(schema) = schema.as_object_mut()
        && !required.is_empty()
    {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(description(key)));
    }
    schema
}

fn description(key: &Key) -> String {
    match key.default {
        Default::Required(_) => key.doc.to_owned(),
        Default::Is(value) | Default::Depends(value) => format!("{} Default: {value}", key.doc),
        Default::Absent(meaning) => format!("{} If not set: {meaning}", key.doc),
    }
}

/// Every text may hold a reference instead of its value, so forms are not given as patterns but where they are closed.
fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text(_) | Kind::Secret { .. } => json!({ "type": "string" }),
        Kind::Flag => or_reference(&json!({ "type": "boolean" })),
        Kind::Number { min, max } => {
            or_reference(&json!({ "type": "integer", "minimum": min, "maximum": max }))
        }
        Kind::Decimal { min, max } => {
            or_reference(&json!({ "type": "number", "minimum": min, "maximum": max }))
        }
        Kind::Share { .. } => or_reference(&json!({ "type": "string", "pattern": "^[0-9]+%$" })),
        Kind::OneOf(numbers) => or_reference(&json!({ "enum": numbers })),
        Kind::Duration { .. } => {
            or_reference(&json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }))
        }
        Kind::Size { .. } => or_reference(
            &json!({ "type": "string", "pattern": "^[0-9]+(B|KB|KiB|MB|MiB|GB|GiB)$" }),
        ),
        Kind::Rate { .. } => {
            or_reference(&json!({ "type": "string", "pattern": "^[0-9]+(B|KB|KiB|MB|MiB)/s$" }))
        }
        Kind::Choice(choices) => or_reference(&json!({ "enum": words(choices) })),
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(self::kind).collect::<Vec<_>>() }),
        Kind::List { item, min } => {
            json!({ "type": "array", "items": self::kind(item), "minItems": min })
        }
        Kind::OneOrList(item) => json!({ "anyOf": [
            self::kind(item),
            { "type": "array", "items": self::kind(item), "minItems": 1 },
        ] }),
        Kind::Fields(item) => json!({ "type": "object", "additionalProperties": self::kind(item) }),
        Kind::Map { item, .. } => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": self::kind(item),
        }),
        Kind::Table(inner) => shape(inner),
        Kind::Named(inner) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 128 },
            "minProperties": 1,
            "additionalProperties": shape(inner),
        }),
        Kind::Tables(inner) => json!({ "type": "array", "items": shape(inner) }),
        Kind::Json => json!({}),
        Kind::NotYet => json!(false),
    }
}

fn words(choices: &[Choice]) -> Vec<&'static str> {
    choices.iter().map(|choice| choice.word).collect()
}

/// `"${NAME}"` may stand for a value of any type.
fn or_reference(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": "\\$\\{" }] })
}
