//! The live state of a server, shared by all workers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use sluice_balance::{Kind, Load, Policy};
use sluice_config::plan::Upstream;
use sluice_health::{BreakerSettings, BreakerState, ByHand, RetryBudget, Signs, Verdict};
use sluice_model::{Moment, ServerAddress, Weight};
use sluice_net::connect::Destination;
use sluice_telemetry::metrics::ServerState;
use thiserror::Error;

use crate::health::Health;
use crate::queue::Queue;
use crate::standing::Standing;
use crate::sticky::AllSessions;
use crate::throttle::Throttle;

/// What a server is known by: state belongs to upstream and server, never to the bare address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointKey {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server's address as written in the file.
    pub server: ServerAddress,
}

/// A live server. On cache lines of its own, as every worker writes to it.
#[derive(Debug)]
#[repr(align(128))]
pub struct Endpoint {
    load: Load,
    health: Health,
    connections: AtomicU32,
    closed: AtomicU64,
    /// Whether it chose HTTP/1.1 the last time that it had the choice.
    chose_http1: AtomicBool,
    /// Zero where the file's weight holds.
    weight_by_hand: AtomicU16,
    /// Rising from the first that the process made.
    id: u64,
    /// Who waits for a place at the upstream's servers.
    queue: Arc<Queue>,
    /// The upstream's retries under way.
    retries: Arc<RetryBudget>,
    /// The upstream's hedges under way.
    hedges: Arc<RetryBudget>,
    /// The upstream's limit of requests at a time, where it has one.
    throttle: Arc<Throttle>,
    key: EndpointKey,
    label: Arc<str>,
    destination: Destination,
}

impl Endpoint {
    pub(crate) fn new(
        key: EndpointKey,
        destination: Destination,
        id: u64,
        shared: &Shared,
        verdict: Verdict,
    ) -> Self {
        Self {
            id,
            queue: Arc::clone(&shared.queue),
            retries: Arc::clone(&shared.retries),
            hedges: Arc::clone(&shared.hedges),
            throttle: Arc::clone(&shared.throttle),
            load: Load::default(),
            health: Health::new(Arc::clone(&shared.standing), verdict),
            connections: AtomicU32::new(0),
            closed: AtomicU64::new(0),
            chose_http1: AtomicBool::new(false),
            weight_by_hand: AtomicU16::new(0),
            label: key.server.to_string().into(),
            key,
            destination,
        }
    }

    /// What it is known by.
    pub fn key(&self) -> &EndpointKey {
        &self.key
    }

    /// The address as written in the file, for logs and metrics.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Where to connect to.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// What is learned of it from its traffic. In flight are requests (http) or connections (tcp), from all workers.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// What checks say of it; [`Verdict::Healthy`] where there are none.
    pub fn verdict(&self) -> Verdict {
        self.health.verdict()
    }

    /// Says what checks have shown, and returns whether that is news. Whoever stops checking says [`Verdict::Healthy`]. A
    /// server that was unhealthy and is not any more warms up, if its upstream has a slow start.
    pub fn set_verdict(&self, verdict: Verdict) -> bool {
        let before = self.health.set_verdict(verdict);
        if (before, verdict) == (Verdict::Unhealthy, Verdict::Healthy) {
            self.load.warm_up(self.health.standing().now());
        }
        before != verdict
    }

    /// What was set for it by hand.
    pub fn by_hand(&self) -> ByHand {
        self.health.by_hand()
    }

    /// Sets by hand what it takes, and returns whether that is another state. A server that was down warms up, if its
    /// upstream has a slow start.
    pub fn set_by_hand(&self, state: ByHand) -> bool {
        let before = self.health.set_by_hand(state);
        if (before, state) == (ByHand::Down, ByHand::Up) {
            self.load.warm_up(self.health.standing().now());
        }
        before != state
    }

    /// The weight that was set for it by hand.
    pub fn weight_by_hand(&self) -> Option<Weight> {
        let weight = self.weight_by_hand.load(Ordering::Relaxed);
        Weight::try_from(i64::from(weight)).ok()
    }

    /// Sets its weight by hand, or gives it that of the file again; returns what was set before. It holds where policies are told: see
    /// [`Endpoints::weights`].
    pub fn set_weight_by_hand(&self, weight: Option<Weight>) -> Option<Weight> {
        let number = weight.map_or(0, Weight::get);
        let before = self.weight_by_hand.swap(number, Ordering::Relaxed);
        Weight::try_from(i64::from(before)).ok()
    }

    /// All that is known of its health now; `breaker` says how its circuit breaker is set, where it has one.
    pub fn signs(&self, breaker: Option<&BreakerSettings>) -> Signs {
        self.health.signs(self.health.standing().now(), breaker)
    }

    /// The state that metrics show; `breaker` says how its circuit breaker is set, where it has one.
    pub fn state(&self, breaker: Option<&BreakerSettings>) -> ServerState {
        let signs = self.signs(breaker);
        match (signs.by_hand, signs.verdict, signs.breaker) {
            (ByHand::Down, _, _) => ServerState::Down,
            (ByHand::Drain, _, _) => ServerState::Drain,
            (_, Verdict::Unhealthy, _) => ServerState::Unhealthy,
            (_, Verdict::Unknown, _) => ServerState::Unknown,
            (_, _, BreakerState::Open { .. }) => ServerState::Open,
            (_, _, BreakerState::HalfOpen { .. }) => ServerState::HalfOpen,
            (_, _, BreakerState::Closed) => ServerState::Up,
        }
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Connections open now, idle ones included, from all workers.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections closed since the start. What was closed within the last minute may still hold its local port
    /// (`TIME_WAIT`).
    pub fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether it chose HTTP/1.1 the last time that it had the choice: then nobody waits for a connection to be shared.
    pub(crate) fn chose_http1(&self) -> bool {
        self.chose_http1.load(Ordering::Relaxed)
    }

    /// It has had the choice.
    pub(crate) fn chose(&self, is_http1: bool) {
        if self.chose_http1() != is_http1 {
            self.chose_http1.store(is_http1, Ordering::Relaxed);
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub(crate) fn retries(&self) -> &Arc<RetryBudget> {
        &self.retries
    }

    pub(crate) fn hedges(&self) -> &Arc<RetryBudget> {
        &self.hedges
    }

    pub(crate) fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    pub(crate) fn opened_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the servers of an upstream have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Arc<Queue>,
    retries: Arc<RetryBudget>,
    hedges: Arc<RetryBudget>,
    throttle: Arc<Throttle>,
    standing: Arc<Standing>,
}

impl Shared {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            queue: Arc::new(Queue::new(epoch)),
            retries: Arc::default(),
            hedges: Arc::default(),
            throttle: Arc::default(),
            standing: Arc::new(Standing::new(epoch)),
        }
    }

    fn of(endpoint: &Endpoint) -> Self {
        Self {
            queue: Arc::clone(&endpoint.queue),
            retries: Arc::clone(&endpoint.retries),
            hedges: Arc::clone(&endpoint.hedges),
            throttle: Arc::clone(&endpoint.throttle),
            standing: Arc::clone(endpoint.health.standing()),
        }
    }
}

/// Every live endpoint of the process. Belongs to the control plane.
#[derive(Clone, Debug)]
pub struct Endpoints {
    live: HashMap<EndpointKey, Arc<Endpoint>>,
    /// The origin of all moments, from the first to the last.
    epoch: Instant,
    /// The identity of the next endpoint that is made.
    next_id: u64,
    /// By upstream: what the workers' policies come of, so that they share its tables.
    policies: HashMap<Arc<str>, Policy>,
    /// Other in every process, lest balancers that start together choose alike.
    seed: u64,
    /// Those that stay on their servers.
    pub(crate) sessions: AllSessions,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            live: HashMap::new(),
            epoch: Instant::now(),
            next_id: 0,
            policies: HashMap::new(),
            seed: RandomState::new().hash_one(0_u8),
            sessions: AllSessions::new(),
        }
    }
}

impl Endpoints {
    /// The endpoints that `upstreams` need: those that are live already as they are, new ones made. Whatever is not
    /// needed any more is left out, and ends with its last request.
    ///
    /// A server that joins others of its upstream warms up, if that has a slow start.
    ///
    /// Names are resolved here, blocking: called on the control plane, before anything is changed.
    ///
    /// # Errors
    /// The first name that could not be resolved.
    pub fn updated(&self, upstreams: &[Upstream]) -> Result<Self, ResolveError> {
        let mut live = HashMap::new();
        let now = self.now();
        let mut next_id = self.next_id;
        for upstream in upstreams {
            let known = self
                .live
                .values()
                .find(|one| one.key.upstream == upstream.name);
            let shared = known.map_or_else(|| Shared::new(self.epoch), |one| Shared::of(one));
            // Where nobody checks, nothing speaks against a server.
            let verdict = match upstream.health {
                Some(_) => Verdict::Unknown,
                None => Verdict::Healthy,
            };
            for server in &upstream.servers {
                let key = EndpointKey {
                    upstream: Arc::clone(&upstream.name),
                    server: server.address.clone(),
                };
                let destination = resolve(&key)?;
                let endpoint = match self.live.get(&key) {
                    Some(known) if known.destination == destination => Arc::clone(known),
                    _ => {
                        let new =
                            Endpoint::new(key.clone(), destination, next_id, &shared, verdict);
                        next_id += 1;
                        if known.is_some() {
                            new.load.warm_up(now);
                        }
                        // Its name leads elsewhere now. What it may take was said of the name.
                        if let Some(before) = self.live.get(&key) {
                            new.set_by_hand(before.by_hand());
                            new.set_weight_by_hand(before.weight_by_hand());
                        }
                        Arc::new(new)
                    }
                };
                live.insert(key, endpoint);
            }
        }
        let mut updated = Self {
            live,
            epoch: self.epoch,
            next_id,
            policies: HashMap::new(),
            seed: self.seed,
            sessions: self.sessions.clone(),
        };
        let policy = |upstream: &Upstream| {
            let shapes = updated.shapes(upstream);
            let policy = Policy::new(upstream.balance.settings, &shapes, 0);
            (Arc::clone(&upstream.name), policy)
        };
        updated.policies = upstreams.iter().map(policy).collect();
        Ok(updated)
    }

    /// Those of an upstream, to be asked at another port how they are: like themselves, but without load and health.
    pub(crate) fn at_port(&self, upstream: &Upstream, port: u16) -> Self {
        let shared = Shared::new(self.epoch);
        let of_upstream = |one: &&Arc<Endpoint>| one.key.upstream == upstream.name;
        let live = self.live.values().filter(of_upstream).map(|one| {
            let destination = match &one.destination {
                Destination::Ip(address) => Destination::Ip(SocketAddr::new(address.ip(), port)),
                unix @ Destination::Unix(_) => unix.clone(),
            };
            let key = one.key.clone();
            let other = Endpoint::new(key.clone(), destination, one.id, &shared, Verdict::Healthy);
            (key, Arc::new(other))
        });
        Self {
            live: live.collect(),
            policies: HashMap::new(),
            sessions: self.sessions.clone(),
            ..*self
        }
    }

    /// The origin of the moments that servers' loads are told.
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    /// More than the identity of any endpoint here.
    pub(crate) fn made_before(&self) -> u64 {
        self.next_id
    }

    pub(crate) fn now(&self) -> Moment {
        let nanos = self.epoch.elapsed().as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The endpoint of a server.
    pub fn get(&self, upstream: &Arc<str>, server: &ServerAddress) -> Option<&Arc<Endpoint>> {
        self.live.get(&EndpointKey {
            upstream: Arc::clone(upstream),
            server: server.clone(),
        })
    }

    /// What the workers' policies of an upstream come of.
    pub(crate) fn common_policy(&self, upstream: &Upstream) -> Option<&Policy> {
        self.policies.get(&upstream.name)
    }

    /// The policy of an upstream for a worker, which gives its own `seed`.
    pub(crate) fn policy(&self, upstream: &Upstream, seed: u64) -> Policy {
        // Turns are taken from a known place on; what is drawn is drawn anew in every process.
        let seed = match upstream.balance.settings.kind {
            Kind::RoundRobin => seed,
            _ => seed ^ self.seed,
        };
        match self.policies.get(&upstream.name) {
            Some(known) => known.reseeded(seed),
            None => Policy::new(upstream.balance.settings, &self.shapes(upstream), seed),
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.live.values()
    }
}

/// A server's name that leads nowhere.
#[derive(Debug, Error)]
#[error("cannot resolve server `{server}` of upstream `{upstream}`: {reason}")]
pub struct ResolveError {
    upstream: Arc<str>,
    server: String,
    reason: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where names are resolved, on the control plane"
)]
fn resolve(key: &EndpointKey) -> Result<Destination, ResolveError> {
    let (host, port) = match &key.server {
        ServerAddress::Ip(address) => return Ok(Destination::Ip(*address)),
        ServerAddress::Unix(path) => return Ok(Destination::Unix(path.clone())),
        ServerAddress::Name { host, port } => (host.as_str(), *port),
    };
    let error = |reason: String| ResolveError {
        upstream: Arc::clone(&key.upstream),
        server: key.server.to_string(),
        reason,
    };
    let mut found: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|cause| error(cause.to_string()))?
        .collect();
    // The resolver may shuffle its answers; a stable choice keeps the endpoint over reloads. IPv4 first.
    found.sort_unstable_by_key(|address| (address.is_ipv6(), *address));
    found
        .first()
        .copied()
        .map(Destination::Ip)
        .ok_or_else(|| error("the name has no address".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_or_say_why() {
        let name = |host: &str| EndpointKey {
            upstream: "app".into(),
            server: ServerAddress::Name {
                host: host.into(),
                port: 80,
            },
        };
        assert_eq!(
            resolve(&name("localhost")).ok(),
            Some(Destination::Ip(([127, 0, 0, 1], 80).into()))
        );
        let error = resolve(&name("no-such-host.invalid")).expect_err("unresolvable");
        assert!(
            error.to_string().contains("no-such-host.invalid:80"),
            "{error}"
        );
    }
}
