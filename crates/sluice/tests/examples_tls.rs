//! The files of `examples/` that have to do with TLS, with certificates made for the test.

mod aioquic;
mod example;
#[expect(dead_code, reason = "curl and aioquic are the clients here")]
mod tls_kit;

use std::path::Path;

use aioquic::aioquic;
use example::Example;
use testkit::{Balancer, EchoReply, EchoServer};
use tls_kit::{Authority, Files, certificates, https};

/// A server that speaks TLS: a balancer of its own that deciphers in front of an echo. Clients must be of `clients`, where there are such.
fn secure(files: &Files, clients: Option<&Authority>, server: &EchoServer) -> Balancer {
    let client_auth = clients.map_or_else(String::new, |authority| {
        format!(
            "tls.client-auth = {{ ca = \"{}\" }}\n",
            authority.ca().display()
        )
    });
    Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocol = \"tcp\"\n{}{client_auth}\
             [upstreams.app]\nservers = [\"{}\"]\n",
            certificates(&[files]),
            server.address()
        ),
    )
}

fn reply(finished: &testkit::Finished) -> EchoReply {
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).expect("an echo")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn tls() {
    let authority = Authority::new("internal");
    authority.issue("example.com", &["example.com", "www.example.com"]);
    authority.issue("example.org", &["example.org"]);
    let [web, accounts] = ["web", "accounts"].map(EchoServer::start);
    let files = authority.issue("accounts", &["accounts.internal"]);
    let accounts = secure(&files, None, &accounts);
    let ca = authority.path("internal.pem");
    std::fs::copy(authority.ca(), &ca).expect("to copy");
    let balancer = Example::read("tls.toml")
        .certificates(&authority.path(""))
        .listener("127.0.0.1:8080", "http")
        .listener("127.0.0.1:8443", "https")
        .server("127.0.0.1:9001", web.address())
        .server("127.0.0.1:9002", accounts.address("web"))
        .run();
    let address = balancer.address("https");
    for host in ["example.com", "www.example.com", "example.org"] {
        assert_eq!(reply(&https(address, &ca, host, "/", &[])).server, "web");
    }
    let answer = reply(&https(address, &ca, "example.com", "/accounts/7", &[]));
    assert_eq!(answer.server, "accounts");
    let plain = format!("http://{}/x?y", balancer.address("http"));
    let moved = testkit::curl(&["--include", "--header", "Host: example.com", &plain]);
    let location = format!("location: https://example.com:{}/x?y", address.port());
    let head = moved.stdout.to_ascii_lowercase();
    assert!(head.contains(" 308 ") && head.contains(&location), "{head}");
    let head = https(address, &ca, "example.com", "/", &["--head"]).stdout;
    assert!(
        head.to_ascii_lowercase()
            .contains("strict-transport-security: max-age=31536000"),
        "{head}"
    );
}

#[test]
fn mutual_tls() {
    let authority = Authority::new("internal");
    authority.issue("example.com", &["example.com"]);
    authority.issue("lb", &["lb.internal"]);
    let clients = Authority::new("clients");
    let partner = clients.issue("partner", &["partner.test"]);
    for (from, name) in [(&authority, "internal.pem"), (&clients, "clients.pem")] {
        std::fs::copy(from.ca(), authority.path(name)).expect("to copy");
    }
    let echo = EchoServer::start("orders");
    let files = authority.issue("orders", &["orders.internal"]);
    // It takes clients of the authority of the house only: the balancer, by the certificate that it shows.
    let orders = secure(&files, Some(&authority), &echo);
    let balancer = Example::read("mutual-tls.toml")
        .certificates(&authority.path(""))
        .listener("127.0.0.1:8443", "partners")
        .server("127.0.0.1:9001", orders.address("web"))
        .run();
    let address = balancer.address("partners");
    let ca = authority.ca();
    let shown = ["--cert", text(&partner.cert), "--key", text(&partner.key)];
    let answer = reply(&https(address, &ca, "example.com", "/", &shown));
    assert_eq!(answer.server, "orders");
    let subject = answer.field("x-client-cert-subject");
    assert_eq!(subject, Some("CN=partner"));
    assert_ne!(https(address, &ca, "example.com", "/", &[]).code(), 0);
}

#[test]
fn http3() {
    let authority = Authority::new("a");
    authority.issue("example.com", &["www.example.com"]);
    let [one, two] = ["one", "two"].map(EchoServer::start);
    let balancer = Example::read("http3.toml")
        .certificates(&authority.path(""))
        .listener("127.0.0.1:8443", "https")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .run();
    let address = balancer.address("https");
    let ca = authority.ca();
    for version in ["--http1.1", "--http2"] {
        let answer = https(
            address,
            &ca,
            "www.example.com",
            "/",
            &["--include", version],
        );
        let told = format!("alt-svc: h3=\":{}\"", address.port());
        let head = answer.stdout.to_ascii_lowercase();
        assert!(head.contains(&told), "{head}");
    }
    assert_eq!(aioquic(address, &ca, "one_request"), "ok\n");
}

#[test]
fn http3_servers() {
    let authority = Authority::new("internal");
    authority.issue("example.com", &["www.example.com"]);
    std::fs::copy(authority.ca(), authority.path("internal.pem")).expect("to copy");
    let files = authority.issue("app", &["app.internal"]);
    let echoes = ["one", "two"].map(EchoServer::start);
    let [one, two] = [0, 1].map(|number| {
        Balancer::start(
            env!("CARGO_BIN_EXE_sluice"),
            &format!(
                "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h1\", \"h3\"]\n{}\
                 [upstreams.app]\nservers = [\"{}\"]\n[logs]\naccess = {{ format = \"json\", to = \"stdout\" }}\n",
                certificates(&[&files]),
                echoes[number].address()
            ),
        )
    });
    let balancer = Example::read("http3-servers.toml")
        .certificates(&authority.path(""))
        .listener("127.0.0.1:8443", "https")
        .server("127.0.0.1:9001", one.address("web"))
        .server("127.0.0.1:9002", two.address("web"))
        .run();
    let address = balancer.address("https");
    for version in ["--http1.1", "--http2"] {
        let sent = https(address, &authority.ca(), "www.example.com", "/", &[version]);
        assert!(["one", "two"].contains(&&*reply(&sent).server));
    }
    assert_eq!(aioquic(address, &authority.ca(), "one_request"), "ok\n");
    let said = testkit::wait_for("three lines", || {
        let said = one.stdout() + &two.stdout();
        (said.lines().count() >= 3).then_some(said)
    });
    assert!(said.contains("HTTP/3.0"), "{said}");
    assert!(
        !said.contains("HTTP/1.1") && !said.contains("HTTP/2.0"),
        "{said}"
    );
}
