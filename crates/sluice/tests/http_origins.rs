//! Where clients come from: networks, countries and certificates, as conditions and as `allow` and `deny`, through the real binary.

mod explained;
mod http_proxy;
#[expect(dead_code, reason = "curl speaks TLS here")]
mod tls_kit;

use explained::explained;
use http_proxy::{Setup, start};
use testkit::{Balancer, EchoServer, wait_until};
use tls_kit::{Authority, certificates, https};

/// Brought by the test command; its data are in the public domain.
const DATABASE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/node/node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"
);

/// Of the RIPE NCC, in the Netherlands.
const DUTCH: &str = "193.0.6.139";
/// Of Google, in the United States.
const AMERICAN: &str = "8.8.8.8";
const GERMAN: &str = "130.83.0.1";

const ROUTES: &str = r#"
[[routes]]
name = "told"
match.path = "/told"
respond = { body = "{client-ip} {country}" }

[[routes]]
name = "dutch"
match.path = "/where"
match.country = "NL"
respond = { body = "{route}" }

[[routes]]
name = "elsewhere"
match.path = "/where"
match.not = { country = ["US"] }
respond = { body = "{route}" }

[[routes]]
name = "american"
match.path = "/where"
respond = { body = "{route}" }

[[routes]]
name = "some"
match.path = "/some"
allow = ["10.0.0.0/8", "country:DE"]
deny = ["10.1.0.0/16", "130.83.0.2"]
upstream = "app"

[[routes]]
name = "others"
deny = "country:NL"
upstream = "app"
"#;

fn site(server: &EchoServer) -> Balancer {
    let tables = format!("[geo]\ndatabase = \"{DATABASE}\"\n{ROUTES}");
    let setup = Setup {
        listener: "trusted-proxies = [\"127.0.0.0/8\"]\n",
        tables: &tables,
        ..Setup::default()
    };
    start(&[server.address()], setup)
}

fn asking(path: &str, client: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n")
}

#[test]
fn countries_are_conditions() {
    let server = EchoServer::start("one");
    let balancer = site(&server);
    for (client, route) in [
        (DUTCH, "dutch"),
        ("2001:67c:2e8:22::c100:68b", "dutch"),
        (GERMAN, "elsewhere"),
        ("10.0.0.7", "elsewhere"),
        (AMERICAN, "american"),
    ] {
        let response = balancer.ask(&asking("/where", client));
        assert_eq!(response.text(), route, "{client}");
    }
}

#[test]
fn texts_may_name_the_client_and_its_country() {
    let server = EchoServer::start("one");
    let balancer = site(&server);
    for (client, text) in [
        (DUTCH, "193.0.6.139 NL"),
        ("::ffff:8.8.8.8", "8.8.8.8 US"),
        ("10.0.0.7", "10.0.0.7 "),
    ] {
        let response = balancer.ask(&asking("/told", client));
        assert_eq!(response.text(), text);
    }
}

#[test]
fn who_may_not_come_in_gets_403_and_no_server_sees_it() {
    let server = EchoServer::start("one");
    let balancer = site(&server);
    let allowed = [
        ("/some", "10.0.0.7"),
        ("/some", GERMAN),
        ("/", AMERICAN),
        ("/", "10.1.0.7"),
    ];
    for (path, client) in allowed {
        assert_eq!(balancer.ask(&asking(path, client)).status, 200, "{client}");
    }
    let denied = [
        ("/some", "10.1.0.7"),
        ("/some", "130.83.0.2"),
        ("/some", DUTCH),
        ("/some", "192.0.2.1"),
        ("/some", "2001:db8::1"),
        ("/", DUTCH),
    ];
    for (path, client) in denied {
        let response = balancer.ask(&asking(path, client));
        assert_eq!(
            (response.status, response.text()),
            (403, "403 Forbidden\n"),
            "{client}"
        );
        // The request was whole, so the connection goes on.
        assert_eq!(response.field("connection"), None);
    }
    let web = [("listener", "web")];
    balancer.wait_for_counts(&[
        ("sluice_server_requests_total", &[], allowed.len()),
        ("sluice_denied_requests_total", &web, denied.len()),
    ]);
}

#[test]
fn a_new_database_is_read_and_a_broken_one_is_not() {
    let server = EchoServer::start("one");
    let folder = testkit::TempDir::new().expect("a folder");
    let database = folder.path().join("countries.mmdb");
    std::fs::copy(DATABASE, &database).expect("the database");
    let tables = format!(
        "watch = true\n[geo]\ndatabase = \"{}\"\n[[routes]]\nallow = \"country:NL\"\nupstream = \"app\"\n",
        database.display()
    );
    let setup = Setup {
        listener: "trusted-proxies = [\"127.0.0.0/8\"]\n",
        tables: &tables,
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let status = |client: &str| balancer.ask(&asking("/", client)).status;
    assert_eq!((status(DUTCH), status(AMERICAN)), (200, 403));
    // It is put in place whole, as tools do.
    let replace = |bytes: &[u8]| {
        let new = folder.path().join("new");
        std::fs::write(&new, bytes).expect("to write");
        std::fs::rename(&new, &database).expect("to replace");
    };
    replace(b"broken");
    balancer.wait_for_stderr("this database of countries cannot be used");
    assert_eq!((status(DUTCH), status(AMERICAN)), (200, 403));
    replace(&all_in_the_netherlands());
    wait_until("the new database", || status(AMERICAN) == 200);
}

/// The smallest database: one node, and one entry for all.
fn all_in_the_netherlands() -> Vec<u8> {
    let mut file = vec![0, 0, 17, 0, 0, 17];
    file.extend([0; 16]);
    file.extend(b"\xE1\x47country\xE1\x48iso_code\x42NL");
    file.extend(b"\xAB\xCD\xEFMaxMind.com\xE9");
    for (key, value) in [
        ("binary_format_major_version", &b"\xA1\x02"[..]),
        ("binary_format_minor_version", b"\xA1\x00"),
        ("build_epoch", b"\x01\x02\x01"),
        ("database_type", b"\x45Small"),
        ("description", b"\xE0"),
        ("ip_version", b"\xA1\x04"),
        ("languages", b"\x00\x04"),
        ("node_count", b"\xC1\x01"),
        ("record_size", b"\xA1\x18"),
    ] {
        file.push(0x40 + u8::try_from(key.len()).expect("a short key"));
        file.extend(key.as_bytes());
        file.extend(value);
    }
    file
}

#[test]
fn subjects_of_certificates_are_conditions() {
    let [servers, clients] = ["servers", "clients"].map(Authority::new);
    let server = EchoServer::start("one");
    let files = servers.issue("web", &["example.com"]);
    let listener = format!(
        "{}tls.client-auth = {{ ca = \"{}\", mode = \"request\" }}\n",
        certificates(&[&files]),
        clients.ca().display()
    );
    let tables = r#"
[[routes]]
name = "alice"
match.tls-subject = "CN=alice*"
respond = { body = "{route}" }

[[routes]]
name = "known"
match.tls-subject = "*"
respond = { body = "{route}" }

[[routes]]
name = "nobody"
respond = { body = "{route}" }
"#;
    let setup = Setup {
        listener: &listener,
        tables,
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let [alice, bob] = ["alice", "bob"].map(|name| clients.issue(name, &["client.test"]));
    for (shown, route) in [
        (Some(&alice), "alice"),
        (Some(&bob), "known"),
        (None, "nobody"),
    ] {
        let paths =
            shown.map(|files| [&files.cert, &files.key].map(|path| path.display().to_string()));
        let mut arguments = vec!["--http2"];
        if let Some([cert, key]) = &paths {
            arguments.extend(["--cert", cert, "--key", key]);
        }
        let web = balancer.address("web");
        let done = https(web, &servers.ca(), "example.com", "/", &arguments);
        assert_eq!((done.code(), done.stdout.as_str()), (0, route));
    }
}

#[test]
fn explain_says_who_may_not_come_in_and_why() {
    let server = EchoServer::start("one");
    let balancer = site(&server);
    let file = balancer.file();
    let explain = |words: &[&str]| explained(&file, &[&["GET"], words].concat());
    for (url, client, line) in [
        (
            "http://a/some",
            "10.1.0.7",
            "refused   403: 10.1.0.7 is within `10.1.0.0/16` of `deny`\n",
        ),
        (
            "http://a/some",
            AMERICAN,
            "refused   403: 8.8.8.8 is within nothing of `allow`\n",
        ),
        (
            "http://a/some",
            AMERICAN,
            "client    8.8.8.8 (of country US; not trusted",
        ),
        (
            "http://a/some",
            GERMAN,
            "allowed   130.83.0.1 is within `country:DE` of `allow`\n",
        ),
        ("http://a/some", GERMAN, "server"),
        (
            "http://a/where",
            "10.0.0.7",
            "route     dutch: no, no known country, which must be `NL`\n",
        ),
        (
            "http://a/where",
            GERMAN,
            "route     dutch: no, known country is `DE`, not `NL`\n",
        ),
    ] {
        let said = explain(&[url, "--client-ip", client]);
        assert!(said.contains(line), "{line}\n{said}");
    }
    let refused = explain(&["http://a/some", "--client-ip", AMERICAN]);
    assert!(!refused.contains("server"), "{refused}");
}
