//! `max-connections` and `max-connections-per-client` of a listener.

mod http_proxy;

use std::net::{IpAddr, Ipv4Addr};

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoServer, RawClient, TcpEchoServer, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn begin(listener: &str, server: &EchoServer) -> Balancer {
    let setup = Setup {
        listener,
        ..Setup::default()
    };
    start(&[server.address()], setup)
}

/// A client that has been served, and stays.
#[track_caller]
fn served(balancer: &Balancer, last: u8) -> RawClient {
    let mut client = client(balancer, last);
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    client
}

fn client(balancer: &Balancer, last: u8) -> RawClient {
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    RawClient::connect_from(source, balancer.address("web"))
}

#[track_caller]
fn is_refused(balancer: &Balancer, last: u8) {
    assert!(client(balancer, last).is_closed_without_a_byte());
}

/// Whether a client is served again, soon.
#[track_caller]
fn wait_for_room(balancer: &Balancer, last: u8) {
    wait_until("room for one more", || {
        let mut client = client(balancer, last);
        client.try_send(GET).is_ok() && client.try_response("GET").is_ok()
    });
}

const REFUSED: &str = "sluice_connections_refused_total";

#[test]
fn there_are_as_many_connections_as_may_be() {
    let server = EchoServer::start("a");
    let balancer = begin("max-connections = 2", &server);
    let (first, _second) = (served(&balancer, 1), served(&balancer, 2));
    is_refused(&balancer, 1);
    is_refused(&balancer, 3);
    balancer.wait_for_counts(&[
        (REFUSED, &[("reason", "max-connections")], 2),
        (REFUSED, &[("reason", "max-connections-per-client")], 0),
    ]);
    drop(first);
    wait_for_room(&balancer, 3);
}

#[test]
fn each_client_has_its_own_limit() {
    let server = EchoServer::start("a");
    let balancer = begin("max-connections-per-client = 1", &server);
    let first = served(&balancer, 1);
    is_refused(&balancer, 1);
    let _other = served(&balancer, 2);
    let reason = [("reason", "max-connections-per-client")];
    balancer.wait_for_counts(&[(REFUSED, &reason, 1)]);
    drop(first);
    wait_for_room(&balancer, 1);
}

#[test]
fn limits_hold_over_all_workers_and_change_by_a_reload() {
    let server = TcpEchoServer::start("");
    let file = |limit: u32| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocol = \"tcp\"\nmax-connections = {limit}\n\
             [upstreams.app]\nservers = [\"{}\"]\n[runtime]\nworkers = 4\n",
            server.address()
        )
    };
    let mut balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &file(5));
    let echoes = |balancer: &Balancer| {
        let mut client = client(balancer, 1);
        client.send("x");
        assert_eq!(client.read_exactly(1), b"x");
        client
    };
    let mut clients: Vec<_> = (0..5).map(|_| echoes(&balancer)).collect();
    for _ in 0..5 {
        is_refused(&balancer, 1);
    }
    // Those that are there stay, and are counted on.
    balancer.reload(&file(6));
    clients.push(echoes(&balancer));
    is_refused(&balancer, 1);
    for client in &mut clients {
        client.send("y");
        assert_eq!(client.read_exactly(1), b"y");
    }
}
