//! TLS passed on by server name, through the real binary: with OpenSSL on both sides, and by hand where it would not do what
//! a test needs.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testkit::{
    Balancer, RawClient, Script, ScriptedServer, TcpEchoServer, free_port, run, wait_for,
    wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// A listener with this `sni` and an upstream for each server.
fn balancer(listener: &str, upstream: &str, servers: &[(&str, SocketAddr)]) -> Balancer {
    let upstreams: Vec<_> = servers
        .iter()
        .map(|(name, address)| {
            format!("[upstreams.{name}]\nservers = [\"{address}\"]\n{upstream}\n")
        })
        .collect();
    let upstreams = upstreams.concat();
    Balancer::start(
        SLUICE,
        &format!(
            "[listeners.tls]\naddress = \"127.0.0.1:<port:tls>\"\nprotocol = \"tcp\"\n{listener}\n{upstreams}[runtime]\nworkers = 1\n"
        ),
    )
}

fn vector16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

/// A handshake message with a hello for this server name and these protocols.
fn message(name: Option<&str>, protocols: &[&str]) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let list = vector16(&[&[0], &*vector16(name.as_bytes())].concat());
        extensions.extend([vec![0, 0], vector16(&list)].concat());
    }
    if !protocols.is_empty() {
        let list: Vec<u8> = protocols
            .iter()
            .flat_map(|name| {
                let length = u8::try_from(name.len()).expect("short");
                [&[length], name.as_bytes()].concat()
            })
            .collect();
        extensions.extend([vec![0, 16], vector16(&vector16(&list))].concat());
    }
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0, 0, 2, 0x13, 1, 1, 0],
        &vector16(&extensions),
    ]
    .concat();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[1], &length[1..], &body].concat()
}

fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &*vector16(fragment)].concat()
}

fn hello(name: Option<&str>, protocols: &[&str]) -> Vec<u8> {
    record(&message(name, protocols))
}

const ALERT: [u8; 6] = [21, 3, 3, 0, 2, 2];

#[test]
fn the_bytes_arrive_as_they_were_sent() {
    let server = TcpEchoServer::start("");
    let balancer = balancer(
        r#"sni = { "a.example.com" = "app" }"#,
        "",
        &[("app", server.address())],
    );
    let whole = hello(Some("a.example.com"), &["h2"]);
    let message = message(Some("A.Example.com"), &[]);
    let fragmented: Vec<u8> = message.chunks(7).flat_map(record).collect();
    let with_early_data = [&whole[..], &[23, 3, 3, 0, 5], b"early"].concat();
    for bytes in [&whole, &fragmented, &with_early_data] {
        let mut client = RawClient::connect(balancer.address("tls"));
        client.send(bytes);
        assert_eq!(client.read_exactly(bytes.len()), *bytes);
        client.send("and on");
        assert_eq!(client.read_exactly(6), b"and on", "a tunnel from then on");
        client.half_close();
        assert_eq!(client.read_to_end().expect("an orderly close"), b"");
    }
    let mut client = RawClient::connect(balancer.address("tls"));
    client.send_byte_by_byte(&fragmented);
    assert_eq!(client.read_exactly(fragmented.len()), fragmented);
    balancer.wait_for_metrics("all to be counted", |metrics| {
        metrics.sum(
            "sluice_sni_connections_total",
            &[("listener", "tls"), ("sni", "a.example.com")],
        ) == 4.0
            && metrics.sum("sluice_tls_hellos_total", &[("outcome", "named")]) == 4.0
    });
}

#[test]
fn names_and_protocols_choose_the_upstream() {
    let names = ["site-a", "site-b", "acme", "rest"];
    let servers = names.map(|name| TcpEchoServer::start(&format!("{name:<6}")));
    let upstreams: Vec<_> = names
        .into_iter()
        .zip(servers.iter().map(TcpEchoServer::address))
        .collect();
    let balancer = balancer(
        r#"sni = { "a.example.com" = "site-a", "*.b.example.com" = { upstream = "site-b", alpn = { "acme-tls/1" = "acme" } }, "*" = "rest" }"#,
        "",
        &upstreams,
    );
    for (name, protocols, expected) in [
        (Some("a.example.com"), &[][..], "site-a"),
        (Some("x.b.example.com"), &["h2"], "site-b"),
        (Some("x.y.b.example.com"), &[], "site-b"),
        (Some("x.b.example.com"), &["acme-tls/1"], "acme  "),
        (Some("b.example.com"), &["acme-tls/1"], "rest  "),
        (None, &[], "rest  "),
    ] {
        let mut client = RawClient::connect(balancer.address("tls"));
        client.send(hello(name, protocols));
        assert_eq!(
            client.read_exactly(6),
            expected.as_bytes(),
            "{name:?} {protocols:?}"
        );
    }
    balancer.wait_for_metrics("the one without a name", |metrics| {
        metrics.sum("sluice_tls_hellos_total", &[("outcome", "unnamed")]) == 1.0
            && metrics.sum(
                "sluice_sni_connections_total",
                &[("sni", "*.b.example.com")],
            ) == 3.0
    });
}

#[test]
fn who_leads_nowhere_is_told_so() {
    let server = TcpEchoServer::start("");
    let balancer = balancer(
        r#"sni = { "a.example.com" = { alpn = { "h2" = "app" } } }"#,
        "",
        &[("app", server.address())],
    );
    let mut two_names = hello(Some("a.example.com"), &[]);
    two_names.truncate(two_names.len() - 1);
    let length = two_names.len() - 5;
    two_names[3..5].copy_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
    two_names[8] -= 1;
    for (bytes, alert, outcome, end) in [
        (
            hello(Some("b.example.com"), &["h2"]),
            112,
            "unknown-name",
            "no-route",
        ),
        (hello(None, &["h2"]), 109, "no-name", "no-route"),
        (
            hello(Some("a.example.com"), &["http/1.1"]),
            120,
            "no-protocol",
            "no-route",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            10,
            "not-tls",
            "bad-request",
        ),
        (two_names, 50, "malformed", "bad-request"),
        (vec![22, 3, 1, 0x40, 0], 40, "too-long", "bad-request"),
    ] {
        let ended = [("end", end)];
        let before = balancer.metrics().sum("sluice_tcp_sessions_total", &ended);
        let mut client = RawClient::connect(balancer.address("tls"));
        client.send(&bytes);
        // More than was read must not keep the alert from arriving.
        client.send(vec![0; 20_000]);
        let received = client.read_to_end().expect("an orderly close");
        assert_eq!(received, [&ALERT[..], &[alert]].concat(), "{outcome}");
        drop(client);
        balancer.wait_for_metrics(outcome, |metrics| {
            metrics.sum("sluice_tls_hellos_total", &[("outcome", outcome)]) == 1.0
                && metrics.sum("sluice_tcp_sessions_total", &ended) == before + 1.0
        });
    }
    assert_eq!(server.connections().accepted(), 0, "no server was bothered");
}

#[test]
fn a_hello_that_does_not_come_is_not_waited_for() {
    let server = TcpEchoServer::start("");
    let balancer = balancer(
        "sni = { \"*\" = \"app\" }\nhello-timeout = \"1s\"",
        "",
        &[("app", server.address())],
    );
    let mut client = RawClient::connect(balancer.address("tls"));
    client.send(&hello(None, &[])[..20]);
    assert_eq!(client.read_to_end().expect("an orderly close"), b"");
    let mut gone = RawClient::connect(balancer.address("tls"));
    gone.send([22]);
    gone.half_close();
    assert_eq!(gone.read_to_end().expect("an orderly close"), b"");
    balancer.wait_for_metrics("both to be counted", |metrics| {
        let hellos = |outcome| metrics.sum("sluice_tls_hellos_total", &[("outcome", outcome)]);
        hellos("timeout") == 1.0 && hellos("closed") == 1.0
    });
}

#[test]
fn the_proxy_protocol_comes_first_on_both_sides() {
    let server = ScriptedServer::start([Script::new().read_until("end!").write("seen")]);
    let balancer = balancer(
        "sni = { \"a.example.com\" = \"app\" }\nproxy-protocol = \"require\"",
        "send-proxy-protocol = \"v1\"",
        &[("app", server.address())],
    );
    let hello = hello(Some("a.example.com"), &[]);
    let mut client = RawClient::connect(balancer.address("tls"));
    client.send(
        [
            b"PROXY TCP4 203.0.113.7 198.51.100.1 4444 443\r\n",
            &hello[..],
            b"end!",
        ]
        .concat(),
    );
    assert_eq!(client.read_exactly(4), b"seen");
    let port = balancer.address("tls").port();
    let header = format!("PROXY TCP4 203.0.113.7 127.0.0.1 4444 {port}\r\n");
    assert_eq!(
        server.received(0),
        [header.as_bytes(), &hello, b"end!"].concat()
    );
}

#[test]
fn the_access_log_has_the_name() {
    let server = TcpEchoServer::start("");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.tls]\naddress = \"127.0.0.1:<port:tls>\"\nprotocol = \"tcp\"\nsni = {{ \"*.example.com\" = \"app\" }}\n\
             [upstreams.app]\nservers = [\"{}\"]\n[logs]\naccess = {{ format = \"json\", to = \"file:{}\" }}\n",
            server.address(),
            path.display()
        ),
    );
    for name in [Some("A.example.com"), Some("b.example.org"), None] {
        let mut client = RawClient::connect(balancer.address("tls"));
        client.send(hello(name, &[]));
        client.half_close();
        client.read_to_end().expect("an orderly close");
        drop(client);
    }
    let lines = wait_for("three lines", || {
        let text = std::fs::read_to_string(&path).ok()?;
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        (lines.len() == 3).then_some(lines)
    });
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["sni"].as_str(),
                line["upstream"].as_str(),
                line["end"].as_str(),
            )
        })
        .collect();
    for expected in [
        (Some("a.example.com"), Some("app"), Some("ok")),
        (Some("b.example.org"), None, Some("no-route")),
        (None, None, Some("no-route")),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
}

/// `openssl s_server` with a certificate for its name.
struct OpensslServer {
    child: Child,
    address: SocketAddr,
}

impl OpensslServer {
    fn start(folder: &Path, name: &str) -> Self {
        let file = |kind: &str| folder.join(format!("{name}.{kind}")).display().to_string();
        let (key, certificate) = (file("key"), file("pem"));
        let subject = format!("/CN={name}");
        let made = run(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-subj",
                &subject,
                "-keyout",
                &key,
                "-out",
                &certificate,
            ],
        );
        assert_eq!(made.code(), 0, "{}", made.stderr);
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                &address.to_string(),
                "-cert",
                &certificate,
            ])
            .args(["-key", &key, "-www", "-quiet"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        wait_until("s_server to listen", || {
            std::net::TcpStream::connect(address).is_ok()
        });
        Self { child, address }
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn openssl_meets_the_server_that_it_asks_for() {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let [one, two] =
        ["one.example.com", "rest"].map(|name| OpensslServer::start(folder.path(), name));
    let balancer = balancer(
        r#"sni = { "one.example.com" = "one", "*" = "rest" }"#,
        "",
        &[("one", one.address), ("rest", two.address)],
    );
    let address = balancer.address("tls").to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        for (arguments, expected) in [
            (
                &["-servername", "one.example.com"][..],
                "CN = one.example.com",
            ),
            (&["-servername", "two.example.com"], "CN = rest"),
            (&["-noservername"], "CN = rest"),
            // Records as small as OpenSSL makes them.
            (
                &[
                    "-servername",
                    "one.example.com",
                    "-max_send_frag",
                    "512",
                    "-alpn",
                    "h2,http/1.1",
                ],
                "CN = one.example.com",
            ),
        ] {
            let base = ["s_client", "-connect", &address, version];
            let finished = run("openssl", &[&base, arguments].concat());
            assert!(
                finished.stdout.contains(expected),
                "{version} {arguments:?}: {finished:?}"
            );
        }
    }
}

#[test]
fn openssl_hears_why_it_was_refused() {
    let server = TcpEchoServer::start("");
    let balancer = balancer(
        r#"sni = { "a.example.com" = "app" }"#,
        "",
        &[("app", server.address())],
    );
    let address = balancer.address("tls").to_string();
    let refused = run(
        "openssl",
        &[
            "s_client",
            "-connect",
            &address,
            "-servername",
            "b.example.com",
        ],
    );
    assert!(refused.stderr.contains("unrecognized name"), "{refused:?}");
    let nameless = run(
        "openssl",
        &["s_client", "-connect", &address, "-noservername"],
    );
    assert!(nameless.stderr.contains("alert number 109"), "{nameless:?}");
}
