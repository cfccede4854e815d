//! Copies of requests for a second upstream, through the real binary.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod example;

use std::net::SocketAddr;

use example::Example;
use testkit::{
    Balancer, EchoReply, EchoServer, Gate, Metrics, RawClient, Response, Script, ScriptedServer,
    pattern, refused_address,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A balancer with one worker in front of a server and one that gets copies. `keys` are those of the mirror, `more` those of the route.
fn start(server: SocketAddr, shadow: SocketAddr, keys: &str, more: &str) -> Balancer {
    let configuration = format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"

[[routes]]
name = "all"
upstream = "app"
mirror = {{ upstream = "shadow"{keys} }}
{more}

[upstreams.app]
servers = ["{server}"]

[upstreams.shadow]
servers = ["{shadow}"]

[runtime]
workers = 1

[admin]
address = "127.0.0.1:<port:admin>"
"#
    );
    Balancer::start(SLUICE, &configuration)
}

fn ask(balancer: &Balancer, request: impl AsRef<[u8]>, method: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(request);
    client.response(method)
}

fn outcome(metrics: &Metrics, outcome: &str) -> f64 {
    let labels = [("route", "all"), ("outcome", outcome)];
    let found = metrics.value("sluice_mirrored_requests_total", &labels);
    found.expect("the route has a mirror")
}

/// Waits until so many requests have come to this.
#[track_caller]
fn wait_for(balancer: &Balancer, word: &str, count: u32) -> Metrics {
    balancer.wait_for_metrics(&format!("{count} copies {word}"), |metrics| {
        outcome(metrics, word) >= f64::from(count)
    })
}

#[test]
fn copies_are_like_the_requests_and_their_answers_are_thrown_away() {
    let server = ScriptedServer::start([Script::ok("the answer")]);
    let shadow = ScriptedServer::start([Script::answer(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Broken\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nother\r\n0\r\nx: y\r\n\r\n",
    )]);
    let balancer = start(server.address(), shadow.address(), "", "");
    let mut client = RawClient::connect(balancer.address("web"));
    for (number, (method, framing, body)) in [
        ("GET", "", ""),
        ("POST", "Content-Length: 5\r\n", "hello"),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ),
        ("HEAD", "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        client.send(format!(
            "{method} /x?y={number} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {number}\r\n{framing}\r\n{body}"
        ));
        let response = client.response(method);
        assert_eq!(response.status, 200);
        if method != "HEAD" {
            assert_eq!(response.text(), "the answer");
            wait_for(
                &balancer,
                "answered",
                u32::try_from(number).expect("few") + 1,
            );
        }
    }
    // After an answer to HEAD with a body, a server's connection is no good; the copies before had one.
    let text = |server: &ScriptedServer| String::from_utf8(server.received(0)).expect("UTF-8");
    let (original, copies) = (text(&server), text(&shadow));
    assert!(copies.contains("X-Mirrored: 1\r\n") && !original.contains("X-Mirrored"));
    let same = copies.replace("X-Mirrored: 1\r\n", "");
    let common = original.find("HEAD").expect("the last request");
    assert_eq!(same.get(..common), original.get(..common));
}

#[test]
fn a_stuck_mirror_is_not_noticed_and_gets_no_more_than_it_may() {
    let server = EchoServer::start("app");
    let shadow = ScriptedServer::start([Script::silent()]);
    let balancer = start(
        server.address(),
        shadow.address(),
        ", max-in-flight = 3, max-body = \"1MiB\"",
        "",
    );
    let mut client = RawClient::connect(balancer.address("web"));
    let body = "x".repeat(64 * 1024);
    let before = balancer.resident_kib();
    let requests: u32 = 400;
    for _ in 0..requests {
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let reply = EchoReply::from_response(&client.response("POST"));
        assert_eq!(
            (reply.server.as_str(), reply.body_length),
            ("app", 64 * 1024)
        );
    }
    let metrics = wait_for(&balancer, "no-room", requests - 3);
    assert_eq!(outcome(&metrics, "answered"), 0.0);
    let in_flight = metrics.value("sluice_mirrored_requests_in_flight", &[("route", "all")]);
    assert_eq!(in_flight, Some(3.0));
    assert!(shadow.connections().accepted() <= 3);
    // The bodies were 25 MiB in all.
    let grown = balancer.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB");
}

#[test]
fn a_copy_that_takes_too_long_is_given_up() {
    let server = EchoServer::start("app");
    let gate = Gate::new();
    let slow = Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        .wait(&gate);
    let shadow = ScriptedServer::start([slow]);
    let balancer = start(
        server.address(),
        shadow.address(),
        ", max-in-flight = 1",
        "timeout = \"1s\"",
    );
    assert_eq!(ask(&balancer, GET, "GET").status, 200);
    wait_for(&balancer, "failed", 1);
    balancer.wait_for_counts(&[("sluice_mirrored_requests_in_flight", &[], 0)]);
    // Its place is free again.
    assert_eq!(ask(&balancer, GET, "GET").status, 200);
    let metrics = wait_for(&balancer, "failed", 2);
    assert_eq!(outcome(&metrics, "no-room"), 0.0);
}

#[test]
fn a_mirror_that_is_down_is_counted_and_no_more() {
    let server = EchoServer::start("app");
    let balancer = start(server.address(), refused_address(), "", "");
    for _ in 0..5 {
        assert_eq!(ask(&balancer, GET, "GET").status, 200);
    }
    balancer.wait_for_counts(&[
        (
            "sluice_mirrored_requests_total",
            &[("outcome", "failed")],
            5,
        ),
        ("sluice_request_ends_total", &[("end", "ok")], 5),
    ]);
}

#[test]
fn long_bodies_are_not_copied_and_go_through_whole() {
    let (server, shadow) = (EchoServer::start("app"), EchoServer::start("shadow"));
    let balancer = start(
        server.address(),
        shadow.address(),
        ", max-body = \"1KiB\"",
        "",
    );
    let mut client = RawClient::connect(balancer.address("web"));
    for (length, copied) in [(1_024, 1), (1_025, 1), (300_000, 1), (10, 2)] {
        let body = pattern(length);
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        // The body comes by itself, and in pieces.
        for piece in body.chunks(100_000) {
            client.send(piece);
        }
        let reply = EchoReply::from_response(&client.response("POST"));
        assert_eq!(reply.body_length, length as u64);
        assert_eq!(reply.body_digest, testkit::digest(&body));
        wait_for(&balancer, "answered", copied);
    }
    let metrics = wait_for(&balancer, "too-long", 2);
    assert_eq!(outcome(&metrics, "answered"), 2.0);
    assert_eq!(shadow.requests(), 2);
}

#[test]
fn a_share_of_the_requests_is_copied_and_connections_are_kept() {
    let (server, shadow) = (EchoServer::start("app"), EchoServer::start("shadow"));
    let balancer = start(server.address(), shadow.address(), ", share = \"25%\"", "");
    let mut client = RawClient::connect(balancer.address("web"));
    let requests = 800;
    for _ in 0..requests {
        client.send(GET);
        assert_eq!(client.response("GET").status, 200);
    }
    let metrics = balancer.wait_for_metrics("the copies to end", |metrics| {
        let in_flight = metrics.value("sluice_mirrored_requests_in_flight", &[("route", "all")]);
        metrics.count("sluice_request_ends_total", &[]) >= requests && in_flight == Some(0.0)
    });
    let copied = outcome(&metrics, "answered");
    // Seven times the standard deviation of 12.2.
    assert!((114.0..=286.0).contains(&copied), "{copied}");
    let requests = u32::try_from(shadow.requests()).expect("few");
    assert_eq!(f64::from(requests), copied);
    // As many as were under way at a time, which depends on how fast the shadow is.
    let accepted = u32::try_from(shadow.connections().accepted()).expect("few");
    assert!(f64::from(accepted) < copied, "they are kept: {accepted}");
}

#[test]
fn who_asks_to_switch_protocols_is_not_copied() {
    let (server, shadow) = (EchoServer::start("app"), EchoServer::start("shadow"));
    let balancer = start(server.address(), shadow.address(), "", "");
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
    assert_eq!(ask(&balancer, upgrade, "GET").status, 200);
    assert_eq!(ask(&balancer, GET, "GET").status, 200);
    wait_for(&balancer, "answered", 1);
    assert_eq!(shadow.requests(), 1);
}

#[test]
fn the_mirror_example() {
    let (server, shadow) = (EchoServer::start("app"), EchoServer::start("shadow"));
    let balancer = Example::read("mirror.toml")
        .listener("127.0.0.1:8080", "web")
        .listener("127.0.0.1:9900", "admin")
        .server("127.0.0.1:9001", server.address())
        .server("127.0.0.1:9002", shadow.address())
        .run();
    let mut client = RawClient::connect(balancer.address("web"));
    // Which ones are copied is drawn.
    balancer.wait_for_metrics("a copy", |metrics| {
        for _ in 0..20 {
            client.send(GET);
            let reply = EchoReply::from_response(&client.response("GET"));
            assert_eq!(reply.server, "app");
        }
        let labels = [("route", "app"), ("outcome", "answered")];
        metrics.value("sluice_mirrored_requests_total", &labels) > Some(0.0)
    });
    assert!(shadow.requests() > 0);
}
