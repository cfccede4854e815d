//! The conditions of one route.

use std::borrow::Cow;

use ipnet::IpNet;
use serde_json::Value;
use sluice_model::Country;

use crate::facts::{Facts, Scheme};
use crate::host::{self, HostPattern};
use crate::path::PathPattern;
use crate::pattern::Pattern;

/// What a request must be for a route to take it: every condition must hold. One without conditions takes all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// One of these; empty: any host, and none.
    pub hosts: Vec<HostPattern>,
    /// The path; `None`: any.
    pub path: Option<PathPattern>,
    /// One of these, as written: `GET` does not include `HEAD`. Empty: any method.
    pub methods: Vec<Box<str>>,
    /// All of these.
    pub fields: Vec<FieldCondition>,
    /// All of these.
    pub cookies: Vec<CookieCondition>,
    /// All of these.
    pub parameters: Vec<ParameterCondition>,
    /// The client is in one of these networks; empty: wherever it is.
    pub clients: Vec<IpNet>,
    /// The client is in one of these countries; empty: wherever it is.
    pub countries: Vec<Country>,
    /// The subject of the client's certificate; `None`: any, and none.
    pub tls_subject: Option<Pattern>,
    /// All of these.
    pub json: Vec<JsonCondition>,
    /// All of these.
    pub claims: Vec<ClaimCondition>,
    /// The scheme; `None`: either.
    pub scheme: Option<Scheme>,
    /// None of these holds.
    pub not: Vec<Self>,
    /// One of these holds; empty: no matter.
    pub any: Vec<Self>,
}

/// A condition on a header field: at least one line of it has a value that the pattern matches. The pattern `*` holds
/// whenever the field is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCondition {
    name: Box<str>,
    value: Pattern,
}

impl FieldCondition {
    /// A condition on the field called `name`, in any case.
    pub fn new(name: &str, value: Pattern) -> Self {
        Self {
            name: name.to_ascii_lowercase().into(),
            value,
        }
    }

    /// The field's name in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its value must be.
    pub fn value(&self) -> &Pattern {
        &self.value
    }

    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        facts
            .fields
            .any(&self.name, &mut |value| self.value.matches(value))
    }
}

/// A condition on a cookie: one of that name, whose case counts, has a value that the pattern matches. `*` holds whenever
/// there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieCondition {
    /// The cookie's name.
    pub name: Box<str>,
    /// What its value must be.
    pub value: Pattern,
}

impl CookieCondition {
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        facts.any_cookie(&self.name, &mut |value| self.value.matches(value))
    }
}

/// A condition on a parameter of the query: one of that name, whose case counts, has a value that the pattern matches, both
/// decoded. `*` holds whenever there is one, with a value or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterCondition {
    /// The parameter's name.
    pub name: Box<str>,
    /// What its value must be.
    pub value: Pattern,
}

impl ParameterCondition {
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        facts.parameters().any(|(name, value)| {
            *decoded(name) == *self.name.as_bytes() && self.value.matches(&decoded(value))
        })
    }
}

/// A condition on a value of a JSON body: there is one where the pointer says, and the pattern matches it. A text is compared as
/// it is, a number, `true`, `false` and `null` as they are written; an object or an array is matched by `*` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonCondition {
    /// Where the value is (RFC 6901), such as `/user/tier`.
    pub pointer: Box<str>,
    /// What it must be.
    pub value: Pattern,
}

impl JsonCondition {
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let found = facts.json.and_then(|json| json.pointer(&self.pointer));
        found.is_some_and(|found| is_matched(found, &self.value))
    }
}

/// A condition on a claim of a token that was verified: there is one, and the pattern matches it. Values are compared as those of a
/// [`JsonCondition`], and of a list one of the items must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCondition {
    /// The claim's name; where it begins with `/`, a JSON pointer (RFC 6901) to a claim within others.
    pub name: Box<str>,
    /// What its value must be.
    pub value: Pattern,
    /// Who verifies tokens: any of these will do. Empty: whoever has let the client in.
    pub verifiers: Box<[usize]>,
}

impl ClaimCondition {
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let mut is_wanted = |claim: &Value| match claim {
            Value::Array(items) => {
                self.value.is_any() || items.iter().any(|item| is_matched(item, &self.value))
            }
            one => is_matched(one, &self.value),
        };
        facts
            .identity
            .is_some_and(|known| known.any_claim(&self.verifiers, &self.name, &mut is_wanted))
    }
}

/// Texts are compared as they are, numbers, `true`, `false` and `null` as they are written; `*` alone matches all others.
fn is_matched(value: &Value, pattern: &Pattern) -> bool {
    match value {
        Value::String(text) => pattern.matches(text.as_bytes()),
        Value::Array(_) | Value::Object(_) => pattern.is_any(),
        other => pattern.matches(other.to_string().as_bytes()),
    }
}

/// A part of a query as forms encode it (URL Standard, 5.1): `+` is a space, and what is no escape stands for itself.
pub(crate) fn decoded(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if memchr::memchr2(b'%', b'+', bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        decoded.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (other, _) => *other,
        });
    }
    Cow::Owned(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

impl Conditions {
    /// Whether every condition holds.
    pub fn hold(&self, facts: &Facts<'_>) -> bool {
        self.hold_for(&host::host_name(facts.host), facts)
    }

    /// The same where the name has been taken from the host already. In the order of cost.
    pub(crate) fn hold_for(&self, host: &str, facts: &Facts<'_>) -> bool {
        self.path_holds(facts) && self.host_holds(host) && self.more_hold(host, facts)
    }

    /// Whether there are conditions beyond path and host: most routes have none.
    pub(crate) fn ask_for_more(&self) -> bool {
        let Self {
            hosts: _,
            path: _,
            methods,
            fields,
            cookies,
            parameters,
            clients,
            countries,
            tls_subject,
            json,
            claims,
            scheme,
            not,
            any,
        } = self;
        let nothing = methods.is_empty()
            && fields.is_empty()
            && cookies.is_empty()
            && parameters.is_empty()
            && clients.is_empty()
            && countries.is_empty()
            && tls_subject.is_none()
            && json.is_empty()
            && claims.is_empty()
            && scheme.is_none()
            && not.is_empty()
            && any.is_empty();
        !nothing
    }

    /// Whether those hold.
    pub(crate) fn more_hold(&self, host: &str, facts: &Facts<'_>) -> bool {
        self.method_holds(facts)
            && self.scheme_holds(facts)
            && self.client_holds(facts)
            && self.tls_subject_holds(facts)
            && self.fields.iter().all(|field| field.holds(facts))
            && self.cookies.iter().all(|cookie| cookie.holds(facts))
            && self.parameters.iter().all(|one| one.holds(facts))
            && self.json.iter().all(|one| one.holds(facts))
            && self.country_holds(facts)
            && self.claims.iter().all(|one| one.holds(facts))
            && !self.not.iter().any(|not| not.hold_for(host, facts))
            && self.any_holds(host, facts)
    }

    /// Whether any condition looks at the host.
    pub(crate) fn go_by_host(&self) -> bool {
        let mut nested = self.not.iter().chain(&self.any);
        !self.hosts.is_empty() || nested.any(Self::go_by_host)
    }

    /// Whether any condition looks into the body.
    pub(crate) fn go_by_json(&self) -> bool {
        let mut nested = self.not.iter().chain(&self.any);
        !self.json.is_empty() || nested.any(Self::go_by_json)
    }

    /// Whether any condition looks at claims of tokens.
    pub fn go_by_claims(&self) -> bool {
        let mut nested = self.not.iter().chain(&self.any);
        !self.claims.is_empty() || nested.any(Self::go_by_claims)
    }

    /// Has tokens verified by these.
    #[must_use]
    pub fn verified_by(mut self, verifiers: &[usize]) -> Self {
        for claim in &mut self.claims {
            claim.verifiers = verifiers.into();
        }
        let all = |nested: Vec<Self>| nested.into_iter().map(|one| one.verified_by(verifiers));
        self.not = all(self.not).collect();
        self.any = all(self.any).collect();
        self
    }

    pub(crate) fn scheme_holds(&self, facts: &Facts<'_>) -> bool {
        self.scheme.is_none_or(|scheme| scheme == facts.scheme)
    }

    pub(crate) fn client_holds(&self, facts: &Facts<'_>) -> bool {
        self.clients.is_empty() || {
            let client = facts.client.to_canonical();
            self.clients.iter().any(|network| network.contains(&client))
        }
    }

    pub(crate) fn country_holds(&self, facts: &Facts<'_>) -> bool {
        self.countries.is_empty()
            || facts
                .country()
                .is_some_and(|country| self.countries.contains(&country))
    }

    pub(crate) fn tls_subject_holds(&self, facts: &Facts<'_>) -> bool {
        self.tls_subject.as_ref().is_none_or(|pattern| {
            let subject = facts.tls_subject.map(str::as_bytes);
            subject.is_some_and(|subject| pattern.matches(subject))
        })
    }

    pub(crate) fn any_holds(&self, host: &str, facts: &Facts<'_>) -> bool {
        self.any.is_empty() || self.any.iter().any(|any| any.hold_for(host, facts))
    }

    pub(crate) fn host_holds(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches_name(host))
    }

    pub(crate) fn path_holds(&self, facts: &Facts<'_>) -> bool {
        self.path
            .as_ref()
            .is_none_or(|path| path.matches(facts.path))
    }

    pub(crate) fn method_holds(&self, facts: &Facts<'_>) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|method| **method == *facts.method)
    }
}

#[cfg(test)]
mod tests;
