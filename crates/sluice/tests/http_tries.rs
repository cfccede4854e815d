//! Servers that fail: what costs the client nothing, and what the client hears of the rest.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    EchoReply, EchoServer, Gate, RawClient, Script, ScriptedServer, SilentPort, refused_address,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_server_that_refuses_is_skipped() {
    let (refused, server) = (refused_address(), EchoServer::start("a"));
    let balancer = start(&[refused, server.address()], Setup::default());
    for request in [GET, POST, GET, POST] {
        let reply = EchoReply::from_response(&balancer.ask(request));
        let length = if request == POST { 5 } else { 0 };
        assert_eq!((reply.server.as_str(), reply.body_length), ("a", length));
    }
    let metrics = balancer.metrics_after(4);
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 4);
    let refused = refused.to_string();
    let labels = [("server", refused.as_str())];
    assert_eq!(
        metrics.count("sluice_server_connect_failures_total", &labels),
        4
    );
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "2xx")]),
        4
    );
    assert_eq!(metrics.count("sluice_requests_total", &[]), 4);
}

#[test]
fn when_all_refuse_the_client_gets_502() {
    let balancer = start(&[refused_address(), refused_address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..2 {
        client.send(GET);
        let response = client.response("GET");
        assert_eq!((response.status, response.field("connection")), (502, None));
    }
    let metrics = balancer.metrics_after(2);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "connect-failed")]),
        2
    );
    assert_eq!(
        metrics.count(
            "sluice_server_connect_failures_total",
            &[("reason", "refused")]
        ),
        4
    );
    assert_eq!(metrics.count("sluice_server_in_flight", &[]), 0);
}

#[test]
fn a_request_that_may_be_repeated_goes_to_the_next_server() {
    for dropping in [
        Script::new().read_request(),
        Script::new().read_request().reset(),
    ] {
        let (first, second) = (ScriptedServer::start([dropping]), EchoServer::start("b"));
        let balancer = start(&[first.address(), second.address()], Setup::default());
        let reply = EchoReply::from_response(&balancer.ask(GET));
        assert_eq!(reply.server, "b");
        assert_eq!(first.requests(), 1);
        // The second server's turn was used up: it is the first's again.
        let reply = EchoReply::from_response(&balancer.ask(PUT));
        assert_eq!((reply.server.as_str(), reply.body_length), ("b", 5));
        assert_eq!(first.requests(), 2);
        let metrics = balancer.metrics_after(2);
        assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 2);
        assert_eq!(
            metrics.count("sluice_requests_total", &[("code", "2xx")]),
            2
        );
    }
}

#[test]
fn a_request_that_may_not_be_repeated_is_not() {
    let (first, second) = (
        ScriptedServer::start([Script::new().read_request()]),
        EchoServer::start("b"),
    );
    let balancer = start(&[first.address(), second.address()], Setup::default());
    assert_eq!(balancer.ask(POST).status, 502);
    assert_eq!((first.requests(), second.requests()), (1, 0));
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "upstream-closed")]),
        1
    );
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 0);
}

#[test]
fn once_a_byte_of_an_answer_came_nothing_is_repeated() {
    let script = Script::new().read_request().write("HTTP/1.1 2");
    let (first, second) = (ScriptedServer::start([script]), EchoServer::start("b"));
    let balancer = start(&[first.address(), second.address()], Setup::default());
    assert_eq!(balancer.ask(GET).status, 502);
    assert_eq!(second.requests(), 0);
}

/// Answers one request, and closes once it has received another.
fn closes_at_the_second() -> Script {
    Script::new().read_request().write(OK).read_request()
}

#[test]
fn a_kept_connection_that_turns_out_closed_is_replaced_by_a_fresh_one() {
    for request in [GET, PUT] {
        let server = ScriptedServer::start([closes_at_the_second(), Script::ok("fresh")]);
        let balancer = start(&[server.address()], Setup::default());
        assert_eq!(balancer.ask(GET).text(), "ok");
        assert_eq!(balancer.ask(request).text(), "fresh");
        let bodies = String::from_utf8(server.received(1)).expect("text");
        assert_eq!(bodies.ends_with("hello"), request == PUT);
        let metrics = balancer.metrics_after(2);
        assert_eq!(
            metrics.count("sluice_server_connections_stale_total", &[]),
            1
        );
        assert_eq!(
            metrics.count("sluice_requests_total", &[("code", "2xx")]),
            2
        );
    }
}

#[test]
fn a_kept_connection_that_closes_under_a_post_is_an_error() {
    let server = ScriptedServer::start([closes_at_the_second(), Script::ok("fresh")]);
    let balancer = start(&[server.address()], Setup::default());
    assert_eq!(balancer.ask(GET).text(), "ok");
    assert_eq!(balancer.ask(POST).status, 502);
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_body_that_is_not_kept_cannot_be_sent_again() {
    let script = Script::new()
        .read_request()
        .write(OK)
        .read_until("second half");
    let server = ScriptedServer::start([script, Script::ok("fresh")]);
    let tables = "[[routes]]\nupstream = \"app\"\nretry = { buffer = \"10B\" }\n";
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    assert_eq!(balancer.ask(GET).text(), "ok");
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\nfirst half");
    server.wait_for_received(0, "first half");
    client.send("second half");
    assert_eq!(client.response("PUT").status, 502);
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_kept_connection_known_to_be_closed_is_not_used() {
    let gate = Gate::new();
    let closing = Script::new().read_request().write(OK).wait(&gate);
    let server = ScriptedServer::start([closing, Script::ok("fresh")]);
    let balancer = start(&[server.address()], Setup::default());
    assert_eq!(balancer.ask(GET).text(), "ok");
    gate.open();
    server.wait_for_end(0);
    // Even a request that may not be repeated is safe: it was not sent on the closed one.
    assert_eq!(balancer.ask(POST).text(), "fresh");
}

#[test]
fn posts_to_a_server_that_closes_after_each_answer_without_saying_so_arrive_once_each() {
    const CLIENTS: usize = 4;
    const POSTS: usize = 50;
    let server = ScriptedServer::start([Script::new().read_request().write_last(OK)]);
    let balancer = start(&[server.address()], Setup::default());
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = RawClient::connect(balancer.address("web"));
            scope.spawn(move || {
                for turn in 0..POSTS {
                    client.send(POST.replace("/ ", &format!("/{number}-{turn}. ")));
                    let response = client.response("POST");
                    assert_eq!((response.status, response.text()), (200, "ok"));
                }
            });
        }
    });
    assert_eq!(server.connections().accepted(), CLIENTS * POSTS);
    let received = String::from_utf8(server.received_in_all()).expect("text");
    for (number, turn) in (0..CLIENTS).flat_map(|number| (0..POSTS).map(move |turn| (number, turn)))
    {
        let line = format!("POST /{number}-{turn}. HTTP/1.1\r\n");
        assert_eq!(received.matches(&line).count(), 1, "{line}");
    }
    let metrics = balancer.metrics_after(CLIENTS * POSTS);
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 0);
}

#[test]
fn a_server_that_does_not_take_connections_in_time_is_skipped() {
    let (silent, server) = (SilentPort::start(), EchoServer::start("b"));
    let setup = Setup {
        upstream: "connect-timeout = \"1s\"",
        ..Setup::default()
    };
    let balancer = start(&[silent.address(), server.address()], setup);
    assert_eq!(EchoReply::from_response(&balancer.ask(POST)).server, "b");
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count(
            "sluice_server_connect_failures_total",
            &[("reason", "timeout")]
        ),
        1
    );
}

#[test]
fn when_no_server_takes_connections_in_time_the_client_gets_504() {
    let silent = SilentPort::start();
    let setup = Setup {
        upstream: "connect-timeout = \"100ms\"",
        ..Setup::default()
    };
    let balancer = start(&[silent.address()], setup);
    assert_eq!(balancer.ask(GET).status, 504);
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "connect-timeout")]),
        1
    );
}

#[test]
fn a_server_that_does_not_answer_in_time_costs_504() {
    let server =
        ScriptedServer::start([Script::new().read_request().stay_open(), Script::ok("ok")]);
    let tables = "[[routes]]\nmatch.path = \"/silent\"\nupstream = \"app\"\ntimeout = \"100ms\"\n[[routes]]\nupstream = \"app\"\n";
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("GET");
    assert_eq!((response.status, response.field("connection")), (504, None));
    server.wait_for_end(0);
    client.send(GET);
    assert_eq!(client.response("GET").text(), "ok");
    let metrics = balancer.metrics_after(2);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "upstream-timeout")]),
        1
    );
    assert_eq!(
        metrics.count(
            "sluice_server_response_failures_total",
            &[("reason", "timeout")]
        ),
        1
    );
}

#[test]
fn the_timeout_of_a_route_begins_when_the_request_has_come() {
    let gate = Gate::new();
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write(OK)
        .read_request()
        .wait(&gate)
        .write(OK)
        .stay_open()]);
    let silent = ScriptedServer::start([Script::silent()]);
    let tables = format!(
        "[[routes]]\nmatch.path = \"/silent\"\nupstream = \"silent\"\ntimeout = \"2s\"\n[[routes]]\nupstream = \"app\"\ntimeout = \"2s\"\n[upstreams.silent]\nservers = [\"{}\"]\n",
        silent.address()
    );
    let balancer = start(
        &[server.address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    assert_eq!(balancer.ask(GET).text(), "ok");
    // A head in two pieces, with the whole of the timeout between them.
    let mut slow = RawClient::connect(balancer.address("web"));
    slow.send("GET / HTTP/1.1\r\n");
    balancer.wait_for_metrics("the first piece to have come", |metrics| {
        metrics.count("sluice_connections_active", &[("listener", "web")]) == 1
            && metrics.count("sluice_connections_idle", &[("listener", "web")]) == 0
    });
    assert_eq!(
        balancer
            .ask("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
            .status,
        504
    );
    slow.send("Host: a\r\n\r\n");
    server.wait_for_received(0, "\r\n\r\nGET / HTTP/1.1\r\n");
    gate.open();
    assert_eq!(slow.response("GET").text(), "ok");
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_client_that_stops_inside_its_body_gets_408() {
    let server = ScriptedServer::start([Script::new().read_request()]);
    let setup = Setup {
        listener: "body-timeout = \"1s\"",
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    server.wait_for_received(0, "half");
    client.send(" more");
    let response = client.response("POST");
    assert_eq!(
        (response.status, response.field("connection")),
        (408, Some("close"))
    );
    server.wait_for_end(0);
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "client-timeout")]),
        1
    );
}

/// An answer that breaks off has begun: nothing can follow it, from another server as little as on another connection.
#[test]
fn a_broken_answer_is_never_followed_by_another() {
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let kept = Script::new().read_request().write(OK).read_request();
    let server = ScriptedServer::start([kept.write_last(broken), Script::ok("again")]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").text(), "ok");
    client.send(GET);
    assert_breaks_off(&mut client);
    let first = ScriptedServer::start([Script::new().read_request().write_last(broken)]);
    let second = EchoServer::start("b");
    let balancer = start(&[first.address(), second.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_breaks_off(&mut client);
    assert_eq!(second.requests(), 0);
}

#[track_caller]
fn assert_breaks_off(client: &mut RawClient) {
    let answer = client.try_response("GET");
    assert!(answer.is_err(), "{answer:?}");
}
