//! What one worker holds of an upstream.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sluice_balance::{Ask, Load, Policy, ServerShape, Servers, key_hash};
use sluice_config::plan::{Balance, SendProxyProtocol, Upstream};
use sluice_net::Stream;
use sluice_net::connect::connect;
use sluice_telemetry::metrics::{Registry, UpstreamMetrics};
use tokio::time::timeout;

use crate::connection::{ConnectError, Connection};
use crate::endpoint::Endpoints;
use crate::lane::{Check, InFlight, Lane};

/// How many servers one request tries at most, however many there are.
pub const MAX_ATTEMPTS: usize = 8;

/// An upstream as one worker sees it: a policy, and a lane to each server.
#[derive(Debug)]
pub struct Cluster {
    settings: Upstream,
    lanes: Vec<Rc<Lane>>,
    policy: RefCell<Policy>,
    metrics: Arc<UpstreamMetrics>,
}

impl Cluster {
    /// Builds the worker's view of `settings`. Lanes of `previous` whose server is the same live on with their idle
    /// connections.
    ///
    /// `seed` differs by worker, so that workers do not all begin with the same server.
    pub fn new(
        settings: &Upstream,
        endpoints: &Endpoints,
        previous: Option<&Self>,
        registry: &Registry,
        worker: usize,
        seed: u32,
    ) -> Self {
        let lanes = settings
            .servers
            .iter()
            .filter_map(|server| endpoints.get(&settings.name, &server.address))
            .map(|endpoint| {
                let known = previous.and_then(|previous| {
                    previous
                        .lanes
                        .iter()
                        .find(|lane| Arc::ptr_eq(lane.endpoint(), endpoint))
                });
                known.map_or_else(
                    || {
                        let metrics = registry.server(worker, &settings.name, endpoint.label());
                        Rc::new(Lane::new(Arc::clone(endpoint), metrics))
                    },
                    Rc::clone,
                )
            })
            .collect();
        let shapes: Vec<_> = settings
            .servers
            .iter()
            .map(|server| ServerShape {
                id: key_hash(server.address.to_string().as_bytes()),
                weight: server.weight,
                backup: server.backup,
                in_own_zone: false,
            })
            .collect();
        let Balance::RoundRobin = settings.balance;
        Self {
            lanes,
            policy: RefCell::new(Policy::new(
                sluice_balance::Settings::default(),
                &shapes,
                u64::from(seed),
            )),
            metrics: registry.upstream(worker, &settings.name),
            settings: settings.clone(),
        }
    }

    /// The upstream's settings.
    pub fn settings(&self) -> &Upstream {
        &self.settings
    }

    /// This worker's counters for the upstream.
    pub fn metrics(&self) -> &UpstreamMetrics {
        &self.metrics
    }

    /// The lanes, in the order of the servers in the file.
    pub fn lanes(&self) -> &[Rc<Lane>] {
        &self.lanes
    }

    /// A place at the server that is next by the policy, among those not tried yet that have one free.
    pub fn pick(&self, tried: &mut Tried) -> Option<InFlight> {
        // A server may fill up between looking and entering: then it counts as tried.
        while !tried.is_exhausted() {
            let mut policy = self.policy.borrow_mut();
            let candidates = Candidates {
                cluster: self,
                tried,
            };
            let position = policy.pick(&candidates, &Ask::default())?;
            drop(policy);
            tried.add(position);
            let lane = self.lanes.get(position)?;
            let limit = self.limit(position);
            if let Some(place) = InFlight::enter(lane, limit) {
                return Some(place);
            }
        }
        None
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing was sent then.
    pub async fn connect(
        &self,
        lane: &Rc<Lane>,
        client: SocketAddr,
    ) -> Result<Box<Connection>, ConnectError> {
        let settings = &self.settings;
        let started = Instant::now();
        let attempt = self.connect_from_any_source(lane);
        let outcome = match timeout(settings.connect_timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::Timeout),
        };
        match outcome {
            Ok(stream) => {
                let now = Instant::now();
                lane.metrics().connections_opened.increment();
                self.metrics.connect.record(now - started);
                let bound_to = self.bound_to(client);
                let connection = Connection::new(stream, lane.endpoint(), bound_to, now);
                Ok(Box::new(connection))
            }
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    /// An idle connection of the lane that this client may use and that is still open by `check`.
    pub fn take_idle(
        &self,
        lane: &Lane,
        client: SocketAddr,
        check: Check,
    ) -> Option<Box<Connection>> {
        lane.take_idle(self.bound_to(client), check)
    }

    /// Keeps a connection on which nothing is under way for the next request.
    pub fn keep(&self, lane: &Lane, connection: Box<Connection>, now: Instant) {
        lane.keep(connection, self.settings.idle_connections, now);
    }

    /// Closes connections that were idle for too long. Called now and then by the worker.
    pub fn close_idle(&self, now: Instant) {
        for lane in &self.lanes {
            lane.close_idle(self.settings.idle_timeout, now);
        }
    }

    /// A PROXY header names one client, so a connection that began with one is that client's alone.
    fn bound_to(&self, client: SocketAddr) -> Option<SocketAddr> {
        (self.settings.send_proxy_protocol != SendProxyProtocol::Off).then_some(client)
    }

    fn has_place(&self, position: usize) -> bool {
        let Some(limit) = self.limit(position) else {
            return true;
        };
        let Some(lane) = self.lanes.get(position) else {
            return false;
        };
        let has_place = lane.endpoint().load().in_flight() < limit;
        if !has_place {
            lane.metrics().limit_reached.increment();
        }
        has_place
    }

    fn limit(&self, position: usize) -> Option<u32> {
        self.settings
            .servers
            .get(position)
            .and_then(|server| server.max_connections)
    }

    /// Connects from the source address whose turn it is, or from the next one that still has a port for this server.
    async fn connect_from_any_source(&self, lane: &Lane) -> Result<Stream, ConnectError> {
        let sources = &self.settings.source_addresses;
        let mut tries_left = sources.len();
        loop {
            let source = lane.next_source(sources);
            let attempt = connect(
                lane.endpoint().destination(),
                source,
                self.settings.keep_alive,
            );
            tries_left = tries_left.saturating_sub(1);
            match attempt.await.map_err(ConnectError::from) {
                Err(ConnectError::NoLocalPort) if tries_left > 0 => {}
                outcome => return outcome,
            }
        }
    }
}

/// The servers that one request can go to.
struct Candidates<'a> {
    cluster: &'a Cluster,
    tried: &'a Tried,
}

impl Servers for Candidates<'_> {
    fn is_eligible(&self, server: usize) -> bool {
        !self.tried.contains(server) && self.cluster.has_place(server)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.cluster
            .lanes
            .get(server)
            .map(|lane| lane.endpoint().load())
    }
}

/// The servers a request was sent to, or refused by.
#[derive(Debug, Default)]
pub struct Tried {
    positions: [u32; MAX_ATTEMPTS],
    count: usize,
}

impl Tried {
    /// How many were tried.
    pub fn count(&self) -> usize {
        self.count
    }

    fn contains(&self, position: usize) -> bool {
        self.positions
            .iter()
            .take(self.count)
            .any(|tried| *tried as usize == position)
    }

    fn is_exhausted(&self) -> bool {
        self.count >= MAX_ATTEMPTS
    }

    fn add(&mut self, position: usize) {
        if let (Some(slot), Ok(position)) =
            (self.positions.get_mut(self.count), u32::try_from(position))
        {
            *slot = position;
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests;
