//! Which server a request's session belongs to.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_config::plan::{Remembered, Secret, SessionKey, Sticky, StickyCookie, Upstream};
use sluice_route::Facts;
use sluice_session::{Pin, Signer};

use super::servers::Servers;
use crate::live_session::{LiveSession, ToldSession};

/// What the request says of its session, where those stay on their servers.
pub(super) fn describe(
    upstream: &Upstream,
    secret: Option<&Secret>,
    facts: &Facts<'_>,
    servers: &Servers,
    text: &mut String,
) -> std::fmt::Result {
    match &upstream.sticky {
        None => Ok(()),
        Some(Sticky::Cookie(cookie)) => {
            let said = by_cookie(cookie, upstream, secret, facts);
            writeln!(text, "session   by cookie {}: {said}", cookie.name)
        }
        Some(Sticky::Remembered(remembered)) => {
            let (by, told) = told(&remembered.by, facts);
            let said = match told {
                None => NONE.to_owned(),
                Some(told) => by_table(remembered, servers.session(upstream, &told)),
            };
            writeln!(text, "session   by {by}: {said}")
        }
    }
}

/// By what the session is told, and how this request tells it.
fn told(by: &SessionKey, facts: &Facts<'_>) -> (String, Option<ToldSession>) {
    let mut value = None;
    let mut found = |bytes: &[u8]| {
        value = Some(String::from_utf8_lossy(bytes).into_owned());
        true
    };
    let by = match by {
        SessionKey::ClientIp => {
            let told = ToldSession::Address(facts.client);
            return ("client-ip".to_owned(), Some(told));
        }
        SessionKey::Header(name) => {
            facts.fields.any(name, &mut found);
            format!("header {name}")
        }
        SessionKey::AppCookie(name) => {
            if !facts.any_cookie(name, &mut found) {
                facts.path_parameter(name).map(|id| found(id.as_bytes()));
            }
            format!("cookie {name}")
        }
    };
    (by, value.map(ToldSession::Value))
}

fn by_table(remembered: &Remembered, session: Option<LiveSession>) -> String {
    match (session, &remembered.store) {
        (None, _) => "only the running sluice knows where it belongs".to_owned(),
        (
            Some(LiveSession::Remembered {
                server: Some(server),
            }),
            _,
        ) => {
            format!("remembered, belongs to {server}")
        }
        (Some(LiveSession::Remembered { server: None }), _) => {
            "remembered, but its server is there no more: the request is balanced".to_owned()
        }
        (Some(LiveSession::Unknown), None) => {
            "it is not remembered, so the request is balanced".to_owned()
        }
        (Some(LiveSession::Unknown), Some(store)) => {
            format!("it is not remembered here; store {store} is asked for it")
        }
    }
}

fn by_cookie(
    cookie: &StickyCookie,
    upstream: &Upstream,
    secret: Option<&Secret>,
    facts: &Facts<'_>,
) -> String {
    let mut found = None;
    let mut has_one = false;
    let signer = secret.map(|secret| Signer::new(secret.reveal().as_bytes(), &upstream.name));
    facts.any_cookie(&cookie.name, &mut |value| {
        has_one = true;
        found = signer.as_ref().and_then(|signer| Pin::read(signer, value));
        found.is_some()
    });
    let (Some(signer), true) = (&signer, has_one) else {
        return if has_one {
            "only the running sluice can read it, as there is no `runtime.secret-key`".to_owned()
        } else {
            NONE.to_owned()
        };
    };
    let Some(pin) = found else {
        return "it is none of ours, or was changed: the request is balanced".to_owned();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let age = pin.age(now.unwrap_or_default().as_secs());
    if cookie.ttl.is_some_and(|ttl| age > ttl.as_secs()) {
        return "it is too old: the request is balanced".to_owned();
    }
    let is_its = |address: &String| signer.server(address) == pin.server;
    let mut addresses = upstream.servers.iter().map(|one| one.address.to_string());
    match addresses.find(is_its) {
        Some(address) => format!("belongs to {address}"),
        None => "its server is not in the file any more: the request is balanced".to_owned(),
    }
}

const NONE: &str = "the request has none, so it is balanced";
