//! Who the client is taken to be, by the claims that were typed.

use anyhow::Context as _;
use serde_json::Value;
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
}

impl IdentityLookup for Claimed {
    fn name(&self) -> Option<&str> {
        let subject = self.0.iter().find(|(name, _)| name == "sub");
        subject.and_then(|(_, value)| value.as_str())
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
