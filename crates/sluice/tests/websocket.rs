//! WebSocket from clients of every version of HTTP to servers of every version too (RFC 6455, 8441, 9220), by programs
//! that know nothing of us; and what becomes of it where a server does not take it.

mod nginx_kit;
#[expect(dead_code, reason = "shared with tests that speak TLS themselves")]
mod tls_kit;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use nginx_kit::Nginx;
use testkit::{
    Balancer, Frame, Http2Client, Metrics, RawClient, Script, ScriptedServer, flag, free_address,
    kind, websocket_request,
};
use tls_kit::{Authority, Files, certificates};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

struct Site {
    authority: Authority,
    balancer: Balancer,
}

impl Site {
    /// A listener `web` of all versions over TLS, and `plain` without, in front of `server`; `upstream` are keys of its.
    fn start(server: SocketAddr, upstream: &str) -> Self {
        Self::trusting(&Authority::new("b"), server, upstream)
    }

    fn trusting(authority: &Authority, server: SocketAddr, upstream: &str) -> Self {
        let ours = Authority::new("a");
        let files = ours.issue("web", &["www.example.com"]);
        let configuration = format!(
            r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
protocols = ["h1", "h2", "h3"]
{}
[listeners.plain]
address = "127.0.0.1:<port:plain>"
protocols = ["h1", "h2"]
[upstreams.app]
servers = ["{server}"]
{}
[runtime]
workers = 1
[logs]
access = {{ format = "json", to = "stdout" }}
"#,
            certificates(&[&files]),
            upstream.replace("<ca>", &authority.ca().display().to_string()),
        );
        Self {
            authority: ours,
            balancer: Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration),
        }
    }

    /// Has a client of this version talk.
    #[track_caller]
    fn talk(&self, version: &str) {
        let port = self.balancer.address("web").port().to_string();
        let ca = self.authority.ca();
        let ca = ca.to_str().expect("UTF-8");
        let arguments = [&*python_path(), "python3", &*script(), version, &*port, ca];
        let finished = testkit::run("env", &arguments);
        assert_eq!(
            (finished.code(), finished.stdout.as_str()),
            (0, "ok\n"),
            "{version}: {}\n{}",
            finished.stderr,
            self.balancer.stdout()
        );
    }

    fn upgraded(&self) -> (RawClient, u16, Vec<u8>) {
        let mut client = RawClient::connect(self.balancer.address("plain"));
        client.send(UPGRADE);
        let head = client.head().expect("an answer");
        let status = String::from_utf8_lossy(&head.raw[9..12]).parse();
        (client, status.expect("a status"), head.raw.clone())
    }
}

fn script() -> String {
    format!("{}/tests/websocket.py", env!("CARGO_MANIFEST_DIR"))
}

fn python_path() -> String {
    format!(
        "PYTHONPATH={}/../../target/python",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// A server of the script's. It is killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(kind: &str) -> Self {
        Self::start_with(kind, None)
    }

    fn start_with(kind: &str, files: Option<&Files>) -> Self {
        let address = free_address();
        let port = address.port().to_string();
        let mut child = Command::new("env")
            .args([&python_path(), "python3", &script(), kind, &port])
            .args(files.iter().flat_map(|files| [&files.cert, &files.key]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("python3");
        testkit::wait_until("the server listens", || {
            assert!(child.try_wait().expect("a child").is_none(), "it ended");
            std::net::TcpStream::connect(address).is_ok()
        });
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn extended_connect(stream: u32) -> Frame {
    Frame::headers(stream, 0, &websocket_request("/chat"))
}

#[test]
fn every_client_talks_to_a_server_of_http1() {
    let server = Server::start("serve");
    let site = Site::start(server.address, "");
    for version in ["h1", "h2", "h3"] {
        site.talk(version);
    }
}

#[test]
fn every_client_talks_to_a_server_of_http2() {
    let server = Server::start("serve-h2");
    let site = Site::start(server.address, "protocol = \"h2\"");
    for version in ["h1", "h2", "h3"] {
        site.talk(version);
    }
    let ended = |metrics: &Metrics| metrics.count("sluice_server_in_flight", &[]) == 0;
    let balancer = &site.balancer;
    balancer.wait_for_metrics("the tunnels to end", ended);
}

#[test]
fn every_client_talks_to_a_server_of_http3() {
    let authority = Authority::new("c");
    let files = authority.issue("server", &["127.0.0.1"]);
    for version in ["h1", "h2", "h3"] {
        // hypercorn stumbles over the end of a WebSocket, so each has a server of its own.
        let server = Server::start_with("serve-h3", Some(&files));
        let upstream = "protocol = \"h3\"\nidle-timeout = \"1h\"\ntls = { ca = \"<ca>\" }";
        let site = Site::trusting(&authority, server.address, upstream);
        let mut client = RawClient::connect(site.balancer.address("plain"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response("GET").text(), "3");
        site.talk(version);
        let metrics = site.balancer.metrics();
        let opened = metrics.count("sluice_server_connections_total", &[]);
        assert_eq!(opened, 1, "both share a connection");
    }
}

/// Half-close both ways, and the proof that a client of HTTP/1.1 asks for.
#[test]
fn a_tunnel_over_http2_ends_one_side_after_the_other() {
    let server = ScriptedServer::start([Script::new()
        .switch("early")
        .read_until("question")
        .write("answer")
        .read_to_end()
        .write_last("last words")]);
    // Our own listener of HTTP/2 is the server.
    let back = Site::start(server.address(), "");
    let front = Site::start(back.balancer.address("plain"), "protocol = \"h2\"");
    let (mut client, status, head) = front.upgraded();
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert_eq!(status, 101, "{head}");
    let proof = format!("sec-websocket-accept: {}\r\n", ACCEPT.to_lowercase());
    for part in ["upgrade: websocket\r\n", "connection: upgrade\r\n", &proof] {
        assert_eq!(head.matches(part).count(), 1, "{part} in {head}");
    }
    assert_eq!(client.read_exactly(5), b"early");
    client.send("question");
    assert_eq!(client.read_exactly(6), b"answer");
    assert_eq!(
        front
            .balancer
            .metrics()
            .count("sluice_server_in_flight", &[]),
        1
    );
    client.half_close();
    assert_eq!(client.read_to_end().expect("the rest"), b"last words");
    front.balancer.wait_for_stdout("\"status\":101");
    back.balancer.wait_for_stdout("\"status\":101");
}

#[test]
fn a_client_that_goes_away_resets_the_stream() {
    let server = ScriptedServer::start([Script::new().switch("early").read_to_end()]);
    let back = Site::start(server.address(), "");
    let front = Site::start(back.balancer.address("plain"), "protocol = \"h2\"");
    let mut client = Http2Client::connect(front.balancer.address("plain"));
    client.send(&[extended_connect(1)]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(client.expect(kind::DATA, 1).payload, b"early");
    client.send(&[Frame::reset(1, 8)]);
    server.wait_for_end(0);
    front
        .balancer
        .wait_for_metrics("the tunnel to end", |metrics| {
            metrics.count("sluice_server_in_flight", &[]) == 0
        });
}

#[test]
fn a_refusal_of_the_server_reaches_the_client() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let server = ScriptedServer::start([Script::answer(refusal)]);
    let back = Site::start(server.address(), "");
    let front = Site::start(back.balancer.address("plain"), "protocol = \"h2\"");
    let (mut client, status, _) = front.upgraded();
    assert_eq!(status, 403);
    assert_eq!(client.read_exactly(2), b"no");
}

/// nginx knows no extended CONNECT.
#[test]
fn a_server_of_http2_that_takes_none_is_told_of_or_gone_round() {
    let echo = Server::start("serve");
    let authority = Authority::new("c");
    let files = authority.issue("server", &["127.0.0.1"]);
    let nginx = Nginx::start(free_address(), &files, true, echo.address);
    let tls = "tls = { ca = \"<ca>\" }\n";

    let only = format!("protocol = \"h2\"\n{tls}");
    let site = Site::trusting(&authority, nginx.address(), &only);
    for _ in 0..2 {
        let (_, status, head) = site.upgraded();
        assert_eq!(status, 502, "{}", String::from_utf8_lossy(&head));
    }
    let mut client = Http2Client::connect(site.balancer.address("plain"));
    client.send(&[extended_connect(1)]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 502);
    site.balancer.wait_for_stdout("\"end\":\"no-websocket\"");
    let metrics = site.balancer.metrics();
    assert_eq!(
        metrics.count("sluice_server_connections_total", &[]),
        1,
        "it is known by then"
    );

    let any = format!("protocol = \"auto\"\n{tls}");
    let site = Site::trusting(&authority, nginx.address(), &any);
    for version in ["h1", "h2", "h3"] {
        site.talk(version);
    }
    // Other requests go on by HTTP/2.
    let mut client = RawClient::connect(site.balancer.address("plain"));
    client.send("GET /nginx HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("GET");
    let spoken = response.field("x-spoken");
    assert_eq!(spoken, Some("HTTP/2.0"), "{response:?}");
}

/// Who speaks HTTP/2 or HTTP/3 has made no key, so the proof is ours to check.
#[test]
fn a_server_that_has_not_read_the_key_does_not_switch() {
    let switch = |more: &str| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n";
        Script::new().read_head().write(format!("{head}{more}\r\n"))
    };
    let wrong = [
        "Upgrade: websocket\r\n".to_owned(),
        format!("Upgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"),
        format!("Upgrade: other\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"),
    ];
    let server = ScriptedServer::start(wrong.iter().map(|more| switch(more).stay_open()));
    let site = Site::start(server.address(), "");
    for _ in &wrong {
        let mut client = Http2Client::connect(site.balancer.address("plain"));
        client.send(&[extended_connect(1)]);
        let head = client.expect(kind::HEADERS, 1);
        assert_eq!((head.status(), head.has(flag::END_STREAM)), (502, false));
    }
    site.balancer
        .wait_for_stdout("\"end\":\"upstream-invalid\"");
    // Who has made the key checks the proof himself.
    let server = ScriptedServer::start([switch("Upgrade: websocket\r\n")]);
    let site = Site::start(server.address(), "");
    let (_, status, _) = site.upgraded();
    assert_eq!(status, 101);
}

#[test]
fn without_a_key_nothing_is_switched() {
    let server = Server::start("serve-h2");
    let site = Site::start(server.address, "protocol = \"h2\"");
    let mut client = RawClient::connect(site.balancer.address("plain"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    let response = client.response("GET");
    assert_eq!((response.status, response.text()), (200, "2"));
}
