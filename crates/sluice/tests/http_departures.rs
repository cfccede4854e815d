//! Clients that go away: nobody works for them any longer.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoServer, RawClient, Script, ScriptedServer, SilentPort};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Waits until one request has ended that way, and nothing is left of it.
#[track_caller]
fn wait_until_gone(balancer: &Balancer) {
    balancer.wait_for_counts(&[
        ("sluice_request_ends_total", &[("end", "client-closed")], 1),
        ("sluice_connections_active", &[("listener", "web")], 0),
        ("sluice_server_in_flight", &[], 0),
        ("sluice_server_connections_idle", &[], 0),
    ]);
}

#[test]
fn before_the_answer() {
    for resets in [false, true] {
        let server = ScriptedServer::start([Script::new().read_request().stay_open()]);
        let balancer = start(&[server.address()], Setup::default());
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(GET);
        server.wait_for_received(0, "\r\n\r\n");
        if resets {
            client.reset();
        } else {
            drop(client);
        }
        server.wait_for_end(0);
        wait_until_gone(&balancer);
        assert_eq!(balancer.metrics().count("sluice_requests_total", &[]), 0);
    }
}

#[test]
fn during_the_answer() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning";
    let server = ScriptedServer::start([Script::new().read_request().write(answer).stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    client.read_until("the beginning");
    drop(client);
    server.wait_for_end(0);
    wait_until_gone(&balancer);
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "2xx")]),
        1
    );
}

#[test]
fn inside_the_request() {
    let server = ScriptedServer::start([Script::new().read_head().stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nthe beginning");
    server.wait_for_received(0, "the beginning");
    drop(client);
    server.wait_for_end(0);
    wait_until_gone(&balancer);
}

#[test]
fn while_a_server_is_being_connected_to() {
    let silent = SilentPort::start();
    let setup = Setup {
        upstream: "connect-timeout = \"1h\"",
        ..Setup::default()
    };
    let balancer = start(&[silent.address()], setup);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    balancer.wait_for_metrics("the request to be under way", |metrics| {
        metrics.count("sluice_server_in_flight", &[]) == 1
    });
    drop(client);
    wait_until_gone(&balancer);
}

#[test]
fn others_are_served_all_the_same() {
    let silent = ScriptedServer::start([Script::new().read_request().stay_open()]);
    let server = EchoServer::start("a");
    let tables = format!(
        "[[routes]]\nmatch.path = \"/silent\"\nupstream = \"silent\"\n[[routes]]\nupstream = \"app\"\n[upstreams.silent]\nservers = [\"{}\"]\n",
        silent.address()
    );
    let balancer = start(
        &[server.address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    let leaving: Vec<_> = (0..50)
        .map(|_| {
            let mut client = RawClient::connect(balancer.address("web"));
            client.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    balancer.wait_for_metrics("all to be under way", |metrics| {
        metrics.count("sluice_server_in_flight", &[("upstream", "silent")]) == 50
    });
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    drop(leaving);
    silent.connections().wait_for_none_open();
    balancer.wait_for_metrics("all to be given up", |metrics| {
        metrics.count("sluice_server_in_flight", &[]) == 0
            && metrics.count("sluice_connections_active", &[("listener", "web")]) == 1
    });
}
