//! Which side of its route's split a request goes to.

use sluice_config::plan::{Split, SplitBy, UpstreamId};
use sluice_route::Facts;

use super::decide::Asked;
use super::refuse::Refused;
use crate::trip::Trip;

impl Asked<'_, '_, '_> {
    /// The upstream of the request's side. Where a cookie is to keep the client there that it has not got yet, it gets it with the answer.
    pub(super) fn place(
        &self,
        split: &Split,
        facts: &Facts<'_>,
        trip: &mut Trip,
    ) -> Result<UpstreamId, Refused> {
        #[expect(clippy::cast_possible_truncation, reason = "half of the bits will do")]
        let chance = self.downstream.worker.random_id() as u64;
        let now = trip
            .route
            .and_then(|id| self.listener.live.split_weights(id));
        let of_file = |side: usize| split.sides.get(side).map_or(0, |side| side.weight);
        let placed = now
            .and_then(|now| split.place(facts, chance, |side| now.of_side(side)))
            // Just when all is given to another side, each may be seen without a weight.
            .or_else(|| split.place(facts, chance, of_file))
            .ok_or(Refused::NoRoute)?;
        let side = split.sides.get(placed.side).ok_or(Refused::NoRoute)?;
        trip.side = Some(placed.side);
        if let (SplitBy::Assigned(cookie), Some(position)) = (&split.by, placed.assigned) {
            let cookie = cookie.cookie(position, facts.scheme);
            trip.for_client
                .get_or_insert_default()
                .add("Set-Cookie", cookie.as_bytes());
        }
        Ok(side.upstream)
    }
}
