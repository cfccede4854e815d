//! Least response time: the server where the request would be done soonest, if each of those in flight takes as long as
//! requests took of late: average latency × (in flight + 1), what is in flight being set against the weight.
//!
//! Known from nginx Plus (`least_time`) and hardware balancers.

use fastrand::Rng;

use crate::scan::{Sample, cheapest};
use crate::servers::Servers;
use crate::view::View;

/// The lowest latency × (in flight by weight + 1) wins.
pub(crate) fn pick<S: Servers>(view: &View<'_, S>, sample: Sample, rng: &mut Rng) -> Option<usize> {
    cheapest(view, sample, rng, |place| {
        view.latency(place) * (view.by_weight(place, view.in_flight(place)) + 1.0)
    })
}
