//! Least connections: the server with the fewest requests in flight for its weight.
//!
//! Known from the Linux Virtual Server (`wlc`); among servers of which all are seen it never picks one that is busier
//! than another.

use fastrand::Rng;

use crate::scan::{Sample, cheapest};
use crate::servers::Servers;
use crate::view::View;

/// The lowest in flight / weight wins. An idle server comes before any other, however small its weight.
pub(crate) fn pick<S: Servers>(view: &View<'_, S>, sample: Sample, rng: &mut Rng) -> Option<usize> {
    cheapest(view, sample, rng, |place| {
        view.in_flight(place) / view.weight(place)
    })
}
