//! An upstream's policy: its algorithm, with the backup servers behind the others.

use sluice_model::Weight;

use crate::round_robin::RoundRobin;

/// Chooses among an upstream's servers: among the primary ones while one of them can take the request, else among the
/// backups. One for each worker, which needs no lock then.
#[derive(Clone, Debug)]
pub struct Policy {
    primaries: Tier,
    backups: Tier,
}

/// Which algorithm chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`RoundRobin`]
    RoundRobin,
}

/// What a policy knows of a server from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerShape {
    /// Its share beside the others of its tier.
    pub weight: Weight,
    /// Whether it is used only when no other can be.
    pub backup: bool,
}

impl Policy {
    /// A policy over `servers`. Workers give different seeds, so that they do not all begin with the same server.
    pub fn new(kind: Kind, servers: &[ServerShape], seed: u32) -> Self {
        let tier = |backup| Tier::new(kind, servers, backup, seed);
        Self {
            primaries: tier(false),
            backups: tier(true),
        }
    }

    /// The index of the server that takes the next request, `None` where none is eligible. `eligible` says of an index
    /// into the servers whether that one can take the request now; it may be asked more than once.
    pub fn pick(&mut self, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        self.primaries
            .pick(&eligible)
            .or_else(|| self.backups.pick(&eligible))
    }
}

/// Servers among which an algorithm chooses.
#[derive(Clone, Debug)]
struct Tier {
    /// Their indices among all servers of the upstream.
    servers: Box<[usize]>,
    algorithm: Algorithm,
}

/// The state of an algorithm over a tier.
#[derive(Clone, Debug)]
enum Algorithm {
    RoundRobin(RoundRobin),
}

impl Tier {
    fn new(kind: Kind, servers: &[ServerShape], backup: bool, seed: u32) -> Self {
        let (servers, weights): (Vec<usize>, Vec<Weight>) = servers
            .iter()
            .enumerate()
            .filter(|(_, server)| server.backup == backup)
            .map(|(index, server)| (index, server.weight))
            .unzip();
        Self {
            servers: servers.into(),
            algorithm: match kind {
                Kind::RoundRobin => Algorithm::RoundRobin(RoundRobin::new(&weights, seed)),
            },
        }
    }

    fn pick(&mut self, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let servers = &self.servers;
        let eligible = |index: usize| servers.get(index).is_some_and(|&server| eligible(server));
        let index = match &mut self.algorithm {
            Algorithm::RoundRobin(round_robin) => round_robin.pick(eligible),
        }?;
        servers.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(weight: i64, backup: bool) -> ServerShape {
        ServerShape {
            weight: Weight::try_from(weight).expect("a weight"),
            backup,
        }
    }

    #[test]
    fn backups_take_turns_when_no_primary_is_left() {
        let servers = [
            shape(1, true),
            shape(1, false),
            shape(1, true),
            shape(1, false),
        ];
        let mut policy = Policy::new(Kind::RoundRobin, &servers, 0);
        let mut picks = |eligible: fn(usize) -> bool| -> Vec<_> {
            (0..4).filter_map(|_| policy.pick(eligible)).collect()
        };
        assert_eq!(picks(|_| true), [1, 3, 1, 3]);
        assert_eq!(picks(|server| server != 1), [3, 3, 3, 3]);
        assert_eq!(picks(|server| server % 2 == 0), [0, 2, 0, 2]);
        assert_eq!(picks(|_| false), []);
        assert_eq!(picks(|_| true), [1, 3, 1, 3]);
    }

    #[test]
    fn without_servers_there_is_no_pick() {
        assert_eq!(Policy::new(Kind::RoundRobin, &[], 7).pick(|_| true), None);
    }

    proptest! {
        #[test]
        fn a_pick_is_eligible_and_no_backup_while_a_primary_is(
            servers in prop::collection::vec((1..20_i64, any::<bool>()), 0..12),
            seed in any::<u32>(),
            requests in prop::collection::vec(any::<u16>(), 1..100),
        ) {
            let servers: Vec<_> = servers.into_iter().map(|(w, backup)| shape(w, backup)).collect();
            let mut policy = Policy::new(Kind::RoundRobin, &servers, seed);
            for mask in requests {
                let eligible = |server: usize| mask >> server & 1 == 1;
                let of_tier = |backup: bool| {
                    (0..servers.len()).any(|at| servers[at].backup == backup && eligible(at))
                };
                match policy.pick(eligible) {
                    None => prop_assert!(!of_tier(false) && !of_tier(true)),
                    Some(server) => {
                        prop_assert!(eligible(server));
                        prop_assert!(!servers[server].backup || !of_tier(false));
                    }
                }
            }
        }
    }
}
