//! What outlasts a TLS connection: sessions that are resumed, certificates that are replaced.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod http_proxy;
mod tls_kit;

use std::net::SocketAddr;
use std::path::Path;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoServer};
use tls_kit::{Authority, Files, SClient, certificates, https};

fn balancer(files: &Files, server: &EchoServer, more: &str) -> Balancer {
    let listener = format!("{}{more}", certificates(&[files]));
    start(
        &[server.address()],
        Setup {
            listener: &listener,
            ..Setup::default()
        },
    )
}

/// Whether a session of `version` is resumed at the second of these addresses; what lies between, `between` does.
fn resumes(version: &str, at: [SocketAddr; 2], session: &Path, between: impl FnOnce()) -> bool {
    let session = session.to_str().expect("UTF-8");
    let common = ["-servername", "example.com", version];
    let mut first = SClient::connect(at[0], &[&common[..], &["-sess_out", session]].concat());
    // The tickets of TLS 1.3 come with the first answer or before.
    first.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    first.wait_for("\"target\":\"/\"");
    first.end_input();
    first.wait_end();
    between();
    let mut second = SClient::connect(at[1], &[&common[..], &["-sess_in", session]].concat());
    let said = second.wait_for("Cipher is");
    assert!(
        said.contains("New, ") != said.contains("Reused, "),
        "{said}"
    );
    second.send("GET /again HTTP/1.1\r\nHost: example.com\r\n\r\n");
    second.wait_for("\"target\":\"/again\"");
    said.contains("Reused, ")
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["example.com"]);
    let balancer = balancer(&files, &server, "");
    let web = balancer.address("web");
    for version in ["-tls1_2", "-tls1_3"] {
        let session = authority.path(version);
        assert!(resumes(version, [web, web], &session, || {}), "{version}");
    }
    assert_eq!(
        balancer.metrics().sum("sluice_tls_resumptions_total", &[]),
        2.0
    );
}

#[test]
fn balancers_resume_each_others_sessions_by_a_file_of_keys() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["example.com"]);
    let keys = authority.path("tickets");
    let more = format!("tls.ticket-keys = \"{}\"\n", keys.display());
    std::fs::write(&keys, "the-first-key-of-all-balancers-is-long\n").expect("to write");
    let one = balancer(&files, &server, &more);
    let two = balancer(&files, &server, &more);
    let stranger = balancer(&files, &server, "");
    let at = |a: &Balancer, b: &Balancer| [a.address("web"), b.address("web")];
    for version in ["-tls1_2", "-tls1_3"] {
        let session = authority.path(version);
        assert!(
            resumes(version, at(&one, &two), &session, || {}),
            "{version}"
        );
        assert!(
            !resumes(version, at(&one, &stranger), &session, || {}),
            "{version}"
        );
    }
}

#[test]
fn a_new_certificate_is_taken_over_without_touching_connections() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["example.com"]);
    let listener = certificates(&[&files]);
    let balancer = start(
        &[server.address()],
        Setup {
            listener: &listener,
            upstream: "",
            tables: "",
        },
    );
    let web = balancer.address("web");
    let mut open = SClient::connect(web, &["-quiet", "-servername", "example.com"]);
    open.send("GET /1 HTTP/1.1\r\nHost: example.com\r\n\r\n");
    open.wait_for("\"target\":\"/1\"");

    let session = authority.path("session");
    let resumed = resumes("-tls1_3", [web, web], &session, || {
        authority.issue("web", &["example.com", "new.test"]);
        balancer.signal(testkit::Signal::HUP);
        balancer.wait_for_stderr("reloaded");
    });
    assert!(resumed, "a new certificate does not end sessions");
    let asked = https(web, &authority.ca(), "new.test", "/", &[]);
    assert_eq!(asked.code(), 0, "{}", asked.stderr);

    // A wrong one changes nothing.
    std::fs::write(&files.cert, "no certificate").expect("to write");
    balancer.signal(testkit::Signal::HUP);
    let said = balancer.wait_for_stderr("reload failed");
    assert!(said.contains("reload failed"), "{said}");
    balancer.wait_for_stderr("no certificate is in it");
    let asked = https(web, &authority.ca(), "new.test", "/", &[]);
    assert_eq!(asked.code(), 0, "{}", asked.stderr);

    open.send("GET /2 HTTP/1.1\r\nHost: example.com\r\n\r\n");
    open.wait_for("\"target\":\"/2\"");
}

#[test]
fn certificates_are_watched() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["example.com"]);
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n{}\n[upstreams.app]\nservers = [\"{}\"]\n[runtime]\nworkers = 1\nwatch = true\n",
        certificates(&[&files]),
        server.address()
    );
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    authority.issue("web", &["new.test"]);
    testkit::wait_until("the new certificate is served", || {
        let web = balancer.address("web");
        https(web, &authority.ca(), "new.test", "/", &[]).code() == 0
    });
}

#[test]
fn wrong_files_are_mistakes_of_the_configuration() {
    let authority = Authority::new("a");
    let (one, two) = (
        authority.issue("one", &["one.test"]),
        authority.issue("two", &["two.test"]),
    );
    let old = authority.issue_with("old", &["old.test"], &rcgen::PKCS_ED25519, |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    std::fs::write(authority.path("nothing.pem"), "").expect("to write");
    let file = authority.path("sluice.toml");
    let check = |cert: &str, key: &str| {
        let text = format!(
            "[listeners.web]\naddress = \":8443\"\ntls.certificates = [{{ cert = \"{cert}\", key = \"{key}\" }}]\n[upstreams.app]\nservers = [\"127.0.0.1:9001\"]\n"
        );
        std::fs::write(&file, text).expect("to write");
        let path = file.to_str().expect("UTF-8");
        let finished = testkit::run(env!("CARGO_BIN_EXE_sluice"), &["check", path]);
        (finished.code(), finished.stdout + &finished.stderr)
    };
    // Relative to the file.
    assert_eq!(check("one.pem", "one.key").0, 0);
    assert!(one.cert.is_file() && two.cert.is_file() && old.cert.is_file());
    for (cert, key, code, words) in [
        (
            "one.pem",
            "two.key",
            1,
            "this is not the key of that certificate",
        ),
        ("three.pem", "one.key", 1, "there is no file"),
        ("nothing.pem", "one.key", 1, "no certificate is in it"),
        ("one.key", "one.pem", 1, "the wrong way round"),
        ("old.pem", "old.key", 0, "this certificate has expired"),
    ] {
        let (ended, said) = check(cert, key);
        assert_eq!(ended, code, "{said}");
        assert!(
            said.contains(words) && said.contains("sluice.toml:3"),
            "{said}"
        );
    }
}
