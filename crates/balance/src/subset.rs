//! Deterministic subsets: where many balancers send to many servers, each keeps to a few of them, so that not every balancer
//! has a connection to every server; and every server is in the subsets of as many balancers, give or take one.
//!
//! Servers stand in a circle in the order of their identities, balancers at even distances on it, and each takes the next `size`
//! servers from where it stands on: the circle is that of the deterministic aperture of Twitter's Finagle, the subsets
//! whole servers of it. When a server comes or leaves, of the balancers that do not have it at most one in
//! three changes one server of its subset; those that have it change that one, and a second one now and then. The shuffled rounds of
//! "Site Reliability Engineering" (Beyer et al., 2016, chapter 20) change most of every subset then, and leave some servers
//! to fewer balancers where subsets do not divide them. The price: the keepers of a server that fails are neighbours, so that
//! the next to it on the circle take most of its load; and when a balancer comes or leaves, most others move on the circle.

/// Which of the servers a balancer keeps to. It needs nothing but these numbers and the servers' identities, in whatever order
/// they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subset {
    /// Servers that it keeps to, 1 at least. Of each group, where servers are divided into the own zone and others.
    pub size: u32,
    /// Its number among the balancers, from 0. Where zones matter, among those of its own zone: else the servers of a zone
    /// would see too few of the balancers that prefer it.
    pub balancer: u32,
    /// Balancers with the same servers (of the same zone), 1 at least.
    pub balancers: u32,
}

impl Subset {
    /// The indices that are in the subset of these servers, given by index and identity; in rising order.
    pub(crate) fn of(self, servers: impl Iterator<Item = (usize, u64)>) -> Vec<usize> {
        let mut circle: Vec<(u64, usize)> = servers.map(|(index, id)| (id, index)).collect();
        circle.sort_unstable();
        let count = u64::try_from(circle.len()).unwrap_or(u64::MAX);
        let balancers = u64::from(self.balancers.max(1));
        // Below the number of servers, as the balancer's number is below that of balancers.
        let start = u64::from(self.balancer) % balancers * count / balancers;
        let size = usize::try_from(self.size.max(1)).unwrap_or(usize::MAX);
        let mut subset: Vec<usize> = circle
            .iter()
            .cycle()
            .skip(usize::try_from(start).unwrap_or(0))
            .take(size.min(circle.len()))
            .map(|&(_, index)| index)
            .collect();
        subset.sort_unstable();
        subset
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::key_hash;

    fn id(server: usize) -> u64 {
        key_hash(&server.to_le_bytes())
    }

    /// The subsets of all balancers, as identities.
    fn subsets(size: u32, balancers: u32, servers: &[usize]) -> Vec<BTreeSet<u64>> {
        let subset = |balancer| {
            let subset = Subset {
                size,
                balancer,
                balancers,
            };
            let ids = servers.iter().map(|&server| id(server)).enumerate();
            let chosen = subset.of(ids);
            assert!(chosen.is_sorted());
            chosen.iter().map(|&index| id(servers[index])).collect()
        };
        (0..balancers).map(subset).collect()
    }

    proptest! {
        #[test]
        fn every_server_has_as_many_balancers(
            size in 1..40_u32,
            balancers in 1..60_u32,
            servers in 1..80_usize,
        ) {
            let listed: Vec<usize> = (0..servers).collect();
            let subsets = subsets(size, balancers, &listed);
            let keepers = |server| subsets.iter().filter(|subset| subset.contains(&id(server))).count();
            let keepers: Vec<usize> = listed.iter().map(|&server| keepers(server)).collect();
            let (least, most) = (keepers.iter().min(), keepers.iter().max());
            prop_assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{:?}", keepers);
            let whole = usize::try_from(size).expect("fits").min(servers);
            prop_assert!(subsets.iter().all(|subset| subset.len() == whole));
        }

        #[test]
        fn the_order_of_the_servers_does_not_matter(
            size in 1..40_u32,
            balancers in 1..20_u32,
            servers in Just((0..60).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let listed: Vec<usize> = (0..60).collect();
            prop_assert_eq!(subsets(size, balancers, &servers), subsets(size, balancers, &listed));
        }

        #[test]
        fn with_a_server_more_or_less_a_subset_hardly_changes(
            size in 1..40_u32,
            balancers in 1..60_u32,
            servers in 2..80_usize,
            gone in any::<prop::sample::Index>(),
        ) {
            let all: Vec<usize> = (0..servers).collect();
            let gone = gone.index(servers);
            let others: Vec<usize> = all.iter().copied().filter(|&server| server != gone).collect();
            let (with, without) = (subsets(size, balancers, &all), subsets(size, balancers, &others));
            for (with, without) in with.iter().zip(&without) {
                prop_assert!(with.difference(without).count() <= 2);
                prop_assert!(without.difference(with).count() <= 2);
            }
        }
    }

    #[test]
    fn at_most_one_balancer_in_three_changes_a_server_beside_the_one_that_left() {
        for (size, balancers, servers) in [(20, 50, 60), (8, 60, 40), (10, 7, 80)] {
            let all: Vec<usize> = (0..servers).collect();
            let with = subsets(size, balancers, &all);
            let (mut changes, mut necessary) = (0, 0);
            for gone in 0..servers {
                let others: Vec<usize> = all
                    .iter()
                    .copied()
                    .filter(|&server| server != gone)
                    .collect();
                for (with, without) in with.iter().zip(subsets(size, balancers, &others)) {
                    changes += with.difference(&without).count();
                    necessary += usize::from(with.contains(&id(gone)));
                }
            }
            let trials = servers as f64 * f64::from(balancers);
            let beside = (changes - necessary) as f64 / trials;
            // A third of those that did not have it anyway; few balancers stand where it moves less.
            let third = (1.0 - f64::from(size) / servers as f64) / 3.0;
            assert!(beside <= third + 0.01, "{beside} for {third}");
        }
    }

    #[test]
    fn of_nothing_there_is_nothing_and_numbers_without_sense_do_no_harm() {
        let odd = Subset {
            size: 0,
            balancer: 9,
            balancers: 0,
        };
        assert_eq!(odd.of(std::iter::empty()), []);
        assert_eq!(odd.of([(3, 7), (5, 1)].into_iter()), [5]);
        assert_eq!(
            Subset { size: 9, ..odd }.of([(3, 7), (5, 1)].into_iter()),
            [3, 5]
        );
    }
}
