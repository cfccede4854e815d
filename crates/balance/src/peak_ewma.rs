//! Peak EWMA: as least response time, but by the worst latency of late, which is believed at once and forgotten slowly. So
//! a server that stumbles is left alone before its average shows it.
//!
//! From Twitter's Finagle; linkerd balances by it.

use fastrand::Rng;

use crate::scan::{Sample, cheapest};
use crate::servers::Servers;
use crate::view::View;

/// The lowest peak latency × (in flight by weight + 1) wins.
pub(crate) fn pick<S: Servers>(view: &View<'_, S>, sample: Sample, rng: &mut Rng) -> Option<usize> {
    cheapest(view, sample, rng, |place| {
        view.peak(place) * (view.by_weight(place, view.in_flight(place)) + 1.0)
    })
}
