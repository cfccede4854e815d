//! Least bandwidth: the server through which the fewest bytes a second go, both ways, for its weight. For downloads and
//! streams, where requests in flight say little.
//!
//! Known from hardware balancers.

use fastrand::Rng;

use crate::scan::{Sample, cheapest};
use crate::servers::Servers;
use crate::view::View;

/// The lowest bytes a second / weight wins.
pub(crate) fn pick<S: Servers>(view: &View<'_, S>, sample: Sample, rng: &mut Rng) -> Option<usize> {
    cheapest(view, sample, rng, |place| {
        view.bandwidth(place) / view.weight(place)
    })
}
