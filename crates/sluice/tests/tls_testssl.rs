//! What testssl.sh finds at a listener that has nothing set but a certificate: nothing worth a mention.

#[expect(dead_code, reason = "testssl.sh speaks TLS here")]
mod tls_kit;

use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::{Balancer, EchoServer};
use tls_kit::{Authority, certificates};

/// Protocols, ciphers and their forward secrecy, known weaknesses, fields of HTTP.
const CHECKS: [&str; 5] = ["-p", "-s", "-f", "-U", "-h"];
/// What is the application's, and what it misses at itself.
const NOT_OURS: [&str; 2] = ["security_headers", "engine_problem"];

#[test]
fn testssl_finds_nothing() {
    let authority = Authority::new("a");
    let server = EchoServer::start("one");
    let listener = certificates(&[&authority.issue("web", &["example.com"])]);
    let balancer = Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n{listener}tls.hsts = \"365d\"\n\
             [upstreams.app]\nservers = [\"{}\"]\n",
            server.address()
        ),
    );
    let findings = authority.path("findings.json");
    let status = Command::new("testssl")
        .args([
            "--warnings",
            "off",
            "--color",
            "0",
            "--quiet",
            "--nodns",
            "none",
        ])
        .args(["--ip", "127.0.0.1", "--jsonfile"])
        .arg(&findings)
        .args(CHECKS)
        .arg(format!("example.com:{}", balancer.address("web").port()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("testssl");
    let text = std::fs::read_to_string(&findings).expect("findings");
    let found: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let offered = |id: &str| {
        let mut matching = found.iter().filter(|finding| finding["id"] == id);
        matching.any(|finding| word(finding, "finding").starts_with("offered"))
    };
    // It has looked.
    assert!(
        offered("TLS1_2") && offered("TLS1_3") && offered("PFS"),
        "{status} {text}"
    );
    assert!(found.len() > 40, "{text}");
    let bad: Vec<&Value> = found
        .iter()
        .filter(|finding| !["OK", "INFO", "LOW"].contains(&word(finding, "severity").as_str()))
        .filter(|finding| !NOT_OURS.contains(&word(finding, "id").as_str()))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}
