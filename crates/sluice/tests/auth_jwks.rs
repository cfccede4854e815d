//! `jwks` by URL: keys that an issuer shows, and replaces.

mod http_proxy;
mod jwt_kit;
#[expect(dead_code, reason = "no client of openssl here")]
mod tls_kit;

use std::net::SocketAddr;
use std::process::Command;

use http_proxy::{Setup, start};
use jwt_kit::Issuer;
use testkit::{Balancer, EchoReply, EchoServer, Script, ScriptedServer, refused_address};
use tls_kit::{Authority, certificates};

/// The set of these keys.
fn set(issuers: &[&Issuer]) -> Script {
    let keys: Vec<String> = issuers.iter().map(|one| one.jwk()).collect();
    Script::ok(&format!("{{\"keys\":[{}]}}", keys.join(",")))
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/keys")
}

/// `[auth.tokens]` with the keys of a URL, and a route that asks for it.
fn tables(url: &str, more: &str) -> String {
    format!(
        "[auth.tokens]\njwt = {{ jwks = \"{url}\", issuer = \"idp\", claims-to-headers = {{ sub = \"x-user\" }}{more} }}\n\
         [[routes]]\nauth = \"tokens\"\nupstream = \"app\"\n"
    )
}

fn balancer(app: &EchoServer, tables: &str) -> Balancer {
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    start(&[app.address()], setup)
}

/// The status of a request with a token of alice.
fn status(balancer: &Balancer, issuer: &Issuer) -> u16 {
    let shown = issuer.shows(r#"{"iss":"idp","sub":"alice"}"#);
    balancer
        .ask(&format!("GET / HTTP/1.1\r\nHost: a\r\n{shown}\r\n"))
        .status
}

/// What `sluice status` says.
fn sluice_status(balancer: &Balancer) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["status", "-c"])
        .arg(balancer.file())
        .output()
        .expect("sluice");
    String::from_utf8(output.stdout).expect("a text")
}

fn fetches(balancer: &Balancer, outcome: &str, at_least: usize) {
    balancer.wait_for_metrics("keys to be fetched", |metrics| {
        let labels = [("auth", "tokens"), ("outcome", outcome)];
        metrics.count("sluice_auth_key_fetches_total", &labels) >= at_least
    });
}

#[test]
fn a_new_key_lets_in_the_request_that_brings_it_and_a_withdrawn_one_nobody() {
    let app = EchoServer::start("app");
    let (old, new) = (Issuer::named("old"), Issuer::named("new"));
    let issuer = ScriptedServer::start([set(&[&old]), set(&[&new])]);
    let balancer = balancer(&app, &tables(&url(issuer.address()), ""));
    fetches(&balancer, "success", 1);
    let shown = old.shows(r#"{"iss":"idp","sub":"alice"}"#);
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{shown}\r\n");
    for _ in 0..2 {
        let reply = EchoReply::from_response(&balancer.ask(&request));
        assert_eq!(reply.fields("x-user"), ["alice"]);
    }
    assert_eq!(issuer.requests(), 1);
    assert_eq!(status(&balancer, &new), 200);
    assert_eq!(issuer.requests(), 2);
    // It was remembered, with the key that has gone.
    assert_eq!(balancer.ask(&request).status, 401);
    let metrics = balancer.metrics();
    let at = metrics.value("sluice_auth_keys_fetched_timestamp_seconds", &[]);
    assert!(at.is_some_and(|at| at > 1.7e9), "{at:?}");
    let asked = String::from_utf8_lossy(&issuer.received(0)).to_lowercase();
    assert!(asked.starts_with("get /keys http/1.1\r\n"), "{asked}");
    assert!(
        asked.contains("\r\naccept: application/jwk-set+json"),
        "{asked}"
    );
}

#[test]
fn a_withdrawn_key_lets_nobody_in_after_a_refresh() {
    let app = EchoServer::start("app");
    let (old, new) = (Issuer::named("old"), Issuer::named("new"));
    let issuer = ScriptedServer::start([set(&[&old, &new]), set(&[&new])]);
    let balancer = balancer(&app, &tables(&url(issuer.address()), ", refresh = \"1s\""));
    fetches(&balancer, "success", 2);
    assert_eq!(status(&balancer, &old), 401);
    assert_eq!(status(&balancer, &new), 200);
}

#[test]
fn routes_by_claims_wait_for_newer_keys() {
    let app = EchoServer::start("app");
    let (old, new) = (Issuer::named("old"), Issuer::named("new"));
    let issuer = ScriptedServer::start([set(&[&old]), set(&[&new])]);
    let tables = format!(
        "[auth.tokens]\njwt = {{ jwks = \"{}\", issuer = \"idp\" }}\n\
         [[routes]]\nmatch.path = \"/app\"\nupstream = \"app\"\n[[routes]]\nauth = \"tokens\"\nmatch.claims = {{ role = \"admin\" }}\nrespond = {{ body = \"admin\" }}\n\
         [[routes]]\nrespond = {{ body = \"anybody\" }}\n",
        url(issuer.address())
    );
    let balancer = balancer(&app, &tables);
    fetches(&balancer, "success", 1);
    let ask = |claims: &str| {
        let shown = new.shows(claims);
        balancer.ask(&format!("GET / HTTP/1.1\r\nHost: a\r\n{shown}\r\n"))
    };
    assert_eq!(ask(r#"{"iss":"other","role":"admin"}"#).text(), "anybody");
    assert_eq!(
        issuer.requests(),
        1,
        "of somebody else, whatever the keys are"
    );
    assert_eq!(ask(r#"{"iss":"idp","role":"admin"}"#).text(), "admin");
    assert_eq!(issuer.requests(), 2);
    assert_eq!(ask(r#"{"iss":"idp","role":"guest"}"#).text(), "anybody");
}

#[test]
fn made_up_keys_are_no_burden_to_the_issuer() {
    let app = EchoServer::start("app");
    let (known, made_up) = (Issuer::named("known"), Issuer::named("made-up"));
    let issuer = ScriptedServer::start([set(&[&known])]);
    let balancer = balancer(&app, &tables(&url(issuer.address()), ""));
    fetches(&balancer, "success", 1);
    for _ in 0..300 {
        assert_eq!(status(&balancer, &made_up), 401);
    }
    assert_eq!(status(&balancer, &known), 200);
    // One at the start, one for the first of them, and one more for each ten seconds that a busy machine takes.
    let asked = issuer.requests();
    assert!(asked < 10, "{asked}");
}

#[test]
fn keys_stay_in_use_while_the_issuer_is_away_and_over_a_reload() {
    let app = EchoServer::start("app");
    let (known, other) = (Issuer::named("known"), Issuer::named("other"));
    let mut issuer = ScriptedServer::start([set(&[&known])]);
    let url = url(issuer.address());
    let mut balancer = balancer(&app, &tables(&url, ", refresh = \"1s\""));
    fetches(&balancer, "success", 1);
    issuer.die();
    fetches(&balancer, "failure", 1);
    assert_eq!(status(&balancer, &known), 200);
    assert_eq!(status(&balancer, &other), 401);
    let file = std::fs::read_to_string(balancer.file()).expect("the file");
    let file = file.replace("[[routes]]", "[[routes]]\nname = \"api\"\ntimeout = \"9s\"");
    balancer.reload(&file);
    assert_eq!(status(&balancer, &known), 200);
    fetches(&balancer, "failure", 2);
    let warning = "keys of tokens cannot be fetched: those that are known stay in use";
    balancer.wait_for_stderr(warning);
    let told = balancer.stderr();
    assert_eq!(told.matches(warning).count(), 1, "{told}");
    // Fetched at other times, they are the same.
    balancer.reload(&file.replace("refresh = \"1s\"", "refresh = \"2s\""));
    assert_eq!(status(&balancer, &known), 200);
    let shown = sluice_status(&balancer);
    let line = shown.lines().find(|line| line.starts_with("tokens "));
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    assert!(
        line.contains("s ago") && line.contains(&url) && line.contains("refused"),
        "{line}"
    );
}

#[test]
fn without_any_keys_nobody_can_tell_who_may_come_in() {
    let app = EchoServer::start("app");
    let balancer = balancer(&app, &tables(&url(refused_address()), ""));
    fetches(&balancer, "failure", 1);
    let issuer = Issuer::named("a");
    assert_eq!(status(&balancer, &issuer), 503);
    let missing = balancer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(missing.status, 401);
    let labels = [("auth", "tokens"), ("outcome", "failed")];
    assert_eq!(
        balancer
            .metrics_after(2)
            .count("sluice_auth_total", &labels),
        1
    );
    balancer.wait_for_stderr("keys of tokens cannot be fetched: until they are");
}

#[test]
fn answers_that_are_no_keys_are_told_of() {
    let app = EchoServer::start("app");
    let issuer = Issuer::named("a");
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(600 * 1024));
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    for (script, reason) in [
        (Script::ok("<html>"), "it is no set of keys in JSON"),
        (
            Script::ok("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"),
            "no key in it that verifies tokens",
        ),
        (Script::ok(&long), "longer than 524288 bytes"),
        (
            Script::answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            "404 Not Found",
        ),
        (Script::answer(elsewhere), "redirects are not followed"),
        (Script::new().read_head().reset(), "cannot be fetched"),
    ] {
        let server = ScriptedServer::start([script]);
        let balancer = balancer(&app, &tables(&url(server.address()), ""));
        balancer.wait_for_stderr(reason);
        assert_eq!(status(&balancer, &issuer), 503, "{reason}");
    }
}

/// An issuer over https: a balancer with a certificate before one that speaks http.
#[test]
fn an_issuer_is_verified_by_its_certificate() {
    let app = EchoServer::start("app");
    let issuer = Issuer::named("a");
    let (house, other) = (Authority::new("house"), Authority::new("other"));
    let shown = ScriptedServer::start([set(&[&issuer])]);
    let secure = start(
        &[shown.address()],
        Setup {
            listener: &certificates(&[&house.issue("idp", &["127.0.0.1"])]),
            ..Setup::default()
        },
    );
    let url = format!("https://{}/keys", secure.address("web"));
    let trusting = |authority: &Authority| {
        let ca = format!(", ca = \"{}\"", authority.ca().display());
        balancer(&app, &tables(&url, &ca))
    };
    let right = trusting(&house);
    fetches(&right, "success", 1);
    assert_eq!(status(&right, &issuer), 200);
    let wrong = trusting(&other);
    wrong.wait_for_stderr("certificate");
    assert_eq!(status(&wrong, &issuer), 503);
}
