//! The workers, and what they run from.
//!
//! A new plan is made ready whole before anything of the old one is touched: names resolved, listeners bound, files
//! opened. What can fail, fails there, and the old plan goes on.

mod binding;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use sluice_acme::Orders;
use sluice_config::Plan;
use sluice_config::plan::{
    AccessLog as AccessLogSettings, Action, Listener, Protocol, SourceAddress, TcpTarget,
};
use sluice_model::BindAddress;
use sluice_net::connect::may_use_addresses_of_others;
use sluice_net::listen::BoundAddress;
use sluice_probe::{Prober, Wanted};
use sluice_proxy::{
    Command, Crowds, Generation, Limits, Memory, NewQuic, NewSocket, Reweighing, WorkerThread,
};
use sluice_quic::seats;
use sluice_store::Stores;
use sluice_telemetry::access::AccessLog;
use sluice_telemetry::metrics::{Registry, Subject};
use sluice_upstream::{Endpoints, ResolveError};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::issuers::Issuers;
use crate::logs;
use crate::offers::Offers;
use crate::servers::{Reweighed, Servers};
use crate::shifts::Shifts;
use crate::stores::LiveStores;

/// The running workers.
#[derive(Debug)]
pub struct Fleet {
    workers: Vec<WorkerThread>,
    registry: Arc<Registry>,
    plan: Option<Arc<Plan>>,
    endpoints: Arc<Endpoints>,
    crowds: Crowds,
    memory: Memory,
    limits: Limits,
    stores: Stores,
    servers: Arc<Servers>,
    live_stores: Arc<LiveStores>,
    shifts: Arc<Shifts>,
    reweighed: mpsc::Receiver<Reweighed>,
    access_log: Option<(AccessLogSettings, AccessLog)>,
    tls: Offers,
    orders: Orders,
    issuers: Issuers,
    prober: Prober,
    bound: Vec<(Arc<str>, BoundAddress)>,
}

/// Why a plan cannot be run. Nothing was changed.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// A listener's address cannot be bound.
    #[error("listener `{listener}` cannot be bound to {address}: {cause}{}", hint(.cause))]
    Bind {
        /// The listener.
        listener: Arc<str>,
        /// Its address.
        address: BindAddress,
        /// The kernel's reason.
        cause: io::Error,
    },
    /// The process may not use its clients' addresses.
    #[error(
        "listener `{listener}` has `source-address = \"client\"`, which this process may not: {cause} (give it CAP_NET_ADMIN or CAP_NET_RAW, and \
         route what servers answer back to this machine: see docs/transparent.md)"
    )]
    Transparent {
        /// The listener.
        listener: Arc<str>,
        /// The kernel's reason.
        cause: io::Error,
    },
    /// A server's name leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A listener's TLS cannot be set up.
    #[error("listener `{listener}` cannot offer TLS: {reason}")]
    Tls {
        /// The listener.
        listener: Arc<str>,
        /// Why.
        reason: String,
    },
    /// An upstream's TLS cannot be set up.
    #[error("upstream `{upstream}` cannot be spoken to by TLS: {reason}")]
    UpstreamTls {
        /// The upstream.
        upstream: Arc<str>,
        /// Why.
        reason: String,
    },
    /// The access log cannot be opened.
    #[error("the access log cannot be opened: {0}")]
    AccessLog(io::Error),
}

impl Fleet {
    /// Starts the workers: `count`, or one for each core that this process may use.
    ///
    /// # Errors
    /// The kernel's, where threads cannot be had.
    pub fn start(count: Option<usize>, registry: &Arc<Registry>) -> io::Result<Self> {
        let count = count.unwrap_or_else(cores);
        let workers = (0..count)
            .map(|index| WorkerThread::start(index, Arc::clone(registry)))
            .collect::<io::Result<_>>()?;
        let (servers, reweighed) = Servers::new();
        Ok(Self {
            workers,
            registry: Arc::clone(registry),
            plan: None,
            endpoints: Arc::default(),
            crowds: Crowds::default(),
            memory: Memory::default(),
            limits: Limits::default(),
            stores: Stores::default(),
            servers: Arc::new(servers),
            live_stores: Arc::default(),
            shifts: Arc::new(Shifts::new(registry)),
            reweighed,
            access_log: None,
            tls: Offers::default(),
            orders: Orders::new(registry),
            issuers: Issuers::new(registry),
            prober: Prober::new(registry),
            bound: Vec::new(),
        })
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The listeners' names and where they are bound.
    pub fn bound(&self) -> &[(Arc<str>, BoundAddress)] {
        &self.bound
    }

    /// The live servers.
    pub(crate) fn endpoints(&self) -> &Arc<Endpoints> {
        &self.endpoints
    }

    /// The servers, to be looked at and set by hand.
    pub fn servers(&self) -> &Arc<Servers> {
        &self.servers
    }

    /// The stores, to be looked at.
    pub fn stores(&self) -> &Arc<LiveStores> {
        &self.live_stores
    }

    /// The splits, to be looked at and shifted.
    pub fn shifts(&self) -> &Arc<Shifts> {
        &self.shifts
    }

    /// Where it is said how short memory is.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The certificates that are ordered.
    pub(crate) fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Makes the workers run `plan`. What is in it as before is not touched.
    ///
    /// # Errors
    /// [`ApplyError`]; then everything goes on as before.
    pub async fn apply(&mut self, plan: &Arc<Plan>) -> Result<(), ApplyError> {
        let mut endpoints = self.endpoints.updated(&plan.upstreams)?;
        endpoints.follow_sessions(&plan.upstreams, plan.runtime.secret_key.as_ref());
        let endpoints = Arc::new(endpoints);
        self.orders.prepare(plan);
        self.issuers.prepare(plan);
        let tls = self.tls.updated(plan, &self.orders)?;
        check_transparent(plan)?;
        let new_listeners = self.bind_new(plan)?;
        let new_quic = self.bind_quic(plan, &new_listeners)?;
        self.update_access_log(plan)
            .map_err(ApplyError::AccessLog)?;

        self.note_bound(plan, &new_listeners);
        let mut sockets: Vec<Vec<NewSocket>> = self.workers.iter().map(|_| Vec::new()).collect();
        for (listener, bound) in new_listeners {
            for (worker, socket) in sockets.iter_mut().zip(bound.into_sockets()) {
                worker.push(NewSocket { listener, socket });
            }
        }
        let mut quic: Vec<Vec<NewQuic>> = self.workers.iter().map(|_| Vec::new()).collect();
        for (listener, bound) in new_quic {
            let places = bound.into_sockets().into_iter().zip(seats(quic.len()));
            for (worker, (socket, seat)) in quic.iter_mut().zip(places) {
                worker.push(NewQuic {
                    listener,
                    socket,
                    seat,
                });
            }
        }
        self.crowds = self.crowds.updated(plan);
        self.limits = self.limits.updated(plan);
        self.stores = self.stores.updated(plan);
        let splits = self.shifts.splits_of(plan);
        let mut applied = Vec::new();
        for ((worker, sockets), quic) in self.workers.iter().zip(sockets).zip(quic) {
            let (done, wait) = oneshot::channel();
            applied.push(wait);
            let generation = Generation {
                plan: Arc::clone(plan),
                endpoints: Arc::clone(&endpoints),
                crowds: self.crowds.clone(),
                memory: self.memory.clone(),
                limits: self.limits.clone(),
                key_sets: self.issuers.key_sets(plan),
                stores: self.stores.clone(),
                splits: splits.clone(),
                workers: self.workers.len(),
                sockets,
                quic,
                ciphers: tls.ciphers(),
                access_log: self.access_log.as_ref().map(|(_, log)| log.writer()),
                applied: done,
            };
            worker.send(Command::Apply(Box::new(generation))).await;
        }
        until_taken_over(applied).await;
        self.plan = Some(Arc::clone(plan));
        self.endpoints = endpoints;
        self.tls = tls;
        self.forget_old_metrics(plan);
        self.servers.replace(plan, &self.endpoints);
        self.live_stores.replace(&self.stores);
        self.shifts.replace(splits);
        self.registry
            .process()
            .set_server_states(self.servers.states());
        // Now there are listeners to show authorities what they want to see.
        self.orders.follow(plan);
        self.issuers.follow(plan);
        self.check_servers(plan);
        Ok(())
    }

    /// The next server that has another weight.
    pub(crate) async fn reweighed(&mut self) -> Option<Reweighed> {
        self.reweighed.recv().await
    }

    /// Tells the workers of it.
    pub(crate) async fn reweigh(&self, change: Reweighed) {
        let mut upstreams = self.plan.iter().flat_map(|plan| &plan.upstreams);
        let Some(upstream) = upstreams.find(|one| one.name == change.upstream) else {
            return;
        };
        let weights = Arc::new(self.endpoints.weights(upstream));
        let mut taken_over = Vec::new();
        for worker in &self.workers {
            let (applied, wait) = oneshot::channel();
            taken_over.push(wait);
            let weights = Arc::clone(&weights);
            let reweighing = Reweighing { weights, applied };
            worker.send(Command::Reweigh(reweighing)).await;
        }
        until_taken_over(taken_over).await;
        // Whoever asked may have gone.
        let _ = change.done.send(());
    }

    fn check_servers(&mut self, plan: &Arc<Plan>) {
        let followed = self.prober.follow(Wanted {
            plan: Arc::clone(plan),
            endpoints: Arc::clone(&self.endpoints),
            ciphers: self.tls.ciphers().upstreams,
        });
        if let Err(error) = followed {
            tracing::error!(%error, "no thread for health checks: there are none");
        }
    }

    /// Lets requests end, at the latest until `limit` has passed, and ends the workers. `true` where all of them ended
    /// by themselves.
    pub async fn drain(self, limit: Duration) -> bool {
        // What is under way ends where it is.
        drop(self.prober);
        for worker in &self.workers {
            worker.send(Command::Drain(limit)).await;
        }
        let last = tokio::time::Instant::now() + limit + Duration::from_secs(2);
        while self.workers.iter().any(|worker| !worker.is_finished()) {
            if tokio::time::Instant::now() >= last {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        let all_well = self.workers.into_iter().all(WorkerThread::join);
        if let Some((_, log)) = self.access_log {
            log.finish(Duration::from_secs(2));
        }
        binding::remove_unix_sockets(&self.bound);
        all_well
    }

    fn update_access_log(&mut self, plan: &Plan) -> io::Result<()> {
        match (&plan.logs.access, &self.access_log) {
            (Some(wanted), Some((known, log))) if wanted == known => log.reopen(),
            (Some(wanted), _) => {
                let log = logs::access_log(wanted, &self.registry)?;
                self.access_log = Some((wanted.clone(), log));
            }
            (None, _) => self.access_log = None,
        }
        Ok(())
    }

    fn forget_old_metrics(&self, plan: &Plan) {
        let has_upstream = |name: &str| {
            plan.upstreams
                .iter()
                .any(|upstream| &*upstream.name == name)
        };
        self.registry.retain(|subject| match subject {
            Subject::Route(name) => plan.routes.iter().any(|route| &*route.name == name),
            Subject::Mirror(name) => plan
                .routes
                .iter()
                .any(|route| &*route.name == name && route.mirror.is_some()),
            Subject::Side { route, upstream } => has_side(plan, route, upstream),
            Subject::Upstream(name) => has_upstream(name),
            Subject::Server { upstream, server } => plan
                .upstreams
                .iter()
                .filter(|settings| &*settings.name == upstream)
                .flat_map(|settings| &settings.servers)
                .any(|known| known.address.to_string() == server),
            Subject::ServerName { listener, name } => plan
                .listeners
                .iter()
                .filter(|settings| &*settings.name == listener)
                .any(|settings| has_server_name(settings, name)),
            Subject::RateLimit(name) => plan.rate_limits.iter().any(|limit| &*limit.name == name),
            Subject::Store(name) => plan.stores.iter().any(|store| &*store.name == name),
            Subject::Auth(name) => plan.auths.iter().any(|auth| &*auth.name == name),
            Subject::Listener(name) => plan
                .listeners
                .iter()
                .any(|listener| &*listener.name == name),
        });
    }
}

/// Waits for the workers, but not for long.
async fn until_taken_over(applied: Vec<oneshot::Receiver<()>>) {
    for wait in applied {
        match timeout(APPLY_TIMEOUT, wait).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("a worker has ended: its connections are lost"),
            Err(_) => tracing::warn!("a worker is slow in taking over what is new"),
        }
    }
}

/// Says at the start what would else go wrong with every connection.
fn check_transparent(plan: &Plan) -> Result<(), ApplyError> {
    let mut listeners = plan.listeners.iter();
    let Some(listener) = listeners.find(|one| one.source_address == SourceAddress::Client) else {
        return Ok(());
    };
    may_use_addresses_of_others().map_err(|cause| ApplyError::Transparent {
        listener: Arc::clone(&listener.name),
        cause,
    })
}

fn has_side(plan: &Plan, route: &str, upstream: &str) -> bool {
    let mut splits = plan.routes.iter().filter_map(|known| match &known.action {
        Action::Split(split) if &*known.name == route => Some(split),
        _ => None,
    });
    splits.any(|split| split.sides.iter().any(|side| &*side.name == upstream))
}

fn has_server_name(listener: &Listener, name: &str) -> bool {
    match &listener.protocol {
        Protocol::Tcp(TcpTarget::ByName(names)) => {
            names.entries.iter().any(|entry| &*entry.name == name)
        }
        Protocol::Tcp(TcpTarget::Upstream(_)) | Protocol::Udp(_) | Protocol::Http(_) => false,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What to do about it, where that is known.
fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => " (something else listens there)",
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE)"
        }
        io::ErrorKind::AddrNotAvailable => " (this machine does not have that address)",
        _ => "",
    }
}

/// How long a worker may take to take a plan over before that is worth a warning.
const APPLY_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
