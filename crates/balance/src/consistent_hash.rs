//! A ring of hashes: each server stands at many points of it, and a key belongs to the server of the next point. Where a
//! server leaves, only its keys move, and where one comes, keys move only to it.
//!
//! Karger et al., "Consistent Hashing and Random Trees" (1997); with a bound to each server's load ([`crate::bounded_load`]).
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
        let nodes = u64::from(virtual_nodes).min(POINTS_MAX / servers).max(1);
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

/// Four digits of the average weight, in binary: so it stays the same for most servers that come and go or change their weight,
/// and the others' points with it.
fn rounded(average: u64) -> u64 {
    let dropped = average.max(1).ilog2().saturating_sub(3);
    (average + (1 << dropped >> 1)) >> dropped << dropped
}
