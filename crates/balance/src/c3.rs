//! C3: the server with the lowest score (R − 1/µ) + q̂³/µ, where R is the average latency, 1/µ the time that a request takes
//! by itself, and q̂ an estimate of the server's queue. The cube keeps requests from a fast server whose queue is long,
//! where the product of least response time would still send them.
//!
//! Suresh, Canini, Schmid, Feldmann, "C3: Cutting Tail Latency in Cloud Data Stores via Adaptive Replica Selection"
//! (NSDI 2015). Two things are otherwise here:
//!
//! - Its rate control is left out: it holds a client back where a server answers more slowly than it is asked, and such
//!   backpressure is what `max-connections` and the queue before it are for, which hold for every policy.
//! - Servers seldom say how long they take for a request, so 1/µ is the latency seen here while no other request was in
//!   flight, and R where that never is. The queue is what the server said last, not an average: it is said often.

use fastrand::Rng;

use crate::scan::{Sample, cheapest};
use crate::servers::Servers;
use crate::view::View;

/// The lowest score wins, where `balancers` send to the same servers.
pub(crate) fn pick<S: Servers>(
    view: &View<'_, S>,
    sample: Sample,
    balancers: f32,
    rng: &mut Rng,
) -> Option<usize> {
    cheapest(view, sample, rng, |place| score(view, place, balancers))
}

/// (R − 1/µ) + q̂³/µ. A server of twice the weight counts as if its queue were half as long.
fn score<S: Servers>(view: &View<'_, S>, place: usize, balancers: f32) -> f32 {
    let latency = view.latency(place);
    let service = view
        .latency_alone(place)
        .map_or(latency, |alone| alone.min(latency));
    // What the other balancers have in flight is taken to be as much as is from here.
    let outstanding = view.own_in_flight(place) * balancers + view.reported_in_flight(place);
    let queue = 1.0 + view.by_weight(place, outstanding);
    latency - service + queue.powi(3) * service
}
