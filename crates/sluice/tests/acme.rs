//! Certificates by ACME, from Pebble.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod acme_kit;
mod aioquic;
mod example;
mod tls_kit;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use acme_kit::{Names, Pebble, Ports};
use aioquic::aioquic;
use example::Example;
use testkit::{Balancer, EchoServer, TempDir, wait_for, wait_until};
use tls_kit::{Authority, SClient, https};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
/// Seconds that no test lasts.
const LONG: u64 = 90 * 24 * 60 * 60;

/// What is the same in most tests.
struct Stage {
    authority: Authority,
    ports: Ports,
    storage: TempDir,
    server: EchoServer,
}

impl Stage {
    fn new() -> Self {
        Self {
            authority: Authority::new("house"),
            ports: Ports::new(),
            storage: TempDir::new().expect("a folder"),
            server: EchoServer::start("one"),
        }
    }

    /// A plain listener that redirects, and one with TLS and these lines.
    fn file(&self, https: &str) -> String {
        format!(
            r#"
            [listeners.http]
            address = "{}"
            redirect-to-https = true
            [listeners.https]
            address = "{}"
            {https}
            [upstreams.app]
            servers = ["{}"]
            "#,
            self.ports.http,
            self.ports.https,
            self.server.address()
        )
    }

    /// `tls.acme` for these domains.
    fn acme(&self, domains: &[&str], more: &str) -> String {
        format!(
            "tls.acme = {{ domains = {domains:?}, directory = \"{}\", ca = \"{}\", storage = \"{}\"{more} }}\n",
            self.ports.directory(),
            self.authority.ca().display(),
            self.storage.path().join("kept").display(),
        )
    }

    fn pebble(&self, validity: u64) -> Pebble {
        Pebble::start(&self.authority, &self.ports, validity, Names::start(true))
    }

    /// What is kept on disk, by its ending.
    fn kept(&self, ending: &str) -> Vec<std::path::PathBuf> {
        let name = self
            .ports
            .directory()
            .replace("https://", "")
            .replace([':', '/'], "-");
        let entries = std::fs::read_dir(self.storage.path().join("kept").join(name));
        let paths = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .collect()
    }
}

fn orders(balancer: &Balancer, outcome: &str) -> f64 {
    balancer
        .metrics()
        .sum("sluice_acme_orders_total", &[("outcome", outcome)])
}

/// Asks `host` over a certificate that leads to `root`.
fn is_served(address: SocketAddr, root: &Path, host: &str) -> bool {
    https(address, root, host, "/", &[]).code() == 0
}

/// The serial number of the certificate that is served for `host`.
fn serial(address: SocketAddr, host: &str) -> Option<String> {
    let script = format!(
        "openssl s_client -connect {address} -servername {host} </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null"
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("sh");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (!text.is_empty()).then_some(text)
}

#[test]
fn an_authority_that_is_away_is_asked_again_and_certifies_by_http() {
    let stage = Stage::new();
    let acme = stage.acme(
        &["example.test"],
        ", challenge = \"http-01\", contact = \"ops@example.test\"",
    );
    let balancer = Balancer::start(SLUICE, &stage.file(&acme));
    let line = balancer.wait_for_stderr("could not be obtained");
    assert!(
        line.contains("cannot be reached") && line.contains("refused"),
        "{line}"
    );
    assert_eq!(serial(stage.ports.https, "example.test"), None, "refused");
    balancer.wait_for_metrics("a refused handshake", |metrics| {
        let reason = [("listener", "https"), ("reason", "no-certificate")];
        metrics.value("sluice_tls_handshake_failures_total", &reason) >= Some(1.0)
    });

    let pebble = stage.pebble(LONG);
    wait_until("a certificate", || orders(&balancer, "obtained") == 1.0);
    assert!(is_served(stage.ports.https, pebble.root(), "example.test"));
    assert!(orders(&balancer, "failed") >= 1.0);
    let expiry = [("listener", "https"), ("certificate", "example.test")];
    balancer.wait_for_metrics("the expiry", |metrics| {
        let at = metrics.value("sluice_tls_certificate_expiry_timestamp_seconds", &expiry);
        at.is_some_and(|at| at > 1e9)
    });

    for ending in [".pem", "account.json"] {
        let files = stage.kept(ending);
        let [file] = &files[..] else {
            panic!("{files:?}");
        };
        let mode = std::fs::metadata(file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    // What nobody waits for goes its way.
    let url = format!(
        "http://{}/.well-known/acme-challenge/other",
        stage.ports.http
    );
    let other = testkit::curl(&["--include", &url]);
    assert!(other.stdout.starts_with("HTTP/1.1 308"), "{}", other.stdout);
}

#[test]
fn a_certificate_by_tls_is_kept_over_a_restart() {
    let stage = Stage::new();
    let files = stage.authority.issue("file", &["file.test"]);
    let acme = stage.acme(
        &["www.example.com", "b.test"],
        ", challenge = \"tls-alpn-01\"",
    );
    let text = stage.file(&format!(
        "protocols = [\"h1\", \"h2\", \"h3\"]\ntls.certificates = [{}]\n{acme}",
        files.item()
    ));
    let pebble = stage.pebble(LONG);
    let balancer = Balancer::start(SLUICE, &text);
    wait_until("a certificate", || orders(&balancer, "obtained") == 1.0);
    for host in ["www.example.com", "b.test"] {
        assert!(is_served(stage.ports.https, pebble.root(), host), "{host}");
    }
    assert_eq!(
        aioquic(stage.ports.https, pebble.root(), "one_request"),
        "ok\n",
        "by QUIC too"
    );
    let house = stage.authority.ca();
    assert!(
        is_served(stage.ports.https, &house, "file.test"),
        "beside it"
    );
    let proof = ["-alpn", "acme-tls/1", "-servername", "www.example.com"];
    let refused = SClient::connect(stage.ports.https, &proof).wait_end();
    assert!(
        refused.contains("no peer certificate available"),
        "{refused}"
    );
    let before = serial(stage.ports.https, "www.example.com");
    assert!(before.is_some());
    drop(balancer);

    let mut balancer = Balancer::start(SLUICE, &text);
    assert_eq!(
        serial(stage.ports.https, "www.example.com"),
        before,
        "from the first handshake on"
    );
    balancer.wait_for_stderr("a kept certificate is served");
    assert!(!balancer.stderr().contains("ordering a certificate"));
    assert_eq!(orders(&balancer, "obtained"), 0.0);

    // An authority that has forgotten the account gets to know another.
    drop(pebble);
    let pebble = stage.pebble(LONG);
    balancer.reload(&stage.file(&stage.acme(&["c.test"], ", challenge = \"tls-alpn-01\"")));
    balancer.wait_for_stderr("does not know the account");
    wait_until("a certificate of a new account", || {
        orders(&balancer, "obtained") == 1.0
    });
    assert!(is_served(stage.ports.https, pebble.root(), "c.test"));
    assert_eq!(stage.kept("account.old").len(), 1);
}

#[test]
fn a_certificate_is_renewed_while_connections_and_reloads_go_on() {
    let stage = Stage::new();
    let acme = stage.acme(&["example.test"], "");
    let _pebble = stage.pebble(24);
    let mut balancer = Balancer::start(SLUICE, &stage.file(&acme));
    let first = wait_for("a certificate", || {
        serial(stage.ports.https, "example.test")
    });
    let mut open = SClient::connect(
        stage.ports.https,
        &["-servername", "example.test", "-alpn", "http/1.1", "-quiet"],
    );
    open.send("GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n");
    open.wait_for("\"trailers\"");
    // Something else changes: nothing is ordered for that, and what was begun goes on.
    balancer.reload(&stage.file(&format!("via = \"x\"\n{acme}")));
    wait_until("the next order", || {
        balancer.stderr().matches("ordering a certificate").count() >= 2
    });
    let second = wait_for("another certificate", || {
        serial(stage.ports.https, "example.test").filter(|serial| *serial != first)
    });
    open.send("GET /b HTTP/1.1\r\nHost: example.test\r\n\r\n");
    open.wait_for("\"trailers\"");
    wait_until("it to be counted", || orders(&balancer, "obtained") >= 2.0);
    let lines = balancer.stderr();
    let obtained = lines.matches("was obtained").count();
    let ordered = lines.matches("ordering a certificate").count();
    assert!(ordered <= obtained + 1, "one at a time: {second}\n{lines}");
    let [kept] = &stage.kept(".pem")[..] else {
        panic!("one file");
    };
    let kept = std::fs::read_to_string(kept).expect("a text");
    assert!(kept.starts_with("-----BEGIN PRIVATE KEY-----"));

    balancer.reload(&stage.file(""));
    assert_eq!(
        orders(&balancer, "obtained"),
        0.0,
        "nothing is ordered any more"
    );
}

#[test]
fn what_the_authority_says_of_a_failure_is_told() {
    let stage = Stage::new();
    let acme = stage.acme(&["example.test"], ", challenge = \"tls-alpn-01\"");
    let names = Names::start(false);
    let _pebble = Pebble::start(&stage.authority, &stage.ports, LONG, names);
    let balancer = Balancer::start(SLUICE, &stage.file(&acme));
    let line = balancer.wait_for_stderr("could not be obtained");
    assert!(
        line.contains("the authority says of example.test:") && line.contains("Could not resolve"),
        "{line}"
    );
    assert!(orders(&balancer, "failed") >= 1.0);
    assert_eq!(orders(&balancer, "obtained"), 0.0);
    let files = stage.kept(".pem");
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn the_example() {
    let stage = Stage::new();
    let pebble = stage.pebble(LONG);
    let directory = format!(
        "\"{}\"\nca = \"{}\"",
        stage.ports.directory(),
        stage.authority.ca().display()
    );
    let balancer = Example::read("acme.toml")
        .server(":80", stage.ports.http)
        .server(":443", stage.ports.https)
        .server("127.0.0.1:9001", stage.server.address())
        .text(
            "\"https://acme-v02.api.letsencrypt.org/directory\"",
            directory,
        )
        .run();
    wait_until("a certificate", || orders(&balancer, "obtained") == 1.0);
    for host in ["example.com", "www.example.com"] {
        assert!(is_served(stage.ports.https, pebble.root(), host), "{host}");
    }
    assert!(balancer.folder().join("acme").is_dir(), "beside the file");
}

#[test]
fn a_storage_that_cannot_be_is_a_mistake_of_the_file() {
    let stage = Stage::new();
    std::fs::write(stage.storage.path().join("kept"), "a file").expect("to write");
    let file = stage.storage.path().join("sluice.toml");
    let acme = stage.acme(&["example.test"], "");
    std::fs::write(&file, stage.file(&acme)).expect("to write");
    let finished = testkit::run(SLUICE, &["check", file.to_str().expect("UTF-8")]);
    let said = &finished.stderr;
    assert_eq!(finished.code(), 1, "{said}");
    assert!(
        said.contains("certificates cannot be kept in") && said.contains("this is no folder"),
        "{said}"
    );
    assert!(
        said.contains("sluice.toml:7:") && said.contains("set `storage`"),
        "{said}"
    );
}
