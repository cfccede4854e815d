//! A server that warms up gets little at first and its share in the end, whatever the policy.

use std::time::Duration;

use sluice_balance::{Policy, Settings};

use crate::cluster::{Answer, Cluster, MILLISECOND, every_kind, of_kind, shapes};

#[test]
fn its_share_grows() {
    for kind in every_kind().into_iter().filter(|kind| !kind.signals().key) {
        for servers in [4, 20] {
            let settings = Settings {
                slow_start: Duration::from_secs(30),
                ..of_kind(kind)
            };
            let mut policy = Policy::new(settings, &shapes(&vec![1; servers]), 1);
            let mut cluster = Cluster::of(servers);
            let each = u32::try_from(servers).unwrap();
            // Each has about ten in flight.
            let work = |_: usize, _: u32| Answer::good(MILLISECOND * 50);
            let mut second = |cluster: &mut Cluster| {
                cluster.run(&mut policy, 200 * each, MILLISECOND * 5 / each, work)[2]
            };
            second(&mut cluster);
            cluster.loads[2].warm_up(cluster.now);
            let cold = second(&mut cluster);
            cluster.now = cluster.now + Duration::from_secs(13);
            let half = second(&mut cluster);
            cluster.now = cluster.now + Duration::from_secs(15);
            second(&mut cluster);
            let warm = second(&mut cluster);
            let shares = format!("{kind:?} of {servers}: {cold}, {half}, {warm} of 200");
            assert!(cold < 60, "{shares}");
            assert!((60..160).contains(&half), "{shares}");
            assert!((160..240).contains(&warm), "{shares}");
        }
    }
}
