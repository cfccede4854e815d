//! What one worker holds of an upstream.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::uri::Scheme;
use sluice_balance::{Ask, Load, Policy, Servers, Signals};
use sluice_config::plan::{HashKey, SendProxyProtocol, SourceAddress, Upstream, UpstreamProtocol};
use sluice_model::{Moment, ServerAddress};
use sluice_net::connect::{Destination, Source, connect};
use sluice_net::{Socket, Stream};
use sluice_telemetry::metrics::{Registry, UpstreamMetrics};
use sluice_tls::{ClientConfig, HandshakeError, Session as TlsSession, Workspace, begin_session};
use tokio::time::timeout;

use crate::connection::{ConnectError, Connection};
use crate::endpoint::Endpoints;
use crate::lane::{Check, InFlight, Lane, Opening};
use crate::queue::{Place, Queue};
use crate::session::Session;

/// How many servers one request tries at most, however many there are.
pub const MAX_ATTEMPTS: usize = 8;

/// An upstream as one worker sees it: a policy, and a lane to each server.
#[derive(Debug)]
pub struct Cluster {
    settings: Upstream,
    lanes: Vec<Rc<Lane>>,
    policy: RefCell<Policy>,
    /// What the policy wants to be told of requests.
    signals: Signals,
    /// The origin of all moments.
    epoch: Instant,
    /// Tells this pick from others.
    picks: Cell<u64>,
    /// More than the identity of any endpoint of these lanes.
    made_before: u64,
    metrics: Arc<UpstreamMetrics>,
    /// What connections are ciphered by.
    tls: OnceCell<ClientTls>,
}

#[derive(Debug)]
struct ClientTls {
    config: Arc<ClientConfig>,
    workspace: Rc<Workspace>,
}

/// What a policy is told of a request that looks for a server.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The time.
    pub now: Instant,
    /// The hash of what decides about the server: wanted where [`Cluster::key`] says of what.
    pub key: Option<u64>,
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
        Self {
            lanes,
            policy: RefCell::new(endpoints.policy(settings, u64::from(seed))),
            signals: settings.balance.settings.kind.signals(),
            epoch: endpoints.epoch(),
            picks: Cell::new(0),
            made_before: endpoints.made_before(),
            metrics: registry.upstream(worker, &settings.name),
            tls: OnceCell::new(),
            settings: settings.clone(),
        }
    }

    /// Says by what connections are ciphered, in which buffers. Said once; without it they are not.
    pub fn cipher_by(&self, config: &Arc<ClientConfig>, workspace: &Rc<Workspace>) {
        self.tls.get_or_init(|| ClientTls {
            config: Arc::clone(config),
            workspace: Rc::clone(workspace),
        });
    }

    /// What is offered by ALPN for requests.
    pub fn protocols(&self) -> &'static [&'static [u8]] {
        match self.settings.protocol {
            UpstreamProtocol::Http2 => &[b"h2"],
            UpstreamProtocol::Http1 => &[b"http/1.1"],
        }
    }

    fn secured_by(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.get().map(|tls| &tls.config)
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

    /// What of a request decides about its server; `None` where the policy does not go by such.
    pub fn key(&self) -> Option<&HashKey> {
        self.settings.balance.key.as_ref()
    }

    /// A place at the server that is next by the policy, among those not tried yet that have one free.
    pub fn pick(&self, tried: &mut Tried, asked: Asked) -> Option<InFlight> {
        let ask = Ask {
            now: self.moment(asked.now),
            key: asked.key,
        };
        self.picks.set(self.picks.get().wrapping_add(1));
        // A server may fill up between looking and entering.
        for _ in 0..MAX_ATTEMPTS {
            if tried.is_exhausted() {
                return None;
            }
            let mut policy = self.policy.borrow_mut();
            let candidates = Candidates {
                cluster: self,
                tried,
            };
            let position = policy.pick(&candidates, &ask)?;
            drop(policy);
            let lane = self.lanes.get(position)?;
            let limit = self.limit(position);
            if let Some(place) = InFlight::enter(lane, limit) {
                tried.add(position);
                return Some(place);
            }
        }
        None
    }

    /// Remembers that the request has had this place, where it has not got it from [`Cluster::pick`].
    pub fn note_tried(&self, tried: &mut Tried, place: &InFlight) {
        let mut lanes = self.lanes.iter();
        if let Some(position) = lanes.position(|lane| Rc::ptr_eq(lane, place.lane())) {
            tried.add(position);
        }
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing was sent then.
    pub async fn connect(
        &self,
        lane: &Rc<Lane>,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Box<Connection>, ConnectError> {
        let settings = &self.settings;
        let started = Instant::now();
        let attempt = self.connect_from_any_source(lane, client, start);
        let outcome = match timeout(settings.connect_timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::Timeout),
        };
        match outcome {
            Ok(socket) => {
                let now = Instant::now();
                lane.metrics().connections_opened.increment();
                self.metrics.connect.record(now - started);
                let bound_to = self.bound_to(client);
                let connection = Connection::new(socket.into(), lane.endpoint(), bound_to, now);
                Ok(Box::new(connection))
            }
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    /// Makes a new connection a TLS session, where the upstream wants that; `protocols` are offered by ALPN.
    ///
    /// # Errors
    /// [`ConnectError`]; another server may be tried.
    pub async fn secure(
        &self,
        lane: &Lane,
        connection: &mut Connection,
        protocols: &[&[u8]],
    ) -> Result<(), ConnectError> {
        let Some(tls) = self.tls.get() else {
            return Ok(());
        };
        let attempt = self.handshake(tls, lane, connection.stream.take(), protocols);
        let outcome = match timeout(self.settings.connect_timeout, attempt).await {
            Ok(outcome) => outcome.map_err(ConnectError::Tls),
            Err(_) => Err(ConnectError::Timeout),
        };
        match outcome {
            Ok(session) => {
                connection.stream = Stream::Layered(session);
                connection.secured_by = Some(Arc::clone(&tls.config));
                Ok(())
            }
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    async fn handshake(
        &self,
        tls: &ClientTls,
        lane: &Lane,
        stream: Stream,
        protocols: &[&[u8]],
    ) -> Result<Box<TlsSession>, HandshakeError> {
        let Stream::Socket(socket) = stream else {
            return Err(HandshakeError::Closed);
        };
        let named = self.settings.tls.as_ref();
        let server_name = named.and_then(|tls| tls.server_name.as_deref());
        let host = match (server_name, &lane.endpoint().key().server) {
            (Some(name), _) => name.to_owned(),
            (None, ServerAddress::Ip(address)) => address.ip().to_string(),
            (None, ServerAddress::Name { host, .. }) => host.clone(),
            (None, ServerAddress::Unix(_)) => String::new(),
        };
        let workspace = Rc::clone(&tls.workspace);
        let mut session = begin_session(socket, &tls.config, host, protocols, workspace)?;
        poll_fn(|cx| session.poll_shake_hands(cx)).await?;
        Ok(session)
    }

    /// An idle connection of the lane that this client may use and that is still open by `check`.
    pub fn take_idle(
        &self,
        lane: &Lane,
        client: SocketAddr,
        check: Check,
    ) -> Option<Box<Connection>> {
        let secured_by = self.secured_by();
        if self.settings.protocol == UpstreamProtocol::Http2 {
            return lane.take_stream(self.bound_to(client), secured_by);
        }
        lane.take_idle(self.bound_to(client), secured_by, check)
    }

    /// Waits while a connection is being opened that this request can share.
    ///
    /// # Errors
    /// It is this request's turn to open one.
    pub async fn await_turn<'l>(
        &self,
        lane: &'l Lane,
        client: SocketAddr,
    ) -> Result<Box<Connection>, OpenTurn<'l>> {
        if self.settings.protocol != UpstreamProtocol::Http2 {
            return Err(OpenTurn(None));
        }
        loop {
            if let Some(turn) = lane.begin_opening() {
                return Err(OpenTurn(Some(turn)));
            }
            let shared_before = lane.shared();
            lane.opened().await;
            if let Some(stream) = lane.take_stream(self.bound_to(client), self.secured_by()) {
                return Ok(stream);
            }
            if lane.shared() == shared_before {
                // It was not to be had. Whoever waited finds out by himself, and not one after the other.
                return Err(OpenTurn(None));
            }
        }
    }

    /// Makes a new connection, on which nothing but a PROXY header was sent, ready for a request.
    ///
    /// # Errors
    /// [`ConnectError`]; no request was sent then.
    pub async fn prepare(
        &self,
        lane: &Lane,
        client: SocketAddr,
        connection: Box<Connection>,
    ) -> Result<Box<Connection>, ConnectError> {
        if self.settings.protocol != UpstreamProtocol::Http2 {
            return Ok(connection);
        }
        let scheme = match self.settings.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        let beginning = Session::start(*connection, scheme, self.bound_to(client));
        let begun = timeout(self.settings.connect_timeout, beginning).await;
        let session = begun.map_err(|_| ConnectError::Timeout)??;
        let closed = || io::Error::from(io::ErrorKind::ConnectionReset).into();
        lane.share(session).ok_or_else(closed)
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
        // A policy may ask more than once.
        if !has_place && lane.is_first_in(self.picks.get()) {
            lane.metrics().limit_reached.increment();
        }
        has_place
    }

    /// The moment that the policy and what is learned of servers reckon with.
    pub(crate) fn moment(&self, at: Instant) -> Moment {
        let nanos = at.saturating_duration_since(self.epoch).as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Where requests wait for a place at one of the servers.
    pub(crate) fn queue(&self) -> Option<&Arc<Queue>> {
        self.lanes.first().map(|lane| lane.endpoint().queue())
    }

    pub(crate) fn made_before(&self) -> u64 {
        self.made_before
    }

    /// Whether a place may become free at a server that was not tried.
    pub(crate) fn may_become_free(&self, tried: &Tried) -> bool {
        !tried.is_exhausted()
            && (0..self.lanes.len())
                .any(|position| !tried.contains(position) && self.limit(position).is_some())
    }

    /// The identities of the servers that were tried.
    pub(crate) fn ids(&self, tried: &Tried) -> Vec<u64> {
        tried
            .positions()
            .filter_map(|position| self.lanes.get(position))
            .map(|lane| lane.endpoint().id())
            .collect()
    }

    /// A place that was handed over; given back at once where its server is none of this cluster's.
    pub(crate) fn taken_over(&self, place: Place) -> Option<InFlight> {
        let position = self
            .lanes
            .iter()
            .position(|lane| place.is_at(lane.endpoint()))?;
        let lane = self.lanes.get(position)?;
        place.into_endpoint()?;
        Some(InFlight::entered(lane, self.limit(position)))
    }

    pub(crate) fn signals(&self) -> Signals {
        self.signals
    }

    fn limit(&self, position: usize) -> Option<u32> {
        self.settings
            .servers
            .get(position)
            .and_then(|server| server.max_connections)
    }

    /// Connects from the source address whose turn it is, or from the next one that still has a port for this server.
    async fn connect_from_any_source(
        &self,
        lane: &Lane,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Socket, ConnectError> {
        let mut tries_left = self.settings.source_addresses.len();
        loop {
            let source = self.source(lane, client, start)?;
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

/// A request's turn to open a connection. Held until that is there.
#[derive(Debug)]
pub struct OpenTurn<'a>(
    #[expect(dead_code, reason = "its drop tells those who wait")] Option<Opening<'a>>,
);

impl Cluster {
    /// Where the next connection to a server starts.
    pub(crate) fn source(
        &self,
        lane: &Lane,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Source, ConnectError> {
        if start == SourceAddress::Balancer {
            let own = lane.next_source(&self.settings.source_addresses);
            return Ok(own.map_or(Source::Any, Source::Own));
        }
        match lane.endpoint().destination() {
            Destination::Ip(server) if server.is_ipv4() == client.is_ipv4() => {
                Ok(Source::Client(client.ip()))
            }
            Destination::Ip(_) => Err(ConnectError::OtherFamily),
            Destination::Unix(_) => Ok(Source::Any),
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
        self.positions().any(|tried| tried == position)
    }

    fn positions(&self) -> impl Iterator<Item = usize> {
        let known = self.positions.iter().take(self.count);
        known.map(|position| *position as usize)
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
