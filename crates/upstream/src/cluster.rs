//! What one worker holds of an upstream.

mod connecting;
mod dialing;
mod home;

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_balance::{Ask, Load, Policy, Servers, Signals};
use sluice_config::plan::{HashKey, SendProxyProtocol, Upstream, UpstreamProtocol};
use sluice_health::{Admission, ResponseTimes};
use sluice_model::{Moment, Priority};
use sluice_quic::ClientSettings;
use sluice_telemetry::metrics::{Registry, UpstreamMetrics};
use sluice_tls::{ClientConfig, Workspace};

use crate::connection::Connection;
use crate::endpoint::Endpoints;
use crate::gate::{Admitted, Gate, Rank};
use crate::lane::{Check, InFlight, Lane, Need};
use crate::queue::{Place, Queue};
use crate::throttle::Limiter;
use crate::tried::{MAX_ATTEMPTS, Tried};

pub use connecting::{Offer, OpenTurn};
use home::{AtHome, Homes};

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
    /// Who may take requests.
    gate: Gate,
    /// How many at a time.
    limiter: Option<Rc<Limiter>>,
    /// What connections are ciphered by.
    tls: OnceCell<ClientTls>,
    /// Where sessions belong, where they stay on their servers.
    homes: Option<Homes>,
    /// How long requests take that may be hedged, once there are such.
    response_times: RefCell<Option<Box<ResponseTimes>>>,
}

#[derive(Debug)]
struct ClientTls {
    config: Arc<ClientConfig>,
    workspace: Rc<Workspace>,
    /// The same for QUIC, from the first connection on.
    quic: OnceCell<ClientSettings>,
}

/// What a policy is told of a request that looks for a server.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The time.
    pub now: Instant,
    /// The hash of what decides about the server: wanted where [`Cluster::key`] says of what.
    pub key: Option<u64>,
    /// Who comes first where not all can be served.
    pub priority: Priority,
    /// Whether it is a request, which counts for `adaptive-concurrency`, and not a connection or a session.
    pub is_request: bool,
    /// The server that its session belongs to: see [`Cluster::home`].
    pub home: Option<usize>,
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
        let lanes: Vec<_> = settings
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
        let metrics = registry.upstream(worker, &settings.name);
        Self {
            gate: Gate::new(settings, &lanes),
            limiter: Limiter::of(settings, &lanes, &metrics),
            homes: Homes::of(settings, endpoints, &lanes),
            lanes,
            policy: RefCell::new(endpoints.policy(settings, u64::from(seed))),
            signals: settings.balance.settings.kind.signals(),
            epoch: endpoints.epoch(),
            picks: Cell::new(0),
            made_before: endpoints.made_before(),
            metrics,
            tls: OnceCell::new(),
            response_times: RefCell::default(),
            settings: settings.clone(),
        }
    }

    /// Says by what connections are ciphered, in which buffers. Said once; without it they are not.
    pub fn cipher_by(&self, config: &Arc<ClientConfig>, workspace: &Rc<Workspace>) {
        self.tls.get_or_init(|| ClientTls {
            config: Arc::clone(config),
            workspace: Rc::clone(workspace),
            quic: OnceCell::new(),
        });
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

    /// A place at the server that is next by the policy, among those not tried yet that have one free and may take a request.
    pub fn pick(&self, tried: &mut Tried, asked: Asked) -> Option<InFlight> {
        let Some(limiter) = self.limiter_of(asked) else {
            return self.choose(tried, asked);
        };
        tried.set_limited(!limiter.has_place(asked.priority));
        if tried.is_limited() {
            return None;
        }
        let place = self.choose(tried, asked)?;
        let Some(permit) = limiter.enter(asked.priority) else {
            // Another one was faster.
            tried.remove_last();
            tried.set_limited(true);
            return None;
        };
        Some(place.with_permit(permit))
    }

    /// What limits how many of its kind are under way, where that is limited.
    pub(crate) fn limiter_of(&self, asked: Asked) -> Option<&Rc<Limiter>> {
        self.limiter.as_ref().filter(|_| asked.is_request)
    }

    fn choose(&self, tried: &mut Tried, asked: Asked) -> Option<InFlight> {
        let ask = Ask {
            now: self.moment(asked.now),
            key: asked.key,
        };
        self.picks.set(self.picks.get().wrapping_add(1));
        if let Some(home) = asked.home {
            match self.at_home(home, tried, ask.now) {
                AtHome::Place(place) => return Some(place),
                AtHome::Full => return None,
                AtHome::Nothing => {}
            }
        }
        if !self.gate.is_open() {
            return self.pick_admitted(tried, ask);
        }
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
                return Some(place.with_leave(self.gate.leave(lane, ask.now)));
            }
        }
        None
    }

    /// As [`Self::choose`], where some server is not well.
    #[cold]
    fn pick_admitted(&self, tried: &mut Tried, ask: Ask) -> Option<InFlight> {
        let seen = self.gate.look(&self.lanes, ask.now);
        for &rank in seen.ranks() {
            // A server may fill up, and a trial be taken, between looking and entering.
            for _ in 0..MAX_ATTEMPTS {
                if tried.is_exhausted() {
                    return None;
                }
                let candidates = Admitted {
                    servers: Candidates {
                        cluster: self,
                        tried,
                    },
                    lanes: &self.lanes,
                    gate: &self.gate,
                    seen: &seen,
                    rank,
                    now: ask.now,
                };
                let picked = self.policy.borrow_mut().pick(&candidates, &ask);
                let Some(position) = picked else { break };
                let lane = self.lanes.get(position)?;
                let Some(place) = InFlight::enter(lane, self.limit(position)) else {
                    continue;
                };
                let leave = self.gate.leave(lane, ask.now);
                if leave.is_none() && seen.admission(position) == Admission::Trials {
                    continue;
                }
                if rank != Rank::Regular {
                    lane.metrics().last_resorts.increment();
                }
                tried.add(position);
                return Some(place.with_leave(leave));
            }
        }
        None
    }

    pub(crate) fn share_weights(&self, other: &Policy) {
        self.policy.borrow_mut().share_weights(other);
    }

    /// Where a request is refused because no server is well, and none is tried all the same (`fail-closed`): how long until
    /// the first may take trials, as far as is known.
    pub fn refuses_for(&self, now: Instant) -> Option<Duration> {
        self.gate.refuses_for(&self.lanes, self.moment(now))
    }

    /// Whether there is a server that was not tried and may be.
    pub(crate) fn has_another(&self, tried: &Tried) -> bool {
        if self.gate.is_open() {
            return tried.count() < self.lanes.len();
        }
        let now = self.moment(Instant::now());
        (0..self.lanes.len()).any(|position| {
            !tried.contains(position) && self.gate.admits(&self.lanes, position, now)
        })
    }

    /// Remembers that the request has had this place, where it has not got it from [`Cluster::pick`].
    pub fn note_tried(&self, tried: &mut Tried, place: &InFlight) {
        let mut lanes = self.lanes.iter();
        if let Some(position) = lanes.position(|lane| Rc::ptr_eq(lane, place.lane())) {
            tried.add(position);
        }
    }

    /// An idle connection of the lane that this client may use, that is still open by `check`, and that does what is
    /// needed.
    pub fn take_idle(
        &self,
        lane: &Lane,
        client: SocketAddr,
        check: Check,
        need: Need,
    ) -> Option<Box<Connection>> {
        let secured_by = self.secured_by();
        let bound_to = self.bound_to(client);
        let shared = match self.settings.protocol {
            UpstreamProtocol::Http1 => None,
            UpstreamProtocol::Http2 | UpstreamProtocol::Http3 => {
                return lane.take_stream(bound_to, secured_by, need);
            }
            UpstreamProtocol::Chosen => lane.take_stream(bound_to, secured_by, need),
        };
        shared.or_else(|| lane.take_idle(bound_to, secured_by, check))
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
    pub fn moment(&self, at: Instant) -> Moment {
        let nanos = at.saturating_duration_since(self.epoch).as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The other way round.
    pub(crate) fn instant(&self, at: Moment) -> Instant {
        self.epoch + Duration::from_nanos(at.as_nanos())
    }

    /// Where requests wait for a place at one of the servers.
    pub(crate) fn queue(&self) -> Option<&Arc<Queue>> {
        self.lanes.first().map(|lane| lane.endpoint().queue())
    }

    pub(crate) fn response_times(&self) -> &RefCell<Option<Box<ResponseTimes>>> {
        &self.response_times
    }

    pub(crate) fn made_before(&self) -> u64 {
        self.made_before
    }

    /// Whether a place may become free at a server that was not tried.
    pub(crate) fn may_become_free(&self, tried: &Tried, asked: Asked) -> bool {
        let now = self.moment(asked.now);
        let is_limited = self.limiter_of(asked).is_some();
        !tried.is_exhausted()
            && (0..self.lanes.len()).any(|position| {
                !tried.contains(position)
                    && (is_limited || self.limit(position).is_some())
                    && self.gate.admits(&self.lanes, position, now)
            })
    }

    /// The identities of the servers that were tried.
    pub(crate) fn ids(&self, tried: &Tried) -> Vec<u64> {
        tried
            .positions()
            .filter_map(|position| self.lanes.get(position))
            .map(|lane| lane.endpoint().id())
            .collect()
    }

    /// A place that was handed over; given back at once where its server is none of this cluster's, or may not take a request
    /// now.
    pub(crate) fn taken_over(&self, place: Place) -> Option<InFlight> {
        let position = self
            .lanes
            .iter()
            .position(|lane| place.is_at(lane.endpoint()))?;
        let lane = self.lanes.get(position)?;
        let now = self.moment(Instant::now());
        let Some(leave) = self.gate.enter(&self.lanes, position, now) else {
            // Not to the next in line, who could not take it either.
            place.leave();
            return None;
        };
        let granted = place.keep();
        let place = InFlight::entered(lane, self.limit(position)).with_leave(leave);
        let limiter = self.limiter.as_ref();
        Some(match granted.zip(limiter) {
            Some((granted, limiter)) => place.with_permit(limiter.take_over(granted)),
            None => place,
        })
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

#[cfg(test)]
pub(crate) mod tests;
