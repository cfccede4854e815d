use std::cell::RefCell;

use proptest::prelude::*;
use sluice_model::{Moment, Weight};

use super::*;
use crate::load::Load;

/// Servers that a test moves about.
pub(crate) struct Bench {
    pub(crate) loads: Vec<Load>,
    pub(crate) ineligible: RefCell<Vec<usize>>,
}

impl Bench {
    pub(crate) fn of(servers: usize) -> Self {
        Self {
            loads: (0..servers).map(|_| Load::default()).collect(),
            ineligible: RefCell::default(),
        }
    }
}

impl Servers for Bench {
    fn is_eligible(&self, server: usize) -> bool {
        !self.ineligible.borrow().contains(&server)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.loads.get(server)
    }
}

fn shape(weight: i64, backup: bool) -> ServerShape {
    ServerShape {
        id: 0,
        weight: Weight::try_from(weight).expect("a weight"),
        backup,
        in_own_zone: false,
    }
}

fn shapes(servers: usize) -> Vec<ServerShape> {
    (0..servers)
        .map(|server| ServerShape {
            id: crate::key_hash(&[u8::try_from(server).expect("few")]),
            ..shape(1, false)
        })
        .collect()
}

fn at(seconds: f64) -> Ask {
    Ask {
        now: Moment::default() + Duration::from_secs_f64(seconds),
        key: None,
    }
}

#[test]
fn backups_take_turns_when_no_primary_is_left() {
    let shapes = [
        shape(1, true),
        shape(1, false),
        shape(1, true),
        shape(1, false),
    ];
    let mut policy = Policy::new(Settings::default(), &shapes, 0);
    let bench = Bench::of(4);
    let mut picks = |ineligible: &[usize]| -> Vec<_> {
        bench.ineligible.replace(ineligible.to_vec());
        (0..4)
            .filter_map(|_| policy.pick(&bench, &at(0.0)))
            .collect()
    };
    assert_eq!(picks(&[]), [1, 3, 1, 3]);
    assert_eq!(picks(&[1]), [3, 3, 3, 3]);
    assert_eq!(picks(&[1, 3]), [0, 2, 0, 2]);
    assert_eq!(picks(&[0, 1, 2, 3]), []);
    assert_eq!(picks(&[]), [1, 3, 1, 3]);
}

#[test]
fn without_servers_there_is_no_pick() {
    assert_eq!(
        Policy::new(Settings::default(), &[], 7).pick(&Bench::of(0), &at(0.0)),
        None
    );
}

#[test]
fn a_server_that_fails_is_avoided_and_tried_again_in_time() {
    let bench = Bench::of(4);
    let mut policy = Policy::new(Settings::default(), &shapes(4), 0);
    let mut picks_of_2 = |from: f64, to: f64, fails: bool| {
        let mut count = 0;
        let mut time = from;
        while time < to {
            let server = policy.pick(&bench, &at(time)).expect("a server");
            bench.loads[server].ended(at(time).now, fails && server == 2);
            count += usize::from(server == 2);
            time += 0.001;
        }
        count
    };
    let while_failing = picks_of_2(0.0, 10.0, true);
    assert!((7..60).contains(&while_failing), "{while_failing} of 10000");
    let recovered = picks_of_2(30.0, 40.0, false);
    assert_eq!(recovered, 2_500);
}

#[test]
fn where_most_servers_fail_all_are_tried() {
    let bench = Bench::of(4);
    let mut policy = Policy::new(Settings::default(), &shapes(4), 0);
    for load in &bench.loads[..3] {
        (0..50).for_each(|_| load.ended(at(1.0).now, true));
    }
    let picks: Vec<_> = (0..8)
        .filter_map(|_| policy.pick(&bench, &at(1.0)))
        .collect();
    assert_eq!(picks, [0, 1, 2, 3, 0, 1, 2, 3]);
    // Whereas one healthy server of two is half of them.
    let mut policy = Policy::new(
        Settings {
            panic_threshold: 0.2,
            ..Settings::default()
        },
        &shapes(4),
        0,
    );
    let picks: Vec<_> = (0..4)
        .filter_map(|_| policy.pick(&bench, &at(1.0)))
        .collect();
    assert!(picks.len() == 4);
}

#[test]
fn a_failure_everywhere_is_no_servers_fault() {
    let bench = Bench::of(4);
    let mut policy = Policy::new(Settings::default(), &shapes(4), 0);
    for (server, load) in bench.loads.iter().enumerate() {
        (0..6 + server).for_each(|_| load.ended(at(1.0).now, true));
    }
    let picks: Vec<_> = (0..4)
        .filter_map(|_| policy.pick(&bench, &at(1.0)))
        .collect();
    assert_eq!(picks, [0, 1, 2, 3]);
}

#[test]
fn a_new_server_starts_slowly_in_turn_and_by_load() {
    for kind in [Kind::RoundRobin, Kind::LeastConnections(crate::Sample::All)] {
        let bench = Bench::of(4);
        let settings = Settings {
            kind,
            slow_start: Duration::from_secs(30),
            ..Settings::default()
        };
        let mut policy = Policy::new(settings, &shapes(4), 1);
        bench.loads[2].warm_up(at(100.0).now);
        let mut share = |time: f64| {
            // Forty requests at a time stay in flight: least connections spreads by what is in flight.
            let mut held = std::collections::VecDeque::new();
            let mut count = 0;
            for _ in 0..4_000 {
                let server = policy.pick(&bench, &at(time)).expect("a server");
                assert!(bench.loads[server].try_enter(None));
                count += usize::from(server == 2);
                held.push_back(server);
                if held.len() > 40 {
                    bench.loads[held.pop_front().expect("one")].leave();
                }
            }
            for server in held {
                bench.loads[server].leave();
            }
            count as f64 / 4_000.0
        };
        let cold = share(100.0);
        let half = share(115.0);
        let warm = share(130.0);
        assert!(cold < 0.06 && cold > 0.0, "{kind:?}: {cold}");
        assert!(half > 0.10 && half < 0.2, "{kind:?}: {half}");
        assert!((warm - 0.25).abs() < 0.03, "{kind:?}: {warm}");
    }
}

#[test]
fn a_server_that_says_it_is_busy_gets_less() {
    let bench = Bench::of(4);
    let mut policy = Policy::new(Settings::default(), &shapes(4), 1);
    for (server, load) in bench.loads.iter().enumerate() {
        let utilization = Some(if server == 0 { 0.9 } else { 0.3 });
        load.reported(
            at(1.0).now,
            crate::Report {
                utilization,
                in_flight: None,
            },
        );
    }
    let picks: Vec<_> = (0..4_000)
        .filter_map(|_| policy.pick(&bench, &at(1.0)))
        .collect();
    let of_first = picks.iter().filter(|&&server| server == 0).count();
    assert!((400..700).contains(&of_first), "{of_first}");
}

#[test]
fn the_own_zone_first_until_it_is_overloaded() {
    let mut shapes = shapes(4);
    shapes[0].in_own_zone = true;
    shapes[1].in_own_zone = true;
    let bench = Bench::of(4);
    let mut policy = Policy::new(Settings::default(), &shapes, 1);
    let mut in_own_zone = |time: f64| {
        (0..1_000)
            .filter_map(|_| policy.pick(&bench, &at(time)))
            .filter(|&server| server < 2)
            .count()
    };
    assert_eq!(in_own_zone(1.0), 1_000);
    for load in &bench.loads[..2] {
        (0..6).for_each(|_| assert!(load.try_enter(None)));
    }
    in_own_zone(2.0);
    let overloaded = in_own_zone(2.0);
    assert!((200..300).contains(&overloaded), "{overloaded}");
    bench.ineligible.replace(vec![0, 1]);
    assert_eq!(in_own_zone(3.0), 0);
    bench.ineligible.replace(vec![2, 3]);
    assert_eq!(in_own_zone(4.0), 1_000);
}

proptest! {
    #[test]
    fn a_pick_is_eligible_and_no_backup_while_a_primary_is(
        servers in prop::collection::vec((1..20_i64, any::<bool>()), 0..12),
        seed in any::<u64>(),
        requests in prop::collection::vec(any::<u16>(), 1..100),
    ) {
        let servers: Vec<_> = servers.into_iter().map(|(w, backup)| shape(w, backup)).collect();
        let mut policy = Policy::new(Settings::default(), &servers, seed);
        let bench = Bench::of(servers.len());
        for mask in requests {
            let eligible = |server: usize| mask >> server & 1 == 1;
            bench.ineligible.replace((0..servers.len()).filter(|&server| !eligible(server)).collect());
            let of_tier = |backup: bool| {
                (0..servers.len()).any(|at| servers[at].backup == backup && eligible(at))
            };
            match policy.pick(&bench, &at(0.0)) {
                None => prop_assert!(!of_tier(false) && !of_tier(true)),
                Some(server) => {
                    prop_assert!(eligible(server));
                    prop_assert!(!servers[server].backup || !of_tier(false));
                }
            }
        }
    }
}
