//! HTTP/2 to servers, and gRPC.
//!
//! Most of the servers here are a second listener of the same balancer, behind which a scripted server shows what arrives.

use std::net::SocketAddr;

use testkit::{
    Balancer, EchoServer, Frame, Gate, Http2Client, RawClient, Script, ScriptedServer, curl, flag,
    kind, pattern, request, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// `front` (HTTP/1.1 and 2) before `back` (HTTP/2 only), before a server of HTTP/1.1.
fn chain(server: SocketAddr, front_route: &str, back: &str) -> Balancer {
    let configuration = format!(
        r#"
[listeners.front]
address = "127.0.0.1:<port:front>"
protocols = ["h1", "h2"]
[listeners.back]
address = "127.0.0.1:<port:back>"
protocols = ["h2"]
{back}
[[routes]]
name = "front"
listeners = ["front"]
upstream = "h2"
{front_route}
[[routes]]
name = "back"
listeners = ["back"]
upstream = "h1"
[upstreams.h2]
protocol = "h2"
servers = ["127.0.0.1:<port:back>"]
[upstreams.h1]
servers = ["{server}"]
[runtime]
workers = 1
[logs]
access = {{ format = "json", to = "stdout" }}
"#
    );
    Balancer::start(SLUICE, &configuration)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn requests_and_answers_are_the_same_over_every_combination() {
    let server = EchoServer::start("a");
    let balancer = chain(server.address(), "", "");
    let sent = pattern(1_000_000);
    let file = balancer.folder().join("body");
    std::fs::write(&file, &sent).expect("a file");
    let data = format!("@{}", file.display());
    let url = format!("http://{}/x?y=z", balancer.address("front"));
    let digest = testkit::digest(&sent).to_string();
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for length in ["Content-Type: a/b", "Content-Length:"] {
            let mut arguments = vec![version, "--data-binary", &data, "--header", length, &url];
            if version == "--http1.1" && length == "Content-Length:" {
                arguments.extend(["--header", "Transfer-Encoding: chunked"]);
            }
            let finished = curl(&arguments);
            assert_eq!(finished.code(), 0, "{finished:?}");
            assert!(finished.stdout.contains(&digest), "{finished:?}");
            assert!(finished.stdout.contains("/x?y=z"), "{finished:?}");
        }
    }
}

#[test]
fn connections_are_shared_and_another_is_opened_when_one_is_full() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .forever();
    let server = ScriptedServer::start([script]);
    let balancer = chain(server.address(), "", "h2 = { max-concurrent-streams = 4 }");
    let opened = || {
        let metrics = balancer.metrics();
        metrics.count("sluice_connections_total", &[("listener", "back")])
    };
    // One first: the limit is known when its answer is there.
    gate.open();
    let mut client = Http2Client::connect(balancer.address("front"));
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(opened(), 1);
    for stream in 1..40 {
        client.send(&[Frame::get(stream * 2 + 1, "/")]);
        let head = client.expect(kind::HEADERS, stream * 2 + 1);
        assert_eq!(head.status(), 200);
    }
    assert_eq!(opened(), 1, "one after the other they share one");
    let held = Gate::new();
    let script = Script::new()
        .read_request()
        .wait(&held)
        .write_last("HTTP/1.1 200 OK\r\n\r\n");
    let slow = ScriptedServer::start([script]);
    let balancer = chain(slow.address(), "", "h2 = { max-concurrent-streams = 4 }");
    let mut client = Http2Client::connect(balancer.address("front"));
    client.send(&[Frame::get(1, "/")]);
    slow.connections().wait_for_accepted(1);
    let frames: Vec<_> = (1..10)
        .map(|number| Frame::get(number * 2 + 1, "/"))
        .collect();
    client.send(&frames);
    slow.connections().wait_for_accepted(10);
    held.open();
    let mut answered = 0;
    while answered < 10 {
        let frame = client.receive().expect("an answer");
        if frame.kind == kind::HEADERS {
            assert_eq!(frame.status(), 200);
            answered += 1;
        }
    }
    let metrics = balancer.metrics();
    let opened = metrics.count("sluice_connections_total", &[("listener", "back")]);
    assert_eq!(
        opened,
        3,
        "ten streams, four to a connection: {}",
        balancer.stdout()
    );
}

#[test]
fn trailers_and_interim_responses_come_through() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                  HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n";
    let server = ScriptedServer::start([Script::answer(answer)]);
    let balancer = chain(server.address(), "", "");
    let mut client = RawClient::connect(balancer.address("front"));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-digest: d\r\n\r\n");
    let interim = client.head().expect("an interim response");
    assert!(
        text(&interim.raw).starts_with("HTTP/1.1 103 "),
        "{interim:?}"
    );
    let received = text(&client.read_until("x-sum: 3\r\n\r\n"));
    assert!(received.starts_with("HTTP/1.1 200 OK\r\n"), "{received}");
    let seen = text(&server.received(0));
    assert!(seen.contains("\r\nTE: trailers\r\n"), "{seen}");
    assert!(seen.ends_with("0\r\nx-digest: d\r\n\r\n"), "{seen}");
}

#[test]
fn a_client_that_leaves_cancels_the_stream_and_nothing_else() {
    let server = ScriptedServer::start([
        Script::new().read_request().read_to_end(),
        Script::ok("still here"),
    ]);
    let balancer = chain(server.address(), "", "");
    let mut client = RawClient::connect(balancer.address("front"));
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for_received(0, "GET /slow ");
    drop(client);
    server.wait_for_end(0);
    let mut client = RawClient::connect(balancer.address("front"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").text(), "still here");
    let metrics = balancer.metrics();
    let opened = metrics.count("sluice_connections_total", &[("listener", "back")]);
    assert_eq!(opened, 1);
}

#[test]
fn a_server_that_breaks_the_connection_is_tried_anew() {
    let server = EchoServer::start("a");
    // Behind the front there is first something that speaks no HTTP/2 at all.
    let nonsense =
        ScriptedServer::start([Script::new().write_last("HTTP/1.1 400 Bad Request\r\n\r\n")]);
    let configuration = format!(
        r#"
[listeners.front]
address = "127.0.0.1:<port:front>"
[upstreams.h2]
protocol = "h2"
balance = "round-robin"
servers = ["{}"]
"#,
        nonsense.address()
    );
    let mut balancer = Balancer::start(SLUICE, &configuration);
    let mut client = RawClient::connect(balancer.address("front"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 502);
    drop(client);
    let back = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.back]\naddress = \"127.0.0.1:<port:back>\"\nprotocols = [\"h2\"]\n[upstreams.a]\nservers = [\"{}\"]",
            server.address()
        ),
    );
    let both = format!("\"{}\", \"{}\"", nonsense.address(), back.address("back"));
    balancer.reload(&configuration.replace(&format!("\"{}\"", nonsense.address()), &both));
    for _ in 0..4 {
        let mut client = RawClient::connect(balancer.address("front"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response("GET").status, 200);
    }
}

#[test]
fn a_farewell_of_the_server_moves_requests_to_a_new_connection() {
    let server = EchoServer::start("a");
    let balancer = chain(server.address(), "", "idle-timeout = \"1s\"");
    let mut client = RawClient::connect(balancer.address("front"));
    let ask = |client: &mut RawClient| {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(client.response("POST").status, 200);
    };
    ask(&mut client);
    wait_until("the connection behind to be idle and gone", || {
        let metrics = balancer.metrics();
        metrics.count("sluice_connections_active", &[("listener", "back")]) == 0
    });
    ask(&mut client);
}

fn grpc(path: &str, timeout: Option<&str>) -> Vec<Frame> {
    let mut fields = request("POST", path).to_vec();
    fields.extend([("content-type", "application/grpc"), ("te", "trailers")]);
    fields.extend(timeout.map(|timeout| ("grpc-timeout", timeout)));
    vec![
        Frame::headers(1, 0, &fields),
        Frame::data(1, flag::END_STREAM, [0, 0, 0, 0, 0]),
    ]
}

#[test]
fn a_deadline_of_grpc_bounds_ours_and_is_told_its_way() {
    let server = ScriptedServer::start([Script::new().read_request().read_to_end()]);
    let balancer = chain(server.address(), "", "");
    let mut client = Http2Client::connect(balancer.address("front"));
    // Long enough for the request to reach the server, however busy the machine is.
    client.send(&grpc("/s/m", Some("2S")));
    let head = client.expect(kind::HEADERS, 1);
    assert_eq!((head.status(), head.has(flag::END_STREAM)), (200, true));
    // Which of the two gave up first is all the same: both say code 4.
    balancer.wait_for_stdout("\"end\":\"upstream-timeout\"");
    server.wait_for_end(0);
}

#[test]
fn errors_of_ours_are_said_in_grpc_to_whom_speaks_it() {
    let configuration = format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
protocols = ["h1", "h2"]
[[routes]]
match.path = "/down/*"
upstream = "down"
[upstreams.down]
protocol = "h2"
servers = ["{}"]
"#,
        testkit::refused_address()
    );
    let balancer = Balancer::start(SLUICE, &configuration);
    for (path, code) in [("/down/x", "14"), ("/none", "12")] {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc+proto\r\nContent-Length: 0\r\n\r\n"));
        let response = client.response("POST");
        let head = (
            response.status,
            response.field("grpc-status"),
            response.field("content-type"),
        );
        assert_eq!(head, (200, Some(code), Some("application/grpc")), "{path}");
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nContent-Length: 0\r\n\r\n"));
        let status = client.response("POST").status;
        assert!(matches!(status, 404 | 502 | 503), "{status}");
    }
}

#[test]
fn grpcio_is_served_in_all_its_kinds_of_calls() {
    let port = testkit::free_port();
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h2\"]\n\
         [upstreams.app]\nprotocol = \"h2\"\nservers = [\"127.0.0.1:{port}\"]\n"
    );
    let balancer = Balancer::start(SLUICE, &configuration);
    let folder = env!("CARGO_MANIFEST_DIR");
    let finished = testkit::run(
        "env",
        &[
            &format!("PYTHONPATH={folder}/../../target/python"),
            "python3",
            &format!("{folder}/tests/http2_grpcio.py"),
            &balancer.address("web").to_string(),
            &port.to_string(),
        ],
    );
    assert_eq!(
        (finished.code(), finished.stdout.as_str()),
        (0, "all calls served\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn h2load_is_served_without_a_failure() {
    let server = EchoServer::start("a");
    let balancer = chain(server.address(), "", "");
    let url = format!("http://{}/", balancer.address("front"));
    let finished = testkit::run("h2load", &["-n", "2000", "-c", "4", "-m", "20", &url]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(
        finished
            .stdout
            .contains("2000 succeeded, 0 failed, 0 errored"),
        "{finished:?}"
    );
}
