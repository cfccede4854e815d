//! A server that fails quickly is idle and fast, and gets less than its share for it, not more; where most fail, all are
//! tried.

use crate::cluster::{Answer, Cluster, MILLISECOND, every_kind, policy};
use sluice_balance::Kind;

fn keyless() -> impl Iterator<Item = Kind> {
    every_kind().into_iter().filter(|kind| !kind.signals().key)
}

#[test]
fn one_that_always_fails_at_once() {
    for kind in keyless() {
        for servers in [3, 20, 120] {
            let mut cluster = Cluster::of(servers);
            let mut policy = policy(kind, &vec![1; servers], 11);
            let each = u32::try_from(servers).unwrap();
            let counts = cluster.run(
                &mut policy,
                250 * each,
                MILLISECOND * 10 / each,
                |server, _| Answer {
                    after: MILLISECOND / if server == 0 { 10 } else { 1 } * 20,
                    failed: server == 0,
                },
            );
            assert!(counts[0] > 0 && counts[0] < 80, "{kind:?}: {counts:?}");
        }
    }
}

#[test]
fn one_that_fails_now_and_then_at_once() {
    for kind in keyless() {
        let servers = 5;
        let mut cluster = Cluster::of(servers);
        let mut policy = policy(kind, &vec![1; servers], 11);
        let turn = std::cell::Cell::new(0_u32);
        let work = |server: usize, _: u32| {
            turn.set(turn.get() + 1);
            let failed = server == 0 && turn.get() % 10 < 3;
            Answer {
                after: MILLISECOND / 10 * if failed { 1 } else { 300 },
                failed,
            }
        };
        cluster.run(&mut policy, 4_000, MILLISECOND, work);
        let counts = cluster.run(&mut policy, 10_000, MILLISECOND, work);
        assert!(counts[0] < 2_050, "{kind:?}: {counts:?}");
    }
}

#[test]
fn where_most_fail_all_are_tried() {
    for kind in keyless() {
        let mut cluster = Cluster::of(5);
        let mut policy = policy(kind, &[1; 5], 11);
        for load in &cluster.loads[..4] {
            (0..50).for_each(|_| load.ended(cluster.now, true));
        }
        let counts = cluster.run(&mut policy, 500, MILLISECOND, |_, _| Answer {
            after: MILLISECOND * 20,
            failed: true,
        });
        assert!(
            counts.iter().all(|&count| count > 40),
            "{kind:?}: {counts:?}"
        );
    }
}
