//! Which side of its route's split a request goes to.

use sluice_config::plan::{Split, SplitBy, UpstreamId};
use sluice_route::Facts;

use super::decide::Asked;
use super::refuse::Refused;
use crate::trip::Trip;

impl Asked<'_, '_, '_> {
    /// The upstream of the request's side, and the cookie that the client is to be told so that it stays there.
    pub(super) fn place(
        &self,
        split: &Split,
        facts: &Facts<'_>,
        trip: &mut Trip,
    ) -> Result<(UpstreamId, Option<String>), Refused> {
        #[expect(clippy::cast_possible_truncation, reason = "half of the bits will do")]
        let chance = self.downstream.worker.random_id() as u64;
        let weight = |side: usize| split.sides.get(side).map_or(0, |side| side.weight);
        let placed = split.place(facts, chance, weight).ok_or(Refused::NoRoute)?;
        let side = split.sides.get(placed.side).ok_or(Refused::NoRoute)?;
        trip.side = Some(placed.side);
        let cookie = match (&split.by, placed.assigned) {
            (SplitBy::Assigned(cookie), Some(position)) => {
                Some(cookie.cookie(position, facts.scheme))
            }
            _ => None,
        };
        Ok((side.upstream, cookie))
    }
}
