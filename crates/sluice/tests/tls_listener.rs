//! TLS towards clients: handshakes, the choice of certificates, and HTTP over it, with curl and openssl.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod http_proxy;
mod tls_kit;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use http_proxy::{Setup, start};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use testkit::{Balancer, EchoReply, EchoServer, RawClient, digest, pattern};
use tls_kit::{Authority, SClient, certificates, https};

/// A balancer with the listener `web`, which has a certificate for `example.com`, in front of `server`.
fn balancer(authority: &Authority, server: &EchoServer, more: &str) -> Balancer {
    let files = authority.issue("web", &["example.com", "*.example.com"]);
    let listener = format!("{}{more}", certificates(&[&files]));
    start(
        &[server.address()],
        Setup {
            listener: &listener,
            ..Setup::default()
        },
    )
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_request_is_deciphered_and_the_server_is_told() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(
        &authority,
        &server,
        "forwarded = true\ntls.hsts = \"365d\"\n",
    );
    for version in ["--http1.1", "--http2"] {
        let finished = https(
            balancer.address("web"),
            &authority.ca(),
            "www.example.com",
            "/a",
            &["--include", version],
        );
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        let (head, body) = finished.stdout.split_once("\r\n\r\n").expect("a head");
        let head = head.to_ascii_lowercase();
        assert!(
            head.starts_with(if version == "--http2" {
                "http/2 200"
            } else {
                "http/1.1 200"
            }) && head.contains("strict-transport-security: max-age=31536000"),
            "{head}"
        );
        let reply: EchoReply = serde_json::from_str(body).expect("an echo");
        assert_eq!(reply.field("x-forwarded-proto"), Some("https"));
        let forwarded = reply.field("forwarded").expect("Forwarded");
        assert!(forwarded.contains(";proto=https;"), "{forwarded}");
    }
    let metrics = balancer.metrics_after(2);
    let version = [("listener", "web"), ("version", "1.3")];
    assert_eq!(
        metrics.value("sluice_tls_handshakes_total", &version),
        Some(2.0)
    );
    let expiry = metrics.value(
        "sluice_tls_certificate_expiry_timestamp_seconds",
        &[("certificate", "example.com")],
    );
    assert!(expiry.is_some_and(|at| at > 1e9), "{expiry:?}");
}

#[test]
fn both_versions_are_spoken_unless_the_file_says_otherwise() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let both = balancer(&authority, &server, "");
    let new = balancer(&authority, &server, "tls.min-version = \"1.3\"\n");
    let ask = |balancer: &Balancer, version: &[&str]| {
        let web = balancer.address("web");
        https(web, &authority.ca(), "example.com", "/", version).code()
    };
    assert_eq!(ask(&both, &["--tls-max", "1.2"]), 0);
    assert_eq!(ask(&both, &["--tlsv1.3"]), 0);
    assert_eq!(ask(&new, &["--tlsv1.3"]), 0);
    assert_eq!(ask(&new, &["--tls-max", "1.2"]), 35, "a failed handshake");
    let reason = [("reason", "version")];
    new.wait_for_metrics("the failure is counted", |metrics| {
        metrics.sum("sluice_tls_handshake_failures_total", &reason) == 1.0
    });
    let old = [("version", "1.2")];
    assert_eq!(both.metrics().sum("sluice_tls_handshakes_total", &old), 1.0);
}

#[test]
fn the_certificate_is_chosen_by_name_and_key_type() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let nothing = |_: &mut rcgen::CertificateParams| {};
    let files = [
        authority.issue_with("default-rsa", &["default.test"], &PKCS_RSA_SHA256, nothing),
        authority.issue_with(
            "default-ec",
            &["default.test"],
            &PKCS_ECDSA_P256_SHA256,
            nothing,
        ),
        authority.issue_with("ed25519", &["ed.test"], &PKCS_ED25519, nothing),
        authority.issue_with("wild", &["*.wild.test"], &PKCS_ECDSA_P256_SHA256, nothing),
        authority.issue_with(
            "exact",
            &["exact.wild.test"],
            &PKCS_ECDSA_P256_SHA256,
            nothing,
        ),
    ];
    let listener = certificates(&files.each_ref());
    let balancer = start(
        &[server.address()],
        Setup {
            listener: &listener,
            ..Setup::default()
        },
    );
    let subject = |name: &[&str], more: &[&str]| {
        let mut client = SClient::connect(balancer.address("web"), &[name, more].concat());
        let said = client.wait_for("issuer=");
        let at = said.rfind("subject=CN = ").expect("a subject");
        said[at + "subject=CN = ".len()..]
            .lines()
            .next()
            .expect("a line")
            .to_owned()
    };
    let rsa_only: &[&str] = &["-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256"];
    for (name, more, expected) in [
        (&["-servername", "exact.wild.test"][..], &[][..], "exact"),
        (&["-servername", "Other.WILD.test"], &[], "wild"),
        (&["-servername", "a.b.wild.test"], &[], "default-ec"),
        (&["-servername", "wild.test"], &[], "default-ec"),
        (&["-servername", "ed.test"], &[], "ed25519"),
        (&["-servername", "nobody.test"], &[], "default-ec"),
        (&["-noservername"], &[], "default-ec"),
        (&["-servername", "default.test"], rsa_only, "default-rsa"),
        (
            &["-servername", "default.test", "-tls1_2"],
            rsa_only,
            "default-rsa",
        ),
        (
            &["-servername", "default.test", "-tls1_2"],
            &[],
            "default-ec",
        ),
    ] {
        assert_eq!(subject(name, more), expected, "{name:?} {more:?}");
    }
}

#[test]
fn big_bodies_go_both_ways_whole() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "");
    let body = pattern(3_000_001);
    let path = authority.path("body");
    std::fs::write(&path, &body).expect("to write");
    let file = format!("@{}", text(&path));
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let web = balancer.address("web");
        let sent = https(
            web,
            &authority.ca(),
            "example.com",
            "/",
            &[&["--data-binary", &file], version].concat(),
        );
        assert_eq!(sent.code(), 0, "{}", sent.stderr);
        let reply: EchoReply = serde_json::from_str(&sent.stdout).expect("an echo");
        assert_eq!(
            (reply.body_length, reply.body_digest),
            (body.len() as u64, digest(&body))
        );
    }
}

#[test]
fn requests_in_a_row_and_in_one_piece_are_answered_in_order() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "");
    let mut client = SClient::connect(
        balancer.address("web"),
        &["-quiet", "-servername", "example.com"],
    );
    let request = |at: usize| format!("GET /{at} HTTP/1.1\r\nHost: example.com\r\n\r\n");
    for at in 0..3 {
        client.send(request(at));
        client.wait_for(&format!("\"target\":\"/{at}\""));
    }
    let all: String = (3..40).map(request).collect();
    client.send(all);
    for at in 3..40 {
        client.wait_for(&format!("\"target\":\"/{at}\""));
    }
    assert_eq!(
        balancer
            .metrics()
            .sum("sluice_connections_total", &[("listener", "web")]),
        1.0
    );
}

/// Passes bytes on one by one in both directions.
fn crumbling(to: SocketAddr) -> SocketAddr {
    fn crumble(mut from: TcpStream, mut to: TcpStream) {
        let mut byte = [0];
        while let Ok(1) = from.read(&mut byte) {
            if to.write_all(&byte).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let server = TcpStream::connect(to).expect("a server");
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("an option");
        }
        let (back_from, back_to) = (
            server.try_clone().expect("clone"),
            client.try_clone().expect("clone"),
        );
        let back = std::thread::spawn(move || crumble(back_from, back_to));
        crumble(client, server);
        back.join().expect("the way back");
    });
    address
}

#[test]
fn records_may_come_byte_by_byte() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "");
    for version in ["-tls1_2", "-tls1_3"] {
        let address = crumbling(balancer.address("web"));
        let more = ["-quiet", "-servername", "example.com", version];
        let mut client = SClient::connect(address, &more);
        let body = "x".repeat(3_000);
        client.send(format!(
            "POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3000\r\n\r\n{body}"
        ));
        client.wait_for("\"body_length\":3000");
    }
}

#[test]
fn a_server_that_ends_its_body_by_closing_is_told_from_one_that_is_cut_off() {
    let authority = Authority::new("a");
    let script = testkit::Script::new()
        .read_request()
        .write_last("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
    let server = testkit::ScriptedServer::start([script]);
    let files = authority.issue("web", &["example.com"]);
    let balancer = start(
        &[server.address()],
        Setup {
            listener: &certificates(&[&files]),
            ..Setup::default()
        },
    );
    // OpenSSL reports an end without `close_notify` as an error.
    let web = balancer.address("web");
    let finished = https(web, &authority.ca(), "example.com", "/", &["--http1.0"]);
    assert_eq!(
        (finished.code(), finished.stdout.as_str()),
        (0, "all of it"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_is_no_tls_is_refused_and_counted() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "tls.handshake-timeout = \"2s\"\n");
    let mut plain = RawClient::connect(balancer.address("web"));
    plain.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    let response = plain.response("GET");
    assert_eq!(response.status, 400);
    assert!(response.text().contains("HTTPS"), "{}", response.text());

    let mut garbage = RawClient::connect(balancer.address("web"));
    garbage.send([0x80; 600]);
    assert!(garbage.is_closed_without_a_byte());

    // A record that begins well and goes wrong: an alert comes back.
    let mut broken = RawClient::connect(balancer.address("web"));
    broken.send([22, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9]);
    let alert = broken.read_to_end().expect("an end");
    assert_eq!(alert.first(), Some(&21), "an alert record: {alert:?}");

    let mut silent = RawClient::connect(balancer.address("web"));
    assert!(silent.is_closed_without_a_byte(), "the handshake timeout");

    let gone = RawClient::connect(balancer.address("web"));
    drop(gone);
    for (reason, count) in [
        ("not-tls", 2.0),
        ("invalid", 1.0),
        ("timeout", 1.0),
        ("closed", 1.0),
    ] {
        balancer.wait_for_metrics(reason, |metrics| {
            metrics.sum("sluice_tls_handshake_failures_total", &[("reason", reason)]) == count
        });
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_client_that_does_not_trust_us_is_counted() {
    let authority = Authority::new("a");
    let stranger = Authority::new("b");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "");
    let web = balancer.address("web");
    let finished = https(web, &stranger.ca(), "example.com", "/", &[]);
    assert_eq!(
        finished.code(),
        60,
        "curl's code for a certificate that it does not trust"
    );
    balancer.wait_for_metrics("refused", |metrics| {
        metrics.sum(
            "sluice_tls_handshake_failures_total",
            &[("reason", "refused")],
        ) == 1.0
    });
}

#[test]
fn renegotiation_is_refused() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "");
    let more = ["-servername", "example.com", "-tls1_2"];
    let mut client = SClient::connect(balancer.address("web"), &more);
    client.wait_for("Verify return code");
    // On a line of its own, it makes s_client renegotiate.
    client.send("R\n");
    let said = client.wait_end();
    assert!(!said.contains("HTTP/1.1"), "{said}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_client_that_has_ended_its_side_gets_its_answer() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let balancer = balancer(&authority, &server, "");
    let more = ["-quiet", "-servername", "example.com", "-no_ign_eof"];
    let mut client = SClient::connect(balancer.address("web"), &more);
    client.send("GET /half HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
    client.wait_for("\"target\":\"/half\"");
    client.end_input();
    client.wait_end();
}

#[test]
fn http_is_sent_to_https() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let tables =
        "[listeners.plain]\naddress = \"127.0.0.1:<port:plain>\"\nredirect-to-https = true\n";
    let files = authority.issue("web", &["example.com"]);
    let balancer = start(
        &[server.address()],
        Setup {
            listener: &certificates(&[&files]),
            tables,
            ..Setup::default()
        },
    );
    let port = balancer.address("web").port();
    for (host, url) in [
        ("example.com", format!("https://example.com:{port}/a?b=c")),
        (
            "example.com:80",
            format!("https://example.com:{port}/a?b=c"),
        ),
        ("[::1]:80", format!("https://[::1]:{port}/a?b=c")),
    ] {
        let mut client = RawClient::connect(balancer.address("plain"));
        client.send(format!(
            "POST /a?b=c HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
        ));
        let response = client.response("POST");
        assert_eq!(response.status, 308);
        assert_eq!(response.field("location"), Some(url.as_str()));
        assert_eq!(response.field("strict-transport-security"), None);
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn tcp_is_deciphered_too() {
    let authority = Authority::new("a");
    let server = testkit::TcpEchoServer::start("");
    let files = authority.issue("web", &["example.com"]);
    let listener = format!("protocol = \"tcp\"\n{}", certificates(&[&files]));
    let balancer = start(
        &[server.address()],
        Setup {
            listener: &listener,
            tables: "[logs]\naccess = { format = \"json\" }\n",
            ..Setup::default()
        },
    );
    let more = ["-quiet", "-servername", "example.com", "-no_ign_eof"];
    let mut client = SClient::connect(balancer.address("web"), &more);
    client.send("hello\n");
    client.wait_for("hello\n");
    client.end_input();
    client.wait_end();
    let line = balancer.wait_for_stdout("tls_version");
    assert!(
        line.contains(r#""sni":"example.com""#) && line.contains(r#""end":"ok""#),
        "{line}"
    );
}

/// What a client does not take is not collected: the server is slowed down instead.
#[test]
fn a_client_that_does_not_read_holds_the_server_up() {
    let authority = Authority::new("a");
    let length: usize = 64 << 20;
    let script = testkit::Script::new()
        .read_request()
        .write(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
        ))
        .write(vec![b'x'; length]);
    let server = testkit::ScriptedServer::start([script]);
    let files = authority.issue("web", &["example.com"]);
    let balancer = start(
        &[server.address()],
        Setup {
            listener: &format!("{}send-buffer = \"64KiB\"\n", certificates(&[&files])),
            tables: "",
            upstream: "",
        },
    );
    let resident = || balancer.metrics().sum("process_resident_memory_bytes", &[]);
    let (address, stalled) = stalling(balancer.address("web"), 300_000);
    let mut client = SClient::connect(address, &["-quiet", "-servername", "example.com"]);
    client.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    stalled.recv_timeout(testkit::DEADLINE).expect("300 kB");
    let before = resident();
    // However often it is looked at from then on, nothing is sent any more: the way is full.
    let sent = || {
        balancer
            .metrics()
            .sum("sluice_downstream_sent_bytes_total", &[])
    };
    let mut last = sent();
    testkit::wait_until("the way is full", || {
        std::mem::replace(&mut last, sent()) == last
    });
    let grown = resident() - before;
    assert!(grown < 8e6, "{grown} bytes more");
    assert!(
        last < 16e6,
        "{last} of {length} bytes were taken from the server"
    );
}

/// Passes bytes on, but stops receiving from the server after so many, and says so.
fn stalling(to: SocketAddr, after: usize) -> (SocketAddr, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address");
    let (said, stalled) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut server = TcpStream::connect(to).expect("a server");
        let mut there = (
            client.try_clone().expect("clone"),
            server.try_clone().expect("clone"),
        );
        std::thread::spawn(move || std::io::copy(&mut there.0, &mut there.1));
        let mut passed = 0;
        let mut buffer = [0; 4096];
        while passed < after {
            let count = server.read(&mut buffer).expect("bytes");
            client.write_all(&buffer[..count]).expect("it reads");
            passed += count;
        }
        let _ = said.send(());
        // Ends with the client, which the test ends.
        let _ = client.read(&mut [0; 1]);
    });
    (address, stalled)
}
