use std::time::Duration;

use fastrand::Rng;
use proptest::prelude::*;
use sluice_model::{Moment, Weight};

use crate::policy::tests::Bench;
use crate::{Ask, Kind, Policy, ServerShape, Settings, key_hash};

const PLAIN_RING: Kind = Kind::ConsistentHash {
    virtual_nodes: Kind::VIRTUAL_NODES,
    load_bound: None,
};
const BOUNDED_RING: Kind = Kind::ConsistentHash {
    virtual_nodes: Kind::VIRTUAL_NODES,
    load_bound: Some(1.25),
};
const MAGLEV: Kind = Kind::Maglev { table_size: None };
const KINDS: [Kind; 4] = [PLAIN_RING, BOUNDED_RING, MAGLEV, Kind::IpHash];

/// Servers by their weights, with addresses that count up.
fn shapes(weights: &[i64]) -> Vec<ServerShape> {
    let shape = |(server, &weight): (usize, &i64)| ServerShape {
        id: key_hash(format!("192.0.2.{server}:8080").as_bytes()),
        weight: Weight::try_from(weight).expect("a weight"),
        backup: false,
        in_own_zone: false,
    };
    weights.iter().enumerate().map(shape).collect()
}

fn policy(kind: Kind, shapes: &[ServerShape]) -> Policy {
    let settings = Settings {
        kind,
        ..Settings::default()
    };
    Policy::new(settings, shapes, 7)
}

fn ask(key: u64) -> Ask {
    Ask {
        now: Moment::default(),
        key: Some(key),
    }
}

/// Many keys, the same in every run.
fn keys(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|key| key_hash(&key.to_le_bytes()))
}

/// The identity of the server that has each key.
fn owners(kind: Kind, shapes: &[ServerShape], count: u64) -> Vec<u64> {
    let bench = Bench::of(shapes.len());
    let mut policy = policy(kind, shapes);
    keys(count)
        .map(|key| shapes[policy.pick(&bench, &ask(key)).expect("a server")].id)
        .collect()
}

#[test]
fn a_key_has_the_server_it_always_had() {
    // Were any of these others, every session would move with the next version. A second program, written by what the files say,
    // has the same ones.
    assert_eq!(key_hash(b"192.0.2.0:8080"), 14_527_097_510_101_961_385);
    let shapes = shapes(&[1, 2, 1, 5, 1, 1, 3, 1]);
    let bench = Bench::of(8);
    let of = |kind| -> Vec<usize> {
        let mut policy = policy(kind, &shapes);
        [
            "198.51.100.1",
            "198.51.100.2",
            "203.0.113.77",
            "2001:db8::1",
            "cart-17",
            "",
            "/a?b=c",
            "zoë",
        ]
        .iter()
        .filter_map(|key| policy.pick(&bench, &ask(key_hash(key.as_bytes()))))
        .collect()
    };
    assert_eq!(of(PLAIN_RING), [6, 4, 4, 2, 3, 3, 1, 3]);
    assert_eq!(of(BOUNDED_RING), [6, 4, 4, 2, 3, 3, 1, 3]);
    assert_eq!(of(MAGLEV), [3, 5, 5, 1, 0, 7, 7, 6]);
    assert_eq!(of(Kind::IpHash), [1, 3, 1, 2, 3, 2, 6, 6]);
}

/// How far `counts` are from `weights`, in standard deviations of a chi-square of as many degrees of freedom.
fn chi_square_excess(counts: &[f64], weights: &[i64]) -> f64 {
    let (all, total) = (
        counts.iter().sum::<f64>(),
        weights.iter().sum::<i64>() as f64,
    );
    let chi_square: f64 = counts
        .iter()
        .zip(weights)
        .map(|(count, &weight)| {
            let expected = all * weight as f64 / total;
            (count - expected).powi(2) / expected
        })
        .sum();
    let freedom = weights.len() as f64 - 1.0;
    (chi_square - freedom) / (2.0 * freedom).sqrt()
}

fn counts(kind: Kind, shapes: &[ServerShape], requests: u64, keyed: bool) -> Vec<f64> {
    let bench = Bench::of(shapes.len());
    let mut policy = policy(kind, shapes);
    let mut counts = vec![0.0; shapes.len()];
    for key in keys(requests) {
        let ask = Ask {
            key: keyed.then_some(key),
            ..Ask::default()
        };
        counts[policy.pick(&bench, &ask).expect("a server")] += 1.0;
    }
    counts
}

#[test]
fn shares_follow_the_weights() {
    for weights in [&[1; 10][..], &[5, 1, 1], &[1, 2, 3, 4, 100], &[7]] {
        let shapes = shapes(weights);
        for kind in [MAGLEV, Kind::IpHash] {
            let excess = chi_square_excess(&counts(kind, &shapes, 50_000, true), weights);
            assert!(
                excess.is_nan() || excess < 4.0,
                "{kind:?} {weights:?}: {excess}"
            );
        }
    }
    // More servers than rendezvous is for.
    let weights: Vec<i64> = (0..200).map(|server| 1 + server % 4).collect();
    let excess = chi_square_excess(
        &counts(Kind::IpHash, &shapes(&weights), 100_000, true),
        &weights,
    );
    assert!(excess < 4.0, "{excess}");
}

#[test]
fn shares_of_a_ring_are_as_even_as_its_points_make_them() {
    for weights in [&[1; 50][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] {
        let counts = counts(PLAIN_RING, &shapes(weights), 200_000, true);
        let total = weights.iter().sum::<i64>() as f64;
        let mut squares = 0.0;
        for (count, &weight) in counts.iter().zip(weights) {
            let error = count / (200_000.0 * weight as f64 / total) - 1.0;
            assert!(error.abs() < 0.4, "weight {weight}: {error}");
            squares += error * error;
        }
        let deviation = (squares / weights.len() as f64).sqrt();
        assert!(deviation < 0.12, "{deviation}");
    }
}

#[test]
fn without_a_key_servers_are_drawn_by_weight() {
    let weights = [5, 1, 1, 3];
    for kind in KINDS {
        let excess = chi_square_excess(&counts(kind, &shapes(&weights), 20_000, false), &weights);
        assert!(excess < 4.0, "{kind:?}: {excess}");
    }
}

#[test]
fn where_a_server_leaves_or_comes_its_keys_move_and_hardly_any_other() {
    const KEYS: u64 = 6_000;
    for weights in [vec![1; 20], vec![10; 3], vec![1; 150], vec![100; 1_000]] {
        let all = shapes(&weights);
        let gone = all[weights.len() / 2].id;
        let others: Vec<_> = all
            .iter()
            .filter(|shape| shape.id != gone)
            .copied()
            .collect();
        for kind in KINDS {
            let with = owners(kind, &all, KEYS);
            let without = owners(kind, &others, KEYS);
            let moved = with
                .iter()
                .zip(&without)
                .filter(|(before, after)| **before != gone && before != after)
                .count();
            let exact = match kind {
                Kind::ConsistentHash { .. } => true,
                _ => kind == Kind::IpHash && weights.len() <= Kind::RENDEZVOUS_UP_TO,
            };
            let share = moved as f64 / KEYS as f64;
            assert!(
                share <= if exact { 0.0 } else { 0.03 },
                "{kind:?} {}: {share}",
                weights.len()
            );
        }
    }
}

#[test]
fn the_keys_of_a_server_that_cannot_take_them_spread_and_others_stay() {
    let weights = [1; 12];
    let shapes = shapes(&weights);
    for kind in KINDS {
        let bench = Bench::of(12);
        let mut policy = policy(kind, &shapes);
        let mut picks = || -> Vec<usize> {
            keys(12_000)
                .filter_map(|key| policy.pick(&bench, &ask(key)))
                .collect()
        };
        let before = picks();
        bench.ineligible.replace(vec![4]);
        let during = picks();
        bench.ineligible.replace(vec![]);
        assert_eq!(picks(), before);
        let mut taken_over = [0; 12];
        for (before, during) in before.iter().zip(&during) {
            if *before == 4 {
                taken_over[*during] += 1;
            } else {
                assert_eq!(before, during, "{kind:?}");
            }
        }
        assert_eq!(taken_over[4], 0);
        taken_over[4] = 60;
        assert!(
            taken_over.iter().all(|count| (20..250).contains(count)),
            "{kind:?} {taken_over:?}"
        );
    }
}

#[test]
fn where_weights_differ_too_few_keys_of_others_move() {
    const KEYS: u64 = 2_000;
    let weights: Vec<i64> = (1..=20).map(|server| server * server % 23 + 1).collect();
    let all = shapes(&weights);
    for kind in KINDS {
        let with = owners(kind, &all, KEYS);
        let mut shares = Vec::new();
        for gone in &all {
            let others: Vec<_> = all
                .iter()
                .filter(|shape| shape.id != gone.id)
                .copied()
                .collect();
            let without = owners(kind, &others, KEYS);
            let moved = with
                .iter()
                .zip(&without)
                .filter(|(before, after)| **before != gone.id && before != after)
                .count();
            shares.push(moved as f64 / KEYS as f64);
        }
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let most = shares.iter().copied().fold(0.0, f64::max);
        let limit = if kind == Kind::IpHash { 0.0 } else { 0.03 };
        assert!(mean <= limit && most <= 0.13, "{kind:?}: {shares:?}");
    }
}

#[test]
fn a_key_comes_once_to_a_server_that_warms_up() {
    let shapes = shapes(&[1; 4]);
    for kind in KINDS {
        let bench = Bench::of(4);
        let settings = Settings {
            kind,
            slow_start: Duration::from_secs(30),
            ..Settings::default()
        };
        let mut policy = Policy::new(settings, &shapes, 7);
        let mut picks = |seconds| -> Vec<usize> {
            let now = Moment::default() + Duration::from_secs(seconds);
            let ask = |key| Ask {
                now,
                key: Some(key),
            };
            keys(1_000)
                .filter_map(|key| policy.pick(&bench, &ask(key)))
                .collect()
        };
        let warm = picks(1);
        bench.loads[2].warm_up(Moment::default() + Duration::from_secs(100));
        let mut shares = Vec::new();
        let mut before = picks(100);
        for seconds in (103..=130).step_by(3) {
            let after = picks(seconds);
            for ((before, after), warm) in before.iter().zip(&after).zip(&warm) {
                assert!(before == after || (after, warm) == (&2, &2), "{kind:?}");
            }
            shares.push(after.iter().filter(|&&server| server == 2).count());
            before = after;
        }
        assert_eq!(before, warm);
        assert!(
            shares.is_sorted() && shares[0] < 60 && shares[9] > 180,
            "{shares:?}"
        );
    }
}

#[test]
fn a_key_that_spills_to_another_zone_does_so_each_time() {
    let mut shapes = shapes(&[1; 6]);
    for shape in &mut shapes[..3] {
        shape.in_own_zone = true;
    }
    for kind in [PLAIN_RING, MAGLEV, Kind::IpHash] {
        let bench = Bench::of(6);
        for load in &bench.loads[..3] {
            (0..6).for_each(|_| assert!(load.try_enter(None)));
        }
        let mut policy = policy(kind, &shapes);
        let mut picks = || -> Vec<usize> {
            let now = Moment::default() + Duration::from_secs(1);
            let ask = |key| Ask {
                now,
                key: Some(key),
            };
            keys(1_000)
                .filter_map(|key| policy.pick(&bench, &ask(key)))
                .collect()
        };
        // The first request of all finds out how loaded the zone is.
        picks();
        let once = picks();
        assert_eq!(picks(), once);
        // As others have none in flight, 1.5 × 1 of 6 may stay.
        let own = once.iter().filter(|&&server| server < 3).count();
        assert!((200..300).contains(&own), "{own}");
    }
}

#[test]
fn the_last_eligible_of_many_is_found() {
    let shapes = shapes(&[1; 300]);
    let bench = Bench::of(300);
    bench
        .ineligible
        .replace((0..300).filter(|&server| server != 123).collect());
    for kind in KINDS {
        let mut policy = policy(kind, &shapes);
        for key in keys(20) {
            assert_eq!(policy.pick(&bench, &ask(key)), Some(123), "{kind:?}");
        }
        bench.ineligible.borrow_mut().push(123);
        assert_eq!(policy.pick(&bench, &ask(1)), None);
        bench.ineligible.borrow_mut().pop();
    }
}

#[test]
fn one_key_does_not_overload_its_server() {
    // All requests have the same key, and none ends: of 200 servers the mean is not even known yet.
    for (servers, most) in [(10, 13), (200, 4)] {
        let bench = Bench::of(servers);
        let mut policy = policy(BOUNDED_RING, &shapes(&vec![1; servers]));
        for _ in 0..servers * if servers > 100 { 1 } else { 10 } {
            let server = policy.pick(&bench, &ask(1)).expect("a server");
            assert!(bench.loads[server].try_enter(None));
        }
        let max = bench.loads.iter().map(crate::Load::in_flight).max();
        assert!(max <= Some(most), "{max:?}");
    }
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (1..200_u16, prop::option::of(1.0..2.0_f32)).prop_map(|(virtual_nodes, load_bound)| {
            Kind::ConsistentHash {
                virtual_nodes,
                load_bound,
            }
        }),
        prop::option::of(0..3_000_u32).prop_map(|size| Kind::Maglev {
            // The usual table would take most of the tests' time.
            table_size: Some(size.unwrap_or(251)),
        }),
        Just(Kind::IpHash),
    ]
}

proptest! {
    #[test]
    fn a_pick_is_eligible(
        kind in any_kind(),
        weights in prop::collection::vec(1..100_i64, 0..16),
        requests in prop::collection::vec((any::<u16>(), any::<Option<u64>>()), 1..50),
    ) {
        let bench = Bench::of(weights.len());
        let mut policy = policy(kind, &shapes(&weights));
        for (mask, key) in requests {
            let eligible = |server: &usize| mask >> *server & 1 == 1;
            bench.ineligible.replace((0..weights.len()).filter(|server| !eligible(server)).collect());
            let pick = policy.pick(&bench, &Ask { key, ..Ask::default() });
            prop_assert_eq!(pick.is_some(), (0..weights.len()).any(|server| eligible(&server)));
            prop_assert!(pick.is_none_or(|server| eligible(&server)));
            if let (Some(server), true) = (pick, key.is_some()) {
                bench.loads[server].try_enter(None);
            }
        }
    }

    #[test]
    fn the_order_of_the_servers_does_not_matter(
        kind in any_kind(),
        weights in prop::collection::vec(1..100_i64, 1..12),
        seed in any::<u64>(),
    ) {
        let listed = shapes(&weights);
        let mut shuffled = listed.clone();
        Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(owners(kind, &listed, 100), owners(kind, &shuffled, 100));
    }

    #[test]
    fn only_the_keys_of_a_server_that_leaves_move(
        weight in 1..9_i64,
        servers in 2..16_usize,
        gone in any::<prop::sample::Index>(),
        kind in prop_oneof![Just(PLAIN_RING), Just(Kind::IpHash)],
    ) {
        let all = shapes(&vec![weight; servers]);
        let gone = all[gone.index(servers)].id;
        let others: Vec<_> = all.iter().filter(|shape| shape.id != gone).copied().collect();
        let (with, without) = (owners(kind, &all, 500), owners(kind, &others, 500));
        for (before, after) in with.into_iter().zip(without) {
            prop_assert!(before == after || before == gone);
        }
    }

    #[test]
    fn the_bound_of_load_holds(
        weights in prop::collection::vec(1..20_i64, 1..24),
        factor in prop_oneof![Just(1.0_f32), Just(1.25), Just(2.0)],
        steps in prop::collection::vec((0..4_u64, any::<Option<prop::sample::Index>>(), any::<u32>()), 1..300),
    ) {
        let bench = Bench::of(weights.len());
        let kind = Kind::ConsistentHash { virtual_nodes: 20, load_bound: Some(factor) };
        let mut policy = policy(kind, &shapes(&weights));
        let mut held = Vec::new();
        for (key, ends, mask) in steps {
            if let (Some(ends), false) = (ends, held.is_empty()) {
                let server: usize = held.swap_remove(ends.index(held.len()));
                bench.loads[server].leave();
                continue;
            }
            let mask = mask | 0x11;
            let eligible = |server: &usize| mask >> *server & 1 == 1;
            bench.ineligible.replace((0..weights.len()).filter(|server| !eligible(server)).collect());
            let server = policy.pick(&bench, &ask(key)).expect("a server");
            bench.loads[server].try_enter(None);
            held.push(server);
            let all = || (0..weights.len()).filter(eligible);
            let requests: u32 = all().map(|server| bench.loads[server].in_flight()).sum();
            let weight: i64 = all().map(|server| weights[server]).sum();
            let fair = f64::from(requests) * weights[server] as f64 / weight as f64;
            let most = (f64::from(factor) * fair).ceil();
            prop_assert!(f64::from(bench.loads[server].in_flight()) <= most.max(1.0));
        }
    }
}
