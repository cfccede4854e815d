//! Sessions and their servers: when they go there, wait there, go elsewhere, and move.

use sluice_config::plan::{Queue, Remembered, SessionKey, Sticky};
use sluice_health::{ByHand, Verdict};
use sluice_session::ServerName;

use super::*;
use crate::waiting::Wait;

fn sticky(room: &Room) -> Upstream {
    Upstream {
        sticky: Some(Sticky::Remembered(Remembered {
            by: SessionKey::ClientIp,
            ttl: Duration::from_hours(1),
            max_sessions: 10,
            store: None,
        })),
        ..room.settings()
    }
}

fn cluster(room: &Room, settings: &Upstream) -> Rc<Cluster> {
    let upstreams = std::slice::from_ref(settings);
    let mut endpoints = Endpoints::default().updated(upstreams).expect("addresses");
    endpoints.follow_sessions(upstreams, None);
    Rc::new(room.rebuilt(settings, &endpoints, None))
}

fn of_session(home: usize) -> Asked {
    Asked {
        home: Some(home),
        ..asked()
    }
}

/// The position of the server that takes the request, and its place.
fn pick(cluster: &Cluster, tried: &mut Tried, home: usize) -> Option<(usize, InFlight)> {
    let place = cluster.pick(tried, of_session(home))?;
    let position = (0..cluster.lanes().len()).find(|at| cluster.is_home(*at, place.lane()));
    Some((position.expect("one of ours"), place))
}

fn picked(cluster: &Cluster, home: usize) -> usize {
    pick(cluster, &mut Tried::default(), home)
        .expect("a server")
        .0
}

#[test]
fn names_lead_to_their_servers() {
    let room = Room::with_servers(3);
    let cluster = cluster(&room, &sticky(&room));
    for (position, lane) in cluster.lanes().iter().enumerate() {
        let name = cluster.server_name(lane).expect("it is sticky");
        assert_eq!(cluster.home(name), Some(position));
    }
    assert_eq!(cluster.home(ServerName(7)), None);
    let (other, _) = room.cluster(&room.settings());
    assert_eq!(other.server_name(&other.lanes()[0]), None);
}

#[test]
fn a_session_goes_to_its_server_and_the_others_are_balanced() {
    let room = Room::with_servers(3);
    let cluster = cluster(&room, &sticky(&room));
    for _ in 0..10 {
        assert_eq!(picked(&cluster, 1), 1);
    }
    let mut tried = Tried::default();
    let first = pick(&cluster, &mut tried, 1).expect("its server");
    let second = pick(&cluster, &mut tried, 1).expect("another");
    assert_eq!(first.0, 1);
    assert_ne!(second.0, 1);
    assert!(!tried.is_home_full());
}

#[test]
fn a_drained_server_keeps_its_sessions_and_gets_no_others() {
    let room = Room::with_servers(2);
    let cluster = cluster(&room, &sticky(&room));
    cluster.lanes()[1].endpoint().set_by_hand(ByHand::Drain);
    assert_eq!(picked(&cluster, 1), 1);
    assert!(!cluster.is_left(1, Instant::now()));
    for _ in 0..4 {
        let place = cluster
            .pick(&mut Tried::default(), asked())
            .expect("a server");
        assert!(cluster.is_home(0, place.lane()));
    }
}

#[test]
fn sessions_leave_a_server_that_takes_nothing() {
    let room = Room::with_servers(2);
    let cluster = cluster(&room, &sticky(&room));
    let server = cluster.lanes()[1].endpoint();
    server.set_by_hand(ByHand::Down);
    assert_eq!(picked(&cluster, 1), 0);
    assert!(cluster.is_left(1, Instant::now()));
    server.set_by_hand(ByHand::Up);
    server.set_verdict(Verdict::Unhealthy);
    assert_eq!(picked(&cluster, 1), 0);
    // All are down: as good as any.
    cluster.lanes()[0]
        .endpoint()
        .set_verdict(Verdict::Unhealthy);
    assert_eq!(picked(&cluster, 1), 1);
    assert!(cluster.is_left(7, Instant::now()));
}

#[test]
fn a_session_of_a_full_server_goes_elsewhere_this_once() {
    let room = Room::with_servers(2);
    let mut settings = sticky(&room);
    settings.servers[1].max_connections = Some(1);
    let cluster = cluster(&room, &settings);
    let mut tried = Tried::default();
    let (at, place) = pick(&cluster, &mut tried, 1).expect("its server");
    assert!(at == 1 && !tried.is_home_full());
    let mut tried = Tried::default();
    let (at, _other) = pick(&cluster, &mut tried, 1).expect("another one");
    assert!(at == 0 && tried.is_home_full());
    assert!(!cluster.is_left(1, Instant::now()));
    drop(place);
    assert_eq!(picked(&cluster, 1), 1);
}

#[test]
fn a_session_of_a_full_server_waits_there_where_there_is_a_queue() {
    let room = Room::with_servers(2);
    let mut settings = sticky(&room);
    for server in &mut settings.servers {
        server.max_connections = Some(1);
    }
    settings.queue = Some(Queue {
        length: 10,
        timeout: Duration::from_secs(10),
        sojourn: None,
    });
    run(async move {
        let cluster = cluster(&room, &settings);
        let home = pick(&cluster, &mut Tried::default(), 1)
            .expect("its server")
            .1;
        let mut tried = Tried::default();
        assert!(pick(&cluster, &mut tried, 1).is_none(), "the other is free");
        let Wait::Turn(mut turn) = cluster.wait(&mut tried, of_session(1)) else {
            panic!("it does not wait");
        };
        // A place at another server is none for it.
        drop(pick(&cluster, &mut Tried::default(), 0).expect("free"));
        let polled =
            poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut turn).poll(cx).is_ready()));
        assert!(!polled.await);
        drop(home);
        let place = (&mut turn).await.expect("not refused").expect("its place");
        assert!(cluster.is_home(1, place.lane()));
        drop(place);
        // One that is drained has no queue.
        let full = pick(&cluster, &mut Tried::default(), 1).expect("free");
        cluster.lanes()[1].endpoint().set_by_hand(ByHand::Drain);
        let mut tried = Tried::default();
        let (at, _other) = pick(&cluster, &mut tried, 1).expect("the other");
        assert!(at == 0 && tried.is_home_full());
        drop(full);
    });
}
