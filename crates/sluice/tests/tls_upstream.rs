//! TLS towards servers: who they must be, what happens where they are not, and sessions used again.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod http_proxy;
mod tls_kit;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, Options, RawClient, Response};
use tls_kit::{Authority, Files, SClient, certificates, https};

/// A server that speaks TLS: a balancer of its own in front of an echo.
fn secure(files: &Files, server: &EchoServer) -> Balancer {
    start(
        &[server.address()],
        Setup {
            listener: &certificates(&[files]),
            ..Setup::default()
        },
    )
}

fn in_front_of(servers: &[SocketAddr], upstream: &str) -> Balancer {
    start(
        servers,
        Setup {
            upstream,
            ..Setup::default()
        },
    )
}

fn ask(balancer: &Balancer) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n");
    client.response("GET")
}

fn trusting(authority: &Authority, more: &str) -> String {
    format!("tls = {{ ca = \"{}\"{more} }}\n", authority.ca().display())
}

fn failures(balancer: &Balancer, reason: &str) -> f64 {
    let labels = [("reason", reason)];
    balancer
        .metrics()
        .sum("sluice_server_connect_failures_total", &labels)
}

#[test]
fn requests_are_ciphered_and_connections_kept() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["127.0.0.1"]), &echo);
    let balancer = in_front_of(&[server.address("web")], &trusting(&authority, ""));
    for _ in 0..3 {
        let reply = EchoReply::from_response(&ask(&balancer));
        assert_eq!(reply.server, "one");
    }
    let metrics = server.metrics();
    assert_eq!(
        metrics.sum("sluice_tls_handshakes_total", &[("version", "1.3")]),
        1.0
    );
    assert_eq!(
        balancer
            .metrics()
            .sum("sluice_server_connections_reused_total", &[]),
        2.0
    );
}

/// Deciphered and ciphered again, with a body beyond what one record holds.
#[test]
fn both_sides_may_be_ciphered() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["127.0.0.1"]), &echo);
    let ours = authority.issue("web", &["example.com"]);
    let balancer = start(
        &[server.address("web")],
        Setup {
            listener: &certificates(&[&ours]),
            upstream: &trusting(&authority, ""),
            ..Setup::default()
        },
    );
    let body = testkit::pattern(1_000_003);
    let path = authority.path("body");
    std::fs::write(&path, &body).expect("to write");
    let data = format!("@{}", path.display());
    for version in ["--http1.1", "--http2"] {
        let web = balancer.address("web");
        let more = [version, "--data-binary", &data];
        let sent = https(web, &authority.ca(), "example.com", "/", &more);
        assert_eq!(sent.code(), 0, "{}", sent.stderr);
        let reply: EchoReply = serde_json::from_str(&sent.stdout).expect("an echo");
        assert_eq!(reply.body_digest, testkit::digest(&body));
    }
}

/// A connection of HTTP/2 to a server, agreed upon by ALPN, is shared.
#[test]
fn http2_is_agreed_upon_with_servers() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["127.0.0.1"]), &echo);
    let upstream = format!("protocol = \"h2\"\n{}", trusting(&authority, ""));
    let balancer = in_front_of(&[server.address("web")], &upstream);
    for _ in 0..3 {
        assert_eq!(EchoReply::from_response(&ask(&balancer)).server, "one");
    }
    assert_eq!(
        server.metrics().sum("sluice_tls_handshakes_total", &[]),
        1.0
    );
}

#[test]
fn sessions_with_servers_are_resumed() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["app.internal"]), &echo);
    let tls = trusting(&authority, ", server-name = \"app.internal\"");
    let upstream = format!("idle-connections = 0\n{tls}");
    let balancer = in_front_of(&[server.address("web")], &upstream);
    for _ in 0..3 {
        assert_eq!(ask(&balancer).status, 200);
    }
    let metrics = server.metrics();
    assert_eq!(metrics.sum("sluice_tls_handshakes_total", &[]), 3.0);
    assert_eq!(metrics.sum("sluice_tls_resumptions_total", &[]), 2.0);
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_passed_over() {
    let (authority, stranger) = (Authority::new("a"), Authority::new("b"));
    let echo = EchoServer::start("one");
    let good = secure(&authority.issue("good", &["127.0.0.1"]), &echo);
    let misnamed = secure(&authority.issue("misnamed", &["127.0.0.2"]), &echo);
    let strange = secure(&stranger.issue("strange", &["127.0.0.1"]), &echo);
    let tls = trusting(&authority, "");
    for bad in [&misnamed, &strange] {
        let alone = in_front_of(&[bad.address("web")], &tls);
        assert_eq!(ask(&alone).status, 502);
        assert_eq!(failures(&alone, "certificate"), 1.0);
        let beside = in_front_of(&[bad.address("web"), good.address("web")], &tls);
        assert_eq!(ask(&beside).status, 200);
        assert_eq!(failures(&beside, "certificate"), 1.0);
    }
    // What does not speak TLS at all, and what says nothing.
    let script = testkit::Script::new()
        .read_exactly(5)
        .write_last("HTTP/1.1 400 Bad Request\r\n\r\n");
    let plain = testkit::ScriptedServer::start([script]);
    let plain = in_front_of(&[plain.address()], &tls);
    assert_eq!(ask(&plain).status, 502);
    assert_eq!(failures(&plain, "tls"), 1.0);
    let silent = testkit::ScriptedServer::start([testkit::Script::silent()]);
    let waiting = format!("connect-timeout = \"50ms\"\n{tls}");
    let silent = in_front_of(&[silent.address()], &waiting);
    assert_eq!(ask(&silent).status, 504);
    assert_eq!(failures(&silent, "timeout"), 1.0);
}

#[test]
fn verification_can_be_switched_off_which_is_warned_of() {
    let stranger = Authority::new("b");
    let echo = EchoServer::start("one");
    let server = secure(&stranger.issue("one", &["elsewhere"]), &echo);
    let balancer = in_front_of(&[server.address("web")], "tls = { verify = false }\n");
    assert_eq!(ask(&balancer).status, 200);
    let file = balancer.file();
    let path = file.to_str().expect("UTF-8");
    let checked = testkit::run(env!("CARGO_BIN_EXE_sluice"), &["check", path]);
    let said = checked.stdout + &checked.stderr;
    assert!(said.contains("servers are not verified"), "{said}");
}

#[test]
fn the_authorities_of_the_machine_are_trusted() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["127.0.0.1"]), &echo);
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{}\"]\ntls = true\n[runtime]\nworkers = 1\n",
        server.address("web")
    );
    let trusting = |file: &std::path::Path| Options {
        environment: vec![("SSL_CERT_FILE".to_owned(), file.display().to_string())],
        ..Options::default()
    };
    let sluice = env!("CARGO_BIN_EXE_sluice");
    let balancer = Balancer::start_with(sluice, &configuration, &trusting(&authority.ca()));
    assert_eq!(ask(&balancer).status, 200);
    let stranger = Authority::new("b");
    let balancer = Balancer::start_with(sluice, &configuration, &trusting(&stranger.ca()));
    assert_eq!(ask(&balancer).status, 502);
}

/// `openssl s_server`, which asks for a certificate and tells of it in its answer. It is killed when dropped.
struct SServer(Child);

impl SServer {
    fn start(address: SocketAddr, files: &Files, authority: &Authority) -> Self {
        let text = |path: &std::path::Path| path.display().to_string();
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", &address.to_string(), "-www"])
            .args(["-cert", &text(&files.cert), "-key", &text(&files.key)])
            .args(["-Verify", "1", "-verify_return_error"])
            .args(["-CAfile", &text(&authority.ca())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        testkit::wait_until("s_server listens", || {
            assert!(child.try_wait().expect("a child").is_none(), "it ended");
            std::net::TcpStream::connect(address).is_ok()
        });
        Self(child)
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn servers_are_shown_a_certificate() {
    let authority = Authority::new("a");
    let address = testkit::free_address();
    let files = authority.issue("server", &["127.0.0.1"]);
    let _server = SServer::start(address, &files, &authority);
    let ours = authority.issue("balancer", &["lb.internal"]);
    let more = format!(
        ", cert = \"{}\", key = \"{}\"",
        ours.cert.display(),
        ours.key.display()
    );
    let shown = in_front_of(&[address], &trusting(&authority, &more));
    let response = ask(&shown);
    assert_eq!(response.status, 200);
    assert!(
        response.text().contains("CN = balancer") || response.text().contains("CN=balancer"),
        "{}",
        response.text()
    );
    let not_shown = in_front_of(&[address], &trusting(&authority, ""));
    assert_eq!(ask(&not_shown).status, 502);
}

#[test]
fn tcp_is_ciphered_towards_the_server() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["127.0.0.1"]), &echo);
    let balancer = start(
        &[server.address("web")],
        Setup {
            listener: "protocol = \"tcp\"\n",
            upstream: &trusting(&authority, ""),
            ..Setup::default()
        },
    );
    assert_eq!(EchoReply::from_response(&ask(&balancer)).server, "one");
}

#[test]
fn tls_comes_behind_the_proxy_header() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let files = authority.issue("one", &["127.0.0.1"]);
    let listener = format!("proxy-protocol = \"require\"\n{}", certificates(&[&files]));
    let server = start(
        &[echo.address()],
        Setup {
            listener: &listener,
            ..Setup::default()
        },
    );
    let upstream = format!("send-proxy-protocol = \"v2\"\n{}", trusting(&authority, ""));
    let balancer = in_front_of(&[server.address("web")], &upstream);
    let mut client = RawClient::connect_from([127, 0, 0, 9].into(), balancer.address("web"));
    client.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n");
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(reply.field("x-forwarded-for"), Some("127.0.0.9"));
}

/// A reload that switches TLS on leaves no connection in the clear, nor the other way round.
#[test]
fn a_reload_uses_no_connection_of_the_other_kind() {
    let authority = Authority::new("a");
    let echo = EchoServer::start("one");
    let server = secure(&authority.issue("one", &["127.0.0.1"]), &echo);
    let configuration = |tls: &str| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{}\"]\n{tls}\n[runtime]\nworkers = 1\n",
            server.address("web")
        )
    };
    let with_tls = configuration(&trusting(&authority, ""));
    let mut balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &with_tls);
    assert_eq!(ask(&balancer).status, 200);
    balancer.reload(&configuration(""));
    assert_eq!(ask(&balancer).status, 400, "in the clear to an https port");
    balancer.reload(&with_tls);
    assert_eq!(ask(&balancer).status, 200);
    let mut direct = SClient::connect(server.address("web"), &["-quiet", "-no_ign_eof"]);
    direct.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    direct.wait_for("\"target\":\"/b\"");
    direct.end_input();
    direct.wait_end();
}
