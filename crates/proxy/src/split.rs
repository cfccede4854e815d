//! What a worker counts of the sides of splits.

use std::rc::Rc;
use std::sync::Arc;

use sluice_config::plan::{Action, Route};
use sluice_telemetry::End;
use sluice_telemetry::metrics::{Registry, SideMetrics, StatusClass};

use crate::live::Live;
use crate::trip::Trip;

/// The counters of the sides of a route, in their order; none where it has no split.
pub(crate) fn metrics(route: &Route, registry: &Registry, worker: usize) -> Vec<Arc<SideMetrics>> {
    let Action::Split(split) = &route.action else {
        return Vec::new();
    };
    let sides = split.sides.iter();
    sides
        .map(|side| registry.side(worker, &route.name, &side.name))
        .collect()
}

/// Counts a request that has come to its end for the side that it was on.
pub(crate) fn count(live: &Live, trip: &Trip) {
    let found = trip.route.zip(trip.side);
    let Some(side) = found.and_then(|(route, side)| live.side_metrics(route, side)) else {
        return;
    };
    if trip.status > 0 {
        side.requests.increment(StatusClass::from(trip.status));
    }
    side.duration.record(trip.now - trip.started);
    if is_clients_doing(trip.end) {
        return;
    }
    side.ended.increment();
    if trip.status >= 500 || trip.end != End::Ok || has_fallen_back(live, trip) {
        side.failures.increment();
    }
}

/// Whether it has ended so early that it says nothing of the side.
fn is_clients_doing(end: End) -> bool {
    matches!(
        end,
        End::ClientClosed | End::ClientTimeout | End::BadRequest | End::Drained
    )
}

/// Whether it was answered by another upstream than that of its side.
fn has_fallen_back(live: &Live, trip: &Trip) -> bool {
    let own = || {
        let route = live.plan.routes.get(trip.route?.0)?;
        let Action::Split(split) = &route.action else {
            return None;
        };
        live.cluster(split.sides.get(trip.side?)?.upstream)
    };
    match (&trip.cluster, own()) {
        (Some(cluster), Some(own)) => !Rc::ptr_eq(cluster, own),
        _ => false,
    }
}
