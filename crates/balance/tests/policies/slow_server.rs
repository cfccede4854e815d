//! A server that is slower than the others gets less, in every policy that looks at latency, however many servers there
//! are.

use crate::cluster::{Answer, Cluster, MILLISECOND, by_latency, policy};

/// A server of one processor, which those in flight share; the first server's is ten times slower.
fn shared(server: usize, in_flight: u32) -> Answer {
    Answer::good(MILLISECOND * in_flight * if server == 0 { 10 } else { 1 })
}

#[test]
fn one_in_few_and_in_many() {
    for servers in [2, 4, 16, 40, 120] {
        for kind in by_latency() {
            let mut cluster = Cluster::of(servers);
            let mut policy = policy(kind, &vec![1; servers], 7);
            let pace = MILLISECOND * 2 / u32::try_from(servers).unwrap();
            let fair = 100;
            let requests = fair * u32::try_from(servers).unwrap();
            cluster.run(&mut policy, requests / 2, pace, shared);
            let counts = cluster.run(&mut policy, requests, pace, shared);
            assert!(counts[0] < fair / 3, "{kind:?} of {servers}: {counts:?}");
        }
    }
}
