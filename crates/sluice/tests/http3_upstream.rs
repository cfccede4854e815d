//! HTTP/3 to servers: what they get and give, and what becomes of requests where they fail. The servers are aioquic's, and a
//! second balancer before a server of HTTP/1.1.

mod aioquic;
#[path = "http3_upstream/failing.rs"]
mod failing;
mod http3_kit;
#[expect(dead_code, reason = "openssl speaks no QUIC")]
mod tls_kit;

use std::net::SocketAddr;

use aioquic::aioquic;
use http3_kit::Server;
use testkit::{
    Balancer, EchoServer, Frame, Gate, Http2Client, RawClient, Response, Script, ScriptedServer,
    flag, kind, pattern, websocket_request,
};
use tls_kit::{Authority, Files, certificates, https};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

struct Room {
    authority: Authority,
    files: Files,
}

impl Room {
    fn new() -> Self {
        let authority = Authority::new("a");
        Self {
            files: authority.issue("server", &["127.0.0.1", "www.example.com"]),
            authority,
        }
    }

    fn server(&self, words: &[&str]) -> Server {
        Server::start(&self.files, words)
    }

    /// The configuration of a balancer whose listeners `web` (all versions, over TLS) and `plain` (without) are in front of these.
    fn configuration(&self, servers: &[SocketAddr], upstream: &str) -> String {
        let servers: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
        let tls = if upstream.contains("tls") {
            String::new()
        } else {
            format!("tls = {{ ca = \"{}\" }}", self.authority.ca().display())
        };
        // A handshake in Python takes its time on a busy machine.
        let patience = if upstream.contains("connect-timeout") {
            ""
        } else {
            "connect-timeout = \"50s\""
        };
        format!(
            r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
protocols = ["h1", "h2", "h3"]
forwarded = true
max-head = "16KiB"
via = "edge"
{}
[listeners.plain]
address = "127.0.0.1:<port:plain>"
protocols = ["h1", "h2"]
[upstreams.app]
protocol = "h3"
balance = "round-robin"
servers = {servers:?}
{tls}
{patience}
{upstream}
[runtime]
workers = 1
[logs]
access = {{ format = "json", to = "stdout" }}
"#,
            certificates(&[&self.files])
        )
    }

    fn balancer(&self, servers: &[SocketAddr], upstream: &str) -> Balancer {
        Balancer::start(SLUICE, &self.configuration(servers, upstream))
    }

    /// A balancer as a server of HTTP/3, in front of `server`.
    fn back(&self, server: SocketAddr, listener: &str) -> Balancer {
        let configuration = format!(
            r#"
[listeners.back]
address = "127.0.0.1:<port:back>"
protocols = ["h1", "h3"]
{}
{listener}
[upstreams.app]
servers = ["{server}"]
[runtime]
workers = 1
"#,
            certificates(&[&self.files])
        );
        Balancer::start(SLUICE, &configuration)
    }
}

fn client(balancer: &Balancer) -> RawClient {
    RawClient::connect(balancer.address("plain"))
}

fn ask(client: &mut RawClient, method: &str, path: &str) -> Response {
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    client.response(method)
}

fn get(balancer: &Balancer, path: &str) -> Response {
    ask(&mut client(balancer), "GET", path)
}

fn failures(balancer: &Balancer, reason: &str) -> usize {
    let name = "sluice_server_connect_failures_total";
    balancer.metrics().count(name, &[("reason", reason)])
}

fn opened(balancer: &Balancer) -> usize {
    let metrics = balancer.metrics();
    metrics.count("sluice_server_connections_total", &[])
}

#[test]
fn requests_and_answers_are_the_same_from_clients_of_every_version() {
    let room = Room::new();
    let echo = EchoServer::start("one");
    let back = room.back(echo.address(), "");
    let front = room.balancer(&[back.address("back")], "");
    assert_eq!(
        aioquic(front.address("web"), &room.authority.ca(), "requests"),
        "ok\n"
    );
    let sent = pattern(3_000_000);
    let digest = testkit::digest(&sent).to_string();
    let file = front.folder().join("body");
    std::fs::write(&file, &sent).expect("a file");
    let data = format!("@{}", file.display());
    for version in ["--http1.1", "--http2"] {
        for chunked in ["X: y", "Transfer-Encoding: chunked"] {
            let more = [version, "--data-binary", &data, "--header", chunked];
            let more = if version == "--http2" {
                &more[..3]
            } else {
                &more
            };
            let finished = https(
                front.address("web"),
                &room.authority.ca(),
                "www.example.com",
                "/x?y=z",
                more,
            );
            assert_eq!(finished.code(), 0, "{finished:?}");
            assert!(finished.stdout.contains(&digest), "{finished:?}");
            assert!(finished.stdout.contains("/x?y=z"), "{finished:?}");
        }
    }
    assert_eq!(opened(&front), 1, "all of them share a connection");
}

#[test]
fn bodies_of_many_megabytes_arrive_whole_both_ways() {
    let room = Room::new();
    let echo = EchoServer::start("one");
    let back = room.back(echo.address(), "");
    let front = room.balancer(&[back.address("back")], "");
    let output = aioquic(front.address("web"), &room.authority.ca(), "large");
    let expected = format!("20000000 {}", testkit::digest(&pattern(20_000_000)));
    assert!(output.contains(&expected), "{output}");
}

#[test]
fn a_server_of_another_make_is_understood() {
    let room = Room::new();
    let server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    let echo = ask(&mut client, "GET", "/a?b=c");
    let text = echo.text();
    assert_eq!(echo.status, 200, "{echo:?}");
    for part in [
        r#""method": "GET""#,
        r#""authority": "a.test""#,
        r#""scheme": "https""#,
        r#""target": "/a?b=c""#,
        r#"["x-forwarded-for", "127.0.0.1"]"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("\"connection\""), "{text}");
    let head = ask(&mut client, "HEAD", "/bytes/1000");
    assert_eq!(
        (head.status, head.field("content-length")),
        (200, Some("1000"))
    );
    assert_eq!(ask(&mut client, "GET", "/status/404").status, 404);
    let nothing = ask(&mut client, "GET", "/status/204");
    assert_eq!((nothing.status, nothing.body.len()), (204, 0));
    assert_eq!(
        ask(&mut client, "GET", "/bytes/1000000").body.len(),
        1_000_000
    );
    assert_eq!(
        ask(&mut client, "GET", "/streamed/1000000").body.len(),
        1_000_000
    );
    let body = pattern(1_500_000);
    client.send(format!(
        "POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.send(&body);
    assert!(client.response("POST").body == body);
    assert_eq!(opened(&front), 1);
    // What is asked again over the same connection refers to what was said before.
    let line = front.wait_for_stdout("/a?b=c");
    assert!(line.contains("HTTP/1.1"), "{line}");
}

#[test]
fn trailers_and_interim_responses_come_through() {
    let room = Room::new();
    let server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send("POST /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-digest: d\r\n\r\n");
    let received = client.read_until("x-sum: 3\r\n\r\n");
    let received = String::from_utf8_lossy(&received);
    assert!(received.starts_with("HTTP/1.1 200 OK\r\n"), "{received}");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-digest: d\r\n\r\n");
    let echo = client.response("POST");
    assert!(
        echo.text().contains(r#""trailers": [["x-digest", "d"]]"#),
        "{echo:?}"
    );
    assert!(echo.text().contains(r#"["te", "trailers"]"#), "{echo:?}");
    client.send("GET /interim HTTP/1.1\r\nHost: a\r\n\r\n");
    let interim = client.head().expect("an interim response");
    assert!(interim.raw.starts_with(b"HTTP/1.1 103 "), "{interim:?}");
    assert_eq!(client.response("GET").status, 200);
}

#[test]
fn events_are_passed_on_as_they_come() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_until("data: 1\n\n");
    server.tell("go");
    client.read_until("data: 2\n\n");
}

/// An answer may come, and end, before the request has.
#[test]
fn an_early_answer_is_passed_on() {
    let room = Room::new();
    let server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\nabc");
    let answer = client.response("POST");
    assert_eq!((answer.status, answer.text()), (413, "too much"));
    assert_eq!(get(&front, "/").status, 200);
    assert_eq!(opened(&front), 1);
}

#[test]
fn broken_answers_are_not_taken_for_the_whole() {
    let room = Room::new();
    let server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    for path in ["/broken", "/short"] {
        let mut client = client(&front);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = client.try_response("GET");
        assert!(
            answer.as_ref().is_err() || answer.as_ref().is_ok_and(|one| one.status == 502),
            "{path}: {answer:?}"
        );
    }
    assert_eq!(get(&front, "/").status, 200);
    assert_eq!(opened(&front), 1, "others go on");
    assert_eq!(get(&front, "/reset").status, 502);
    assert_eq!(get(&front, "/close").status, 502);
    assert_eq!(get(&front, "/").status, 200);
}

#[test]
fn connections_are_shared_and_another_is_opened_when_one_is_full() {
    let room = Room::new();
    let held = Gate::new();
    let script = Script::new()
        .read_request()
        .wait(&held)
        .write_last("HTTP/1.1 200 OK\r\n\r\n");
    let slow = ScriptedServer::start([script]);
    let back = room.back(slow.address(), "h3 = { max-concurrent-streams = 4 }");
    let front = room.balancer(&[back.address("back")], "");
    let clients = |count| -> Vec<RawClient> {
        (0..count)
            .map(|_| {
                let mut client = client(&front);
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                client
            })
            .collect()
    };
    let first = clients(1);
    slow.connections().wait_for_accepted(1);
    let rest = clients(9);
    slow.connections().wait_for_accepted(10);
    assert_eq!(opened(&front), 3, "ten streams, four to a connection");
    held.open();
    for mut client in first.into_iter().chain(rest) {
        assert_eq!(client.response("GET").status, 200);
    }
}

#[test]
fn a_client_that_leaves_cancels_the_stream_and_nothing_else() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for("asked /held");
    drop(client);
    server.wait_for("stopped /held 0x10c");
    assert_eq!(get(&front, "/").status, 200);
    assert_eq!(opened(&front), 1);
}

#[test]
fn who_is_slower_with_a_hedged_request_is_cancelled() {
    let room = Room::new();
    let (mut slow, mut fast) = (room.server(&[]), room.server(&[]));
    let hedge = "[[routes]]\nupstream = \"app\"\nhedge = { after = \"1ms\" }\n";
    let front = room.balancer(&[slow.address(), fast.address()], hedge);
    let mut client = client(&front);
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.wait_for("asked /held");
    fast.wait_for("asked /held");
    fast.tell("go");
    assert_eq!(client.response("GET").text(), "released");
    slow.wait_for("stopped /held 0x10c");
    let metrics = front.metrics();
    assert_eq!(metrics.count("sluice_upstream_hedges_won_total", &[]), 1);
}

#[test]
fn a_body_is_received_only_as_fast_as_the_server_takes_it() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send("POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    server.wait_for("asked /stuck");
    client
        .socket()
        .set_write_timeout(Some(std::time::Duration::from_millis(300)))
        .expect("a timeout");
    let part = vec![b'x'; 1 << 20];
    let taken = (0..100)
        .take_while(|_| client.try_send(&part).is_ok())
        .count();
    assert!(taken < 40, "{taken} MiB were taken");
}

#[test]
fn connections_outlive_a_reload_and_end_when_they_are_idle() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let addresses = [server.address()];
    let mut front = room.balancer(&addresses, "");
    assert_eq!(get(&front, "/").status, 200);
    let other = room.configuration(&addresses, "connect-timeout = \"4s\"");
    front.reload(&other);
    assert_eq!(get(&front, "/").status, 200);
    assert_eq!(opened(&front), 1);
    let brief = room.configuration(&addresses, "idle-timeout = \"1s\"");
    front.reload(&brief);
    assert_eq!(get(&front, "/").status, 200);
    server.wait_for("closed 0x100");
    assert_eq!(get(&front, "/").status, 200);
    // One more where the first had been idle for long when the reload came.
    assert!((2..=3).contains(&opened(&front)));
}

#[test]
fn sessions_with_servers_are_resumed() {
    let room = Room::new();
    let echo = EchoServer::start("one");
    let back = room.back(echo.address(), "idle-timeout = \"1s\"");
    let front = room.balancer(&[back.address("back")], "");
    let gone = |metrics: &testkit::Metrics| {
        metrics.count("sluice_connections_active", &[("listener", "back")]) == 0
    };
    for _ in 0..2 {
        assert_eq!(get(&front, "/").status, 200);
        back.wait_for_metrics("the connection to be gone", gone);
    }
    let resumed = back.metrics().count("sluice_tls_resumptions_total", &[]);
    assert_eq!(resumed, 1);
}

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[test]
fn websocket_goes_by_extended_connect() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let front = room.balancer(&[server.address()], "");
    let mut client = client(&front);
    client.send(UPGRADE);
    let head = client.head().expect("an answer");
    let head = String::from_utf8_lossy(&head.raw).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains(ACCEPT), "{head}");
    assert_eq!(client.read_exactly(5), b"early");
    client.send("question");
    assert_eq!(client.read_exactly(6), b"answer");
    client.half_close();
    assert_eq!(client.read_to_end().expect("the rest"), b"last words");
    front.wait_for_stdout("\"status\":101");
    // Over HTTP/2, and away without a word.
    let mut client = Http2Client::connect(front.address("plain"));
    client.send(&[Frame::headers(1, 0, &websocket_request("/chat"))]);
    let head = client.expect(kind::HEADERS, 1);
    assert_eq!((head.status(), head.has(flag::END_STREAM)), (200, false));
    assert_eq!(client.expect(kind::DATA, 1).payload, b"early");
    client.send(&[Frame::reset(1, 8)]);
    server.wait_for("asked /chat");
    server.wait_for("asked /chat");
    front.wait_for_metrics("the tunnel to end", |metrics| {
        metrics.count("sluice_server_in_flight", &[]) == 0
    });
    assert_eq!(opened(&front), 1);
}

#[test]
fn a_server_that_takes_no_websocket_is_told_of() {
    let room = Room::new();
    let server = room.server(&["no-connect"]);
    let front = room.balancer(&[server.address()], "");
    for _ in 0..2 {
        let mut client = client(&front);
        client.send(UPGRADE);
        assert_eq!(client.response("GET").status, 502);
    }
    front.wait_for_stdout("\"end\":\"no-websocket\"");
    assert_eq!(opened(&front), 1, "it is known by then");
    assert_eq!(get(&front, "/").status, 200);
}

#[test]
fn connections_start_at_the_addresses_of_the_file() {
    let room = Room::new();
    let echo = EchoServer::start("one");
    let back = room.back(echo.address(), "");
    let front = room.balancer(
        &[back.address("back")],
        "source-addresses = [\"127.0.0.77\"]",
    );
    assert!(get(&front, "/").text().contains("127.0.0.77"));
}

#[test]
fn servers_are_told_when_the_balancer_ends() {
    let room = Room::new();
    let mut server = room.server(&[]);
    let mut front = room.balancer(&[server.address()], "");
    assert_eq!(get(&front, "/").status, 200);
    front.terminate();
    assert!(front.wait_exit().success());
    server.wait_for("closed 0x100");
}

#[test]
fn clients_that_do_not_read_cost_little_and_hold_up_nobody() {
    let room = Room::new();
    let echo = EchoServer::start("one");
    let back = room.back(echo.address(), "");
    let front = room.balancer(&[back.address("back")], "");
    assert_eq!(get(&front, "/").status, 200);
    let before = front.resident_kib();
    // None of them gives back any of its window.
    let mut client = Http2Client::connect(front.address("plain"));
    let asked: Vec<_> = (0..40)
        .map(|number| Frame::get(number * 2 + 1, "/bytes/1000000"))
        .collect();
    client.send(&asked);
    // Nothing comes from the server any more: what can be held, is.
    let mut last = -1.0;
    testkit::wait_until("the server is not read any more", || {
        let metrics = back.metrics();
        let received = metrics.sum("sluice_server_received_bytes_total", &[]);
        let stands = received > 10e6 && received.to_bits() == f64::to_bits(last);
        last = received;
        stands
    });
    let grown = front.resident_kib().saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB more, of 40 MB");
    assert_eq!(get(&front, "/").status, 200);
    assert_eq!(opened(&front), 1);
}
