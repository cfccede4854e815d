//! Who counts what: hands every worker its own shards, and adds them up when asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checks::CheckMetrics;
use super::key_sets::KeySetMetrics;
use super::mirrors::MirrorMetrics;
use super::process::ProcessMetrics;
use super::rate_limit::RateLimitMetrics;
use super::shards::{
    AuthMetrics, ListenerMetrics, RouteMetrics, ServerMetrics, ServerNameMetrics, UpstreamMetrics,
    WorkerMetrics,
};
use super::shifts::ShiftMetrics;
use super::sides::SideMetrics;
use super::store::StoreMetrics;

/// All metrics of the process.
///
/// Shards are asked for when a plan is taken over and kept by the worker, never looked up per request. The same worker
/// and names always give the same shard, so counts live on through reloads.
#[derive(Debug)]
pub struct Registry {
    pub(super) routes: Shards<1, RouteMetrics>,
    pub(super) mirrors: Shards<1, MirrorMetrics>,
    pub(super) sides: Shards<2, SideMetrics>,
    pub(super) upstreams: Shards<1, UpstreamMetrics>,
    pub(super) servers: Shards<2, ServerMetrics>,
    pub(super) checks: Shards<2, CheckMetrics>,
    pub(super) listeners: Shards<1, ListenerMetrics>,
    pub(super) server_names: Shards<2, ServerNameMetrics>,
    pub(super) rate_limits: Shards<1, RateLimitMetrics>,
    pub(super) stores: Shards<1, StoreMetrics>,
    pub(super) auths: Shards<1, AuthMetrics>,
    pub(super) workers: Shards<0, WorkerMetrics>,
    pub(super) shifts: ShiftMetrics,
    pub(super) key_sets: KeySetMetrics,
    pub(super) process: ProcessMetrics,
}

impl Registry {
    /// An empty registry; `version` is what `sluice_build_info` shows.
    pub fn new(version: &str) -> Self {
        Self {
            routes: Shards::default(),
            mirrors: Shards::default(),
            sides: Shards::default(),
            upstreams: Shards::default(),
            servers: Shards::default(),
            checks: Shards::default(),
            listeners: Shards::default(),
            server_names: Shards::default(),
            rate_limits: Shards::default(),
            stores: Shards::default(),
            auths: Shards::default(),
            workers: Shards::default(),
            shifts: ShiftMetrics::default(),
            key_sets: KeySetMetrics::default(),
            process: ProcessMetrics::new(version),
        }
    }

    /// The worker's shard of a route.
    pub fn route(&self, worker: usize, route: &str) -> Arc<RouteMetrics> {
        self.routes.shard(worker, [route])
    }

    /// The worker's shard of the copies of a route's requests.
    pub fn mirror(&self, worker: usize, route: &str) -> Arc<MirrorMetrics> {
        self.mirrors.shard(worker, [route])
    }

    /// The worker's shard of a side of a route's split.
    pub fn side(&self, worker: usize, route: &str, upstream: &str) -> Arc<SideMetrics> {
        self.sides.shard(worker, [route, upstream])
    }

    /// The worker's shard of an upstream.
    pub fn upstream(&self, worker: usize, upstream: &str) -> Arc<UpstreamMetrics> {
        self.upstreams.shard(worker, [upstream])
    }

    /// The worker's shard of a server of an upstream.
    pub fn server(&self, worker: usize, upstream: &str, server: &str) -> Arc<ServerMetrics> {
        self.servers.shard(worker, [upstream, server])
    }

    /// The checks of a server of an upstream, which are done by one thread for all workers.
    pub fn checks(&self, upstream: &str, server: &str) -> Arc<CheckMetrics> {
        self.checks.shard(0, [upstream, server])
    }

    /// Forgets the checks of servers that are not checked any more.
    pub fn retain_checks(&self, is_checked: impl Fn(&str, &str) -> bool) {
        self.checks
            .retain(|[upstream, server]| is_checked(upstream, server));
    }

    /// The worker's shard of a listener.
    pub fn listener(&self, worker: usize, listener: &str) -> Arc<ListenerMetrics> {
        self.listeners.shard(worker, [listener])
    }

    /// The worker's shard of a name in a listener's `sni`.
    pub fn server_name(&self, worker: usize, listener: &str, name: &str) -> Arc<ServerNameMetrics> {
        self.server_names.shard(worker, [listener, name])
    }

    /// The worker's shard of a rate limit.
    pub fn rate_limit(&self, worker: usize, limit: &str) -> Arc<RateLimitMetrics> {
        self.rate_limits.shard(worker, [limit])
    }

    /// The worker's shard of a store.
    pub fn store(&self, worker: usize, store: &str) -> Arc<StoreMetrics> {
        self.stores.shard(worker, [store])
    }

    /// The worker's shard of an `[auth.NAME]`.
    pub fn auth(&self, worker: usize, name: &str) -> Arc<AuthMetrics> {
        self.auths.shard(worker, [name])
    }

    /// The worker's own metrics.
    pub fn worker(&self, worker: usize) -> Arc<WorkerMetrics> {
        self.workers.shard(worker, [])
    }

    /// What is done to splits.
    pub fn shifts(&self) -> &ShiftMetrics {
        &self.shifts
    }

    /// The keys of tokens that are fetched.
    pub fn key_sets(&self) -> &KeySetMetrics {
        &self.key_sets
    }

    /// The metrics of the process as a whole.
    pub fn process(&self) -> &ProcessMetrics {
        &self.process
    }

    /// Forgets everything for which `keep` says no: what left the configuration and has drained.
    ///
    /// Whoever still holds a forgotten shard may go on counting in it; nobody will see it.
    pub fn retain(&self, keep: impl Fn(Subject<'_>) -> bool) {
        self.routes.retain(|[route]| keep(Subject::Route(route)));
        self.mirrors.retain(|[route]| keep(Subject::Mirror(route)));
        self.sides
            .retain(|[route, upstream]| keep(Subject::Side { route, upstream }));
        self.upstreams
            .retain(|[upstream]| keep(Subject::Upstream(upstream)));
        self.listeners
            .retain(|[listener]| keep(Subject::Listener(listener)));
        self.server_names
            .retain(|[listener, name]| keep(Subject::ServerName { listener, name }));
        self.rate_limits
            .retain(|[limit]| keep(Subject::RateLimit(limit)));
        self.stores.retain(|[store]| keep(Subject::Store(store)));
        self.auths.retain(|[auth]| keep(Subject::Auth(auth)));
        let keep_server =
            |[upstream, server]: &[String; 2]| keep(Subject::Server { upstream, server });
        self.servers.retain(keep_server);
        self.checks.retain(keep_server);
        self.process.retain_servers(keep_server);
    }
}

/// What metrics are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A route, by name.
    Route(&'a str),
    /// The copies of a route's requests, by the route's name.
    Mirror(&'a str),
    /// A side of a route's split.
    Side {
        /// The route's name.
        route: &'a str,
        /// The upstream's name.
        upstream: &'a str,
    },
    /// An upstream, by name.
    Upstream(&'a str),
    /// A server of an upstream.
    Server {
        /// The upstream's name.
        upstream: &'a str,
        /// The server's address.
        server: &'a str,
    },
    /// A listener, by name.
    Listener(&'a str),
    /// A rate limit, by name.
    RateLimit(&'a str),
    /// A store, by name.
    Store(&'a str),
    /// An `[auth.NAME]`, by name.
    Auth(&'a str),
    /// A name in a listener's `sni`.
    ServerName {
        /// The listener's name.
        listener: &'a str,
        /// The name as it stands in the file.
        name: &'a str,
    },
}

/// Names, and for each of them a shard for every worker that asked.
#[derive(Debug)]
pub(super) struct Shards<const NAMES: usize, M> {
    by_names: Mutex<ByNames<NAMES, M>>,
}

pub(super) type ByNames<const NAMES: usize, M> = BTreeMap<[String; NAMES], BTreeMap<usize, Arc<M>>>;

impl<const NAMES: usize, M: Default> Shards<NAMES, M> {
    fn shard(&self, worker: usize, names: [&str; NAMES]) -> Arc<M> {
        let mut by_names = self.lock();
        let shards = by_names.entry(names.map(str::to_owned)).or_default();
        Arc::clone(shards.entry(worker).or_default())
    }

    /// The shards of all workers under these names.
    pub(super) fn of(&self, names: [&str; NAMES]) -> Vec<Arc<M>> {
        let by_names = self.lock();
        let shards = by_names.get(&names.map(str::to_owned));
        shards
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect()
    }

    fn retain(&self, keep: impl Fn(&[String; NAMES]) -> bool) {
        self.lock().retain(|names, _| keep(names));
    }

    /// A copy of who is there, so that nobody waits while it is written out.
    pub(super) fn snapshot(&self) -> ByNames<NAMES, M> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ByNames<NAMES, M>> {
        self.by_names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const NAMES: usize, M> Default for Shards<NAMES, M> {
    fn default() -> Self {
        Self {
            by_names: Mutex::default(),
        }
    }
}
