//! What all workers share of an upstream's sessions: the keys by which they are named, and the table where they are remembered.
//! Kept over reloads.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use sluice_config::plan::{Secret, Upstream};
use sluice_model::Moment;
use sluice_session::{Signer, Table};

use crate::endpoint::Endpoints;

/// The sessions of an upstream, where they stay on their servers.
#[derive(Debug)]
pub struct Sessions {
    signer: Signer,
    /// What the signer is made of; `None` is what was drawn at the start.
    secret: Option<Secret>,
    table: Option<Table>,
}

impl Sessions {
    /// Names servers and sessions.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Where sessions are remembered; `None` where their clients bring along where they are.
    pub fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }
}

/// How a client tells its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldSession<'a> {
    /// The value of a cookie or a field.
    Value(&'a [u8]),
    /// Where it is.
    Address(IpAddr),
}

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// At the server of this address.
    At(String),
    /// At a server that is there no more.
    Gone,
    /// It is not remembered.
    Unknown,
}

/// Those of all upstreams.
#[derive(Clone, Debug)]
pub(crate) struct AllSessions {
    at_random: [u8; 32],
    live: HashMap<Arc<str>, Arc<Sessions>>,
}

impl AllSessions {
    /// None yet. What signs where the file says nothing is drawn now.
    pub(crate) fn new() -> Self {
        let mut at_random = [0; 32];
        rand::fill(&mut at_random).expect("no process starts without random bytes");
        Self {
            at_random,
            live: HashMap::new(),
        }
    }

    fn of(
        &self,
        upstream: &Upstream,
        secret: Option<&Secret>,
        now: Moment,
    ) -> Option<Arc<Sessions>> {
        let sticky = upstream.sticky.as_ref()?;
        let known = self.live.get(&upstream.name);
        let known = known.filter(|known| known.secret.as_ref() == secret);
        let wanted = sticky
            .remembered()
            .map(|remembered| (remembered.max_sessions, remembered.ttl));
        if let Some(known) = known.filter(|known| is_such(known.table(), wanted)) {
            return Some(Arc::clone(known));
        }
        let text = secret.map_or(&self.at_random[..], |secret| secret.reveal().as_bytes());
        let table = wanted.map(|(sessions, ttl)| {
            let table = Table::new(sessions, ttl);
            // With another secret the same names would mean others.
            if let Some(before) = known.and_then(|known| known.table()) {
                table.take_over(before, now);
            }
            table
        });
        Some(Arc::new(Sessions {
            signer: Signer::new(text, &upstream.name),
            secret: secret.cloned(),
            table,
        }))
    }
}

impl Endpoints {
    /// Has the sessions that `upstreams` need, by keys made of `secret`; without one, of what was drawn at the start. Those that
    /// are live already stay as they are.
    pub fn follow_sessions(&mut self, upstreams: &[Upstream], secret: Option<&Secret>) {
        let now = self.now();
        let live = upstreams.iter().filter_map(|upstream| {
            let sessions = self.sessions.of(upstream, secret, now)?;
            Some((Arc::clone(&upstream.name), sessions))
        });
        self.sessions.live = live.collect();
    }

    /// How many sessions of an upstream each of these servers has, where a table remembers them.
    pub fn sessions_by_server(&self, upstream: &str, servers: &[&str]) -> Option<Vec<usize>> {
        let sessions = self.sessions(upstream)?;
        let signer = sessions.signer();
        let names: Vec<_> = servers.iter().map(|server| signer.server(server)).collect();
        Some(sessions.table()?.count_by_server(&names, self.now()))
    }

    /// Where the session is that clients tell so, among these servers of an upstream; `None` where no table remembers its sessions.
    pub fn whereabouts(
        &self,
        upstream: &str,
        told: &ToldSession<'_>,
        servers: &[&str],
    ) -> Option<Whereabouts> {
        let sessions = self.sessions(upstream)?;
        let signer = sessions.signer();
        let name = match told {
            ToldSession::Value(value) => signer.session(value),
            ToldSession::Address(address) => signer.session_of(*address),
        };
        let found = sessions.table()?.look_up(name, self.now());
        Some(match found {
            None => Whereabouts::Unknown,
            Some(found) => {
                let is_it = |server: &&&str| signer.server(server) == found;
                let address = servers.iter().find(is_it);
                address.map_or(Whereabouts::Gone, |one| Whereabouts::At((*one).to_owned()))
            }
        })
    }

    /// The sessions of an upstream, where they stay on their servers.
    pub fn sessions(&self, upstream: &str) -> Option<&Arc<Sessions>> {
        self.sessions.live.get(upstream)
    }
}

fn is_such(table: Option<&Table>, wanted: Option<(usize, Duration)>) -> bool {
    match (table, wanted) {
        (None, None) => true,
        (Some(table), Some((sessions, ttl))) => table.is_for(sessions, ttl),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
