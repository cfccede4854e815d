//! The servers of the running configuration: for whoever asks how they are, and sets what they take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_config::Plan;
use sluice_health::{BreakerSettings, ByHand};
use sluice_telemetry::metrics::{ServerState, StateOf};
use sluice_upstream::{Endpoint, Endpoints};

/// The live servers, in the order of the file. Another set after each reload.
#[derive(Debug, Default)]
pub struct Servers {
    current: Mutex<Vec<LiveServer>>,
}

/// A server that requests can go to.
#[derive(Clone, Debug)]
pub struct LiveServer {
    endpoint: Arc<Endpoint>,
    breaker: Option<BreakerSettings>,
}

impl Servers {
    /// All of them.
    pub fn all(&self) -> Vec<LiveServer> {
        self.lock().clone()
    }

    /// The one with this address in the upstream of this name.
    pub fn get(&self, upstream: &str, address: &str) -> Option<LiveServer> {
        let all = self.lock();
        let mut of_upstream = all.iter().filter(|one| one.upstream() == upstream);
        of_upstream.find(|one| one.address() == address).cloned()
    }

    pub(crate) fn replace(&self, plan: &Plan, endpoints: &Endpoints) {
        let of_upstream = |upstream: &sluice_config::plan::Upstream| {
            let breaker = upstream.circuit_breaker.as_ref();
            let breaker = breaker.map(|breaker| breaker.settings);
            let known = |server: &sluice_config::plan::Server| {
                let endpoint = endpoints.get(&upstream.name, &server.address)?;
                let endpoint = Arc::clone(endpoint);
                Some(LiveServer { endpoint, breaker })
            };
            upstream
                .servers
                .iter()
                .filter_map(known)
                .collect::<Vec<_>>()
        };
        *self.lock() = plan.upstreams.iter().flat_map(of_upstream).collect();
    }

    /// What tells the state of each, by upstream and server.
    pub(crate) fn states(&self) -> BTreeMap<[String; 2], StateOf> {
        let state_of = |server: LiveServer| {
            let names = [server.upstream().to_owned(), server.address().to_owned()];
            let state: StateOf = Box::new(move || server.state());
            (names, state)
        };
        self.all().into_iter().map(state_of).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LiveServer>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveServer {
    /// The name of its upstream.
    pub fn upstream(&self) -> &str {
        &self.endpoint.key().upstream
    }

    /// Its address as written in the file.
    pub fn address(&self) -> &str {
        self.endpoint.label()
    }

    /// The state it is in, whatever the reason.
    pub fn state(&self) -> ServerState {
        self.endpoint.state(self.breaker.as_ref())
    }

    /// What was set by hand.
    pub fn by_hand(&self) -> ByHand {
        self.endpoint.by_hand()
    }

    /// Requests (http), connections (tcp) or sessions (udp) that it works on.
    pub fn in_flight(&self) -> u32 {
        self.endpoint.load().in_flight()
    }

    /// Sets what it takes from now on. It stays so over reloads, for as long as the server stays in the file.
    pub fn set(&self, state: ByHand) {
        if self.endpoint.set_by_hand(state) {
            tracing::info!(
                upstream = self.upstream(),
                server = self.address(),
                state = state.word(),
                "what a server takes was set by hand"
            );
        }
    }
}
