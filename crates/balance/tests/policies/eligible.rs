//! Whatever the policy knows, it picks a server that can take the request, and none only where none can.

use proptest::prelude::*;
use sluice_balance::{Ask, Kind, Probes, Report};

use crate::cluster::{Cluster, MILLISECOND, every_kind, policy};

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: prop::test_runner::RngSeed::Fixed(1), ..ProptestConfig::with_cases(200) })]
    #[test]
    fn every_pick(
        weights in prop::collection::vec(1..200_i64, 0..24),
        seed in any::<u64>(),
        requests in prop::collection::vec((any::<u32>(), any::<u64>(), 0..5_u8, 0..100_u32), 1..60),
    ) {
        let kinds = every_kind().into_iter().chain([Kind::Prequal(Probes::Asked)]);
        for kind in kinds {
            let servers = weights.len();
            let mut cluster = Cluster::of(servers);
            let mut policy = policy(kind, &weights, seed);
            for &(mask, key, event, value) in &requests {
                cluster.now = cluster.now + MILLISECOND * value;
                let able = |server: &usize| mask >> server & 1 == 1;
                cluster.ineligible.replace((0..servers).filter(|server| !able(server)).collect());
                let picked = policy.pick(&cluster, &Ask { key: Some(key), ..cluster.ask() });
                prop_assert_eq!(picked.is_some(), (0..servers).any(|server| able(&server)), "{:?}", kind);
                let Some(server) = picked else { continue };
                prop_assert!(able(&server), "{:?}", kind);
                happen(&cluster, server, event, value);
            }
        }
    }
}

/// Something becomes known of the server.
fn happen(cluster: &Cluster, server: usize, event: u8, value: u32) {
    let (load, now) = (&cluster.loads[server], cluster.now);
    let decay = MILLISECOND * 1_000;
    match event {
        0 => assert!(load.try_enter(None), "no limit was given"),
        1 => load.answered(now, MILLISECOND * value, decay),
        2 => load.ended(now, true),
        3 => load.warm_up(now),
        _ => load.reported(
            now,
            Report {
                utilization: Some(value as f32 - 20.0),
                in_flight: Some(f32::MAX),
            },
        ),
    }
}
