//! Who the client is taken to be, by the claims that were typed.

use anyhow::Context as _;
use serde_json::Value;
use sluice_config::Plan;
use sluice_config::plan::{AuthKind, Route};
use sluice_route::{Facts, IdentityLookup};

/// Claims of a token that is taken to be right.
pub(super) struct Claimed(Vec<(String, Value)>);

impl Claimed {
    /// Of `NAME=VALUE` each; a name that is there more than once is a list.
    pub(super) fn of(typed: &[String]) -> anyhow::Result<Self> {
        let mut claims: Vec<(String, Value)> = Vec::new();
        for claim in typed {
            let (name, value) = claim
                .split_once('=')
                .with_context(|| format!("`{claim}` is no claim: write it as `name=value`"))?;
            let value = Value::from(value);
            let known = claims.iter_mut().find(|(known, _)| known == name);
            match known.map(|(_, value)| value) {
                Some(Value::Array(items)) => items.push(value),
                Some(one) => *one = Value::Array(vec![one.take(), value]),
                None => claims.push((name.to_owned(), value)),
            }
        }
        Ok(Self(claims))
    }

    /// The client as a route has let it in: by the first of its `auth` that takes tokens.
    pub(super) fn let_in<'a>(&'a self, plan: &'a Plan, route: &Route) -> LetIn<'a> {
        let named = route.auth.iter().flat_map(|auth| auth.any.iter());
        let mut auths = named.filter_map(|id| plan.auths.get(id.0));
        let by = auths.find(|auth| matches!(auth.kind, AuthKind::Jwt(_)));
        LetIn {
            claims: self,
            by: by.filter(|_| !self.0.is_empty()).map(|auth| &*auth.name),
        }
    }
}

/// Before a client is let in.
impl IdentityLookup for Claimed {
    fn name(&self) -> Option<&str> {
        None
    }

    fn let_in_by(&self) -> Option<&str> {
        None
    }

    fn any_claim(
        &self,
        _verifiers: &[usize],
        name: &str,
        holds: &mut dyn FnMut(&Value) -> bool,
    ) -> bool {
        let claim = self.0.iter().find(|(known, _)| known == name);
        claim.is_some_and(|(_, value)| holds(value))
    }
}

/// A client that was let in.
pub(super) struct LetIn<'a> {
    claims: &'a Claimed,
    by: Option<&'a str>,
}

impl IdentityLookup for LetIn<'_> {
    fn name(&self) -> Option<&str> {
        let subject = self.claims.0.iter().find(|(name, _)| name == "sub");
        subject.and_then(|(_, value)| value.as_str())
    }

    fn let_in_by(&self) -> Option<&str> {
        self.by
    }

    fn any_claim(
        &self,
        verifiers: &[usize],
        name: &str,
        holds: &mut dyn FnMut(&Value) -> bool,
    ) -> bool {
        self.claims.any_claim(verifiers, name, holds)
    }
}

/// A claim as a text; items of a list are joined by commas.
pub(super) fn claim(facts: &Facts<'_>, name: &str) -> Option<String> {
    let mut found = None;
    facts.identity?.any_claim(&[], name, &mut |value| {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        found = Some(items.join(","));
        true
    });
    found
}
