//! Connections on both sides: kept, counted, closed; requests one after the other on them.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoReply, EchoServer, Gate, RawClient, Script, ScriptedServer, digest, pattern,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_connection_serves_many_requests_and_so_does_the_servers() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for number in 0..20 {
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response("GET");
        assert_eq!(response.field("connection"), None);
        let reply = EchoReply::from_response(&response);
        assert_eq!((reply.target, reply.connection), (format!("/{number}"), 0));
    }
    assert_eq!(server.connections().accepted(), 1);
    let labels = [("upstream", "app")];
    balancer.wait_for_counts(&[
        ("sluice_server_connections_total", &labels, 1),
        ("sluice_server_connections_reused_total", &labels, 19),
        ("sluice_server_connections_idle", &labels, 1),
    ]);
}

#[test]
fn another_client_uses_the_connection_that_one_left_behind() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    for _ in 0..5 {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = client.response("GET");
        assert_eq!(response.field("connection"), Some("close"));
        assert_eq!(
            EchoReply::from_response(&response).field("connection"),
            None
        );
        assert!(client.is_closed_without_a_byte());
    }
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_server_that_closes_after_its_answer_is_not_asked_again_on_that_connection() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let server = ScriptedServer::start([Script::new().read_request().write(answer)]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..3 {
        client.send(GET);
        let response = client.response("GET");
        assert_eq!(
            (response.text(), response.field("connection")),
            ("ok", None)
        );
    }
    assert_eq!(server.connections().accepted(), 3);
}

#[test]
fn no_more_than_idle_connections_are_kept() {
    let gate = Gate::new();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let script = Script::new()
        .read_request()
        .wait(&gate)
        .write(answer)
        .forever();
    let server = ScriptedServer::start([script]);
    let setup = Setup {
        upstream: "idle-connections = 2",
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut clients: Vec<_> = (0..5)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    for client in &mut clients {
        client.send(GET);
    }
    server.connections().wait_for_accepted(5);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 200);
    }
    testkit::wait_until("all but two connections closed", || {
        server.connections().open() == 2
    });
    balancer.wait_for_counts(&[
        ("sluice_server_connections_idle_dropped_total", &[], 3),
        ("sluice_server_connections_idle", &[], 2),
    ]);
}

#[test]
fn connections_to_servers_are_closed_after_their_idle_timeout() {
    let server = ScriptedServer::start([Script::ok("ok")]);
    let setup = Setup {
        upstream: "idle-timeout = \"1s\"",
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    server.connections().wait_for_none_open();
    // The client's own connection is another matter.
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    assert_eq!(server.connections().accepted(), 2);
}

#[test]
fn silent_clients_are_closed_after_the_listeners_idle_timeout() {
    let server = ScriptedServer::start([Script::ok("ok")]);
    let setup = Setup {
        listener: "idle-timeout = \"1s\"",
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut never_spoke = RawClient::connect(balancer.address("web"));
    let mut spoke = RawClient::connect(balancer.address("web"));
    spoke.send(GET);
    assert_eq!(spoke.response("GET").status, 200);
    assert!(never_spoke.is_closed_without_a_byte());
    assert!(spoke.is_closed_without_a_byte());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    let bodies: Vec<_> = (0..10).map(|number| pattern(number * 700)).collect();
    let mut bytes = Vec::new();
    for (number, body) in bytes_of_requests(&bodies).into_iter().enumerate() {
        bytes.extend_from_slice(format!("{} /{number} HTTP/1.1\r\nHost: a\r\n", body.0).as_bytes());
        bytes.extend_from_slice(&body.1);
    }
    client.send(bytes);
    for (number, body) in bodies.iter().enumerate() {
        let reply = EchoReply::from_response(&client.response("POST"));
        assert_eq!(reply.target, format!("/{number}"));
        let expected = if number % 3 == 0 { &[][..] } else { body };
        assert_eq!(reply.body_length, expected.len() as u64, "request {number}");
        assert_eq!(reply.body_digest, digest(expected), "request {number}");
    }
    assert_eq!(server.requests(), 10);
}

/// The method, and what follows the fields that all have: nothing, a length, chunks, in turn.
fn bytes_of_requests(bodies: &[Vec<u8>]) -> Vec<(&'static str, Vec<u8>)> {
    let framed = |(number, body): (usize, &Vec<u8>)| match number % 3 {
        0 => ("GET", b"\r\n".to_vec()),
        1 => {
            let head = format!("Content-Length: {}\r\n\r\n", body.len());
            ("POST", [head.as_bytes(), body].concat())
        }
        _ => {
            let head = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
            ("PUT", [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat())
        }
    };
    bodies.iter().enumerate().map(framed).collect()
}

#[test]
fn a_request_that_comes_while_another_is_served_waits_its_turn() {
    let gate = Gate::new();
    let first = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
        .stay_open();
    let server = ScriptedServer::start([first]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    server.wait_for_received(0, "\r\n\r\n");
    client.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.open();
    assert_eq!(client.response("GET").text(), "first");
    assert_eq!(client.response("GET").text(), "second");
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn http_1_0_clients_are_closed_unless_they_ask_otherwise() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response("GET");
    assert_eq!(response.field("connection"), Some("keep-alive"));
    assert_eq!(EchoReply::from_response(&response).version, "HTTP/1.1");
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response("GET");
    assert_eq!(response.field("connection"), Some("close"));
    // Without a host the server hears the upstream's name.
    assert_eq!(
        EchoReply::from_response(&response).field("host"),
        Some("app")
    );
    assert!(client.is_closed_without_a_byte());
}

#[test]
fn several_workers_serve_one_address() {
    let server = EchoServer::start("a");
    let balancer = Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!(
            r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
[upstreams.app]
servers = ["{}"]
[runtime]
workers = 2
"#,
            server.address()
        ),
    );
    // The kernel spreads connections by a hash of their ports: of 64 none is left without one.
    let mut clients: Vec<_> = (0..64)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 200);
    }
    let metrics = balancer.metrics_after(64);
    for worker in ["0", "1"] {
        let accepted = metrics.count("sluice_worker_connections_total", &[("worker", worker)]);
        assert!(accepted > 0, "worker {worker} got none");
    }
    assert_eq!(
        metrics.count("sluice_connections_total", &[("listener", "web")]),
        64
    );
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "2xx")]),
        64
    );
}

#[test]
fn listener_and_server_may_be_unix_sockets() {
    // A second balancer listens on a Unix socket: it is the server of the first.
    let server = EchoServer::start("behind");
    let folder = testkit::TempDir::new().expect("a temporary folder");
    let path = folder.path().join("inner.sock");
    let inner = Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!(
            "[listeners.web]\naddress = \"unix:{}\"\n[upstreams.app]\nservers = [\"{}\"]\n",
            path.display(),
            server.address()
        ),
    );
    let outer = Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"unix:{}\"]\n",
            path.display()
        ),
    );
    let mut client = RawClient::connect_unix(&path);
    client.send(GET);
    assert_eq!(
        EchoReply::from_response(&client.response("GET")).server,
        "behind"
    );
    let mut client = RawClient::connect(outer.address("web"));
    for _ in 0..2 {
        client.send(GET);
        assert_eq!(
            EchoReply::from_response(&client.response("GET")).server,
            "behind"
        );
    }
    assert_eq!(
        inner.metrics_after(3).count("sluice_requests_total", &[]),
        3
    );
    assert_eq!(
        outer
            .metrics_after(2)
            .count("sluice_server_connections_reused_total", &[]),
        1
    );
}
