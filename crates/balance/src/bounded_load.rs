//! Consistent hashing with bounded loads: no server is given more than a little above the mean, however many requests have
//! the same key.
//!
//! Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016). Theirs moves balls when others leave;
//! a request stays where it is. So the bound holds for each request when it is given to its server.

use crate::scan::Sample;
use crate::servers::Servers;
use crate::view::View;

/// How many requests each server may have in flight, the one that is looking for its server included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// For each unit of weight.
    per_weight: f64,
}

impl Bound {
    /// `factor` times the mean of the eligible servers. Of more than a hundred servers the mean is that of the last survey, at
    /// most a twentieth of a second old.
    pub(crate) fn new<S: Servers>(view: &View<'_, S>, factor: f32) -> Self {
        let factor = f64::from(factor.max(1.0));
        if !is_exact(view) {
            return Self {
                per_weight: factor * f64::from(view.survey.mean_in_flight),
            };
        }
        // One for the request itself.
        let (mut requests, mut weights) = (1.0, 0.0);
        for (place, member) in view.members.iter().enumerate() {
            if view.is_eligible(place) {
                requests += f64::from(view.in_flight(place));
                weights += f64::from(member.weight);
            }
        }
        Self {
            per_weight: factor * requests / weights,
        }
    }

    /// Whether the server may have one more.
    pub(crate) fn admits<S: Servers>(self, view: &View<'_, S>, place: usize) -> bool {
        let Some(member) = view.members.get(place) else {
            return false;
        };
        let limit = (self.per_weight * f64::from(member.weight)).ceil();
        f64::from(view.in_flight(place)) < limit.max(1.0)
    }
}

/// Whether the mean is known exactly: then there is always a server below it.
pub(crate) fn is_exact<S: Servers>(view: &View<'_, S>) -> bool {
    view.len() <= Sample::ALL_UP_TO
}
