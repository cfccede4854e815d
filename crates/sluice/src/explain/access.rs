//! Whether a client may come in, and by which words of `allow` and `deny`.

use std::fmt::{Error, Write as _};

use sluice_config::plan::Access;
use sluice_route::{Facts, Origin, Origins};

/// Writes it; whether the request goes on.
pub(super) fn describe(
    access: &Access,
    facts: &Facts<'_>,
    text: &mut String,
) -> Result<bool, Error> {
    let client = facts.client;
    if let Some(origin) = holding(&access.deny, facts) {
        writeln!(
            text,
            "refused   403: {client} is within `{origin}` of `deny`"
        )?;
        return Ok(false);
    }
    if access.allow.is_empty() {
        return Ok(true);
    }
    match holding(&access.allow, facts) {
        Some(origin) => writeln!(text, "allowed   {client} is within `{origin}` of `allow`")?,
        None => writeln!(text, "refused   403: {client} is within nothing of `allow`")?,
    }
    Ok(access.admits(facts))
}

/// The first of them that the client comes from.
fn holding(origins: &Origins, facts: &Facts<'_>) -> Option<Origin> {
    let holds = |origin: &&Origin| Origins::new(vec![**origin]).contain(facts);
    origins.written().iter().find(holds).copied()
}
