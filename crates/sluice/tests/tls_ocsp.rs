//! Answers of OCSP that are stapled: made by `openssl ocsp`, asked for by `openssl s_client` and over QUIC.

mod aioquic;
#[expect(dead_code, reason = "one answer of s_client is all that is looked at")]
mod tls_kit;

use std::path::{Path, PathBuf};

use aioquic::aioquic;
use testkit::{Balancer, EchoServer, Signal};
use tls_kit::{Authority, Files};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Lets the authority say `state` of a certificate, `V` or `R`; where it has written that.
fn answer(authority: &Authority, files: &Files, state: &str) -> PathBuf {
    let [cert, ca, key] =
        [&files.cert, &authority.ca(), &authority.path("ca.key")].map(|path| text(path).to_owned());
    let said = testkit::run("openssl", &["x509", "-noout", "-serial", "-in", &cert]).stdout;
    let (_, serial) = said.trim().split_once('=').expect("a serial number");
    let revoked = if state == "R" { "200101000000Z" } else { "" };
    let line = format!("{state}\t400101000000Z\t{revoked}\t{serial}\tunknown\t/CN=a\n");
    let (index, out) = (
        authority.path("index.txt"),
        files.cert.with_extension("ocsp"),
    );
    std::fs::write(&index, line).expect("to write");
    let done = testkit::run(
        "openssl",
        &[
            "ocsp",
            "-index",
            text(&index),
            "-CA",
            &ca,
            "-issuer",
            &ca,
            "-rsigner",
            &ca,
            "-rkey",
            &key,
            "-cert",
            &cert,
            "-ndays",
            "7",
            "-noverify",
            "-respout",
            text(&out),
        ],
    );
    assert_eq!(done.code(), 0, "{}", done.stderr);
    out
}

/// Makes an answer end in the past. Its signature is wrong then, which only clients would look at.
fn let_expire(file: &Path) {
    let mut bytes = std::fs::read(file).expect("an answer");
    // nextUpdate: [0] EXPLICIT GeneralizedTime
    let begin = [0xa0, 0x11, 0x18, 0x0f];
    let at = bytes
        .windows(begin.len())
        .position(|window| window == begin)
        .expect("nextUpdate");
    bytes[at + begin.len()..at + begin.len() + 4].copy_from_slice(b"2020");
    std::fs::write(file, bytes).expect("to write");
}

fn configuration(files: &Files, ocsp: &Path, server: &EchoServer, more: &str) -> String {
    let item = files
        .item()
        .replace(" }", &format!(", ocsp = \"{}\" }}", ocsp.display()));
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h1\", \"h2\", \"h3\"]\ntls.certificates = [{item}]\n\
         [upstreams.app]\nservers = [\"{}\"]\n[runtime]\nworkers = 1\n{more}",
        server.address()
    )
}

/// What a client hears that asks for an answer.
fn stapled(balancer: &Balancer, version: &str) -> String {
    let address = balancer.address("web").to_string();
    let arguments = ["s_client", "-connect", &address, "-status", version];
    testkit::run("openssl", &arguments).stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

const NONE: &str = "OCSP response: no response sent";

#[test]
fn an_answer_is_shown_to_clients_that_ask() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["www.example.com"]);
    let ocsp = answer(&authority, &files, "V");
    let balancer = Balancer::start(SLUICE, &configuration(&files, &ocsp, &server, ""));
    for version in ["-tls1_2", "-tls1_3"] {
        let heard = stapled(&balancer, version);
        assert!(
            heard.contains("OCSP Response Status: successful")
                && heard.contains("Cert Status: good"),
            "{heard}"
        );
    }
    let heard = aioquic(balancer.address("web"), &authority.ca(), "stapled");
    let digest = testkit::run("sha256sum", &[text(&ocsp)]).stdout;
    assert_eq!(
        heard.split_whitespace().next(),
        digest.split_whitespace().next(),
        "over QUIC"
    );
}

#[test]
fn one_that_is_out_of_date_or_says_no_good_is_not_shown() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["www.example.com"]);
    let other = authority.issue("other", &["other.example.com"]);
    let ocsp = answer(&authority, &files, "V");
    let configuration = |ocsp| configuration(&files, ocsp, &server, "");
    let mut balancer = Balancer::start(SLUICE, &configuration(&ocsp));
    assert!(!stapled(&balancer, "-tls1_3").contains(NONE));

    let_expire(&ocsp);
    balancer.reload(&configuration(&ocsp));
    balancer.wait_for_stderr("it is out of date");
    balancer.wait_for_stderr("not shown to clients any more");
    assert!(stapled(&balancer, "-tls1_3").contains(NONE));

    answer(&authority, &files, "R");
    balancer.reload(&configuration(&ocsp));
    balancer.wait_for_stderr("the certificate is revoked, it says");
    assert!(stapled(&balancer, "-tls1_3").contains(NONE));

    let for_other = answer(&authority, &other, "V");
    balancer.reload(&configuration(&for_other));
    balancer.wait_for_stderr("it is for another certificate");
    assert!(stapled(&balancer, "-tls1_3").contains(NONE));

    // OCSPResponseStatus tryLater, as a responder that has no time gives it.
    std::fs::write(&ocsp, [0x30, 3, 0x0a, 1, 3]).expect("to write");
    balancer.reload(&configuration(&ocsp));
    balancer.wait_for_stderr("the responder had no answer");
    assert!(stapled(&balancer, "-tls1_3").contains(NONE));

    std::fs::write(&ocsp, "x").expect("to write");
    balancer.signal(Signal::HUP);
    balancer.wait_for_stderr("not an answer of OCSP in DER");
    assert!(balancer.is_running());
}

#[test]
fn answers_are_watched() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let files = authority.issue("web", &["www.example.com"]);
    let ocsp = answer(&authority, &files, "V");
    let_expire(&ocsp);
    let configuration = configuration(&files, &ocsp, &server, "watch = true\n");
    let balancer = Balancer::start(SLUICE, &configuration);
    assert!(stapled(&balancer, "-tls1_3").contains(NONE));
    answer(&authority, &files, "V");
    testkit::wait_until("the new answer is shown", || {
        stapled(&balancer, "-tls1_3").contains("Cert Status: good")
    });
}
