//! The servers of a running sluice, as its admin address tells of them.

use std::process::ExitCode;

use serde::Deserialize;

use crate::admin_client::{AdminClient, read};

/// A server.
pub(crate) struct LiveServer {
    /// The name of its upstream.
    pub(crate) upstream: String,
    /// As the file has it.
    pub(crate) address: String,
    /// `up`, `half-open`, `open`, `unknown`, `unhealthy`, `drain` or `down`.
    pub(crate) state: String,
    /// `requests`, `trials`, `sessions`, `last-resort` or `nothing`.
    pub(crate) takes: String,
    /// As it counts.
    pub(crate) weight: u32,
    pub(crate) weight_by_hand: Option<u32>,
    pub(crate) in_flight: u32,
    /// How many sessions it has, where those are remembered.
    pub(crate) sessions: Option<u64>,
}

/// A store that balancers share.
#[derive(Deserialize)]
pub(crate) struct LiveStore {
    pub(crate) name: String,
    /// `here` or `away`.
    pub(crate) state: String,
}

impl LiveStore {
    /// All of them; what went wrong is told.
    pub(crate) fn all(admin: &AdminClient) -> Result<Vec<Self>, ExitCode> {
        read::<ToldStores>(&admin.get(STORES)?).map(|told| told.stores)
    }
}

impl LiveServer {
    /// All of them, in the order of the file; what went wrong is told.
    pub(crate) fn all(admin: &AdminClient) -> Result<Vec<Self>, ExitCode> {
        let body = admin.get(PATH)?;
        let told: Told = read(&body)?;
        let of_upstream = |upstream: ToldUpstream| {
            let name = upstream.name;
            upstream.servers.into_iter().map(move |server| Self {
                upstream: name.clone(),
                address: server.address,
                state: server.state,
                takes: server.takes,
                weight: server.weight,
                weight_by_hand: server.weight_by_hand,
                in_flight: server.in_flight,
                sessions: server.sessions,
            })
        };
        Ok(told.upstreams.into_iter().flat_map(of_upstream).collect())
    }

    /// Whether it takes requests that no session brings.
    pub(crate) fn takes_requests(&self) -> bool {
        !["sessions", "nothing"].contains(&self.takes.as_str())
    }

    /// Whether it takes those that a session brings.
    pub(crate) fn takes_sessions(&self) -> bool {
        self.takes != "nothing"
    }

    /// Whether it takes them because all is down.
    pub(crate) fn is_last_resort(&self) -> bool {
        self.takes == "last-resort"
    }
}

#[derive(Deserialize)]
struct ToldStores {
    stores: Vec<LiveStore>,
}

#[derive(Deserialize)]
struct Told {
    upstreams: Vec<ToldUpstream>,
}

#[derive(Deserialize)]
struct ToldUpstream {
    name: String,
    servers: Vec<ToldServer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ToldServer {
    address: String,
    state: String,
    takes: String,
    weight: u32,
    weight_by_hand: Option<u32>,
    in_flight: u32,
    sessions: Option<u64>,
}

/// Where they are told of.
pub(crate) const PATH: &str = "/api/upstreams";
pub(crate) const STORES: &str = "/api/stores";
