//! What a worker runs from: the plan, with this worker's clusters and counters beside it.
//!
//! A [`Live`] never changes. On reload the worker builds the next one from the new plan, reusing each cluster that is
//! as it was, and puts it into the [`ListenerSlot`]s; a request that began under the old one ends under it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use sluice_config::Plan;
use sluice_config::plan::{
    Auth, AuthId, HttpListener, LimitId, Listener, Protocol, RateLimit, Route, RouteId, TcpTarget,
    Upstream, UpstreamId,
};
use sluice_health::Strain;
use sluice_store::{Store, Stores};
use sluice_telemetry::metrics::{
    Crowded, ListenerMetrics, Registry, RouteMetrics, ServerNameMetrics, SideMetrics,
};
use sluice_tls::{Proofs, ServerConfig, Workspace};
use sluice_upstream::{Cluster, Endpoints, Lane};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::auth::LiveAuth;
use crate::crowd::{Crowd, Crowds, Presence, Room};
use crate::key_set::KeySets;
use crate::limits::{Limits, LiveLimit};
use crate::memory::Memory;
use crate::mirror::LiveMirror;
use crate::secure::Security;
use crate::split;
use crate::split_weights::{SplitWeights, Splits};
use crate::worker::Ciphers;

/// A plan with what this worker holds for each of its parts.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) plan: Arc<Plan>,
    clusters: Vec<Rc<Cluster>>,
    routes: Vec<Arc<RouteMetrics>>,
    /// By route: the sides of its split.
    sides: Vec<Vec<Arc<SideMetrics>>>,
    auths: Vec<Rc<LiveAuth>>,
    /// By route: where copies of its requests go.
    mirrors: Vec<Option<Rc<LiveMirror>>>,
    /// By route: the weights of its split.
    splits: Vec<Option<Arc<SplitWeights>>>,
    /// By listener.
    tls: Vec<Option<Arc<ServerConfig>>>,
    /// What authorities are shown.
    pub(crate) proofs: Arc<Proofs>,
    crowds: Crowds,
    /// How short memory is.
    pub(crate) memory: Memory,
    stores: Vec<Rc<Store>>,
    limits: Vec<LiveLimit>,
}

impl Live {
    /// Builds what `worker` needs for `plan`. Clusters of `previous` whose settings and endpoints are the same are kept.
    pub(crate) fn new(
        plan: Arc<Plan>,
        endpoints: &Endpoints,
        previous: Option<&Self>,
        registry: &Registry,
        worker: usize,
    ) -> Self {
        let clusters = plan
            .upstreams
            .iter()
            .map(|settings| {
                let known = previous.and_then(|previous| previous.cluster_named(&settings.name));
                match known {
                    Some(known) if is_unchanged(known, settings, endpoints) => Rc::clone(known),
                    _ => Rc::new(Cluster::new(
                        settings,
                        endpoints,
                        known.map(Rc::as_ref),
                        registry,
                        worker,
                        u32::try_from(worker).unwrap_or_default(),
                    )),
                }
            })
            .collect();
        let routes = plan
            .routes
            .iter()
            .map(|route| registry.route(worker, &route.name))
            .collect();
        let sides = plan
            .routes
            .iter()
            .map(|route| split::metrics(route, registry, worker))
            .collect();
        Self {
            plan,
            clusters,
            routes,
            sides,
            auths: Vec::new(),
            mirrors: Vec::new(),
            splits: Vec::new(),
            tls: Vec::new(),
            proofs: Arc::default(),
            crowds: Crowds::default(),
            memory: Memory::default(),
            stores: Vec::new(),
            limits: Vec::new(),
        }
    }

    /// With the keys of issuers, and what was verified by them. What is held for an `[auth.NAME]` that is as it was is kept.
    pub(crate) fn with_auths(
        mut self,
        key_sets: &KeySets,
        previous: Option<&Self>,
        registry: &Registry,
        worker: usize,
    ) -> Self {
        let known = previous.map_or(&[][..], |previous| &previous.auths);
        let live = |auth: &Auth| {
            let key_set = key_sets.get(&auth.name);
            let mut known = known.iter();
            if let Some(known) = known.find(|known| known.is_of(auth, key_set)) {
                return Rc::clone(known);
            }
            let metrics = registry.auth(worker, &auth.name);
            Rc::new(LiveAuth::new(auth, key_set.map(Arc::clone), metrics))
        };
        self.auths = self.plan.auths.iter().map(live).collect();
        self
    }

    /// With who is connected already.
    pub(crate) fn with_crowds(mut self, crowds: Crowds) -> Self {
        self.crowds = crowds;
        self
    }

    /// With where copies of requests go, those counted that are under way.
    pub(crate) fn with_mirrors(
        mut self,
        previous: Option<&Self>,
        registry: &Registry,
        worker: usize,
    ) -> Self {
        let routes = self.plan.routes.iter();
        self.mirrors = routes
            .map(|route| LiveMirror::of(route, &self, previous, registry, worker))
            .collect();
        self
    }

    /// With the weights that sides of splits have now.
    pub(crate) fn with_splits(mut self, splits: &Splits) -> Self {
        let weights = |route: &Route| splits.get(&route.name).map(Arc::clone);
        self.splits = self.plan.routes.iter().map(weights).collect();
        self
    }

    /// With whoever says how short memory is.
    pub(crate) fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// With what was used of rate limits.
    pub(crate) fn with_limits(
        mut self,
        limits: &Limits,
        registry: &Registry,
        worker: usize,
    ) -> Self {
        let live = |settings: &RateLimit| {
            let used = limits.get(&settings.name)?;
            Some(LiveLimit {
                used: Arc::clone(used),
                metrics: registry.rate_limit(worker, &settings.name),
            })
        };
        // All of a plan's are there: control has made them by the same plan.
        self.limits = self.plan.rate_limits.iter().filter_map(live).collect();
        self
    }

    pub(crate) fn limit(&self, id: LimitId) -> Option<&LiveLimit> {
        self.limits.get(id.0)
    }

    /// With a connection to each store. Those of `previous` that are as they were are kept.
    pub(crate) fn with_stores(
        mut self,
        stores: &Stores,
        previous: Option<&Self>,
        registry: &Registry,
        worker: usize,
    ) -> Self {
        let known = previous.map_or(&[][..], |previous| &previous.stores);
        let open = |settings: &sluice_config::plan::Store| {
            let known = known.iter().find(|store| store.settings() == settings);
            if let Some(known) = known {
                return Rc::clone(known);
            }
            let metrics = registry.store(worker, &settings.name);
            Store::open(settings, stores.get(&settings.name), metrics)
        };
        self.stores = self.plan.stores.iter().map(open).collect();
        self
    }

    /// With what TLS is spoken by, in which buffers. Clusters that were kept go on with what they have.
    pub(crate) fn with_tls(mut self, ciphers: Ciphers, workspace: &Rc<Workspace>) -> Self {
        self.tls = ciphers.listeners;
        self.proofs = ciphers.proofs;
        for (cluster, config) in self.clusters.iter().zip(&ciphers.upstreams) {
            if let Some(config) = config {
                cluster.cipher_by(config, workspace);
            }
        }
        self
    }

    pub(crate) fn cluster(&self, id: UpstreamId) -> Option<&Rc<Cluster>> {
        self.clusters.get(id.0)
    }

    pub(crate) fn store_named(&self, name: &str) -> Option<&Rc<Store>> {
        self.stores
            .iter()
            .find(|store| &*store.settings().name == name)
    }

    pub(crate) fn clusters(&self) -> &[Rc<Cluster>] {
        &self.clusters
    }

    pub(crate) fn route_metrics(&self, id: RouteId) -> Option<&Arc<RouteMetrics>> {
        self.routes.get(id.0)
    }

    /// Where copies of a route's requests go.
    pub(crate) fn mirror(&self, id: RouteId) -> Option<&Rc<LiveMirror>> {
        self.mirrors.get(id.0)?.as_ref()
    }

    pub(crate) fn mirror_named(&self, name: &str) -> Option<&Rc<LiveMirror>> {
        let mut routes = self.plan.routes.iter();
        let position = routes.position(|route| &*route.name == name)?;
        self.mirror(RouteId(position))
    }

    /// The weights that the sides of a route's split have now.
    pub(crate) fn split_weights(&self, id: RouteId) -> Option<&SplitWeights> {
        self.splits.get(id.0)?.as_deref()
    }

    /// The counters of a side of a route's split.
    pub(crate) fn side_metrics(&self, id: RouteId, side: usize) -> Option<&Arc<SideMetrics>> {
        self.sides.get(id.0)?.get(side)
    }

    pub(crate) fn auth(&self, id: AuthId) -> Option<&Rc<LiveAuth>> {
        self.auths.get(id.0)
    }

    /// The lanes that `next` does not have any more, each with its upstream.
    pub(crate) fn lanes_missing_in(&self, next: &Self) -> Vec<(Rc<Lane>, Rc<Cluster>)> {
        let kept: HashSet<*const Lane> = next
            .clusters
            .iter()
            .flat_map(|cluster| cluster.lanes().iter().map(Rc::as_ptr))
            .collect();
        let lanes = |cluster: &Rc<Cluster>| {
            let cluster = Rc::clone(cluster);
            let lanes = cluster.lanes().to_vec();
            lanes
                .into_iter()
                .map(move |lane| (lane, Rc::clone(&cluster)))
        };
        self.clusters
            .iter()
            .flat_map(lanes)
            .filter(|(lane, _)| !kept.contains(&Rc::as_ptr(lane)))
            .collect()
    }

    pub(crate) fn cluster_named(&self, name: &str) -> Option<&Rc<Cluster>> {
        self.clusters
            .iter()
            .find(|cluster| &*cluster.settings().name == name)
    }
}

/// A name may have been resolved anew, so the endpoints are compared too.
fn is_unchanged(known: &Cluster, settings: &Upstream, endpoints: &Endpoints) -> bool {
    known.settings() == settings
        && known.has_sessions_of(endpoints)
        && known.lanes().iter().all(|lane| {
            endpoints
                .get(&settings.name, &lane.endpoint().key().server)
                .is_some_and(|endpoint| Arc::ptr_eq(endpoint, lane.endpoint()))
        })
}

/// A listener as its connections see it: what it is now, after however many reloads.
#[derive(Debug)]
pub(crate) struct ListenerSlot {
    current: RefCell<Rc<LiveListener>>,
    closed: Cell<bool>,
    closing: Notify,
}

impl ListenerSlot {
    pub(crate) fn new(listener: LiveListener) -> Self {
        Self {
            current: RefCell::new(Rc::new(listener)),
            closed: Cell::new(false),
            closing: Notify::new(),
        }
    }

    /// What holds for the next request.
    pub(crate) fn current(&self) -> Rc<LiveListener> {
        Rc::clone(&self.current.borrow())
    }

    pub(crate) fn replace(&self, listener: LiveListener) {
        *self.current.borrow_mut() = Rc::new(listener);
    }

    pub(crate) fn metrics(&self) -> Arc<ListenerMetrics> {
        Arc::clone(&self.current.borrow().metrics)
    }

    /// The listener accepts no more: its connections end with their present request.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.closing.notify_waiters();
    }

    /// Ready when the listener is closed, where it was not when this was asked for.
    pub(crate) fn closing(&self) -> Notified<'_> {
        self.closing.notified()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }
}

/// A listener under one plan.
#[derive(Debug)]
pub(crate) struct LiveListener {
    pub(crate) live: Rc<Live>,
    pub(crate) metrics: Arc<ListenerMetrics>,
    /// Of the names of `sni`, in their order.
    server_names: Vec<Arc<ServerNameMetrics>>,
    position: usize,
    crowd: Arc<Crowd>,
}

impl LiveListener {
    /// The listener at `position` of the plan, as `worker` counts it.
    pub(crate) fn new(
        live: &Rc<Live>,
        position: usize,
        settings: &Listener,
        registry: &Registry,
        worker: usize,
    ) -> Self {
        let server_names = match &settings.protocol {
            Protocol::Tcp(TcpTarget::ByName(names)) => names
                .entries
                .iter()
                .map(|entry| registry.server_name(worker, &settings.name, &entry.name))
                .collect(),
            Protocol::Tcp(TcpTarget::Upstream(_)) | Protocol::Udp(_) | Protocol::Http(_) => {
                Vec::new()
            }
        };
        Self {
            live: Rc::clone(live),
            metrics: registry.listener(worker, &settings.name),
            server_names,
            position,
            crowd: live
                .crowds
                .get(&settings.name)
                .map_or_else(Arc::default, Arc::clone),
        }
    }

    /// Lets a client in.
    ///
    /// # Errors
    /// Which limit is reached. It is counted.
    pub(crate) fn admit(&self, client: IpAddr) -> Result<Presence, Crowded> {
        let room = Room {
            everybody: self.live.plan.runtime.max_connections,
            listener: self
                .settings()
                .map_or_else(Default::default, |settings| settings.connection_limits),
        };
        let entered = match self.live.memory.strain() {
            Strain::Calm => self.crowd.enter(client, room),
            Strain::Near | Strain::Full => Err(Crowded::Memory),
        };
        entered.inspect_err(|crowded| self.metrics.connections_refused.increment(*crowded))
    }

    /// Whether each client may have so many connections only.
    pub(crate) fn limits_clients(&self) -> bool {
        self.settings()
            .is_some_and(|settings| settings.connection_limits.per_client.is_some())
    }

    /// The counters of the name in `sni` at this position.
    pub(crate) fn server_name(&self, position: usize) -> Option<&ServerNameMetrics> {
        self.server_names.get(position).map(Arc::as_ref)
    }

    pub(crate) fn settings(&self) -> Option<&Listener> {
        self.live.plan.listeners.get(self.position)
    }

    /// What a connection must do before it is spoken on; `None` where nothing is ciphered.
    pub(crate) fn security(&self) -> Option<Security> {
        let config = self.live.tls.get(self.position)?.as_ref()?;
        let settings = self.settings()?.tls.as_ref()?;
        Some(Security {
            config: Arc::clone(config),
            proof: self.live.proofs.config(),
            timeout: settings.handshake_timeout,
        })
    }

    /// The http settings; `None` where the listener has become a tcp one.
    pub(crate) fn http(&self) -> Option<&HttpListener> {
        match &self.settings()?.protocol {
            Protocol::Http(http) => Some(http),
            Protocol::Tcp(_) | Protocol::Udp(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
