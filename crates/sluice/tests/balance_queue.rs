//! Waiting for a place while every server has its `max-connections`.

use std::net::SocketAddr;

use testkit::{Balancer, Gate, Metrics, RawClient, Script, ScriptedServer, TcpEchoServer};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ENDS: &str = "sluice_request_ends_total";

#[track_caller]
fn balancer(protocol: &str, server: SocketAddr, queue: &str, workers: usize) -> Balancer {
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocol = \"{protocol}\"\n[upstreams.app]\n\
         servers = [{{ address = \"{server}\", max-connections = 1 }}]\nqueue = {queue}\n[runtime]\nworkers = {workers}\n"
    );
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration)
}

/// A server that holds each of its requests until the gate opens.
fn holding(gate: &Gate) -> ScriptedServer {
    ScriptedServer::start([Script::new()
        .read_request()
        .wait(gate)
        .write("HTTP/1.1 204 No Content\r\n\r\n")
        .forever()])
}

fn asking(balancer: &Balancer) -> RawClient {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    client
}

fn ended(metrics: &Metrics, end: &str) -> usize {
    metrics.count(ENDS, &[("end", end)])
}

fn wait_for_waiting(balancer: &Balancer, count: usize) {
    balancer.wait_for_metrics("requests in the queue", |metrics| {
        metrics.count("sluice_upstream_queue_waiting", &[]) == count
    });
}

#[test]
fn requests_wait_for_a_place_and_are_refused_once_the_queue_is_full() {
    for workers in [1, 3] {
        let gate = Gate::new();
        let server = holding(&gate);
        let queue = "{ length = 5, timeout = \"1h\" }";
        let balancer = balancer("http", server.address(), queue, workers);
        let mut served = vec![asking(&balancer)];
        server.wait_for_received(0, "\r\n\r\n");
        served.extend((0..5).map(|_| asking(&balancer)));
        wait_for_waiting(&balancer, 5);
        for _ in 0..3 {
            assert_eq!(asking(&balancer).response("GET").status, 503);
        }
        assert_eq!(server.requests(), 1, "the limit holds");
        gate.open();
        for client in &mut served {
            assert_eq!(client.response("GET").status, 204);
        }
        let refused = [("reason", "queue-full"), ("priority", "normal")];
        balancer.wait_for_counts(&[
            (ENDS, &[("end", "queue-full")], 3),
            (ENDS, &[("end", "ok")], 6),
            ("sluice_upstream_queue_waits_total", &[], 5),
            ("sluice_upstream_refused_total", &refused, 3),
            ("sluice_upstream_queue_waiting", &[], 0),
            ("sluice_server_in_flight", &[], 0),
        ]);
        // Nothing is left of it: the place is free.
        assert_eq!(asking(&balancer).response("GET").status, 204);
    }
}

#[test]
fn who_came_first_is_served_first() {
    let gates: Vec<_> = (0..4).map(|_| Gate::new()).collect();
    let mut script = Script::new();
    for gate in &gates {
        script = script
            .read_request()
            .wait(gate)
            .write("HTTP/1.1 204 No Content\r\n\r\n");
    }
    let server = ScriptedServer::start([script.stay_open()]);
    let queue = "{ length = 3, timeout = \"1h\" }";
    let balancer = balancer("http", server.address(), queue, 2);
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
        clients.push(client);
        server.wait_for_received(0, "GET /0 ");
        wait_for_waiting(&balancer, number);
    }
    for (gate, client) in gates.iter().zip(&mut clients) {
        gate.open();
        assert_eq!(client.response("GET").status, 204);
    }
}

#[test]
fn who_waits_for_too_long_is_refused() {
    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "{ length = 5, timeout = \"20ms\" }";
    let balancer = balancer("http", server.address(), queue, 2);
    let mut first = asking(&balancer);
    server.wait_for_received(0, "\r\n\r\n");
    let mut second = asking(&balancer);
    assert_eq!(second.response("GET").status, 503);
    let metrics = balancer.metrics_after(1);
    assert_eq!(ended(&metrics, "queue-timeout"), 1);
    let refused = [("reason", "queue-timeout"), ("priority", "normal")];
    assert_eq!(metrics.count("sluice_upstream_refused_total", &refused), 1);
    gate.open();
    assert_eq!(first.response("GET").status, 204);
    // Nobody waits long here: the place is to be free.
    balancer.wait_for_counts(&[("sluice_server_in_flight", &[], 0)]);
    // Its connection is as good as before.
    second.send(GET);
    assert_eq!(second.response("GET").status, 204);
}

#[test]
fn who_goes_away_waits_no_longer_and_is_not_served() {
    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "{ length = 2, timeout = \"1h\" }";
    let balancer = balancer("http", server.address(), queue, 2);
    let mut first = asking(&balancer);
    server.wait_for_received(0, "\r\n\r\n");
    let gone = asking(&balancer);
    wait_for_waiting(&balancer, 1);
    let mut third = asking(&balancer);
    wait_for_waiting(&balancer, 2);
    drop(gone);
    wait_for_waiting(&balancer, 1);
    gate.open();
    assert_eq!(first.response("GET").status, 204);
    assert_eq!(third.response("GET").status, 204);
    assert_eq!(server.requests(), 2);
    assert_eq!(ended(&balancer.metrics_after(3), "client-closed"), 1);
}

#[test]
fn connections_wait_too() {
    let server = TcpEchoServer::start("in");
    let queue = "{ length = 1, timeout = \"1h\" }";
    let balancer = balancer("tcp", server.address(), queue, 2);
    let mut first = RawClient::connect(balancer.address("web"));
    assert_eq!(first.read_exactly(2), b"in");
    let mut second = RawClient::connect(balancer.address("web"));
    wait_for_waiting(&balancer, 1);
    let mut third = RawClient::connect(balancer.address("web"));
    assert!(third.is_closed_without_a_byte());
    assert_eq!(server.connections().accepted(), 1);
    drop(first);
    assert_eq!(second.read_exactly(2), b"in");
    balancer.wait_for_counts(&[("sluice_tcp_sessions_total", &[("end", "queue-full")], 1)]);
}

#[test]
fn a_connection_that_waits_for_too_long_is_closed() {
    let server = TcpEchoServer::start("in");
    let queue = "{ length = 1, timeout = \"20ms\" }";
    let balancer = balancer("tcp", server.address(), queue, 1);
    let mut first = RawClient::connect(balancer.address("web"));
    assert_eq!(first.read_exactly(2), b"in");
    let mut second = RawClient::connect(balancer.address("web"));
    assert!(second.is_closed_without_a_byte());
    balancer.wait_for_metrics("a session that waited for too long", |metrics| {
        metrics.count("sluice_tcp_sessions_total", &[("end", "queue-timeout")]) == 1
    });
    first.send("still");
    assert_eq!(first.read_exactly(5), b"still");
}

#[test]
fn a_reload_leaves_the_queue_as_it_is() {
    let gate = Gate::new();
    let server = holding(&gate);
    let configuration = |connect: &str| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nconnect-timeout = \"{connect}\"\n\
             servers = [{{ address = \"{}\", max-connections = 1 }}]\nqueue = {{ length = 5, timeout = \"1h\" }}\n\
             [runtime]\nworkers = 2\n",
            server.address()
        )
    };
    let mut balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration("10s"));
    let mut clients = vec![asking(&balancer)];
    server.wait_for_received(0, "\r\n\r\n");
    clients.push(asking(&balancer));
    wait_for_waiting(&balancer, 1);
    balancer.reload(&configuration("20s"));
    clients.push(asking(&balancer));
    wait_for_waiting(&balancer, 2);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 204);
    }
}

#[test]
fn who_waits_for_a_server_that_leaves_is_served_by_it() {
    let gate = Gate::new();
    let [leaving, coming] = [holding(&gate), holding(&gate)];
    let configuration = |server: &ScriptedServer| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\n\
             servers = [{{ address = \"{}\", max-connections = 1 }}]\nqueue = {{ length = 5, timeout = \"1h\" }}\n\
             [runtime]\nworkers = 2\n",
            server.address()
        )
    };
    let mut balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration(&leaving));
    let mut clients = vec![asking(&balancer)];
    leaving.wait_for_received(0, "\r\n\r\n");
    clients.extend((0..2).map(|_| asking(&balancer)));
    wait_for_waiting(&balancer, 2);
    balancer.reload(&configuration(&coming));
    clients.push(asking(&balancer));
    coming.wait_for_received(0, "\r\n\r\n");
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 204);
    }
    assert_eq!((leaving.requests(), coming.requests()), (3, 1));
}
