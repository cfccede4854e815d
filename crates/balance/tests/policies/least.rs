//! A policy that looks at all servers never picks one that is worse than another in all that it looks at.

use proptest::prelude::*;
use sluice_balance::{Kind, Load, Sample};

use crate::cluster::{Cluster, MILLISECOND, by_latency, policy};

/// What a test gives a server to do.
#[derive(Clone, Debug)]
struct Burden {
    in_flight: u32,
    /// Milliseconds, as a power of two.
    latency: u32,
    kilobytes: u64,
}

impl Burden {
    fn lay_on(&self, load: &Load, cluster: &Cluster) {
        let decay = MILLISECOND * 10_000;
        (0..self.in_flight).for_each(|_| assert!(load.try_enter(None), "no limit was given"));
        for _ in 0..8 {
            load.answered(cluster.now, MILLISECOND * (1 << self.latency), decay);
        }
        load.moved(cluster.now, self.kilobytes * 1_024, decay);
    }
}

fn burdens() -> impl Strategy<Value = Vec<Burden>> {
    let burden =
        (0..20_u32, 0..8_u32, 0..50_u64).prop_map(|(in_flight, latency, kilobytes)| Burden {
            in_flight,
            latency,
            kilobytes,
        });
    prop::collection::vec(burden, 2..14)
}

fn picked(kind: Kind, burdens: &[Burden], seed: u64) -> usize {
    let cluster = Cluster::of(burdens.len());
    for (load, burden) in cluster.loads.iter().zip(burdens) {
        burden.lay_on(load, &cluster);
    }
    let mut policy = policy(kind, &vec![1; burdens.len()], seed);
    policy.pick(&cluster, &cluster.ask()).expect("a server")
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: prop::test_runner::RngSeed::Fixed(1), ..ProptestConfig::with_cases(500) })]
    #[test]
    fn the_fewest_in_flight(burdens in burdens(), seed in any::<u64>()) {
        let picked = picked(Kind::LeastConnections(Sample::All), &burdens, seed);
        let least = burdens.iter().map(|burden| burden.in_flight).min();
        prop_assert_eq!(Some(burdens[picked].in_flight), least);
    }

    #[test]
    fn the_fewest_bytes(burdens in burdens(), seed in any::<u64>()) {
        let picked = picked(Kind::LeastBandwidth(Sample::All), &burdens, seed);
        let least = burdens.iter().map(|burden| burden.kilobytes).min();
        prop_assert_eq!(Some(burdens[picked].kilobytes), least);
    }

    #[test]
    fn nobody_is_faster_and_less_busy(burdens in burdens(), seed in any::<u64>()) {
        for kind in by_latency() {
            let picked = &burdens[picked(kind, &burdens, seed)];
            let better = burdens.iter().find(|other| {
                other.in_flight < picked.in_flight && other.latency < picked.latency
            });
            prop_assert!(better.is_none(), "{:?}: {:?} but {:?}", kind, picked, better);
        }
    }
}
