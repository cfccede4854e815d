//! HTTP/2 to servers over TLS, where each server chooses by ALPN (`protocol = "auto"`) or has no choice (`"h2"`). The
//! servers are Debian's nginx.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod http_proxy;
mod nginx_kit;
#[expect(dead_code, reason = "shared with tests that speak TLS themselves")]
mod tls_kit;

use std::net::SocketAddr;

use http_proxy::{Setup, start};
use nginx_kit::Nginx;
use testkit::{Balancer, EchoReply, EchoServer, RawClient, Response, free_address};
use tls_kit::{Authority, Files};

const HTTP1: Option<&str> = Some("HTTP/1.1");
const HTTP2: Option<&str> = Some("HTTP/2.0");

struct Room {
    authority: Authority,
    files: Files,
    echo: EchoServer,
}

impl Room {
    fn new() -> Self {
        let authority = Authority::new("a");
        Self {
            files: authority.issue("server", &["127.0.0.1"]),
            authority,
            echo: EchoServer::start("one"),
        }
    }

    fn nginx(&self, address: SocketAddr, speaks_http2: bool) -> Nginx {
        Nginx::start(address, &self.files, speaks_http2, self.echo.address())
    }

    fn balancer(&self, servers: &[SocketAddr], protocol: &str) -> Balancer {
        let ca = self.authority.ca();
        let upstream = format!(
            "protocol = \"{protocol}\"\nconnect-timeout = \"50s\"\ntls = {{ ca = \"{}\" }}\n",
            ca.display()
        );
        start(
            servers,
            Setup {
                listener: "protocols = [\"h1\", \"h2\"]\n",
                upstream: &upstream,
                tables: "[logs]\naccess = { format = \"json\", to = \"stdout\" }\n",
            },
        )
    }
}

fn ask(balancer: &Balancer) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n");
    client.response("GET")
}

fn failures(balancer: &Balancer, reason: &str) -> f64 {
    let metrics = balancer.metrics();
    metrics.sum(
        "sluice_server_connect_failures_total",
        &[("reason", reason)],
    )
}

#[test]
fn each_server_is_spoken_to_as_it_chooses() {
    let room = Room::new();
    let new = room.nginx(free_address(), true);
    let old = room.nginx(free_address(), false);
    let balancer = room.balancer(&[new.address(), old.address()], "auto");
    for turn in 0..3 {
        // In turn.
        for spoken in [HTTP2, HTTP1] {
            let response = ask(&balancer);
            assert_eq!(response.status, 200);
            assert_eq!(response.field("x-spoken"), spoken, "turn {turn}");
            assert_eq!(EchoReply::from_response(&response).server, "one");
        }
    }
    let metrics = balancer.metrics();
    for server in [&new, &old] {
        let labels = [("server", &*server.address().to_string())];
        assert_eq!(metrics.sum("sluice_server_connections_total", &labels), 1.0);
        assert_eq!(
            metrics.sum("sluice_server_connections_reused_total", &labels),
            2.0
        );
    }
}

#[test]
fn a_choice_that_changes_after_a_restart_is_followed() {
    let room = Room::new();
    let address = free_address();
    let mut server = room.nginx(address, true);
    let balancer = room.balancer(&[address], "auto");
    for speaks_http2 in [true, false, true] {
        drop(server);
        server = room.nginx(address, speaks_http2);
        let spoken = if speaks_http2 { HTTP2 } else { HTTP1 };
        for _ in 0..3 {
            let response = ask(&balancer);
            assert_eq!((response.status, response.field("x-spoken")), (200, spoken));
        }
    }
    assert_eq!(server.address(), address);
}

/// Of many requests at once each finds its connection, also while it is not known what the server will choose.
#[test]
fn many_at_once_wait_for_no_connection_that_cannot_be_shared() {
    let room = Room::new();
    for speaks_http2 in [true, false] {
        let server = room.nginx(free_address(), speaks_http2);
        let balancer = room.balancer(&[server.address()], "auto");
        let url = format!("http://{}/", balancer.address("web"));
        let finished = testkit::run("h2load", &["-n", "200", "-c", "2", "-m", "20", &url]);
        assert_eq!(finished.code(), 0, "{finished:?}");
        assert!(finished.stdout.contains("200 succeeded"), "{finished:?}");
        let metrics = balancer.metrics();
        let opened = metrics.sum("sluice_server_connections_total", &[]);
        assert_eq!(opened == 1.0, speaks_http2, "{opened}");
    }
}

#[test]
fn bodies_pass_both_ways_over_http2_and_tls() {
    let room = Room::new();
    let server = room.nginx(free_address(), true);
    let balancer = room.balancer(&[server.address()], "h2");
    let sent = testkit::pattern(3_000_003);
    let file = balancer.folder().join("body");
    std::fs::write(&file, &sent).expect("a file");
    let data = format!("@{}", file.display());
    let url = format!("http://{}/x?y=z", balancer.address("web"));
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let finished = testkit::curl(&[version, "--data-binary", &data, "-i", &url]);
        assert_eq!(finished.code(), 0, "{finished:?}");
        assert!(
            finished.stdout.contains("x-spoken: HTTP/2.0"),
            "{finished:?}"
        );
        let digest = testkit::digest(&sent).to_string();
        assert!(finished.stdout.contains(&digest), "{finished:?}");
    }
}

#[test]
fn a_server_is_verified_before_anything_is_said_in_http2() {
    let room = Room::new();
    let server = Nginx::start(
        free_address(),
        &Authority::new("b").issue("strange", &["127.0.0.1"]),
        true,
        room.echo.address(),
    );
    for protocol in ["h2", "auto"] {
        let balancer = room.balancer(&[server.address()], protocol);
        assert_eq!(ask(&balancer).status, 502);
        assert_eq!(failures(&balancer, "certificate"), 1.0, "{protocol}");
    }
}

#[test]
fn a_server_that_refuses_http2_is_told_apart_from_one_that_is_down() {
    let room = Room::new();
    // nginx refuses the handshake; what knows nothing of ALPN goes on without.
    let refusing = room.nginx(free_address(), false);
    let listener = format!(
        "protocol = \"tcp\"\n{}",
        tls_kit::certificates(&[&room.files])
    );
    let unknowing = start(
        &[room.echo.address()],
        Setup {
            listener: &listener,
            ..Setup::default()
        },
    );
    for address in [refusing.address(), unknowing.address("web")] {
        let balancer = room.balancer(&[address], "h2");
        assert_eq!(ask(&balancer).status, 502);
        assert_eq!(failures(&balancer, "protocol"), 1.0);
        balancer.wait_for_stdout("\"end\":\"connect-failed\"");
    }
    // Beside one that speaks it, nobody notices.
    let speaking = room.nginx(free_address(), true);
    let balancer = room.balancer(&[refusing.address(), speaking.address()], "h2");
    for _ in 0..4 {
        assert_eq!(ask(&balancer).field("x-spoken"), HTTP2);
    }
    assert!(failures(&balancer, "protocol") >= 1.0);
}

#[test]
fn without_tls_there_is_no_choice_which_is_warned_of() {
    let echo = EchoServer::start("one");
    let balancer = start(
        &[echo.address()],
        Setup {
            upstream: "protocol = \"auto\"\n",
            ..Setup::default()
        },
    );
    assert_eq!(ask(&balancer).status, 200);
    let file = balancer.file();
    let path = file.to_str().expect("UTF-8");
    let checked = testkit::run(env!("CARGO_BIN_EXE_sluice"), &["check", path]);
    let said = checked.stdout + &checked.stderr;
    assert!(said.contains("without `tls` this is HTTP/1.1"), "{said}");
}
