//! The first request to a cold server is not its doom: one slow answer, as while a connection pool or a cache fills, and it
//! gets its share all the same.

use std::cell::Cell;

use sluice_balance::{Kind, Sample};

use crate::cluster::{Answer, Cluster, MILLISECOND, by_latency, policy};

#[test]
fn one_slow_answer() {
    for kind in by_latency() {
        for servers in [3, 12, 34] {
            let mut cluster = Cluster::of(servers);
            let mut policy = policy(kind, &vec![1; servers], 11);
            let first = Cell::new(true);
            let work = |server: usize, _: u32| {
                Answer::good(if server == 2 && first.take() {
                    MILLISECOND * 500
                } else {
                    MILLISECOND * 5
                })
            };
            let each = u32::try_from(servers).unwrap();
            cluster.run(&mut policy, 600 * each, MILLISECOND / each, work);
            assert!(!first.get(), "{kind:?}: it was tried");
            if kind == Kind::PeakEwma(Sample::Auto) {
                // A peak is a peak, but it is forgotten in a minute.
                cluster.run(&mut policy, 6_000, MILLISECOND * 10, work);
            }
            let after = cluster.run(&mut policy, 600 * each, MILLISECOND / each, work);
            assert!(after[2] > 200, "{kind:?}: {after:?}");
        }
    }
}

#[test]
fn a_new_server_is_not_flooded() {
    for kind in by_latency() {
        let servers = 6;
        let mut cluster = Cluster::of(servers);
        let mut policy = policy(kind, &vec![1; servers], 11);
        let shared = |_: usize, in_flight: u32| Answer::good(MILLISECOND * 5 * in_flight);
        cluster.ineligible.replace(vec![5]);
        cluster.run(&mut policy, 6_000, MILLISECOND, shared);
        cluster.ineligible.replace(vec![]);
        let first = cluster.run(&mut policy, 60, MILLISECOND, shared);
        assert!((1..40).contains(&first[5]), "{kind:?}: {first:?}");
    }
}
