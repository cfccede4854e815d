//! What is changed on the way: whose pages may read the answer, what the server is asked for, which fields.

use std::fmt::{Error, Write as _};

use sluice_config::plan::{Cors, HeadEdits, Rewrite, Route};
use sluice_route::{Captures, Facts, Requested, Variable, host_name};

use super::identity;

/// Writes what pages of other origins may; whether the request goes on.
pub(super) fn describe_cors(
    route: &Route,
    facts: &Facts<'_>,
    text: &mut String,
) -> Result<bool, Error> {
    let (Some(cors), Some(origin)) = (&route.edits.cors, field(facts, "origin")) else {
        return Ok(true);
    };
    let is_asked = field(facts, "access-control-request-method").is_some();
    let is_allowed = cors.allows(origin.as_bytes());
    let may = if is_allowed { "may" } else { "may not" };
    writeln!(text, "cors      pages of {origin} {may} read the answer")?;
    if facts.method == "OPTIONS" && is_asked {
        let status = if is_allowed { 204 } else { 403 };
        writeln!(
            text,
            "answer    {status} by sluice itself: what browsers ask beforehand{}",
            allowed(cors, is_allowed)
        )?;
        return Ok(false);
    }
    Ok(true)
}

/// Writes what becomes of the request on its way, and of its answer.
pub(super) fn describe(
    route: &Route,
    facts: &Facts<'_>,
    captures: &Captures,
    text: &mut String,
) -> Result<(), Error> {
    let edits = &route.edits;
    let is_forwarded = route.action.upstreams().next().is_some();
    if is_forwarded {
        if let Some(rewrite) = &edits.rewrite {
            describe_rewrite(rewrite, route, facts, captures, text)?;
        }
        if let Some(changes) = &edits.request {
            writeln!(text, "request   {}", fields_of(changes))?;
        }
    }
    let said = edits.response.as_deref().map(fields_of);
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        writeln!(text, "response  {said}")?;
    }
    Ok(())
}

fn allowed(cors: &Cors, is_allowed: bool) -> String {
    if is_allowed {
        format!(" ({})", cors.methods)
    } else {
        String::new()
    }
}

fn describe_rewrite(
    rewrite: &Rewrite,
    route: &Route,
    facts: &Facts<'_>,
    captures: &Captures,
    text: &mut String,
) -> Result<(), Error> {
    if let Some(path) = &rewrite.path {
        let requested = Requested {
            path: facts.path,
            query: facts.query,
            captures,
        };
        let mut target = String::new();
        let value = |variable: &Variable, out: &mut Vec<u8>| {
            out.extend_from_slice(value(variable, route, facts, captures).as_bytes());
        };
        match path.target(&requested, value, &mut target) {
            Ok(()) => writeln!(text, "rewrite   the server is asked for {target}")?,
            Err(error) => writeln!(text, "rewrite   refused, 400: {error}")?,
        }
    }
    if let Some(host) = &rewrite.host {
        let mut name = Vec::new();
        let value = |variable: &Variable, out: &mut Vec<u8>| {
            out.extend_from_slice(value(variable, route, facts, captures).as_bytes());
        };
        host.render(value, &mut name);
        let name = String::from_utf8_lossy(&name);
        writeln!(text, "rewrite   its host is {name}")?;
    }
    Ok(())
}

/// What a variable stands for, as far as the question says it; its own name where it does not.
fn value(variable: &Variable, route: &Route, facts: &Facts<'_>, captures: &Captures) -> String {
    match variable {
        Variable::ClientIp => facts.client.to_string(),
        Variable::Method => facts.method.to_owned(),
        Variable::Scheme => facts.scheme.to_string(),
        Variable::Host => host_name(facts.host).into_owned(),
        Variable::Path => facts.path.to_owned(),
        Variable::Query => facts.query.unwrap_or_default().to_owned(),
        Variable::Route => route.name.to_string(),
        Variable::Header(name) => field(facts, name).unwrap_or_default(),
        Variable::Cookie(name) => {
            let mut found = String::new();
            facts.any_cookie(name, &mut |value| {
                found = String::from_utf8_lossy(value).into_owned();
                true
            });
            found
        }
        Variable::Claim(name) => identity::claim(facts, name).unwrap_or_default(),
        Variable::TlsSubject => facts.tls_subject.unwrap_or_default().to_owned(),
        Variable::Capture(index) => captures
            .get(*index, facts.path)
            .unwrap_or_default()
            .to_owned(),
        _ => "…".to_owned(),
    }
}

/// Which fields are there after it, and which are not.
fn fields_of(changes: &HeadEdits) -> String {
    let mut words: Vec<String> = Vec::new();
    let added = || changes.lines.iter().map(|line| &*line.name);
    let copied = || changes.copies.iter().map(|(_, to)| &**to);
    words.extend(added().map(|name| format!("has {name}")));
    words.extend(
        changes
            .copies
            .iter()
            .map(|(from, to)| format!("has {to} of {from}")),
    );
    let is_replaced = |name: &str| added().chain(copied()).any(|one| one == name);
    // What of these answers have is told apart.
    let is_of_cors = |name: &str| name.starts_with("access-control-");
    let removed = changes.removes.iter();
    let removed = removed.filter(|name| !is_replaced(name) && !is_of_cors(name));
    words.extend(removed.map(|name| format!("has no {name}")));
    words.join(", ")
}

/// The first line of a field.
fn field(facts: &Facts<'_>, name: &str) -> Option<String> {
    let mut found = None;
    facts.fields.any(name, &mut |value| {
        found = Some(String::from_utf8_lossy(value).into_owned());
        true
    });
    found
}
