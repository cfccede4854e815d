//! Certificates of clients: who is let in, and what servers are told.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod http_proxy;
mod tls_kit;

use http_proxy::{Setup, start};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd,
};
use testkit::{Balancer, EchoReply, EchoServer, RawClient};
use tls_kit::{Authority, Files, SClient, certificates, https};

const SUBJECT: &str = "x-client-cert-subject";
const FINGERPRINT: &str = "x-client-cert-fingerprint";

struct House {
    servers: Authority,
    clients: Authority,
    balancer: Balancer,
    _echo: EchoServer,
}

/// A balancer whose listener `web` asks for certificates by `more`, beside a plain one.
fn house(clients: Authority, more: &str) -> House {
    let servers = Authority::new("servers");
    let echo = EchoServer::start("one");
    let files = servers.issue("web", &["example.com"]);
    let ca = clients.ca();
    let listener = format!(
        "{}tls.client-auth = {{ ca = \"{}\"{more} }}\n",
        certificates(&[&files]),
        ca.display()
    );
    let tables = "[listeners.plain]\naddress = \"127.0.0.1:<port:plain>\"\n\
        [[routes]]\nmatch.path = \"/who\"\nrespond = { body = \"{tls-subject} by {tls-version}\" }\n\
        [[routes]]\nupstream = \"app\"\n";
    let balancer = start(
        &[echo.address()],
        Setup {
            listener: &listener,
            upstream: "",
            tables,
        },
    );
    House {
        servers,
        clients,
        balancer,
        _echo: echo,
    }
}

impl House {
    /// curl's code and output.
    fn ask(&self, target: &str, shown: Option<&Files>, more: &[&str]) -> (i32, String) {
        let paths = shown.map(|files| {
            (
                files.cert.display().to_string(),
                files.key.display().to_string(),
            )
        });
        let mut arguments = more.to_vec();
        if let Some((cert, key)) = &paths {
            arguments.extend(["--cert", cert, "--key", key]);
        }
        let web = self.balancer.address("web");
        let done = https(web, &self.servers.ca(), "example.com", target, &arguments);
        (done.code(), done.stdout)
    }
}

#[test]
fn a_client_is_let_in_by_its_certificate_and_servers_are_told() {
    let house = house(Authority::new("clients"), "");
    let alice = house.clients.issue("alice", &["alice.test"]);
    let forged = [
        "-H",
        "X-Client-Cert-Subject: CN=root",
        "-H",
        "x_client_cert_subject: CN=root",
    ];
    let fingerprint = testkit::run(
        "openssl",
        &[
            "x509",
            "-noout",
            "-fingerprint",
            "-sha256",
            "-in",
            alice.cert.to_str().expect("UTF-8"),
        ],
    );
    let (_, digits) = fingerprint
        .stdout
        .trim()
        .split_once('=')
        .expect("a fingerprint");
    let digits = digits.replace(':', "").to_ascii_lowercase();
    for version in ["--http1.1", "--http2"] {
        let more = [&forged[..], &[version]].concat();
        let (code, body) = house.ask("/a", Some(&alice), &more);
        assert_eq!(code, 0);
        let reply: EchoReply = serde_json::from_str(&body).expect("an echo");
        assert_eq!(reply.fields(SUBJECT), ["CN=alice"]);
        assert_eq!(reply.fields(FINGERPRINT), [digits.as_str()]);
        assert!(!body.contains("CN=root"), "{body}");
    }
    assert_eq!(
        house.ask("/who", Some(&alice), &[]).1,
        "CN=alice by TLSv1.3"
    );
}

#[test]
fn clients_without_the_right_certificate_are_refused() {
    let house = house(Authority::new("clients"), "");
    let others = Authority::new("others");
    let mallory = others.issue("mallory", &["mallory.test"]);
    for shown in [None, Some(&mallory)] {
        for version in ["--tlsv1.3", "--tls-max"] {
            let more: &[&str] = if version == "--tls-max" {
                &["--tls-max", "1.2"]
            } else {
                &[version]
            };
            let (code, body) = house.ask("/a", shown, more);
            // In TLS 1.3 a client has sent its request before it hears of the refusal: it fails in the handshake, in sending
            // or in receiving.
            assert!(
                matches!(code, 35 | 55 | 56 | 98) && body.is_empty(),
                "{code} {body}"
            );
        }
    }
    let failures = "sluice_tls_handshake_failures_total";
    let metrics = house
        .balancer
        .wait_for_metrics("all are counted", |metrics| {
            metrics.sum(failures, &[]) == 4.0
        });
    let counted = |reason| metrics.sum(failures, &[("reason", reason)]);
    assert_eq!(
        (
            counted("certificate"),
            counted("invalid"),
            counted("refused"),
            counted("closed")
        ),
        (4.0, 0.0, 0.0, 0.0)
    );
}

#[test]
fn a_request_for_a_certificate_may_be_declined() {
    let house = house(Authority::new("clients"), ", mode = \"request\"");
    let alice = house.clients.issue("alice", &["alice.test"]);
    let (code, body) = house.ask("/a", None, &["-H", "X-Client-Cert-Subject: CN=root"]);
    assert_eq!(code, 0);
    let reply: EchoReply = serde_json::from_str(&body).expect("an echo");
    assert_eq!(
        (reply.field(SUBJECT), reply.field(FINGERPRINT)),
        (None, None)
    );
    assert_eq!(house.ask("/who", None, &[]).1, " by TLSv1.3");
    assert_eq!(
        house.ask("/who", Some(&alice), &["--tls-max", "1.2"]).1,
        "CN=alice by TLSv1.2"
    );
    let others = Authority::new("others");
    let mallory = others.issue("mallory", &["mallory.test"]);
    assert_ne!(
        house.ask("/a", Some(&mallory), &[]).0,
        0,
        "a wrong one is refused"
    );
}

/// The servers behind are the same: what they are told may not be forged on the way beside.
#[test]
fn the_fields_are_removed_on_other_listeners_too() {
    let house = house(Authority::new("clients"), "");
    let mut client = RawClient::connect(house.balancer.address("plain"));
    client.send("GET /a HTTP/1.1\r\nHost: a\r\nX-Client-Cert-Subject: CN=root\r\nx-CLIENT-cert-Fingerprint: 00\r\n\r\n");
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(
        (reply.field(SUBJECT), reply.field(FINGERPRINT)),
        (None, None)
    );
}

#[test]
fn a_request_for_another_host_than_the_handshake_was_for_is_misdirected() {
    let house = house(Authority::new("clients"), "");
    let alice = house.clients.issue("alice", &["alice.test"]);
    let (cert, key) = (
        alice.cert.display().to_string(),
        alice.key.display().to_string(),
    );
    let more = [
        "-quiet",
        "-servername",
        "example.com",
        "-cert",
        &cert,
        "-key",
        &key,
        "-no_ign_eof",
    ];
    let mut client = SClient::connect(house.balancer.address("web"), &more);
    client.send("GET /a HTTP/1.1\r\nHost: Example.com:443\r\n\r\n");
    client.wait_for("\"target\":\"/a\"");
    client.send("GET /b HTTP/1.1\r\nHost: other.test\r\n\r\n");
    client.wait_for("HTTP/1.1 421 ");
    client.end_input();
    client.wait_end();
}

#[test]
fn revoked_certificates_are_refused() {
    let clients = Authority::new("clients");
    let alice = clients.issue("alice", &["alice.test"]);
    let bob = clients.issue_with("bob", &["bob.test"], &rcgen::PKCS_ED25519, |params| {
        params.serial_number = Some(SerialNumber::from(77));
    });
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2040, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(77),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let path = clients.path("revoked.pem");
    let list = list.signed_by(clients.issuer()).expect("a list");
    std::fs::write(&path, list.pem().expect("PEM")).expect("to write");
    let house = house(clients, &format!(", crl = \"{}\"", path.display()));
    assert_eq!(house.ask("/a", Some(&alice), &[]).0, 0);
    assert_ne!(house.ask("/a", Some(&bob), &[]).0, 0);
}
