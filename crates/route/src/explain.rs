//! Why each rule takes a request or does not, for people.

use std::fmt;

use serde_json::Value;

use crate::conditions::{ClaimCondition, Conditions, CookieCondition, ParameterCondition, decoded};
use crate::facts::Facts;
use crate::host;

/// What one rule says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The conditions that do not hold, in the order of [`Aspect`]; empty: the rule matches.
    pub mismatches: Vec<Mismatch>,
}

impl Verdict {
    pub(crate) fn of(conditions: &Conditions, facts: &Facts<'_>) -> Self {
        let mut mismatches = Vec::new();
        let host = host::host_name(facts.host);
        if !conditions.host_holds(&host) {
            mismatches.push(Mismatch {
                aspect: Aspect::Host,
                wanted: list(conditions.hosts.iter().map(ToString::to_string)),
                seen: (!host.is_empty()).then(|| host.to_string()),
            });
        }
        if let Some(path) = &conditions.path
            && !conditions.path_holds(facts)
        {
            mismatches.push(Mismatch {
                aspect: Aspect::Path,
                wanted: path.to_string(),
                seen: Some(facts.path.to_owned()),
            });
        }
        if !conditions.method_holds(facts) {
            mismatches.push(Mismatch {
                aspect: Aspect::Method,
                wanted: list(conditions.methods.iter().map(ToString::to_string)),
                seen: Some(facts.method.to_owned()),
            });
        }
        for field in conditions.fields.iter().filter(|field| !field.holds(facts)) {
            let mut seen = Vec::new();
            facts.fields.any(field.name(), &mut |value| {
                seen.push(String::from_utf8_lossy(value).into_owned());
                false
            });
            mismatches.push(Mismatch {
                aspect: Aspect::Field(field.name().to_owned()),
                wanted: field.value().to_string(),
                seen: (!seen.is_empty()).then(|| list(seen.into_iter())),
            });
        }
        if !conditions.scheme_holds(facts)
            && let Some(scheme) = conditions.scheme
        {
            mismatches.push(Mismatch {
                aspect: Aspect::Scheme,
                wanted: scheme.to_string(),
                seen: Some(facts.scheme.to_string()),
            });
        }
        if !conditions.client_holds(facts) {
            mismatches.push(Mismatch {
                aspect: Aspect::Client,
                wanted: list(conditions.clients.iter().map(ToString::to_string)),
                seen: Some(facts.client.to_canonical().to_string()),
            });
        }
        if let Some(pattern) = &conditions.tls_subject
            && !conditions.tls_subject_holds(facts)
        {
            mismatches.push(Mismatch {
                aspect: Aspect::TlsSubject,
                wanted: pattern.to_string(),
                seen: facts.tls_subject.map(ToOwned::to_owned),
            });
        }
        mismatches.extend(cookies(conditions, facts));
        mismatches.extend(parameters(conditions, facts));
        for one in conditions.json.iter().filter(|one| !one.holds(facts)) {
            let seen = facts.json.and_then(|json| json.pointer(&one.pointer));
            mismatches.push(Mismatch {
                aspect: Aspect::Json(one.pointer.to_string()),
                wanted: one.value.to_string(),
                seen: seen.map(|seen| match seen {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                }),
            });
        }
        mismatches.extend(claims(conditions, facts));
        if !conditions.country_holds(facts) {
            mismatches.push(Mismatch {
                aspect: Aspect::Country,
                wanted: list(conditions.countries.iter().map(ToString::to_string)),
                seen: facts.country().map(|country| country.to_string()),
            });
        }
        for not in &conditions.not {
            if not.hold_for(&host, facts) {
                mismatches.push(Mismatch {
                    aspect: Aspect::Not,
                    wanted: String::new(),
                    seen: None,
                });
            }
        }
        if !conditions.any_holds(&host, facts) {
            let each = conditions.any.iter().map(|any| {
                let verdict = Self::of(any, facts);
                list(verdict.mismatches.iter().map(ToString::to_string))
            });
            mismatches.push(Mismatch {
                aspect: Aspect::Any,
                wanted: each.collect::<Vec<_>>().join("; "),
                seen: None,
            });
        }
        Self { mismatches }
    }

    /// Whether every condition holds.
    pub fn matches(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What it looks at.
    pub aspect: Aspect,
    /// What the rule wants, as written; several alternatives are joined by `, `. Of [`Aspect::Any`] why each does not hold, of
    /// [`Aspect::Not`] nothing.
    pub wanted: String,
    /// What the request has; `None`: nothing of the kind.
    pub seen: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aspect, wanted, .. } = self;
        match (aspect, &self.seen) {
            (Aspect::Not, _) => f.write_str("what `not` excludes"),
            (Aspect::Any, _) => write!(f, "nothing of `any` holds: {wanted}"),
            (_, Some(seen)) => write!(f, "{aspect} is `{seen}`, not `{wanted}`"),
            (_, None) => write!(f, "no {aspect}, which must be `{wanted}`"),
        }
    }
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// The host without its port.
    Host,
    /// The normalised path.
    Path,
    /// The method.
    Method,
    /// The header field of this name.
    Field(String),
    /// The scheme.
    Scheme,
    /// The client's address.
    Client,
    /// The cookie of this name.
    Cookie(String),
    /// The parameter of the query of this name.
    Parameter(String),
    /// The subject of the client's certificate.
    TlsSubject,
    /// The value of a JSON body at this pointer.
    Json(String),
    /// The claim of this name.
    Claim(String),
    /// The client's country.
    Country,
    /// What must not be.
    Not,
    /// Alternatives.
    Any,
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Path => f.write_str("path"),
            Self::Method => f.write_str("method"),
            Self::Field(name) => write!(f, "header {name}"),
            Self::Scheme => f.write_str("scheme"),
            Self::Client => f.write_str("client"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Parameter(name) => write!(f, "query parameter {name}"),
            Self::TlsSubject => f.write_str("subject of a certificate"),
            Self::Json(pointer) => write!(f, "value {pointer} of a JSON body"),
            Self::Claim(name) => write!(f, "claim {name}"),
            Self::Country => f.write_str("known country"),
            Self::Not => f.write_str("`not`"),
            Self::Any => f.write_str("`any`"),
        }
    }
}

fn cookies(conditions: &Conditions, facts: &Facts<'_>) -> Vec<Mismatch> {
    let failing = conditions.cookies.iter().filter(|one| !one.holds(facts));
    let mismatch = |cookie: &CookieCondition| {
        let mut seen = Vec::new();
        facts.any_cookie(&cookie.name, &mut |value| {
            seen.push(String::from_utf8_lossy(value).into_owned());
            false
        });
        Mismatch {
            aspect: Aspect::Cookie(cookie.name.to_string()),
            wanted: cookie.value.to_string(),
            seen: (!seen.is_empty()).then(|| list(seen.into_iter())),
        }
    };
    failing.map(mismatch).collect()
}

fn parameters(conditions: &Conditions, facts: &Facts<'_>) -> Vec<Mismatch> {
    let failing = conditions.parameters.iter().filter(|one| !one.holds(facts));
    let mismatch = |parameter: &ParameterCondition| {
        let named = |(name, _): &(&str, &str)| *decoded(name) == *parameter.name.as_bytes();
        let text = |(_, value)| String::from_utf8_lossy(&decoded(value)).into_owned();
        let seen: Vec<_> = facts.parameters().filter(named).map(text).collect();
        Mismatch {
            aspect: Aspect::Parameter(parameter.name.to_string()),
            wanted: parameter.value.to_string(),
            seen: (!seen.is_empty()).then(|| list(seen.into_iter())),
        }
    };
    failing.map(mismatch).collect()
}

fn claims(conditions: &Conditions, facts: &Facts<'_>) -> Vec<Mismatch> {
    let failing = conditions.claims.iter().filter(|one| !one.holds(facts));
    let mismatch = |claim: &ClaimCondition| {
        let mut seen = Vec::new();
        if let Some(known) = facts.identity {
            known.any_claim(&claim.verifiers, &claim.name, &mut |value| {
                seen.push(shown(value));
                false
            });
        }
        Mismatch {
            aspect: Aspect::Claim(claim.name.to_string()),
            wanted: claim.value.to_string(),
            seen: (!seen.is_empty()).then(|| list(seen.into_iter())),
        }
    };
    failing.map(mismatch).collect()
}

/// A text without its quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items.iter().map(shown)),
        other => other.to_string(),
    }
}

fn list(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}
