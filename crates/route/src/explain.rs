//! Why each rule takes a request or does not, for people.

use std::fmt;

use crate::conditions::Conditions;
use crate::facts::Facts;
use crate::host;

/// What one rule says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The conditions that do not hold, in the order host, path, method, fields; empty: the rule matches.
    pub mismatches: Vec<Mismatch>,
}

impl Verdict {
    pub(crate) fn of(conditions: &Conditions, facts: &Facts<'_>) -> Self {
        let mut mismatches = Vec::new();
        let host = host::name_of(facts.host);
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
    /// What the rule wants, as written; several alternatives are joined by `, `.
    pub wanted: String,
    /// What the request has; `None`: nothing of the kind.
    pub seen: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aspect, wanted, .. } = self;
        match &self.seen {
            Some(seen) => write!(f, "{aspect} is `{seen}`, not `{wanted}`"),
            None => write!(f, "no {aspect}, which must be `{wanted}`"),
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
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Path => f.write_str("path"),
            Self::Method => f.write_str("method"),
            Self::Field(name) => write!(f, "header {name}"),
        }
    }
}

fn list(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}
