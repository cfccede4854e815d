//! Clusters over real servers: who is picked, which connections are used again, what a reload leaves alone.

mod health;
mod home;
mod throttle;

use std::future::poll_fn;
use std::io::Write as _;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Duration;

use sluice_config::plan::{Balance, Server, SourceAddress};
use sluice_model::Weight;

use super::*;
use crate::connection::ConnectError;

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1000);
const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1001);

/// Servers that only accept, and what is needed to build clusters of them.
pub(crate) struct Room {
    listeners: Vec<TcpListener>,
    registry: Registry,
}

impl Room {
    pub(crate) fn with_servers(count: usize) -> Self {
        let bind = |_| TcpListener::bind("127.0.0.1:0").expect("bind");
        Self {
            listeners: (0..count).map(bind).collect(),
            registry: Registry::new("test"),
        }
    }

    pub(crate) fn settings(&self) -> Upstream {
        let server = |listener: &TcpListener| Server {
            address: listener
                .local_addr()
                .expect("address")
                .to_string()
                .parse()
                .expect("server"),
            weight: Weight::default(),
            max_connections: None,
            backup: false,
            in_own_zone: false,
        };
        Upstream {
            name: "app".into(),
            servers: self.listeners.iter().map(server).collect(),
            balance: Balance {
                name: "round-robin",
                settings: sluice_balance::Settings::default(),
                key: None,
            },
            queue: None,
            adaptive_concurrency: None,
            circuit_breaker: None,
            when_all_down: sluice_health::WhenAllDown::FailOpen,
            load_report: None,
            sticky: None,
            protocol: UpstreamProtocol::Http1,
            connect_timeout: Duration::from_secs(5),
            idle_connections: 2,
            idle_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(30),
            send_proxy_protocol: SendProxyProtocol::Off,
            tls: None,
            source_addresses: Vec::new(),
            keep_alive: None,
            health: None,
        }
    }

    fn cluster(&self, settings: &Upstream) -> (Cluster, Endpoints) {
        let endpoints = Endpoints::default()
            .updated(std::slice::from_ref(settings))
            .expect("addresses");
        (self.rebuilt(settings, &endpoints, None), endpoints)
    }

    fn rebuilt(
        &self,
        settings: &Upstream,
        endpoints: &Endpoints,
        previous: Option<&Cluster>,
    ) -> Cluster {
        Cluster::new(settings, endpoints, previous, &self.registry, 0, 0)
    }

    fn accept(&self, server: usize) -> TcpStream {
        self.listeners[server].accept().expect("accept").0
    }
}

fn asked() -> Asked {
    Asked {
        now: Instant::now(),
        key: None,
        priority: Priority::Normal,
        is_request: true,
        home: None,
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(test);
}

async fn open(cluster: &Cluster, client: SocketAddr) -> Box<Connection> {
    let lane = &cluster.lanes()[0];
    cluster
        .connect(lane, client, SourceAddress::Balancer)
        .await
        .expect("connect")
}

fn local(connection: &Connection) -> SocketAddr {
    connection.stream.local_address().expect("tcp")
}

#[test]
fn the_latest_connection_is_used_first_and_no_more_than_the_limit_are_kept() {
    run(async {
        let room = Room::with_servers(1);
        let (cluster, _) = room.cluster(&room.settings());
        let lane = &cluster.lanes()[0];
        let now = Instant::now();
        let mut locals = Vec::new();
        let mut opened = Vec::new();
        for _ in 0..3 {
            let connection = open(&cluster, CLIENT).await;
            locals.push(local(&connection));
            opened.push(connection);
        }
        let _accepted: Vec<_> = (0..3).map(|_| room.accept(0)).collect();
        assert_eq!(lane.endpoint().connections(), 3);
        for connection in opened {
            cluster.keep(lane, connection, now);
        }
        assert_eq!(
            lane.endpoint().connections(),
            2,
            "the third was one too many"
        );
        assert_eq!(lane.endpoint().closed(), 1);
        assert_eq!(lane.metrics().idle_dropped.value(), 1);
        assert_eq!(lane.metrics().connections_idle.value(), 2);

        let first = cluster
            .take_idle(lane, OTHER, Check::Seen, Need::Messages)
            .expect("kept");
        assert_eq!(local(&first), locals[1], "the latest comes first");
        let second = cluster
            .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
            .expect("kept");
        assert_eq!(local(&second), locals[0]);
        assert!(
            cluster
                .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
                .is_none()
        );
        assert_eq!(lane.metrics().connections_idle.value(), 0);
        assert_eq!(lane.metrics().connections_reused.value(), 2);
    });
}

#[test]
fn old_idle_connections_are_closed_and_young_ones_stay() {
    run(async {
        let room = Room::with_servers(1);
        let (cluster, _) = room.cluster(&room.settings());
        let lane = &cluster.lanes()[0];
        let now = Instant::now();
        let old = open(&cluster, CLIENT).await;
        let young = open(&cluster, CLIENT).await;
        let young_local = local(&young);
        cluster.keep(lane, old, now);
        cluster.keep(lane, young, now + Duration::from_secs(30));
        cluster.close_idle(now + Duration::from_secs(59));
        assert_eq!(lane.endpoint().connections(), 2);
        cluster.close_idle(now + Duration::from_mins(1));
        assert_eq!(lane.endpoint().connections(), 1);
        assert_eq!(lane.metrics().connections_idle.value(), 1);
        let kept = cluster
            .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
            .expect("the young one");
        assert_eq!(local(&kept), young_local);
    });
}

#[test]
fn a_connection_that_closed_since_the_reactor_looked_is_not_used_where_the_kernel_is_asked() {
    run(async {
        let room = Room::with_servers(1);
        let (cluster, _) = room.cluster(&room.settings());
        let lane = &cluster.lanes()[0];
        for speaks in [false, true] {
            let mut connection = open(&cluster, CLIENT).await;
            let mut far = room.accept(0);
            // An answer, after which the reactor takes the connection for silent.
            far.write_all(b"answer").expect("write");
            poll_readable(&connection).await;
            let mut buffer = [0; 16];
            let read = poll_fn(|cx| connection.stream.poll_read(cx, &mut buffer));
            assert_eq!(read.await.expect("the answer"), 6);
            cluster.keep(lane, connection, Instant::now());
            let kept = cluster.take_idle(lane, CLIENT, Check::Asked, Need::Messages);
            cluster.keep(lane, kept.expect("it is open"), Instant::now());

            // Nothing below yields, so the reactor does not learn of it.
            if speaks {
                far.write_all(b"unasked").expect("write");
            } else {
                drop(far);
            }
            let seen = cluster.take_idle(lane, CLIENT, Check::Seen, Need::Messages);
            cluster.keep(lane, seen.expect("nothing was seen"), Instant::now());
            // The kernel may still be passing it on.
            testkit::wait_until("the kernel to say so", || {
                let open = cluster.take_idle(lane, CLIENT, Check::Asked, Need::Messages);
                open.map(|open| cluster.keep(lane, open, Instant::now()))
                    .is_none()
            });
            assert!(
                cluster
                    .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
                    .is_none()
            );
        }
    });
}

#[test]
fn a_connection_that_was_closed_or_spoke_unasked_is_not_used() {
    run(async {
        let room = Room::with_servers(1);
        let (cluster, _) = room.cluster(&room.settings());
        let lane = &cluster.lanes()[0];
        let now = Instant::now();
        let closed = open(&cluster, CLIENT).await;
        drop(room.accept(0));
        let spoke = open(&cluster, CLIENT).await;
        let mut server = room.accept(0);
        server.write_all(b"!").expect("send");
        poll_readable(&closed).await;
        poll_readable(&spoke).await;
        cluster.keep(lane, spoke, now);
        cluster.keep(lane, closed, now);
        assert!(
            cluster
                .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
                .is_none()
        );
        assert_eq!(lane.metrics().connections_stale.value(), 2);
        assert_eq!(lane.endpoint().connections(), 0);
    });
}

async fn poll_readable(connection: &Connection) {
    let socket = connection.stream.socket().expect("a socket");
    poll_fn(|cx| socket.poll_read_ready(cx))
        .await
        .expect("readable");
}

#[test]
fn a_retired_lane_keeps_nothing() {
    run(async {
        let room = Room::with_servers(1);
        let (cluster, _) = room.cluster(&room.settings());
        let lane = &cluster.lanes()[0];
        let under_way = open(&cluster, CLIENT).await;
        let idle = open(&cluster, CLIENT).await;
        cluster.keep(lane, idle, Instant::now());
        lane.retire();
        assert!(lane.is_retired());
        assert_eq!(lane.endpoint().connections(), 1, "the idle one is closed");
        assert_eq!(lane.metrics().connections_idle.value(), 0);
        cluster.keep(lane, under_way, Instant::now());
        assert_eq!(lane.endpoint().connections(), 0, "the other after its use");
        assert!(
            cluster
                .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
                .is_none()
        );
    });
}

#[test]
fn a_connection_that_named_a_client_is_used_by_that_client_alone() {
    run(async {
        let room = Room::with_servers(1);
        let mut settings = room.settings();
        settings.send_proxy_protocol = SendProxyProtocol::V2;
        let (cluster, endpoints) = room.cluster(&settings);
        let lane = &cluster.lanes()[0];
        let now = Instant::now();
        let one = open(&cluster, CLIENT).await;
        let two = open(&cluster, OTHER).await;
        let (first, second) = (local(&one), local(&two));
        cluster.keep(lane, one, now);
        cluster.keep(lane, two, now);
        let taken = cluster
            .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
            .expect("its own");
        assert_eq!(local(&taken), first);
        assert!(
            cluster
                .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
                .is_none()
        );

        // A reload that sends no headers any more: who comes now is not OTHER.
        settings.send_proxy_protocol = SendProxyProtocol::Off;
        let plain = room.rebuilt(&settings, &endpoints, Some(&cluster));
        assert!(
            plain
                .take_idle(&plain.lanes()[0], CLIENT, Check::Seen, Need::Messages)
                .is_none()
        );
        let taken = cluster
            .take_idle(lane, OTHER, Check::Seen, Need::Messages)
            .expect("still its own");
        assert_eq!(local(&taken), second);

        // And the other way round: one without a header is nobody's whose header has to come first.
        let bare = open(&plain, CLIENT).await;
        plain.keep(lane, bare, now);
        assert!(
            cluster
                .take_idle(lane, CLIENT, Check::Seen, Need::Messages)
                .is_none()
        );
        assert!(
            plain
                .take_idle(lane, OTHER, Check::Seen, Need::Messages)
                .is_some()
        );
    });
}

#[test]
fn source_addresses_take_turns_for_each_server() {
    let room = Room::with_servers(2);
    let mut settings = room.settings();
    let sources = ["127.0.0.3", "::1", "127.0.0.4", "127.0.0.5"];
    settings.source_addresses = sources.map(|text| text.parse().expect("address")).into();
    settings.servers[1].address = "[::1]:9".parse().expect("server");
    let (cluster, _) = room.cluster(&settings);
    let next = |server: usize| {
        let source = cluster.lanes()[server].next_source(&settings.source_addresses);
        source.expect("a source").to_string()
    };
    // The other server's connections in between do not take turns away.
    for _ in 0..2 {
        for expected in ["127.0.0.3", "127.0.0.4", "127.0.0.5"] {
            assert_eq!(next(0), expected);
            assert_eq!(next(1), "::1");
        }
    }
    let lane = &cluster.lanes()[1];
    assert_eq!(lane.next_source(&[]), None);
    let wrong_family = "127.0.0.1".parse().expect("address");
    assert_eq!(lane.next_source(&[wrong_family]), None);
}

#[test]
fn connections_start_from_the_source_addresses() {
    run(async {
        let room = Room::with_servers(1);
        let mut settings = room.settings();
        settings.source_addresses = vec![[127, 0, 0, 3].into(), [127, 0, 0, 4].into()];
        let (cluster, _) = room.cluster(&settings);
        for expected in [3, 4, 3] {
            let connection = open(&cluster, CLIENT).await;
            assert_eq!(local(&connection).ip(), IpAddr::from([127, 0, 0, expected]));
        }
    });
}

#[test]
fn a_full_server_is_passed_by_until_a_place_is_given_back() {
    let room = Room::with_servers(2);
    let mut settings = room.settings();
    settings.servers[0].max_connections = Some(1);
    let (cluster, _) = room.cluster(&settings);
    let pick = || {
        let place = cluster
            .pick(&mut Tried::default(), asked())
            .expect("a server");
        let label = place.lane().endpoint().label().to_string();
        (place, label)
    };
    let full = settings.servers[0].address.to_string();
    let places: Vec<_> = (0..6).map(|_| pick()).collect();
    let at_full = places.iter().filter(|(_, label)| *label == full).count();
    assert_eq!(at_full, 1);
    let lanes = cluster.lanes();
    assert_eq!(lanes[0].endpoint().load().in_flight(), 1);
    assert_eq!(lanes[0].metrics().in_flight.value(), 1);
    assert_eq!(lanes[1].endpoint().load().in_flight(), 5);
    assert!(lanes[0].metrics().limit_reached.value() > 0);
    drop(places);
    assert_eq!(lanes[0].endpoint().load().in_flight(), 0);
    assert_eq!(lanes[1].metrics().in_flight.value(), 0);
    let again: Vec<_> = (0..2).map(|_| pick()).collect();
    assert!(again.iter().any(|(_, label)| *label == full));
}

#[test]
fn nobody_is_picked_where_all_are_full() {
    let room = Room::with_servers(1);
    let mut settings = room.settings();
    settings.servers[0].max_connections = Some(1);
    let (cluster, _) = room.cluster(&settings);
    let held = cluster.pick(&mut Tried::default(), asked());
    assert!(held.is_some());
    let mut tried = Tried::default();
    assert!(cluster.pick(&mut tried, asked()).is_none());
    assert_eq!(tried.count(), 0, "a full server was not tried");
}

#[test]
fn each_server_is_tried_once_and_no_more_than_the_limit_in_all() {
    let room = Room::with_servers(3);
    let (cluster, _) = room.cluster(&room.settings());
    let mut tried = Tried::default();
    let mut labels = Vec::new();
    while let Some(place) = cluster.pick(&mut tried, asked()) {
        labels.push(place.lane().endpoint().label().to_string());
    }
    labels.sort_unstable();
    labels.dedup();
    assert_eq!((labels.len(), tried.count()), (3, 3));

    let room = Room::with_servers(MAX_ATTEMPTS + 4);
    let (cluster, _) = room.cluster(&room.settings());
    let mut tried = Tried::default();
    while cluster.pick(&mut tried, asked()).is_some() {}
    assert_eq!(tried.count(), MAX_ATTEMPTS);
}

#[test]
fn a_backup_is_picked_only_when_the_others_were_tried() {
    let room = Room::with_servers(3);
    let mut settings = room.settings();
    settings.servers[0].backup = true;
    let backup = settings.servers[0].address.to_string();
    let (cluster, _) = room.cluster(&settings);
    for _ in 0..4 {
        let mut tried = Tried::default();
        let order: Vec<_> = std::iter::from_fn(|| cluster.pick(&mut tried, asked()))
            .map(|place| place.lane().endpoint().label().to_string())
            .collect();
        assert_eq!(order.len(), 3);
        assert_eq!(order[2], backup);
    }
}

#[test]
fn a_reload_leaves_alone_what_is_the_same() {
    run(async {
        let room = Room::with_servers(3);
        let mut settings = room.settings();
        let third = settings.servers.pop().expect("three");
        let (before, endpoints) = room.cluster(&settings);
        let connection = open(&before, CLIENT).await;
        let kept_local = local(&connection);
        before.keep(&before.lanes()[0], connection, Instant::now());
        let place = before
            .pick(&mut Tried::default(), asked())
            .expect("a place");

        // The first stays and becomes the second, the second goes, a third comes.
        settings.servers.remove(1);
        settings.servers.insert(0, third);
        let changed = endpoints
            .updated(std::slice::from_ref(&settings))
            .expect("addresses");
        let after = room.rebuilt(&settings, &changed, Some(&before));
        assert!(Rc::ptr_eq(&after.lanes()[1], &before.lanes()[0]));
        assert!(!Rc::ptr_eq(&after.lanes()[0], &before.lanes()[1]));
        let kept = after
            .take_idle(&after.lanes()[1], CLIENT, Check::Seen, Need::Messages)
            .expect("kept");
        assert_eq!(local(&kept), kept_local);
        assert_eq!(after.lanes()[1].endpoint().load().in_flight(), 1);
        drop(place);
        assert_eq!(after.lanes()[1].endpoint().load().in_flight(), 0);

        // The one that went is forgotten: coming back it begins anew.
        settings.servers.push(room.settings().servers[1].clone());
        let back = changed
            .updated(std::slice::from_ref(&settings))
            .expect("addresses");
        let again = room.rebuilt(&settings, &back, Some(&after));
        assert!(!Rc::ptr_eq(&again.lanes()[2], &before.lanes()[1]));
        assert!(Rc::ptr_eq(&again.lanes()[0], &after.lanes()[0]));
    });
}

#[test]
fn the_same_address_in_two_upstreams_is_two_endpoints() {
    let room = Room::with_servers(1);
    let one = room.settings();
    let mut two = room.settings();
    two.name = "other".into();
    let endpoints = Endpoints::default()
        .updated(&[one.clone(), two.clone()])
        .expect("addresses");
    let (a, b) = (
        room.rebuilt(&one, &endpoints, None),
        room.rebuilt(&two, &endpoints, None),
    );
    let _place = a.pick(&mut Tried::default(), asked()).expect("a place");
    assert_eq!(b.lanes()[0].endpoint().load().in_flight(), 0);
}

#[test]
fn failures_to_connect_are_told_apart_and_counted() {
    run(async {
        let mut room = Room::with_servers(1);
        let settings = room.settings();
        room.listeners.clear();
        let (cluster, _) = room.cluster(&settings);
        let lane = &cluster.lanes()[0];
        let error = cluster
            .connect(lane, CLIENT, SourceAddress::Balancer)
            .await
            .expect_err("refused");
        assert!(matches!(error, ConnectError::Refused), "{error}");
        assert_eq!(lane.metrics().connect_failures.value(error.word()), 1);
        assert_eq!(lane.metrics().connections_opened.value(), 0);
        assert_eq!(lane.endpoint().connections(), 0);
    });
}
