//! What is generated from the table of keys: the reference, the JSON Schema.

use crate::world::{World, files, repository};
use serde_json::{Map, Value};
use sluice_config::{load, reference_markdown, schema_json};
use toml::de::{DeTable, DeValue};

/// `UPDATE_DOCS=1 cargo test -p sluice-config` writes the page anew.
#[test]
fn the_reference_is_the_generated_one() {
    let path = repository().join("docs/reference.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reference_markdown()).expect("docs can be written");
    }
    let page = std::fs::read_to_string(&path).expect("docs/reference.md is there");
    assert!(
        page == reference_markdown(),
        "docs/reference.md is not what the keys say: run with UPDATE_DOCS=1"
    );
}

#[test]
fn every_key_is_explained() {
    for line in reference_markdown()
        .lines()
        .filter(|line| line.starts_with("| `"))
    {
        let cells: Vec<&str> = line.split(" | ").collect();
        assert_eq!(cells.len(), 4, "{line}");
        assert!(
            cells
                .iter()
                .all(|cell| cell.trim_matches(['|', ' ']).len() > 2),
            "{line}"
        );
        assert!(line.ends_with(". |"), "not a sentence: {line}");
    }
}

#[test]
fn the_schema_takes_every_right_file() {
    let schema = schema();
    for folder in ["good", "../../../examples"] {
        for source in files(folder) {
            let problem = problem(&schema, &json(&source.text), "");
            assert_eq!(problem, None, "{}", source.name);
        }
    }
}

/// What an editor can see of a file, it marks.
#[test]
fn the_schema_refuses_wrong_files() {
    let schema = schema();
    for name in [
        "unknown-key-misspelt",
        "unknown-table",
        "origins",
        "sticky",
        "not-yet-tables",
        "address-missing",
        "address-is-a-number",
        "server-wrong-weight",
        "servers-empty",
        "servers-not-a-list",
        "duration-without-unit",
        "size-wrong",
        "number-out-of-range",
        "choice-misspelt",
        "names-odd",
        "listeners-as-list",
        "routes-as-table",
        "redirect-wrong",
        "balance-around",
        "share-wrong",
    ] {
        let source = files("wrong")
            .into_iter()
            .find(|source| source.name == format!("{name}.toml"))
            .unwrap_or_else(|| panic!("there is no {name}"));
        assert!(load(&source, &World).is_err(), "{name}");
        assert_ne!(problem(&schema, &json(&source.text), ""), None, "{name}");
    }
}

fn schema() -> Value {
    serde_json::from_str(&schema_json()).expect("the schema is JSON")
}

/// The first place at which `value` is not as the schema says. Knows the keywords that the schema uses, no others.
fn problem(schema: &Value, value: &Value, at: &str) -> Option<String> {
    if *schema == Value::Bool(false) {
        return Some(format!("{at} is not allowed"));
    }
    let schema = schema.as_object().expect("an object or false");
    schema
        .iter()
        .find_map(|(keyword, rule)| {
            let wrong = match keyword.as_str() {
                "$schema" | "title" | "description" | "properties" | "additionalProperties" => {
                    false
                }
                "type" => !is_type(rule.as_str().expect("a type"), value),
                "enum" => !rule.as_array().expect("values").contains(value),
                "minimum" => value
                    .as_f64()
                    .is_some_and(|number| number < rule.as_f64().expect("a number")),
                "maximum" => value
                    .as_f64()
                    .is_some_and(|number| number > rule.as_f64().expect("a number")),
                "minItems" => value
                    .as_array()
                    .is_some_and(|items| items.len() < size(rule)),
                "minProperties" => value
                    .as_object()
                    .is_some_and(|table| table.len() < size(rule)),
                "maxLength" => value.as_str().is_some_and(|text| text.len() > size(rule)),
                "pattern" => value.as_str().is_some_and(|text| {
                    let pattern = rule.as_str().expect("a pattern");
                    !regex::Regex::new(pattern)
                        .expect("a regular expression")
                        .is_match(text)
                }),
                "anyOf" => rule
                    .as_array()
                    .expect("schemas")
                    .iter()
                    .all(|schema| problem(schema, value, at).is_some()),
                "required" => value.as_object().is_some_and(|table| {
                    let names = rule.as_array().expect("names");
                    names
                        .iter()
                        .any(|name| !table.contains_key(name.as_str().expect("a name")))
                }),
                "items" => {
                    let mut items = value.as_array().into_iter().flatten();
                    return items.find_map(|item| problem(rule, item, at));
                }
                "propertyNames" => {
                    let mut names = value.as_object().into_iter().flat_map(Map::keys);
                    return names.find_map(|name| problem(rule, &Value::String(name.clone()), at));
                }
                other => panic!("this test does not know `{other}`"),
            };
            wrong.then(|| format!("{at}: {keyword}"))
        })
        .or_else(|| {
            value.as_object()?.iter().find_map(|(name, value)| {
                let at = format!("{at}.{name}");
                let known = schema.get("properties").and_then(|known| known.get(name));
                problem(
                    known.or_else(|| schema.get("additionalProperties"))?,
                    value,
                    &at,
                )
            })
        })
}

fn size(rule: &Value) -> usize {
    usize::try_from(rule.as_u64().expect("a number")).expect("a small number")
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("this test does not know the type `{other}`"),
    }
}

fn json(text: &str) -> Value {
    let table = DeTable::parse(text).expect("TOML").into_inner();
    from_table(table)
}

fn from_table(table: DeTable<'_>) -> Value {
    let entries = table.into_iter();
    Value::Object(
        entries
            .map(|(key, value)| (key.into_inner().into_owned(), from_toml(value.into_inner())))
            .collect(),
    )
}

fn from_toml(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => number.to_string().parse::<i64>().expect("decimal").into(),
        DeValue::Float(number) => number.to_string().parse::<f64>().expect("a number").into(),
        DeValue::Boolean(flag) => flag.into(),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => items
            .into_iter()
            .map(|item| from_toml(item.into_inner()))
            .collect(),
        DeValue::Table(table) => from_table(table),
    }
}
