//! `match`: the conditions of a route.

use sluice_route::{
    ClaimCondition, Conditions, CookieCondition, FieldCondition, JsonCondition, ParameterCondition,
    Pattern, Scheme,
};

use crate::diagnostic::Span;
use crate::read::{FromTyped, Section, Typed};

/// What a table says: those of `match`, or of one of the tables in it.
pub(super) fn conditions(section: &Section) -> Option<Conditions> {
    Some(Conditions {
        hosts: items(section, "host")?,
        path: match section.set_at("path") {
            Some(_) => Some(section.value("path")?),
            None => None,
        },
        methods: items(section, "method")?,
        fields: fields(section)?,
        cookies: named(section, "cookies", |name, value| CookieCondition {
            name,
            value,
        })?,
        parameters: named(section, "query", |name, value| ParameterCondition {
            name,
            value,
        })?,
        clients: items(section, "client-ip")?,
        countries: items(section, "country")?,
        tls_subject: match section.set_at("tls-subject") {
            Some(_) => Some(section.value("tls-subject")?),
            None => None,
        },
        json: named(section, "json", |pointer, value| JsonCondition {
            pointer,
            value,
        })?,
        claims: named(section, "claims", |name, value| ClaimCondition {
            name,
            value,
            verifiers: Box::default(),
        })?,
        scheme: match section.set_at("scheme") {
            Some(_) => Some(match section.value("scheme")? {
                "https" => Scheme::Https,
                _ => Scheme::Http,
            }),
            None => None,
        },
        not: parts(section, "not")?,
        any: parts(section, "any")?,
    })
}

/// Where conditions have this key, those within them included.
pub(super) fn places_of(section: &Section, key: &str, spans: &mut Vec<Span>) {
    spans.extend(section.set_at(key).cloned());
    for nested in ["not", "any"] {
        let parts = section.set_at(nested).and_then(|_| section.read(nested));
        if let Some(Typed::List(parts)) = parts.map(|read| &read.typed) {
            for part in parts {
                if let Typed::Table(part) = &part.typed {
                    places_of(part, key, spans);
                }
            }
        }
    }
}

/// Nothing where the key is not set; `None` where it is wrong.
pub(super) fn items<T: FromTyped>(section: &Section, key: &str) -> Option<Vec<T>> {
    if section.set_at(key).is_none() {
        return Some(Vec::new());
    }
    let items = section.items(key)?.into_iter();
    Some(items.map(|(item, _)| item).collect())
}

fn fields(section: &Section) -> Option<Vec<FieldCondition>> {
    if section.set_at("headers").is_none() {
        return Some(Vec::new());
    }
    let Typed::Fields(fields) = &section.read("headers")?.typed else {
        return None;
    };
    fields
        .iter()
        .map(|(name, read)| match (&name.typed, &read.typed) {
            (Typed::Text(name), Typed::Pattern(pattern)) => {
                Some(FieldCondition::new(name, pattern.clone()))
            }
            _ => None,
        })
        .collect()
}

fn named<T>(
    section: &Section,
    key: &str,
    condition: impl Fn(Box<str>, Pattern) -> T,
) -> Option<Vec<T>> {
    if section.set_at(key).is_none() {
        return Some(Vec::new());
    }
    let Typed::Map(map) = &section.read(key)?.typed else {
        return None;
    };
    map.iter()
        .map(|(name, value)| match (&name.typed, &value.typed) {
            (Typed::Text(name), Typed::Pattern(pattern)) => {
                Some(condition(name.as_str().into(), pattern.clone()))
            }
            _ => None,
        })
        .collect()
}

fn parts(section: &Section, key: &str) -> Option<Vec<Conditions>> {
    if section.set_at(key).is_none() {
        return Some(Vec::new());
    }
    let Typed::List(parts) = &section.read(key)?.typed else {
        return None;
    };
    parts
        .iter()
        .map(|part| match &part.typed {
            Typed::Table(part) => conditions(part),
            _ => None,
        })
        .collect()
}
