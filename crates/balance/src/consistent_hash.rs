//! A ring of hashes: each server stands at many points of it, and a key belongs to the server of the next point. Where a
//! server leaves, only its keys move, and where one comes, keys move only to it.
//!
//! Karger et al., "Consistent Hashing and Random Trees" (1997); with a bound to each server's load ([`crate::bounded_load`]).
//!
//! How many points a server has depends on the average weight, so where weights differ and the average moves enough to show in
//! its first four binary digits, every server's points get more or fewer, by a sixteenth to an eighth: rarely, and never where weights
//! are equal.
//!
//! A server's points are [`derived`] from its identity and 0, 1, 2, …; a key belongs to the first point that is not below it,
//! and after the last one comes the first. Memory: 12 bytes a point, hence with 150 points for each server 1,800 bytes a
//! server and 1.8 MB for 1,000 servers, shared by all workers.

use std::sync::Arc;

use crate::bounded_load::{Bound, is_exact};
use crate::key::derived;
use crate::keyed::ATTEMPTS;
use crate::rendezvous;
use crate::servers::Servers;
use crate::view::{Member, View};

/// The points in their order, and the place of the server at each.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    points: Arc<[u64]>,
    owners: Arc<[u32]>,
    load_bound: Option<f32>,
}

impl Ring {
    /// A ring with `virtual_nodes` points for a server of average weight, fewer where there would be more than
    /// [`POINTS_MAX`] in all.
    pub(crate) fn new(members: &[Member], virtual_nodes: u16, load_bound: Option<f32>) -> Self {
        let servers = u64::try_from(members.len()).unwrap_or(u64::MAX).max(1);
        let nodes = nodes(virtual_nodes, servers);
        let total: u64 = members.iter().map(Member::whole_weight).sum();
        let unit = rounded((total << FRACTION) / servers).max(1);
        let mut points = Vec::new();
        for (owner, member) in (0_u32..).zip(members) {
            let own = (((nodes * member.whole_weight()) << FRACTION) + unit / 2) / unit;
            let place = |replica| (derived(member.id, replica), member.id, owner);
            points.extend((0..own.max(1)).map(place));
        }
        // By identity where two points are the same: so the order of the servers does not matter.
        points.sort_unstable();
        Self {
            points: points.iter().map(|&(point, ..)| point).collect(),
            owners: points.iter().map(|&(.., owner)| owner).collect(),
            load_bound,
        }
    }

    /// The server that has the key, or stands in for it; `None` where none of the next [`ATTEMPTS`] points has an eligible
    /// one.
    pub(crate) fn pick<S: Servers>(&self, view: &View<'_, S>, key: u64) -> Option<usize> {
        let walk = || self.walk(key).filter(|&place| view.is_eligible(place));
        let home = walk().next();
        let Some(bound) = self.load_bound else {
            return home;
        };
        // One that is idle is below any bound: that spares counting.
        if home.is_some_and(|place| view.in_flight(place) < 1.0) {
            return home;
        }
        let bound = Bound::new(view, bound);
        let by_load = |place: &usize| view.in_flight(*place) / view.weight(*place);
        walk()
            .find(|&place| bound.admits(view, place))
            .or_else(|| {
                let may = |place| view.is_eligible(place) && bound.admits(view, place);
                is_exact(view).then(|| rendezvous::pick(view, key, may))?
            })
            // All are above a mean that is out of date.
            .or_else(|| walk().min_by(|a, b| by_load(a).total_cmp(&by_load(b))))
    }

    /// The servers along the ring from the key on, as far as one goes.
    fn walk(&self, key: u64) -> impl Iterator<Item = usize> {
        let start = self.points.partition_point(|&point| point < key);
        let (before, after) = self.owners.split_at_checked(start).unwrap_or_default();
        after
            .iter()
            .chain(before)
            .take(ATTEMPTS)
            .filter_map(|&owner| usize::try_from(owner).ok())
    }
}

/// Points of a ring at most, nearly: 48 MiB.
const POINTS_MAX: u64 = 1 << 22;

/// Bits behind the point of an average weight.
const FRACTION: u32 = 16;

fn nodes(virtual_nodes: u16, servers: u64) -> u64 {
    u64::from(virtual_nodes).min(POINTS_MAX / servers).max(1)
}

/// Four digits of the average weight, in binary: so it stays the same for most servers that come and go or change their weight,
/// and the others' points with it.
fn rounded(average: u64) -> u64 {
    let dropped = average.max(1).ilog2().saturating_sub(3);
    (average + (1 << dropped >> 1)) >> dropped << dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    fn members(weights: &[f32]) -> Vec<Member> {
        let member = |(server, &weight)| Member {
            server,
            id: crate::key_hash(&usize::to_le_bytes(server)),
            weight,
        };
        weights.iter().enumerate().map(member).collect()
    }

    fn ring(weights: &[f32], virtual_nodes: u16) -> Ring {
        Ring::new(&members(weights), virtual_nodes, None)
    }

    #[test]
    fn a_ring_is_as_large_as_said() {
        let ring = ring(&[1.0; 1_000], Kind::VIRTUAL_NODES);
        assert_eq!(
            size_of_val(&*ring.points) + size_of_val(&*ring.owners),
            1_800_000
        );
        assert!(ring.points.is_sorted());
    }

    #[test]
    fn points_are_by_weight_and_bounded() {
        let count = |ring: &Ring, owner| ring.owners.iter().filter(|&&own| own == owner).count();
        let uneven = ring(&[1.0, 3.0, 4.0, 8.0], 100);
        assert_eq!(
            [0, 1, 2, 3].map(|owner| count(&uneven, owner)),
            [25, 75, 100, 200]
        );
        let tiny = ring(&[1.0, 65_535.0], 1);
        assert_eq!([0, 1].map(|owner| count(&tiny, owner)), [1, 2]);
        assert_eq!(ring(&[1.0; 3], 0).points.len(), 3);
        assert!(ring(&[], 9).points.is_empty());
        assert_eq!(nodes(u16::MAX, 64), 65_535);
        assert_eq!(nodes(u16::MAX, 100), 41_943);
        assert_eq!(nodes(150, 10_000_000), 1);
    }

    #[test]
    fn a_server_that_changes_its_weight_leaves_the_others_points() {
        // The mean of twenty moves by less than its four digits show.
        let mut weights = [10.0; 20];
        let before = ring(&weights, 100);
        weights[7] = 15.0;
        let after = ring(&weights, 100);
        let points_of_others = |ring: &Ring| -> Vec<u64> {
            let pairs = ring.points.iter().zip(ring.owners.iter());
            pairs
                .filter(|(_, owner)| **owner != 7)
                .map(|(point, _)| *point)
                .collect()
        };
        assert_eq!(points_of_others(&before), points_of_others(&after));
        assert_eq!(after.points.len() - before.points.len(), 50);
    }

    #[test]
    fn averages_keep_four_digits() {
        assert_eq!(
            [1, 2, 15, 16, 17, 18, 31, 32].map(rounded),
            [1, 2, 15, 16, 18, 18, 32, 32]
        );
    }
}
