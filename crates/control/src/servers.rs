//! The servers of the running configuration: for whoever asks how they are, and sets what they take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_config::Plan;
use sluice_health::{Admission, Bounds, BreakerSettings, ByHand, Census, Signs};
use sluice_model::Weight;
use sluice_telemetry::metrics::{ServerState, StateOf};
use sluice_upstream::{Endpoint, Endpoints, ToldSession, Whereabouts, bounds};
use tokio::sync::{mpsc, oneshot};

/// The live servers, in the order of the file. Another set after each reload.
#[derive(Debug)]
pub struct Servers {
    current: Mutex<Vec<LiveServer>>,
    /// What knows of their sessions.
    endpoints: Mutex<Arc<Endpoints>>,
    reweighed: mpsc::Sender<Reweighed>,
}

/// A server of an upstream has another weight, which its workers do not know yet.
#[derive(Debug)]
pub(crate) struct Reweighed {
    pub(crate) upstream: Arc<str>,
    /// Told when they do.
    pub(crate) done: oneshot::Sender<()>,
}

/// A server that requests can go to.
#[derive(Clone, Debug)]
pub struct LiveServer {
    endpoint: Arc<Endpoint>,
    breaker: Option<BreakerSettings>,
    /// Those of its upstream.
    bounds: Bounds,
    /// As the file says.
    weight: Weight,
}

impl Servers {
    /// None as yet, and where it is told which have other weights.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Reweighed>) {
        let (reweighed, changes) = mpsc::channel(CHANGES);
        let servers = Self {
            current: Mutex::default(),
            endpoints: Mutex::default(),
            reweighed,
        };
        (servers, changes)
    }

    /// All of them.
    pub fn all(&self) -> Vec<LiveServer> {
        self.lock().clone()
    }

    /// All of them, and what each takes now beside the others of its upstream.
    pub fn admissions(&self) -> Vec<(LiveServer, Admission)> {
        let all = self.all();
        let upstreams = all.chunk_by(|one, next| one.upstream() == next.upstream());
        upstreams.flat_map(admissions_of).collect()
    }

    /// What a server takes now, beside the others of its upstream.
    pub fn admission(&self, server: &LiveServer) -> Admission {
        let mut of_upstream = self.all();
        of_upstream.retain(|one| one.upstream() == server.upstream());
        let mut known = admissions_of(&of_upstream);
        let found = known.find(|(one, _)| one.address() == server.address());
        found.map_or(Admission::Nothing, |(_, admission)| admission)
    }

    /// How many sessions each of these servers of one upstream has, where a table remembers them.
    pub fn sessions(&self, servers: &[&LiveServer]) -> Option<Vec<usize>> {
        let upstream = servers.first()?.upstream();
        let addresses: Vec<_> = servers.iter().map(|server| server.address()).collect();
        self.endpoints().sessions_by_server(upstream, &addresses)
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        let known = self.endpoints.lock();
        Arc::clone(&known.unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the session is that a client tells so; `None` where no table remembers sessions of that upstream.
    pub fn session(&self, upstream: &str, told: &ToldSession<'_>) -> Option<Whereabouts> {
        let all = self.all();
        let of_upstream = all.iter().filter(|server| server.upstream() == upstream);
        let addresses: Vec<_> = of_upstream.map(LiveServer::address).collect();
        self.endpoints().whereabouts(upstream, told, &addresses)
    }

    /// The one with this address in the upstream of this name.
    pub fn get(&self, upstream: &str, address: &str) -> Option<LiveServer> {
        let all = self.lock();
        let mut of_upstream = all.iter().filter(|one| one.upstream() == upstream);
        of_upstream.find(|one| one.address() == address).cloned()
    }

    pub(crate) fn replace(&self, plan: &Plan, endpoints: &Arc<Endpoints>) {
        let of_upstream = |upstream: &sluice_config::plan::Upstream| {
            let breaker = upstream.circuit_breaker.as_ref();
            let breaker = breaker.map(|breaker| breaker.settings);
            let known = |server: &sluice_config::plan::Server| {
                let endpoint = endpoints.get(&upstream.name, &server.address)?;
                let endpoint = Arc::clone(endpoint);
                Some(LiveServer {
                    endpoint,
                    breaker,
                    bounds: bounds(upstream),
                    weight: server.weight,
                })
            };
            upstream
                .servers
                .iter()
                .filter_map(known)
                .collect::<Vec<_>>()
        };
        *self.lock() = plan.upstreams.iter().flat_map(of_upstream).collect();
        *self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(endpoints);
    }

    /// Sets a server's weight, or gives it that of the file again. It stays so over reloads, for as long as the server stays in the
    /// file. Returns when all workers balance by it.
    pub async fn set_weight(&self, server: &LiveServer, weight: Option<Weight>) {
        let before = server.endpoint.set_weight_by_hand(weight);
        if before == weight {
            return;
        }
        let (done, wait) = oneshot::channel();
        let upstream = Arc::clone(&server.endpoint.key().upstream);
        let change = Reweighed { upstream, done };
        // At the end of the process nobody is there to be told.
        if self.reweighed.send(change).await.is_ok() {
            let _ = wait.await;
        }
        tracing::info!(
            upstream = server.upstream(),
            server = server.address(),
            weight = server.weight().value(),
            by_hand = weight.is_some(),
            "the weight of a server was set"
        );
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

/// What the servers of one upstream take.
fn admissions_of(servers: &[LiveServer]) -> impl Iterator<Item = (LiveServer, Admission)> {
    let signs: Vec<_> = servers.iter().map(LiveServer::signs).collect();
    let bounds = servers.first().map(|server| server.bounds);
    let census = bounds.map(|bounds| Census::of(&signs, bounds));
    servers
        .iter()
        .zip(signs)
        .enumerate()
        .filter_map(move |(index, (server, signs))| {
            Some((server.clone(), census?.admission(index, &signs)))
        })
}

/// None, of a process that runs nothing.
impl Default for Servers {
    fn default() -> Self {
        Self::new().0
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

    fn signs(&self) -> Signs {
        self.endpoint.signs(self.breaker.as_ref())
    }

    /// What was set by hand.
    pub fn by_hand(&self) -> ByHand {
        self.endpoint.by_hand()
    }

    /// The weight that it has beside the others.
    pub fn weight(&self) -> Weight {
        self.weight_by_hand().unwrap_or(self.weight)
    }

    /// The weight that was set by hand.
    pub fn weight_by_hand(&self) -> Option<Weight> {
        self.endpoint.weight_by_hand()
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

/// Changes that wait to be told to the workers.
const CHANGES: usize = 16;
