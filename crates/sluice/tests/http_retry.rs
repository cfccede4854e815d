//! `retry` of a route: which answers go unseen, and how often another server is tried.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{EchoReply, EchoServer, RawClient, Script, ScriptedServer, refused_address};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

fn retrying(retry: &str) -> String {
    format!("[[routes]]\nupstream = \"app\"\nretry = {retry}\n")
}

fn with(tables: &str) -> Setup<'_> {
    Setup {
        tables,
        ..Setup::default()
    }
}

fn busy() -> ScriptedServer {
    ScriptedServer::start([Script::new().read_request().write(BUSY)])
}

#[test]
fn an_answer_that_is_not_wanted_comes_from_another_server() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    for (request, length) in [(GET, 0), (PUT, 5)] {
        let reply = EchoReply::from_response(&balancer.ask(request));
        assert_eq!((reply.server.as_str(), reply.body_length), ("b", length));
    }
    assert_eq!(busy.requests(), 2);
    let metrics = balancer.metrics_after(2);
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 2);
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "2xx")]),
        2
    );
}

#[test]
fn without_retry_the_answer_is_passed_on() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let balancer = start(&[busy.address(), server.address()], Setup::default());
    let response = balancer.ask(GET);
    assert_eq!((response.status, response.text()), (503, "busy"));
}

#[test]
fn a_request_that_may_not_be_repeated_gets_the_first_answer() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    assert_eq!(balancer.ask(POST).status, 503);
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_last_servers_answer_is_passed_on_whatever_it_is() {
    let (first, second) = (busy(), busy());
    let tables = retrying("{ on = [\"503\"], backoff = \"off\" }");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let response = balancer.ask(GET);
    assert_eq!((response.status, response.text()), (503, "busy"));
    assert_eq!((first.requests(), second.requests()), (1, 1));
}

#[test]
fn attempts_are_all_there_are() {
    let servers = [busy(), busy(), busy()];
    let tables = retrying("{ attempts = 2, on = [\"503\"] }");
    let addresses: Vec<_> = servers.iter().map(ScriptedServer::address).collect();
    let balancer = start(&addresses, with(&tables));
    assert_eq!(balancer.ask(GET).status, 503);
    let requests: usize = servers.iter().map(ScriptedServer::requests).sum();
    assert_eq!(requests, 2);
}

#[test]
fn what_is_not_listed_is_not_tried_again() {
    let server = EchoServer::start("b");
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[refused_address(), server.address()], with(&tables));
    assert_eq!(balancer.ask(GET).status, 502);

    let dropping = ScriptedServer::start([Script::new().read_request()]);
    let balancer = start(&[dropping.address(), server.address()], with(&tables));
    assert_eq!(balancer.ask(GET).status, 502);
    assert_eq!(server.requests(), 0);
}

#[test]
fn an_answer_in_pieces_is_recognised_too() {
    let script = Script::new()
        .read_request()
        .write("HTTP/1.1 103 Early Hints\r\n\r\n")
        .write(BUSY);
    let (busy, server) = (ScriptedServer::start([script]), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    let mut response = client.response("GET");
    if response.status == 103 {
        response = client.response("GET");
    }
    assert_eq!(EchoReply::from_response(&response).server, "b");
}

#[test]
fn a_server_that_takes_too_long_gives_way_to_another() {
    let silent = ScriptedServer::start([Script::silent()]);
    let server = EchoServer::start("b");
    // Long enough for whoever answers at all.
    let tables = retrying("{ on = [\"timeout\"], per-try-timeout = \"1s\" }");
    let balancer = start(&[silent.address(), server.address()], with(&tables));
    for request in [GET, PUT] {
        let reply = EchoReply::from_response(&balancer.ask(request));
        assert_eq!(reply.server, "b");
    }
    // POST is not repeated; it has all the time of the route.
    let tables = format!(
        "{}timeout = \"200ms\"\n",
        retrying("{ on = [\"timeout\"], per-try-timeout = \"50ms\" }")
    );
    let balancer = start(&[silent.address(), server.address()], with(&tables));
    assert_eq!(balancer.ask(POST).status, 504);
}

#[test]
fn silence_on_a_kept_connection_gives_way_to_another_server_too() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
    let once = Script::new().read_request().write(answer).read_request();
    let hangs = ScriptedServer::start([once.stay_open(), Script::ok("a fresh connection")]);
    let other = ScriptedServer::start([Script::ok("two")]);
    let tables = retrying("{ on = [\"timeout\"], per-try-timeout = \"1s\" }");
    let balancer = start(&[hangs.address(), other.address()], with(&tables));
    for expected in ["one", "two", "two"] {
        assert_eq!(balancer.ask(GET).text(), expected);
    }
    assert_eq!(hangs.connections().accepted(), 1);
}

#[test]
fn all_tries_together_have_the_routes_timeout() {
    let silent = [Script::silent(), Script::silent()].map(|script| ScriptedServer::start([script]));
    let tables = format!(
        "{}timeout = \"2s\"\n",
        retrying(
            "{ attempts = 8, on = [\"timeout\"], per-try-timeout = \"300ms\", backoff = \"1ms\" }"
        )
    );
    let balancer = start(&[silent[0].address(), silent[1].address()], with(&tables));
    assert_eq!(balancer.ask(GET).status, 504);
    let tries = balancer
        .metrics_after(1)
        .count("sluice_upstream_retries_total", &[]);
    // Six where nothing holds the balancer up.
    assert!((2..=6).contains(&tries), "{tries}");
}

#[test]
fn where_the_budget_is_used_up_the_failure_is_passed_on() {
    let server = EchoServer::start("b");
    let none = "budget = \"0%\", budget-floor = 0";
    let table = [
        (busy(), 503),
        (
            ScriptedServer::start([Script::new().read_request().reset()]),
            502,
        ),
    ];
    for (failing, status) in table {
        let tables = retrying(&format!("{{ on = [\"503\", \"reset\"], {none} }}"));
        let balancer = start(&[failing.address(), server.address()], with(&tables));
        assert_eq!(balancer.ask(GET).status, status);
        let metrics = balancer.metrics_after(1);
        assert_eq!(
            metrics.count("sluice_upstream_retries_denied_total", &[]),
            1
        );
        assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 0);
    }
    // What reached no server is at nobody's expense.
    let tables = retrying(&format!("{{ {none} }}"));
    let balancer = start(&[refused_address(), server.address()], with(&tables));
    assert_eq!(EchoReply::from_response(&balancer.ask(GET)).server, "b");
}

#[test]
fn a_retry_that_has_ended_makes_room_for_another() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"], budget = \"0%\", budget-floor = 1 }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    for _ in 0..5 {
        assert_eq!(EchoReply::from_response(&balancer.ask(GET)).server, "b");
    }
}

#[test]
fn with_a_pause_the_only_server_is_asked_again() {
    let recovering =
        || ScriptedServer::start([Script::new().read_request().write(BUSY), Script::ok("well")]);
    let server = recovering();
    let tables = retrying("{ on = [\"503\"], backoff = \"1ms\" }");
    let balancer = start(&[server.address()], with(&tables));
    assert_eq!(balancer.ask(GET).text(), "well");

    let server = recovering();
    let tables = retrying("{ on = [\"503\"], backoff = \"off\" }");
    let balancer = start(&[server.address()], with(&tables));
    assert_eq!(balancer.ask(GET).status, 503);
}

#[test]
fn what_says_when_to_come_again_is_for_the_client_once_all_were_asked() {
    let later = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    let later = || ScriptedServer::start([Script::new().read_request().write(later)]);
    let (first, second) = (later(), later());
    let tables = retrying("{ attempts = 8, on = [\"503\"], backoff = \"1ms\" }");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let response = balancer.ask(GET);
    assert_eq!(
        (response.status, response.field("retry-after")),
        (503, Some("7"))
    );
    assert_eq!((first.requests(), second.requests()), (1, 1));
}

#[test]
fn any_method_is_repeated_where_that_is_spelled_out() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"], retry-unsafe = true }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    let reply = EchoReply::from_response(&balancer.ask(POST));
    assert_eq!((reply.server.as_str(), reply.body_length), ("b", 5));
}

/// A server that gives up within the body, and one that then gets all of it.
#[test]
fn a_body_that_came_in_parts_is_sent_again() {
    let framings: [(&str, [&str; 2]); 2] = [
        ("Content-Length: 10", ["first", "after"]),
        (
            "Transfer-Encoding: chunked",
            ["5\r\nfirst\r\n", "5\r\nafter\r\n0\r\n\r\n"],
        ),
    ];
    for (framing, [first, after]) in framings {
        let gone = ScriptedServer::start([Script::new().read_until(first).reset()]);
        let server = EchoServer::start("b");
        let balancer = start(&[gone.address(), server.address()], Setup::default());
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
        // Not with the head.
        gone.wait_for_received(0, framing);
        client.send(first);
        gone.wait_for_received(0, first);
        client.send(after);
        let reply = EchoReply::from_response(&client.response("PUT"));
        assert_eq!(
            (reply.server.as_str(), reply.body_length),
            ("b", 10),
            "{framing}"
        );
    }
}

#[test]
fn a_body_longer_than_is_kept_arrives_whole() {
    let server = EchoServer::start("b");
    let tables = retrying("{ buffer = \"1KB\" }");
    let balancer = start(&[server.address()], with(&tables));
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..100 {
        client.send(format!("64\r\n{}\r\n", "x".repeat(100)));
    }
    client.send("0\r\n\r\n");
    let reply = EchoReply::from_response(&client.response("PUT"));
    assert_eq!(reply.body_length, 10_000);
}

#[test]
fn without_retry_no_server_is_asked_twice() {
    for tables in ["", "[[routes]]\nupstream = \"app\"\n"] {
        let script = [Script::new().read_request().reset(), Script::ok("well")];
        let server = ScriptedServer::start(script);
        let balancer = start(&[server.address()], with(tables));
        assert_eq!(balancer.ask(GET).status, 502, "{tables}");
        assert_eq!(server.requests(), 1);
    }
}
