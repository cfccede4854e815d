//! `adaptive-concurrency`: who gets in, who waits, and what the limit is told.

use sluice_config::plan;
use sluice_health::ConcurrencySettings;
use sluice_telemetry::metrics::Refusal;

use super::*;
use crate::fate::Fate;
use crate::waiting::{Turn, Wait};

fn settings(room: &Room, limit: u32, max_connections: Option<u32>) -> Upstream {
    let mut settings = room.settings();
    settings.adaptive_concurrency = Some(ConcurrencySettings {
        min: limit,
        max: limit,
        initial: limit,
        tolerance: 1.5,
    });
    settings.queue = Some(plan::Queue {
        length: 10,
        timeout: Duration::from_hours(1),
        sojourn: None,
    });
    for server in &mut settings.servers {
        server.max_connections = max_connections;
    }
    settings
}

fn of(priority: Priority) -> Asked {
    Asked {
        priority,
        ..asked()
    }
}

fn pick(cluster: &Cluster, asked: Asked) -> Option<InFlight> {
    let mut tried = Tried::default();
    let place = cluster.pick(&mut tried, asked);
    assert_eq!(tried.is_limited(), place.is_none());
    assert_eq!(tried.count(), usize::from(place.is_some()));
    place
}

fn wait(cluster: &Rc<Cluster>, asked: Asked) -> Turn {
    match cluster.wait(&mut Tried::default(), asked) {
        Wait::Turn(turn) => turn,
        other => panic!("{other:?}"),
    }
}

/// What somebody in line has by now.
fn called(turn: &mut Turn) -> Option<InFlight> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(turn).poll(&mut cx) {
        std::task::Poll::Ready(Ok(place)) => Some(place.expect("a place of this cluster")),
        std::task::Poll::Ready(Err(why)) => panic!("{why}"),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn as_many_get_in_as_their_priority_may_and_connections_do_not_count() {
    let room = Room::with_servers(2);
    let (cluster, _endpoints) = room.cluster(&settings(&room, 10, None));
    let mut places: Vec<_> = Vec::new();
    for (priority, count) in Priority::ALL.into_iter().zip([8, 9, 9, 10]) {
        places.extend(std::iter::from_fn(|| pick(&cluster, of(priority))));
        assert_eq!(places.len(), count, "{priority}");
    }
    let metrics = cluster.metrics();
    assert_eq!(metrics.concurrency_limit.value(), 10);
    assert_eq!(metrics.concurrency_in_flight.value(), 10);
    let connection = Asked {
        is_request: false,
        ..asked()
    };
    let connection = cluster.pick(&mut Tried::default(), connection);
    assert!(connection.is_some());
    drop(connection);
    drop(places.pop());
    assert!(pick(&cluster, of(Priority::High)).is_none());
    places.push(pick(&cluster, of(Priority::Critical)).expect("the last place"));
    // It takes up none any more, though its connection stays.
    let ended = places.first().expect("ten of them");
    ended.ended(Instant::now(), Fate::Unknown);
    ended.ended(Instant::now(), Fate::Unknown);
    assert_eq!(metrics.concurrency_in_flight.value(), 9);
    assert!(pick(&cluster, of(Priority::Critical)).is_some());
    drop(places);
    assert_eq!(metrics.concurrency_in_flight.value(), 0);
    for lane in cluster.lanes() {
        assert_eq!(lane.endpoint().load().in_flight(), 0);
    }
}

#[test]
fn whoever_ends_hands_the_place_to_who_waits() {
    for max_connections in [None, Some(2)] {
        let room = Room::with_servers(1);
        let (cluster, _endpoints) = room.cluster(&settings(&room, 2, max_connections));
        let cluster = Rc::new(cluster);
        let first = pick(&cluster, of(Priority::Critical)).expect("a place");
        let second = pick(&cluster, of(Priority::Critical)).expect("another");
        let mut normal = wait(&cluster, of(Priority::Normal));
        let mut high = wait(&cluster, of(Priority::High));
        let mut critical = wait(&cluster, of(Priority::Critical));
        drop(first);
        let first = called(&mut critical).expect("its turn");
        assert!(called(&mut high).is_none() && called(&mut normal).is_none());
        // The last place is for critical ones.
        drop(second);
        assert!(called(&mut high).is_none() && called(&mut normal).is_none());
        drop(first);
        let first = called(&mut high).expect("its turn");
        assert!(called(&mut normal).is_none());
        first.ended(Instant::now(), Fate::Unknown);
        if max_connections.is_none() {
            assert!(called(&mut normal).is_some());
        }
        drop(first);
        drop((normal, high, critical));
        let metrics = cluster.metrics();
        assert_eq!(metrics.concurrency_in_flight.value(), 0);
        assert_eq!(metrics.queue_waiting.value(), 0);
        assert_eq!(metrics.refused.value(Refusal::QueueFull, Priority::High), 0);
        assert_eq!(cluster.lanes()[0].endpoint().load().in_flight(), 0);
        assert!(pick(&cluster, asked()).is_some());
    }
}

#[test]
fn overloaded_servers_get_fewer_and_a_reload_keeps_what_is_known() {
    let room = Room::with_servers(1);
    let mut settings = settings(&room, 100, None);
    let bounds = settings.adaptive_concurrency.as_mut().expect("set");
    bounds.min = 1;
    let (cluster, endpoints) = room.cluster(&settings);
    let limit = |cluster: &Cluster| cluster.metrics().concurrency_limit.value();
    let mut now = Instant::now();
    for fate in [
        Fate::TimedOut,
        Fate::Answered {
            status: 503,
            after: Duration::from_millis(1),
        },
    ] {
        let before = limit(&cluster);
        // Told of a few times within that time, which is only said.
        for _ in 0..40 {
            now += Duration::from_millis(100);
            pick(&cluster, asked()).expect("a place").ended(now, fate);
        }
        assert!(limit(&cluster) < before, "{fate:?}");
    }
    let known = limit(&cluster);
    settings.connect_timeout = Duration::from_secs(9);
    let next = room.rebuilt(&settings, &endpoints, Some(&cluster));
    assert_eq!(limit(&next), known);
    settings.adaptive_concurrency = None;
    let next = room.rebuilt(&settings, &endpoints, Some(&next));
    assert_eq!(limit(&next), 0, "there is none");
    assert!(pick(&next, asked()).is_some());
}
