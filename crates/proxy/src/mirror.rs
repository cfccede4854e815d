//! What a worker holds of a route's mirror.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sluice_config::plan::{Mirror, Route};
use sluice_telemetry::metrics::{MirrorMetrics, Registry};
use sluice_upstream::Cluster;

use crate::live::Live;

/// Where copies of a route's requests go, and how many are under way.
#[derive(Debug)]
pub(crate) struct LiveMirror {
    pub(crate) settings: Mirror,
    pub(crate) cluster: Rc<Cluster>,
    /// How long a copy may take in all: the `timeout` of the route.
    pub(crate) timeout: Duration,
    pub(crate) metrics: Arc<MirrorMetrics>,
    /// Those of this route, whatever the plan was when they began.
    in_flight: Rc<Cell<usize>>,
}

/// A copy under way; ends when dropped.
#[derive(Debug)]
pub(crate) struct CopyInFlight {
    in_flight: Rc<Cell<usize>>,
    metrics: Arc<MirrorMetrics>,
}

impl LiveMirror {
    /// The mirror of a route, if it has one.
    pub(crate) fn of(
        route: &Route,
        live: &Live,
        previous: Option<&Live>,
        registry: &Registry,
        worker: usize,
    ) -> Option<Rc<Self>> {
        let settings = route.mirror?;
        let known = previous.and_then(|previous| previous.mirror_named(&route.name));
        Some(Rc::new(Self {
            settings,
            cluster: Rc::clone(live.cluster(settings.upstream)?),
            timeout: route.timeout,
            metrics: registry.mirror(worker, &route.name),
            in_flight: known.map_or_else(Rc::default, |known| Rc::clone(&known.in_flight)),
        }))
    }

    /// A place for one more copy; `None` where there are as many as may be.
    pub(crate) fn enter(&self) -> Option<CopyInFlight> {
        let others = self.in_flight.get();
        if others >= self.settings.max_in_flight {
            return None;
        }
        self.in_flight.set(others + 1);
        self.metrics.in_flight.increment();
        Some(CopyInFlight {
            in_flight: Rc::clone(&self.in_flight),
            metrics: Arc::clone(&self.metrics),
        })
    }
}

impl Drop for CopyInFlight {
    fn drop(&mut self) {
        self.in_flight.set(self.in_flight.get() - 1);
        self.metrics.in_flight.decrement();
    }
}
