//! Who is picked while not all servers are well.

use sluice_config::plan::{CircuitBreaker, FailureKind, Failures};
use sluice_health::{BreakerSettings, ByHand, SlowCalls, Verdict, WhenAllDown};
use sluice_model::{ServerAddress, Share};
use sluice_telemetry::metrics::ServerState;

use super::*;
use crate::fate::Fate;
use crate::waiting::Wait;

/// Opens with the first failure, for an hour.
fn breaker() -> CircuitBreaker {
    let mut failures = Failures::default();
    failures.insert(FailureKind::ConnectFailure);
    failures.insert(FailureKind::Class(5));
    let hour = Duration::from_hours(1);
    CircuitBreaker {
        settings: BreakerSettings {
            consecutive_failures: Some(1),
            failure_rate: None,
            slow_calls: None,
            window: Duration::from_secs(10),
            min_requests: 1,
            open_for: hour,
            max_open_for: hour,
            half_open_requests: 1,
        },
        max_ejected: Share::ALL,
        failures,
    }
}

fn settings(room: &Room) -> Upstream {
    Upstream {
        circuit_breaker: Some(breaker()),
        ..room.settings()
    }
}

/// Which server the next request gets.
fn next(cluster: &Cluster) -> Option<usize> {
    position(cluster, &pick(cluster)?)
}

fn pick(cluster: &Cluster) -> Option<InFlight> {
    cluster.pick(&mut Tried::default(), asked())
}

fn position(cluster: &Cluster, place: &InFlight) -> Option<usize> {
    let mut lanes = cluster.lanes().iter();
    lanes.position(|lane| Rc::ptr_eq(lane, place.lane()))
}

/// The servers that many requests get, each once.
fn taken(cluster: &Cluster) -> Vec<usize> {
    let mut taken: Vec<_> = (0..40).filter_map(|_| next(cluster)).collect();
    taken.sort_unstable();
    taken.dedup();
    taken
}

fn endpoint(cluster: &Cluster, server: usize) -> &crate::Endpoint {
    cluster.lanes()[server].endpoint()
}

/// Lets the next request to this server fail.
fn fail(cluster: &Cluster, server: usize) {
    let place = (0..40).find_map(|_| {
        let place = pick(cluster)?;
        (position(cluster, &place) == Some(server)).then_some(place)
    });
    let place = place.expect("the server is picked");
    place.ended(Instant::now(), Fate::ConnectFailed);
}

#[test]
fn what_is_down_drained_or_unhealthy_takes_nothing_new() {
    let room = Room::with_servers(3);
    let (cluster, _endpoints) = room.cluster(&room.settings());
    assert_eq!(taken(&cluster), [0, 1, 2]);
    assert!(endpoint(&cluster, 0).set_by_hand(ByHand::Down));
    assert_eq!(taken(&cluster), [1, 2]);
    assert!(endpoint(&cluster, 1).set_by_hand(ByHand::Drain));
    assert_eq!(taken(&cluster), [2]);
    assert!(endpoint(&cluster, 0).set_by_hand(ByHand::Up));
    assert!(!endpoint(&cluster, 0).set_by_hand(ByHand::Up), "no news");
    assert!(endpoint(&cluster, 2).set_verdict(Verdict::Unhealthy));
    assert_eq!(taken(&cluster), [0]);
    endpoint(&cluster, 1).set_by_hand(ByHand::Up);
    endpoint(&cluster, 2).set_verdict(Verdict::Healthy);
    assert_eq!(taken(&cluster), [0, 1, 2]);
}

#[test]
fn unknown_servers_wait_for_their_first_check_unless_all_do() {
    let room = Room::with_servers(2);
    let (cluster, _endpoints) = room.cluster(&room.settings());
    for server in 0..2 {
        endpoint(&cluster, server).set_verdict(Verdict::Unknown);
    }
    assert_eq!(taken(&cluster), [0, 1]);
    endpoint(&cluster, 1).set_verdict(Verdict::Healthy);
    assert_eq!(taken(&cluster), [1]);
}

#[test]
fn backups_come_in_when_no_other_server_is_left() {
    let room = Room::with_servers(3);
    let mut settings = settings(&room);
    settings.servers[2].backup = true;
    let (cluster, _endpoints) = room.cluster(&settings);
    assert_eq!(taken(&cluster), [0, 1]);
    endpoint(&cluster, 0).set_verdict(Verdict::Unhealthy);
    assert_eq!(taken(&cluster), [1]);
    fail(&cluster, 1);
    assert_eq!(taken(&cluster), [2]);
    endpoint(&cluster, 0).set_verdict(Verdict::Healthy);
    assert_eq!(taken(&cluster), [0]);
}

#[test]
fn when_all_are_down_the_healthiest_are_tried_first() {
    let room = Room::with_servers(4);
    let (cluster, _endpoints) = room.cluster(&settings(&room));
    fail(&cluster, 2);
    endpoint(&cluster, 0).set_verdict(Verdict::Unhealthy);
    endpoint(&cluster, 1).set_verdict(Verdict::Unknown);
    endpoint(&cluster, 3).set_by_hand(ByHand::Down);
    assert_eq!(cluster.refuses_for(Instant::now()), None);
    let mut tried = Tried::default();
    let order: Vec<_> = std::iter::from_fn(|| cluster.pick(&mut tried, asked()))
        .filter_map(|place| position(&cluster, &place))
        .collect();
    assert_eq!(order, [1, 2, 0], "unknown, ejected, unhealthy; never down");
    let last_resorts: u64 = cluster
        .lanes()
        .iter()
        .map(|lane| lane.metrics().last_resorts.value())
        .sum();
    assert_eq!(last_resorts, 3);
}

#[test]
fn fail_closed_refuses_and_says_for_how_long() {
    let room = Room::with_servers(2);
    let mut settings = settings(&room);
    settings.when_all_down = WhenAllDown::FailClosed;
    let (cluster, _endpoints) = room.cluster(&settings);
    fail(&cluster, 0);
    assert_eq!(cluster.refuses_for(Instant::now()), None, "one is left");
    fail(&cluster, 1);
    assert_eq!(next(&cluster), None);
    let wait = cluster.refuses_for(Instant::now()).expect("refused");
    assert!(wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_601));
    // Where it is not for a breaker, nobody knows.
    let (cluster, _endpoints) = room.cluster(&settings);
    for server in 0..2 {
        endpoint(&cluster, server).set_verdict(Verdict::Unhealthy);
    }
    assert_eq!(cluster.refuses_for(Instant::now()), Some(Duration::ZERO));
}

#[test]
fn trials_are_few_and_bring_the_server_back() {
    let room = Room::with_servers(2);
    let mut settings = settings(&room);
    let breaker = settings.circuit_breaker.as_mut().expect("a breaker");
    breaker.settings.open_for = Duration::from_millis(1);
    breaker.settings.max_open_for = Duration::from_millis(1);
    let (cluster, _endpoints) = room.cluster(&settings);
    fail(&cluster, 0);
    let mut trial = None;
    testkit::wait_until("a trial", || {
        trial = pick(&cluster).filter(|place| position(&cluster, place) == Some(0));
        trial.is_some()
    });
    let trial = trial.expect("a trial");
    let breaker = settings.circuit_breaker.as_ref().expect("a breaker");
    let state = endpoint(&cluster, 0).state(Some(&breaker.settings));
    assert_eq!(state, ServerState::HalfOpen);
    trial.ended(
        Instant::now(),
        Fate::Answered {
            status: 404,
            after: Duration::ZERO,
        },
    );
    assert_eq!(taken(&cluster), [0, 1]);
}

#[test]
fn a_trial_that_is_dropped_makes_room_for_the_next() {
    let room = Room::with_servers(1);
    let mut settings = settings(&room);
    settings.when_all_down = WhenAllDown::FailClosed;
    let breaker = settings.circuit_breaker.as_mut().expect("a breaker");
    // Long enough that places for trials do not become free by themselves.
    breaker.settings.open_for = Duration::from_secs(2);
    breaker.settings.max_open_for = Duration::from_secs(2);
    let (cluster, _endpoints) = room.cluster(&settings);
    fail(&cluster, 0);
    let mut trial = None;
    testkit::wait_until("a trial", || {
        trial = pick(&cluster);
        trial.is_some()
    });
    assert!(pick(&cluster).is_none(), "one at a time");
    drop(trial);
    assert!(pick(&cluster).is_some());
}

#[test]
fn what_was_learned_stays_over_a_reload_and_goes_with_the_section() {
    let room = Room::with_servers(2);
    let settings = settings(&room);
    let (cluster, endpoints) = room.cluster(&settings);
    fail(&cluster, 0);
    endpoint(&cluster, 1).set_verdict(Verdict::Healthy);
    let mut changed = settings.clone();
    changed.connect_timeout = Duration::from_secs(1);
    let endpoints = endpoints
        .updated(std::slice::from_ref(&changed))
        .expect("addresses");
    let next = room.rebuilt(&changed, &endpoints, Some(&cluster));
    assert_eq!(taken(&next), [1]);
    // It is another server where it stands in another upstream.
    let other = Upstream {
        name: "other".into(),
        ..settings.clone()
    };
    let both = endpoints
        .updated(&[changed.clone(), other.clone()])
        .expect("addresses");
    assert_eq!(taken(&room.rebuilt(&other, &both, None)), [0, 1]);
    let without = Upstream {
        circuit_breaker: None,
        ..changed
    };
    let last = room.rebuilt(&without, &endpoints, Some(&next));
    assert_eq!(taken(&last), [0, 1]);
    let with = room.rebuilt(&settings, &endpoints, Some(&last));
    assert_eq!(taken(&with), [0, 1], "it begins anew");
}

#[test]
fn failures_that_are_not_listed_are_neither_good_nor_bad() {
    let room = Room::with_servers(1);
    let mut settings = settings(&room);
    settings.when_all_down = WhenAllDown::FailClosed;
    let (cluster, _endpoints) = room.cluster(&settings);
    let now = Instant::now();
    for fate in [Fate::Broke, Fate::TimedOut, Fate::Unknown] {
        pick(&cluster).expect("a server").ended(now, fate);
        assert_eq!(next(&cluster), Some(0), "{fate:?}");
    }
    let answered = |status| Fate::Answered {
        status,
        after: Duration::ZERO,
    };
    for status in [200, 404, 499] {
        pick(&cluster)
            .expect("a server")
            .ended(now, answered(status));
        assert_eq!(next(&cluster), Some(0), "{status}");
    }
    let place = pick(&cluster).expect("a server");
    place.ended(now, answered(200));
    place.ended(now, answered(500));
    assert_eq!(next(&cluster), Some(0), "only the first counts");
    pick(&cluster).expect("a server").ended(now, answered(500));
    assert_eq!(next(&cluster), None);
}

#[test]
fn who_gave_way_to_another_has_not_failed_but_may_have_been_slow() {
    let room = Room::with_servers(1);
    let mut settings = settings(&room);
    settings.when_all_down = WhenAllDown::FailClosed;
    let second = Duration::from_secs(1);
    if let Some(breaker) = &mut settings.circuit_breaker {
        breaker.settings.slow_calls = Some(SlowCalls {
            longer_than: second,
            rate: Share::ALL,
        });
    }
    let (cluster, _endpoints) = room.cluster(&settings);
    let cancelled = |after| {
        let place = pick(&cluster).expect("a server");
        place.ended(Instant::now(), Fate::Cancelled { after });
    };
    for _ in 0..10 {
        cancelled(second / 2);
        assert_eq!(next(&cluster), Some(0));
    }
    cancelled(second * 2);
    assert_eq!(next(&cluster), None);
}

#[test]
fn hedges_have_a_budget_of_their_own() {
    let room = Room::with_servers(2);
    let (cluster, _endpoints) = room.cluster(&room.settings());
    let _retry = cluster.begin_retry(Share::NONE, 1).expect("one retry");
    let hedge = cluster.begin_hedge(Share::NONE, 1).expect("one hedge");
    assert!(cluster.begin_hedge(Share::NONE, 1).is_none());
    assert!(cluster.begin_retry(Share::NONE, 1).is_none());
    drop(hedge);
    assert!(cluster.begin_hedge(Share::NONE, 1).is_some());
    let _places: Vec<_> = (0..10).filter_map(|_| pick(&cluster)).collect();
    let tenth = Share::of_percent(10);
    let first = cluster.begin_hedge(tenth, 0);
    assert!(first.is_some() && cluster.begin_hedge(tenth, 0).is_none());
}

#[test]
fn nobody_waits_for_a_place_at_a_server_that_takes_nothing() {
    let room = Room::with_servers(1);
    let mut settings = room.settings();
    settings.servers[0].max_connections = Some(1);
    settings.when_all_down = WhenAllDown::FailClosed;
    settings.queue = Some(sluice_config::plan::Queue {
        length: 1,
        timeout: Duration::from_secs(1),
        sojourn: None,
    });
    let (cluster, _endpoints) = room.cluster(&settings);
    let cluster = Rc::new(cluster);
    let place = pick(&cluster).expect("a place");
    let wait = cluster.wait(&mut Tried::default(), asked());
    let Wait::Turn(mut turn) = wait else {
        panic!("{wait:?}");
    };
    endpoint(&cluster, 0).set_verdict(Verdict::Unhealthy);
    // Whoever waits already does not get it either.
    drop(place);
    run(async {
        let handed = poll_fn(|cx| std::pin::Pin::new(&mut turn).poll(cx)).await;
        assert!(handed.is_ok_and(|place| place.is_none()));
    });
    assert_eq!(endpoint(&cluster, 0).load().in_flight(), 0);
    let wait = cluster.wait(&mut Tried::default(), asked());
    assert!(matches!(wait, Wait::Useless), "{wait:?}");
    endpoint(&cluster, 0).set_verdict(Verdict::Healthy);
    assert_eq!(next(&cluster), Some(0));
}

#[test]
fn servers_are_known_by_upstream_and_address() {
    let room = Room::with_servers(1);
    let (cluster, endpoints) = room.cluster(&room.settings());
    let address: ServerAddress = room.settings().servers[0].address.clone();
    let known = endpoints.get(&"app".into(), &address).expect("known");
    known.set_by_hand(ByHand::Down);
    assert_eq!(endpoint(&cluster, 0).by_hand(), ByHand::Down);
    assert_eq!(next(&cluster), None);
}
