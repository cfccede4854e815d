//! Shares go by weights, and among equals nobody is preferred, be it the first, the last or the one next to a heavy one.

use sluice_balance::{Kind, Policy};

use crate::chi_square::assert_fits;
use crate::cluster::{Cluster, every_kind, picks, policy};

/// What each got of so many requests that are over at once.
fn counts(policy: &mut Policy, servers: usize, requests: u64) -> Vec<u32> {
    let mut counts = vec![0; servers];
    // A probe serves a few requests in a row: one in so many is a choice of its own, as the test asks.
    let apart = match policy.settings().kind {
        Kind::Prequal(_) => 8,
        _ => 1,
    };
    let picks = picks(policy, &Cluster::of(servers), requests * apart);
    for server in picks.into_iter().step_by(apart.try_into().unwrap()) {
        counts[server] += 1;
    }
    counts
}

/// The kinds for which chance or turn decides among idle servers, not a key.
fn keyless() -> Vec<Kind> {
    let keyless = |kind: &Kind| !kind.signals().key;
    every_kind().into_iter().filter(keyless).collect()
}

#[test]
fn idle_servers_by_weight() {
    for kind in keyless() {
        for weights in [&[5, 1, 1][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[1, 99]] {
            let counts = counts(&mut policy(kind, weights, 3), weights.len(), 10_000);
            assert_fits(&counts, weights, &format!("{kind:?}"));
        }
    }
}

#[test]
fn equals_alike_in_few_and_in_many() {
    for kind in keyless() {
        for servers in [2, 7, 40, 150] {
            let counts = counts(&mut policy(kind, &vec![1; servers], 3), servers, 8_000);
            assert_fits(&counts, &vec![1; servers], &format!("{kind:?}"));
        }
    }
}

#[test]
fn in_turn_means_exactly() {
    let counts = counts(&mut policy(Kind::RoundRobin, &[5, 1, 1], 3), 3, 7_000);
    assert_eq!(counts, [5_000, 1_000, 1_000]);
}

#[test]
fn busy_servers_by_weight() {
    // Ten requests stay in flight for each unit of weight, so that what is in flight decides.
    let weights = [1, 2, 3, 4];
    for kind in crate::cluster::by_load() {
        let mut cluster = Cluster::of(weights.len());
        let mut policy = policy(kind, &weights, 3);
        let counts = cluster.run(&mut policy, 20_000, crate::cluster::MILLISECOND, |_, _| {
            crate::cluster::Answer::good(crate::cluster::MILLISECOND * 100)
        });
        for (count, weight) in counts.iter().zip(weights) {
            let share = f64::from(*count) / 2_000.0;
            let expected = weight as f64;
            assert!((share / expected - 1.0).abs() < 0.1, "{kind:?}: {counts:?}");
        }
    }
}
