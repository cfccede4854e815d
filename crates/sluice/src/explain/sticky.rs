//! Which server a request's session belongs to.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_config::plan::{Remembered, Secret, SessionKey, Sticky, StickyCookie, Upstream};
use sluice_route::Facts;
use sluice_session::{Pin, Signer};

use super::servers::Servers;
use crate::live_session::{LiveSession, ToldSession};

/// What the request says of its session, where those stay on their servers; and whether it stays, so that nothing is chosen.
pub(super) fn describe(
    upstream: &Upstream,
    secret: Option<&Secret>,
    facts: &Facts<'_>,
    servers: &Servers,
    text: &mut String,
) -> Result<bool, std::fmt::Error> {
    let (by, session) = match &upstream.sticky {
        None => return Ok(false),
        Some(Sticky::Cookie(cookie)) => {
            let by = format!("cookie {}", cookie.name);
            (by, by_cookie(cookie, upstream, secret, facts))
        }
        Some(Sticky::Remembered(remembered)) => {
            let (by, told) = told(&remembered.by, facts);
            let session = match told {
                None => Session::balanced(NONE),
                Some(told) => by_table(remembered, servers.session(upstream, &told)),
            };
            (by, session)
        }
    };
    writeln!(text, "session   by {by}: {}", session.said)?;
    let server = session.server.as_deref();
    Ok(server.is_some_and(|address| servers.takes_sessions(upstream, address)))
}

/// What is said of a session, and its server where it has one.
struct Session {
    said: String,
    server: Option<String>,
}

impl Session {
    fn balanced(said: impl Into<String>) -> Self {
        Self {
            said: said.into(),
            server: None,
        }
    }

    fn belongs_to(server: String, how: &str) -> Self {
        Self {
            said: format!("{how}belongs to {server}"),
            server: Some(server),
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

fn by_table(remembered: &Remembered, session: Option<LiveSession>) -> Session {
    match (session, &remembered.store) {
        (None, _) => Session::balanced("only the running sluice knows where it belongs"),
        (
            Some(LiveSession::Remembered {
                server: Some(server),
            }),
            _,
        ) => Session::belongs_to(server, "remembered, "),
        (Some(LiveSession::Remembered { server: None }), _) => Session::balanced(
            "remembered, but its server is there no more: the request is balanced",
        ),
        (Some(LiveSession::Unknown), None) => {
            Session::balanced("it is not remembered, so the request is balanced")
        }
        (Some(LiveSession::Unknown), Some(store)) => Session::balanced(format!(
            "it is not remembered here; store {store} is asked for it"
        )),
    }
}

fn by_cookie(
    cookie: &StickyCookie,
    upstream: &Upstream,
    secret: Option<&Secret>,
    facts: &Facts<'_>,
) -> Session {
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
            Session::balanced(
                "only the running sluice can read it, as there is no `runtime.secret-key`",
            )
        } else {
            Session::balanced(NONE)
        };
    };
    let Some(pin) = found else {
        return Session::balanced("it is none of ours, or was changed: the request is balanced");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let age = pin.age(now.unwrap_or_default().as_secs());
    if cookie.ttl.is_some_and(|ttl| age > ttl.as_secs()) {
        return Session::balanced("it is too old: the request is balanced");
    }
    let is_its = |address: &String| signer.server(address) == pin.server;
    let mut addresses = upstream.servers.iter().map(|one| one.address.to_string());
    match addresses.find(is_its) {
        Some(address) => Session::belongs_to(address, ""),
        None => {
            Session::balanced("its server is not in the file any more: the request is balanced")
        }
    }
}

const NONE: &str = "the request has none, so it is balanced";
