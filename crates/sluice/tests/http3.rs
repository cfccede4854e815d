//! HTTP/3 from clients: requests, bodies, malformed messages, changes of address, and the end of connections, by aioquic.

mod aioquic;
#[expect(dead_code, reason = "openssl speaks no QUIC")]
mod tls_kit;

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdout, Command, Stdio};

use aioquic::{aioquic, python_path, script};
use testkit::{Balancer, EchoServer, Gate, Script, ScriptedServer, Signal, digest, pattern};
use tls_kit::{Authority, certificates, https};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

struct Site {
    authority: Authority,
    balancer: Balancer,
}

impl Site {
    /// A balancer whose listener `web` speaks all versions, in front of `server`.
    fn start(server: SocketAddr, workers: usize, more: &str) -> Self {
        let authority = Authority::new("a");
        let configuration = configuration(&authority, server, workers, more);
        let balancer = Balancer::start(SLUICE, &configuration);
        Self {
            authority,
            balancer,
        }
    }

    /// Runs a part of the script; its output.
    #[track_caller]
    fn aioquic(&self, part: &str) -> String {
        aioquic(self.balancer.address("web"), &self.authority.ca(), part)
    }

    /// The same, while something else happens.
    fn aioquic_beside(&self, part: &str) -> Beside {
        let port = self.balancer.address("web").port().to_string();
        let child = Command::new("env")
            .args([
                &python_path(),
                "python3",
                &script("http3_aioquic.py"),
                &port,
            ])
            .arg(self.authority.ca())
            .arg(part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        Beside::of(child)
    }
}

fn configuration(authority: &Authority, server: SocketAddr, workers: usize, more: &str) -> String {
    let files = authority.issue("web", &["www.example.com"]);
    let certificates = certificates(&[&files]);
    format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
protocols = ["h1", "h2", "h3"]
via = "edge"
{certificates}
{more}
[upstreams.app]
servers = ["{server}"]
[runtime]
workers = {workers}
[logs]
access = {{ format = "json", to = "stdout" }}
"#
    )
}

/// A script that runs; ended when dropped.
struct Beside {
    child: Child,
    /// One for all its lines: several may come at once.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Beside {
    fn of(mut child: Child) -> Self {
        let output = child.stdout.take().expect("piped");
        let lines = BufReader::new(output).lines();
        Self { child, lines }
    }

    /// Reads on to this line.
    fn wait_for(&mut self, line: &str) {
        let found = self.lines.any(|next| next.is_ok_and(|next| next == line));
        assert!(found, "`{line}` did not come");
    }

    fn go_on(&mut self) {
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(b"go\n").expect("to write");
    }

    fn ends_well(&mut self) {
        self.wait_for("ok");
        assert!(self.child.wait().expect("to end").success());
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn requests_are_served_as_over_the_other_versions() {
    let server = EchoServer::start("one");
    let site = Site::start(
        server.address(),
        1,
        "forwarded = true\nmax-head = \"16KiB\"\n",
    );
    assert_eq!(site.aioquic("requests"), "ok\n");
    let line = site.balancer.wait_for_stdout("/a?b=c");
    assert!(
        line.contains("HTTP/3.0") && line.contains("TLSv1.3") && line.contains("www.example.com"),
        "{line}"
    );
    let line = site.balancer.wait_for_stdout("\"status\":431");
    assert!(line.contains("\"end\":\"bad-request\""), "{line}");
}

#[test]
fn the_other_versions_tell_of_it() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 1, "");
    let address = site.balancer.address("web");
    let told = format!("alt-svc: h3=\":{}\"; ma=86400", address.port());
    for version in ["--http1.1", "--http2"] {
        let finished = https(
            address,
            &site.authority.ca(),
            "www.example.com",
            "/",
            &["--include", version],
        );
        let head = finished.stdout.to_ascii_lowercase();
        assert!(head.contains(&told), "{head}");
    }
}

#[test]
fn twenty_megabytes_arrive_whole_both_ways() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 1, "");
    let output = site.aioquic("large");
    let sent = pattern(20_000_000);
    let expected = format!("20000000 {}", digest(&sent));
    assert!(output.contains(&expected), "{output}");
}

#[test]
fn malformed_messages_are_refused_and_the_rest_goes_on() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 1, "");
    assert_eq!(site.aioquic("malformed"), "ok\n");
    // Each is logged; what was reset, without a status.
    site.balancer.wait_for_stdout("\"end\":\"bad-request\"");
    let said = site.balancer.stdout();
    let mut refused = said.lines().filter(|line| line.contains("bad-request"));
    assert!(refused.any(|line| !line.contains("\"status\"")), "{said}");
}

#[test]
fn a_client_that_changes_its_address_keeps_its_connection() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 2, "");
    assert_eq!(site.aioquic("migration"), "ok\n");
    let metrics = site.balancer.metrics();
    let accepted = metrics.sum("sluice_connections_total", &[("listener", "web")]);
    assert!((accepted - 1.0).abs() < 0.1, "{accepted}");
}

#[test]
fn a_request_under_way_is_served_to_its_end_when_the_balancer_stops() {
    let gate = Gate::new();
    let slow = Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
        .wait(&gate)
        .write("llo");
    let server = ScriptedServer::start([
        Script::new()
            .read_request()
            .write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
        slow,
    ]);
    let mut site = Site::start(server.address(), 1, "");
    let mut client = site.aioquic_beside("leaving");
    client.wait_for("begun");
    site.balancer.terminate();
    gate.open();
    client.ends_well();
    assert!(site.balancer.wait_exit().success());
}

#[test]
fn who_cancels_a_request_cancels_it_at_the_server() {
    let slow = Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
        .read_to_end();
    let server = ScriptedServer::start([slow]);
    let site = Site::start(server.address(), 1, "");
    let mut client = site.aioquic_beside("cancelling");
    client.wait_for("cancelled");
    server.wait_for_end(0);
    client.ends_well();
}

#[test]
fn a_websocket_is_a_tunnel() {
    let chat = Script::new()
        .switch("hello ")
        .read_until("ping")
        .write("pong");
    let server = ScriptedServer::start([chat]);
    let site = Site::start(server.address(), 1, "");
    assert_eq!(site.aioquic("websocket"), "ok\n");
}

#[test]
fn memory_does_not_grow_with_what_a_client_leaves_lying() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 1, "");
    let before = site.balancer.resident_kib();
    let mut client = site.aioquic_beside("stalling");
    client.wait_for("stalled");
    // Nothing comes from the server any more: what can be held, is.
    let mut last = -1.0;
    testkit::wait_until("the server is not read any more", || {
        let metrics = site.balancer.metrics();
        let received = metrics.sum("sluice_server_received_bytes_total", &[("upstream", "app")]);
        let stands = received > 0.0 && received.to_bits() == f64::to_bits(last);
        last = received;
        stands
    });
    let grown = site.balancer.resident_kib().saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB more, of 60 MB");
    assert!(
        last < 40e6,
        "{last} bytes of 60 MB were taken from the server"
    );
    client.go_on();
    client.ends_well();
}

#[test]
fn new_certificates_are_for_new_connections_and_end_none() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 1, "");
    let mut client = site.aioquic_beside("outliving");
    client.wait_for("connected");
    site.authority
        .issue("web", &["www.example.com", "new.example.com"]);
    site.balancer.signal(Signal::HUP);
    client.wait_for("renewed");
    client.ends_well();
}

#[test]
fn sessions_are_resumed_counted_and_logged_with_their_cipher() {
    let server = EchoServer::start("one");
    let site = Site::start(server.address(), 2, "");
    assert_eq!(site.aioquic("resumed"), "ok\n");
    let line = site.balancer.wait_for_stdout("/second");
    assert!(line.contains("\"tls_cipher\":\"TLS_"), "{line}");
    let metrics = site.balancer.metrics();
    let sum = |name| metrics.sum(name, &[("listener", "web")]);
    assert!((sum("sluice_tls_handshakes_total") - 2.0).abs() < 0.1);
    assert!((sum("sluice_tls_resumptions_total") - 1.0).abs() < 0.1);
}

#[test]
fn under_load_clients_have_to_show_that_they_receive() {
    let server = EchoServer::start("one");
    // Those that never go on shall not be given up in the meantime.
    let site = Site::start(server.address(), 1, "tls.handshake-timeout = \"60s\"\n");
    assert_eq!(site.aioquic("retry"), "ok\n");
}

/// The UDP side comes and goes with the file, beside TCP connections that stay.
#[test]
fn http3_can_be_switched_on_and_off_by_a_reload() {
    let server = EchoServer::start("one");
    let mut site = Site::start(server.address(), 2, "");
    let with = configuration(&site.authority, server.address(), 2, "");
    let without = with.replace(", \"h3\"]", "]");
    site.balancer.reload(&without);
    let address = site.balancer.address("web");
    // The port is free as soon as the workers have let go of it.
    testkit::wait_until("the UDP port is free", || UdpSocket::bind(address).is_ok());
    site.balancer.reload(&with);
    assert_eq!(site.aioquic("one_request"), "ok\n");
}

#[test]
fn connections_are_limited_as_those_of_tcp() {
    let server = EchoServer::start("one");
    let authority = Authority::new("a");
    let configuration = configuration(&authority, server.address(), 2, "");
    let limited = configuration.replace("via =", "max-connections = 1\nvia =");
    let site = Site {
        balancer: Balancer::start(SLUICE, &limited),
        authority,
    };
    assert_eq!(site.aioquic("crowded"), "ok\n");
    // A client that hears late of it has asked again in the meantime.
    site.balancer.wait_for_metrics("a refusal", |metrics| {
        let refused = [("reason", "max-connections")];
        metrics.count("sluice_connections_refused_total", &refused) >= 1
    });
}
