//! Which rate limits a request is held against, and by which keys.

use std::fmt::Write as _;

use sluice_config::Plan;
use sluice_config::plan::{KeyPart, LimitKey, RateLimit, Route};
use sluice_limit::Algorithm;
use sluice_route::{Facts, IdentityLookup};

use super::identity;

pub(super) fn describe(
    plan: &Plan,
    route: &Route,
    facts: &Facts<'_>,
    text: &mut String,
) -> std::fmt::Result {
    let named = route.rate_limits.iter();
    for limit in named.filter_map(|id| plan.rate_limits.get(id.0)) {
        writeln!(
            text,
            "limit     {}: {}",
            limit.name,
            said(limit, route, facts)
        )?;
    }
    Ok(())
}

fn said(limit: &RateLimit, route: &Route, facts: &Facts<'_>) -> String {
    if limit.lets_pass(facts.client) {
        return format!("never for {}", facts.client);
    }
    let mut said = match limit.quota_of(facts) {
        Some((place, quota)) => {
            let class = match limit.classes.get(place) {
                Some(_) => format!("class {}: ", place + 1),
                None => String::new(),
            };
            let burst = match quota.algorithm() {
                Algorithm::TokenBucket => format!(", {} at once", quota.burst()),
                Algorithm::SlidingWindow | Algorithm::FixedWindow => String::new(),
            };
            format!(
                "{class}{}{burst}, by {}",
                quota.rate(),
                key(&limit.key, route, facts)
            )
        }
        None => format!("no rate, by {}", key(&limit.key, route, facts)),
    };
    if let Some(most) = limit.max_concurrent {
        // Writing to a string cannot fail.
        let _ = write!(said, "; {most} at a time");
    }
    if limit.dry_run {
        said.push_str("; only counted (dry-run)");
    }
    said
}

fn key(key: &LimitKey, route: &Route, facts: &Facts<'_>) -> String {
    let part = |part: &KeyPart| {
        let mut value = String::new();
        let mut note = |bytes: &[u8]| {
            value = String::from_utf8_lossy(bytes).into_owned();
            true
        };
        match part {
            KeyPart::ClientIp => value = key.network(facts.client).to_string(),
            KeyPart::Path => facts.path.clone_into(&mut value),
            KeyPart::Route => value = route.name.to_string(),
            KeyPart::Global => return part.to_string(),
            KeyPart::Header(name) => {
                facts.fields.any(name, &mut note);
            }
            KeyPart::Cookie(name) => {
                facts.any_cookie(name, &mut note);
            }
            KeyPart::AuthName => {
                let name = facts.identity.and_then(IdentityLookup::name);
                name.unwrap_or_default().clone_into(&mut value);
            }
            KeyPart::Claim(name) => value = identity::claim(facts, name).unwrap_or_default(),
        }
        match value.as_str() {
            "" => format!("{part} (nothing)"),
            value => format!("{part} ({value})"),
        }
    };
    let parts: Vec<String> = key.parts.iter().map(part).collect();
    parts.join(" and ")
}
