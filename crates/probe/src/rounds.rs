//! Who is checked: a round for each server, begun, changed and ended by the difference between plans.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sluice_config::plan::Upstream;
use sluice_health::{Check, Verdict};
use sluice_model::Moment;
use sluice_telemetry::metrics::Registry;
use sluice_tls::{ClientConfig, Workspace};
use sluice_upstream::{Cluster, Endpoint, EndpointKey};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_local};

use crate::prober::Wanted;
use crate::round;
use crate::way::Way;

/// The rounds of all servers.
pub(crate) struct Rounds {
    running: HashMap<EndpointKey, Round>,
    shared: Rc<Shared>,
    workspace: Rc<Workspace>,
}

/// What all rounds share.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    /// A permit for each check that may be under way.
    pub(crate) permits: Semaphore,
    epoch: Instant,
}

impl Shared {
    pub(crate) fn now(&self) -> Moment {
        let nanos = self.epoch.elapsed().as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The checks of one server. They end when it is dropped.
struct Round {
    endpoint: Arc<Endpoint>,
    /// How it is checked.
    settings: Rc<Upstream>,
    cipher: Option<Arc<ClientConfig>>,
    /// What the checks have shown.
    check: Rc<RefCell<Check>>,
    task: JoinHandle<()>,
}

impl Drop for Round {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rounds {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self {
            running: HashMap::new(),
            shared: Rc::new(Shared {
                registry,
                permits: Semaphore::new(AT_ONCE),
                epoch: Instant::now(),
            }),
            workspace: Rc::default(),
        }
    }

    /// Checks what is wanted, and nothing else.
    pub(crate) fn follow(&mut self, wanted: &Wanted) {
        let mut before = std::mem::take(&mut self.running);
        for (position, upstream) in wanted.plan.upstreams.iter().enumerate() {
            let cipher = wanted.ciphers.get(position).cloned().flatten();
            self.follow_upstream(upstream, cipher.as_ref(), wanted, &mut before);
        }
        // No check of them says anything from here on.
        drop(before);
        for endpoint in wanted.endpoints.iter() {
            if !self.running.contains_key(endpoint.key()) {
                endpoint.set_verdict(Verdict::Healthy);
            }
        }
        let is_checked = |upstream: &str, server: &str| {
            let mut running = self.running.values();
            running.any(|round| {
                &*round.endpoint.key().upstream == upstream && **round.endpoint.label() == *server
            })
        };
        self.shared.registry.retain_checks(is_checked);
    }

    fn follow_upstream(
        &mut self,
        upstream: &Upstream,
        cipher: Option<&Arc<ClientConfig>>,
        wanted: &Wanted,
        before: &mut HashMap<EndpointKey, Round>,
    ) {
        let Some(health) = &upstream.health else {
            return;
        };
        let cipher = cipher.filter(|_| health.is_ciphered);
        let settings = Rc::new(way_of(upstream));
        let mut cluster = None;
        for (position, server) in upstream.servers.iter().enumerate() {
            let Some(endpoint) = wanted.endpoints.get(&upstream.name, &server.address) else {
                continue;
            };
            // One that is listed twice.
            if self.running.contains_key(endpoint.key()) {
                continue;
            }
            let known = before.remove(endpoint.key());
            let known = known.filter(|round| Arc::ptr_eq(&round.endpoint, endpoint));
            let check = match known {
                Some(round) if round.is_as(&settings, cipher) => {
                    self.running.insert(endpoint.key().clone(), round);
                    continue;
                }
                Some(round) => Rc::clone(&round.check),
                None => {
                    let check = Check::new(endpoint.verdict(), self.shared.now());
                    Rc::new(RefCell::new(check))
                }
            };
            let cluster = cluster.get_or_insert_with(|| {
                let cluster = Cluster::for_checks(upstream, health, &wanted.endpoints);
                if let Some(cipher) = cipher {
                    cluster.cipher_by(cipher, &self.workspace);
                }
                Rc::new(cluster)
            });
            let Some(lane) = cluster.lanes().get(position) else {
                continue;
            };
            let way = Way::new(cluster, lane);
            let task = spawn_local(round::run(
                way,
                health.clone(),
                Arc::clone(endpoint),
                Rc::clone(&check),
                Rc::clone(&self.shared),
            ));
            let round = Round {
                endpoint: Arc::clone(endpoint),
                settings: Rc::clone(&settings),
                cipher: cipher.cloned(),
                check,
                task,
            };
            self.running.insert(endpoint.key().clone(), round);
        }
    }
}

impl Round {
    /// Whether the server would be checked no differently.
    fn is_as(&self, settings: &Upstream, cipher: Option<&Arc<ClientConfig>>) -> bool {
        let ciphers = [self.cipher.as_ref(), cipher].map(|cipher| cipher.map(Arc::as_ptr));
        *self.settings == *settings && ciphers[0] == ciphers[1]
    }
}

/// What of an upstream decides how a server of it is checked: everything but who else there is.
fn way_of(upstream: &Upstream) -> Upstream {
    Upstream {
        servers: Vec::new(),
        ..upstream.clone()
    }
}

/// Checks that may be under way at a time, in all.
const AT_ONCE: usize = 64;
