//! `hedge` of a route: when another server is asked beside one that is slow, who serves the client, and what becomes of the
//! others.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoReply, EchoServer, End, Frame, Gate, Http2Client, Http2Server, RawClient,
    Response, Script, ScriptedServer, flag, kind, refused_address,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// A hedge as soon as there can be one.
const SOON: &str = "after = \"1ms\"";

fn hedging(hedge: &str, more: &str) -> String {
    format!("[[routes]]\nupstream = \"app\"\nhedge = {{ {hedge} }}\n{more}\n")
}

fn with(tables: &str) -> Setup<'_> {
    Setup {
        tables,
        ..Setup::default()
    }
}

fn silent() -> ScriptedServer {
    ScriptedServer::start([Script::silent()])
}

/// Answers with this once the gate is open.
fn held(gate: &Gate, answer: &str) -> ScriptedServer {
    ScriptedServer::start([Script::new()
        .read_request()
        .wait(gate)
        .write(answer)
        .forever()])
}

fn asking(balancer: &Balancer, request: &str) -> RawClient {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(request);
    client
}

#[track_caller]
fn ask(balancer: &Balancer, request: &str) -> Response {
    asking(balancer, request).response("GET")
}

#[track_caller]
fn server_of(response: &Response) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    EchoReply::from_response(response).server
}

const IN_FLIGHT: &str = "sluice_server_in_flight";
const IDLE: &str = "sluice_server_connections_idle";

/// Waits until so many hedges were sent, and so many won.
#[track_caller]
fn hedged(balancer: &Balancer, sent: usize, won: usize) {
    balancer.wait_for_counts(&[
        ("sluice_upstream_hedges_total", &[], sent),
        ("sluice_upstream_hedges_won_total", &[], won),
    ]);
}

#[test]
fn a_slow_server_gives_way_to_a_fast_one() {
    let (slow, fast) = (silent(), EchoServer::start("b"));
    let log = "[logs]\naccess = { format = \"json\", to = \"stdout\" }\n";
    let tables = hedging("after = \"20ms\"", log);
    let balancer = start(&[slow.address(), fast.address()], with(&tables));
    assert_eq!(server_of(&ask(&balancer, GET)), "b");
    let record = slow.wait_for_end(0);
    assert_eq!(record.end, Some(End::ClientClosed));
    assert!(record.received.starts_with(b"GET / "), "{record:?}");
    hedged(&balancer, 1, 1);
    let metrics = balancer.metrics_after(1);
    for name in [
        "sluice_upstream_retries_total",
        "sluice_server_response_failures_total",
        "sluice_upstream_hedges_denied_total",
    ] {
        assert_eq!(metrics.count(name, &[]), 0, "{name}");
    }
    let server = fast.address().to_string();
    let of_fast = metrics.count("sluice_server_requests_total", &[("server", &server)]);
    assert_eq!(of_fast, 1);
    balancer.wait_for_counts(&[(IN_FLIGHT, &[], 0)]);
    let line = balancer.wait_for_stdout("\"attempts\":2");
    assert!(line.contains(&server), "{line}");
}

#[test]
fn the_first_may_still_be_the_first() {
    let gate = Gate::new();
    let (first, second) = (held(&gate, OK), silent());
    let tables = hedging(SOON, "");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    gate.open();
    assert_eq!(client.response("GET").text(), "ok");
    assert_eq!(second.wait_for_end(0).end, Some(End::ClientClosed));
    hedged(&balancer, 1, 0);
    // Both connections have come to what they should: the winner's is kept.
    balancer.wait_for_counts(&[(IDLE, &[], 1), (IN_FLIGHT, &[], 0)]);
}

#[test]
fn nothing_is_hedged_before_its_time() {
    let gate = Gate::new();
    let (first, second) = (held(&gate, OK), EchoServer::start("b"));
    let tables = hedging("after = \"30s\"", "");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    first.wait_for_received(0, "GET / ");
    gate.open();
    assert_eq!(client.response("GET").text(), "ok");
    assert_eq!(second.requests(), 0);
    hedged(&balancer, 0, 0);
}

#[test]
fn what_may_not_be_repeated_is_not_hedged() {
    let (slow, fast) = (silent(), EchoServer::start("b"));
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for request in [POST, upgrade] {
        let tables = hedging(SOON, "timeout = \"100ms\"");
        let balancer = start(&[slow.address(), fast.address()], with(&tables));
        assert_eq!(ask(&balancer, request).status, 504);
        hedged(&balancer, 0, 0);
    }
    assert_eq!(fast.requests(), 0);
    // Unless the servers see to it themselves.
    let tables = hedging(SOON, "retry = { retry-unsafe = true }");
    let balancer = start(&[slow.address(), fast.address()], with(&tables));
    let reply = EchoReply::from_response(&ask(&balancer, POST));
    assert_eq!((reply.server.as_str(), reply.body_length), ("b", 5));
}

#[test]
fn a_body_goes_along_however_it_came() {
    for retry in ["", "retry = { attempts = 1 }"] {
        let (slow, fast) = (silent(), EchoServer::start("b"));
        let tables = hedging(SOON, retry);
        let balancer = start(&[slow.address(), fast.address()], with(&tables));
        let reply = EchoReply::from_response(&ask(&balancer, PUT));
        assert_eq!((reply.server.as_str(), reply.body_length), ("b", 5));

        // The second server's turn was used up: it is the first's again.
        let chunked =
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        let mut client = asking(&balancer, chunked);
        slow.wait_for_received(1, "first");
        client.send("7\r\n second\r\n0\r\n\r\n");
        let reply = EchoReply::from_response(&client.response("PUT"));
        assert_eq!((reply.server.as_str(), reply.body_length), ("b", 12));
        assert_eq!(reply.body_digest, testkit::digest(b"first second"));
    }
}

#[test]
fn a_body_that_is_not_kept_is_sent_once() {
    let (slow, fast) = (silent(), EchoServer::start("b"));
    let more = "timeout = \"100ms\"\nretry = { buffer = \"10B\" }";
    let tables = hedging(SOON, more);
    let balancer = start(&[slow.address(), fast.address()], with(&tables));
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\nfirst half";
    let mut client = asking(&balancer, head);
    slow.wait_for_received(0, "first half");
    client.send("second half");
    assert_eq!(client.response("PUT").status, 504);
    hedged(&balancer, 0, 0);
    assert_eq!(fast.requests(), 0);
}

#[test]
fn a_request_that_still_comes_is_not_hedged() {
    let (slow, fast) = (silent(), EchoServer::start("b"));
    let tables = hedging(SOON, "timeout = \"100ms\"");
    let listener = "body-timeout = \"1s\"";
    let setup = Setup {
        listener,
        ..with(&tables)
    };
    let balancer = start(&[slow.address(), fast.address()], setup);
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    assert_eq!(ask(&balancer, head).status, 408);
    hedged(&balancer, 0, 0);
    assert_eq!(fast.requests(), 0);
}

#[test]
fn the_budget_is_its_own_and_holds() {
    let gate = Gate::new();
    let (slow, second) = (silent(), held(&gate, OK));
    let none_left = "retry = { budget = \"0%\", budget-floor = 0 }";
    let tables = hedging(
        "after = \"1ms\", budget = \"0%\", budget-floor = 1",
        none_left,
    );
    let balancer = start(&[slow.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    let other = asking(&balancer, GET);
    balancer.wait_for_metrics("a hedge to be denied", |metrics| {
        metrics.count("sluice_upstream_hedges_denied_total", &[]) == 1
    });
    hedged(&balancer, 1, 0);
    gate.open();
    assert_eq!(client.response("GET").text(), "ok");
    drop(other);
    // It has ended, and makes room for another.
    slow.connections().wait_for_none_open();
    hedged(&balancer, 1, 1);
    balancer.wait_for_counts(&[(IN_FLIGHT, &[], 0)]);
    balancer.wait_for_metrics("another one to be won", |metrics| {
        ask(&balancer, GET);
        metrics.count("sluice_upstream_hedges_won_total", &[]) >= 2
    });
}

#[test]
fn the_usual_time_is_learned() {
    let mut script = Script::new();
    for _ in 0..25 {
        script = script.read_request().write(OK);
    }
    let (slow, fast) = (
        ScriptedServer::start([script.stay_open()]),
        EchoServer::start("b"),
    );
    let tables = hedging("", "timeout = \"20s\"");
    let balancer = start(&[slow.address(), fast.address()], with(&tables));
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..50 {
        client.send(GET);
        assert_eq!(client.response("GET").status, 200);
    }
    // Too few to say anything.
    hedged(&balancer, 0, 0);
    client.send(GET);
    assert_eq!(server_of(&client.response("GET")), "b");
    hedged(&balancer, 1, 1);
    assert_eq!(slow.wait_for_end(0).end, Some(End::ClientClosed));
}

#[test]
fn with_too_few_answers_nothing_is_hedged() {
    let (slow, fast) = (silent(), EchoServer::start("b"));
    let tables = hedging("after = \"p50\"", "timeout = \"100ms\"");
    let balancer = start(&[slow.address(), fast.address()], with(&tables));
    assert_eq!(ask(&balancer, GET).status, 504);
    hedged(&balancer, 0, 0);
    assert_eq!(fast.requests(), 0);
}

#[test]
fn a_hedge_that_fails_does_no_harm() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    let scripts = [
        ("closed", Script::new().read_request()),
        ("reset", Script::new().read_request().reset()),
        (
            "invalid",
            Script::new().read_request().write("garbage\r\n\r\n"),
        ),
        ("busy", Script::new().read_request().write(busy).stay_open()),
        (
            "half a head",
            Script::new()
                .read_request()
                .write("HTTP/1.1 200 OK\r\nA: b"),
        ),
        (
            "a hint",
            Script::new()
                .read_request()
                .write("HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n")
                .stay_open(),
        ),
    ];
    for (name, script) in scripts {
        let gate = Gate::new();
        let (first, second) = (held(&gate, OK), ScriptedServer::start([script]));
        let tables = hedging(SOON, "retry = { on = [\"503\"] }");
        let balancer = start(&[first.address(), second.address()], with(&tables));
        let mut client = asking(&balancer, GET);
        second.wait_for_received(0, "GET / ");
        if !matches!(name, "busy" | "a hint") {
            second.wait_for_end(0);
            balancer.wait_for_metrics("its failure", |metrics| {
                metrics.count("sluice_server_response_failures_total", &[]) == 1
            });
        }
        gate.open();
        let response = client.response("GET");
        assert_eq!((response.status, response.text()), (200, "ok"), "{name}");
        hedged(&balancer, 1, 0);
    }

    let gate = Gate::new();
    let first = held(&gate, OK);
    let tables = hedging(SOON, "");
    let balancer = start(&[first.address(), refused_address()], with(&tables));
    let mut client = asking(&balancer, GET);
    balancer.wait_for_metrics("it to be refused", |metrics| {
        metrics.count("sluice_server_connect_failures_total", &[]) == 1
    });
    gate.open();
    assert_eq!(client.response("GET").text(), "ok");
}

#[test]
fn when_the_first_fails_the_hedge_goes_on() {
    let (breaks, answers) = (Gate::new(), Gate::new());
    let first = ScriptedServer::start([Script::new().read_request().wait(&breaks).reset()]);
    let second = held(&answers, OK);
    let tables = hedging(SOON, "retry = { attempts = 1 }");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    breaks.open();
    balancer.wait_for_metrics("its failure", |metrics| {
        metrics.count(
            "sluice_server_response_failures_total",
            &[("reason", "reset")],
        ) == 1
    });
    answers.open();
    assert_eq!(client.response("GET").text(), "ok");
    let metrics = balancer.metrics_after(1);
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 0);
    hedged(&balancer, 1, 1);
}

#[test]
fn when_all_have_failed_another_is_tried() {
    let gate = Gate::new();
    let breaking = || ScriptedServer::start([Script::new().read_request().wait(&gate).reset()]);
    let (first, second, third) = (breaking(), breaking(), EchoServer::start("c"));
    let addresses = [first.address(), second.address(), third.address()];
    let tables = hedging(SOON, "");
    let balancer = start(&addresses, with(&tables));
    let mut client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    gate.open();
    assert_eq!(server_of(&client.response("GET")), "c");
    let metrics = balancer.metrics_after(1);
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 1);
    balancer.wait_for_counts(&[(IN_FLIGHT, &[], 0)]);

    let gate = Gate::new();
    let breaking = || ScriptedServer::start([Script::new().read_request().wait(&gate).reset()]);
    let (first, second) = (breaking(), breaking());
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    gate.open();
    assert_eq!(client.response("GET").status, 502);
}

#[test]
fn what_nobody_does_better_is_passed_on() {
    let gate = Gate::new();
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    let (first, second) = (held(&gate, busy), silent());
    let more = "timeout = \"2s\"\nretry = { attempts = 1, on = [\"503\"] }";
    let tables = hedging(SOON, more);
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    gate.open();
    let response = client.response("GET");
    assert_eq!((response.status, response.text()), (503, "busy"));
}

#[test]
fn an_answer_in_pieces_with_hints_before_it_wins_too() {
    let slow = silent();
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                  HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let script = Script::new().read_request().write_pieces(answer, 3);
    let second = ScriptedServer::start([script.forever()]);
    let tables = hedging(SOON, "");
    let balancer = start(&[slow.address(), second.address()], with(&tables));
    let mut client = asking(&balancer, GET);
    let hint = client.head().expect("a hint");
    assert_eq!(hint.field("link"), Some("</a>"));
    let response = client.response("GET");
    assert_eq!((response.status, response.text()), (200, "abc"));
    // The connection is good for another request.
    balancer.wait_for_counts(&[(IDLE, &[], 1)]);
    client.send(GET);
    assert_eq!(client.response("GET").text(), "abc");
}

#[test]
fn as_many_are_asked_as_may_be() {
    for (max, asked) in [(1, 1), (2, 2), (3, 2)] {
        let (first, second) = (silent(), silent());
        let (gate, last) = (Gate::new(), EchoServer::start("c"));
        let third = held(&gate, OK);
        let addresses = match max {
            1 => [first.address(), second.address(), third.address()],
            _ => [first.address(), second.address(), last.address()],
        };
        let tables = hedging(&format!("{SOON}, max = {max}"), "timeout = \"2s\"");
        let balancer = start(&addresses, with(&tables));
        let status = ask(&balancer, GET).status;
        assert_eq!(status, if max == 1 { 504 } else { 200 });
        balancer.wait_for_counts(&[("sluice_upstream_hedges_total", &[], asked)]);
        for server in [&first, &second] {
            assert_eq!(server.wait_for_end(0).end, Some(End::ClientClosed));
        }
    }
}

#[test]
fn where_there_is_no_place_nothing_is_hedged_and_nothing_waits() {
    let (first, second) = (silent(), silent());
    let configuration = format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
[upstreams.app]
servers = [
    {{ address = "{}", max-connections = 1 }},
    {{ address = "{}", max-connections = 1 }},
]
balance = "round-robin"
queue = {{ length = 10, timeout = "10s" }}
[[routes]]
match.method = "POST"
upstream = "app"
[[routes]]
upstream = "app"
timeout = "100ms"
hedge = {{ {SOON} }}
[runtime]
workers = 1
"#,
        first.address(),
        second.address(),
    );
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    let _busy = asking(&balancer, POST);
    first.wait_for_received(0, "hello");
    assert_eq!(ask(&balancer, GET).status, 504);
    hedged(&balancer, 0, 0);
    let metrics = balancer.metrics();
    assert_eq!(metrics.count("sluice_upstream_queue_waits_total", &[]), 0);
}

#[test]
fn a_client_that_leaves_ends_it_all() {
    let (first, second) = (silent(), silent());
    let tables = hedging(SOON, "");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let client = asking(&balancer, GET);
    second.wait_for_received(0, "GET / ");
    drop(client);
    for server in [&first, &second] {
        assert_eq!(server.wait_for_end(0).end, Some(End::ClientClosed));
    }
    balancer.wait_for_counts(&[
        ("sluice_request_ends_total", &[], 1),
        (IN_FLIGHT, &[], 0),
        ("sluice_server_response_failures_total", &[], 0),
    ]);
}

#[test]
fn a_cancelled_try_is_no_failure_to_the_breaker() {
    let (slow, fast) = (silent(), EchoServer::start("b"));
    let tables = hedging(SOON, "");
    let upstream = "circuit-breaker = { consecutive-failures = 1, max-ejected = \"100%\" }";
    let setup = Setup {
        upstream,
        ..with(&tables)
    };
    let balancer = start(&[slow.address(), fast.address()], setup);
    for _ in 0..4 {
        assert_eq!(server_of(&ask(&balancer, GET)), "b");
    }
    let metrics = balancer.metrics_after(4);
    let openings = metrics.count("sluice_server_breaker_openings_total", &[]);
    assert_eq!(openings, 0);
    hedged(&balancer, 4, 4);
}

#[test]
fn on_http2_the_loser_is_cancelled_and_its_connection_kept() {
    const CANCEL: u32 = 8;
    let (slow, fast) = (Http2Server::start(), Http2Server::start());
    let tables = hedging(SOON, "");
    let setup = Setup {
        listener: "protocols = [\"h1\", \"h2\"]",
        upstream: "protocol = \"h2\"",
        ..with(&tables)
    };
    let balancer = start(&[slow.address(), fast.address()], setup);
    let mut client = Http2Client::connect(balancer.address("web"));
    let answer = |stream| Frame::headers(stream, flag::END_STREAM, &[(":status", "200")]);
    client.send(&[Frame::get(1, "/")]);
    let mut first = slow.accept();
    first.expect(kind::HEADERS, 1);
    let mut second = fast.accept();
    second.expect(kind::HEADERS, 1);
    second.send(&[answer(1)]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(first.expect(kind::RST_STREAM, 1).number(0), CANCEL);
    // The other way round, on the same connections.
    client.send(&[Frame::get(3, "/")]);
    first.expect(kind::HEADERS, 3);
    second.expect(kind::HEADERS, 3);
    first.send(&[answer(3)]);
    assert_eq!(client.expect(kind::HEADERS, 3).status(), 200);
    assert_eq!(second.expect(kind::RST_STREAM, 3).number(0), CANCEL);
    hedged(&balancer, 2, 1);
}

#[test]
fn a_stream_that_is_refused_leaves_it_to_the_other() {
    const REFUSED_STREAM: u32 = 7;
    let (slow, refusing) = (Http2Server::start(), Http2Server::start());
    let tables = hedging(SOON, "");
    let setup = Setup {
        upstream: "protocol = \"h2\"",
        ..with(&tables)
    };
    let balancer = start(&[slow.address(), refusing.address()], setup);
    let mut client = asking(&balancer, PUT);
    let mut first = slow.accept();
    first.expect(kind::HEADERS, 1);
    assert_eq!(first.body(1).0, b"hello");
    let mut second = refusing.accept();
    second.expect(kind::HEADERS, 1);
    assert_eq!(second.body(1).0, b"hello");
    second.send(&[Frame::reset(1, REFUSED_STREAM)]);
    balancer.wait_for_metrics("its refusal", |metrics| {
        let labels = [("reason", "refused")];
        metrics.count("sluice_server_response_failures_total", &labels) == 1
    });
    first.send(&[Frame::headers(1, flag::END_STREAM, &[(":status", "200")])]);
    assert_eq!(client.response("PUT").status, 200);
}
