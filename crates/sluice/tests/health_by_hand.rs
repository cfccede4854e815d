//! What servers take, set by hand while the balancer runs: by the admin address and by the command line.

use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::{
    Balancer, EchoReply, EchoServer, Finished, Gate, RawClient, Response, Script, ScriptedServer,
    TcpEchoServer, run,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:<port:admin>\"\n";

fn configuration(servers: &[String], more: &str) -> String {
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = {servers:?}\nbalance = \"round-robin\"\n\
         {more}\n{ADMIN}"
    )
}

fn start(servers: &[&EchoServer], more: &str) -> Balancer {
    Balancer::start(SLUICE, &configuration(&addresses(servers), more))
}

fn addresses(servers: &[&EchoServer]) -> Vec<String> {
    servers
        .iter()
        .map(|server| server.address().to_string())
        .collect()
}

/// `sluice drain app/ADDRESS` and the like, by the file.
fn sluice(balancer: &Balancer, word: &str, server: &str) -> Finished {
    let file = balancer.file();
    run(SLUICE, &[word, server, "-c", file.to_str().expect("UTF-8")])
}

#[track_caller]
fn set(balancer: &Balancer, word: &str, address: &impl ToString) -> Value {
    let finished = sluice(balancer, word, &format!("app/{}", address.to_string()));
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    serde_json::from_str(&finished.stdout).expect("JSON")
}

/// A server that nothing runs on, as the admin address shows it.
fn shown(server: &EchoServer, state: &str) -> Value {
    let address = server.address().to_string();
    let takes = match state {
        "up" => "requests",
        "drain" => "sessions",
        _ => "nothing",
    };
    json!({ "address": address, "by-hand": state, "in-flight": 0, "sessions": null, "state": state, "takes": takes, "weight": 1, "weight-by-hand": null })
}

/// The servers that answer a number of requests, each once.
fn answering(balancer: &Balancer) -> Vec<String> {
    let mut client = RawClient::connect(balancer.address("web"));
    let mut names: Vec<_> = (0..12)
        .map(|_| {
            client.send(GET);
            EchoReply::from_response(&client.response("GET")).server
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

fn put(balancer: &Balancer, path: &str, fields: &str, body: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("admin"));
    let length = body.len();
    client.send(format!(
        "PUT {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    client.response("PUT")
}

#[test]
fn servers_are_drained_taken_down_and_brought_back() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let balancer = start(&[&a, &b], "");
    assert_eq!(answering(&balancer), ["a", "b"]);
    for word in ["drain", "down"] {
        balancer.wait_for_counts(&[("sluice_server_in_flight", &[], 0)]);
        let said = set(&balancer, word, &a.address());
        assert_eq!(said, shown(&a, word));
        assert_eq!(answering(&balancer), ["b"], "{word}");
        let metrics = balancer.metrics();
        let address = a.address().to_string();
        let labels = [("server", address.as_str()), ("state", word)];
        assert_eq!(metrics.count("sluice_server_state", &labels), 1);
        assert_eq!(set(&balancer, "up", &a.address())["state"], "up");
        assert_eq!(answering(&balancer), ["a", "b"]);
    }
    for word in ["drain", "down", "up"] {
        balancer.wait_for_stderr(&format!("server={} state={word}", a.address()));
    }
}

#[test]
fn what_was_set_stays_over_reloads_and_goes_with_the_server() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let mut balancer = start(&[&a, &b], "");
    set(&balancer, "drain", &a.address());
    balancer.reload(&configuration(
        &addresses(&[&a, &b]),
        "connect-timeout = \"1s\"",
    ));
    assert_eq!(answering(&balancer), ["b"]);
    balancer.reload(&configuration(&addresses(&[&b]), ""));
    balancer.reload(&configuration(&addresses(&[&a, &b]), ""));
    assert_eq!(answering(&balancer), ["a", "b"]);
}

#[test]
fn what_runs_on_a_server_is_finished() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        .stay_open();
    let server = ScriptedServer::start([script]);
    let address = server.address().to_string();
    let balancer = Balancer::start(SLUICE, &configuration(std::slice::from_ref(&address), ""));
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    server.wait_for_received(0, "\r\n\r\n");
    assert_eq!(set(&balancer, "down", &address)["in-flight"], 1);
    let mut other = RawClient::connect(balancer.address("web"));
    other.send(GET);
    let refused = other.response("GET");
    assert_eq!(
        (refused.status, refused.field("retry-after")),
        (503, Some("1"))
    );
    gate.open();
    assert_eq!(client.response("GET").text(), "late");
    assert_eq!(server.requests(), 1);
}

#[test]
fn sessions_of_tcp_go_on() {
    let server = TcpEchoServer::start("hello ");
    let address = server.address().to_string();
    let configuration = configuration(std::slice::from_ref(&address), "").replace(
        "[upstreams",
        "protocol = \"tcp\"\nupstream = \"app\"\n[upstreams",
    );
    let balancer = Balancer::start(SLUICE, &configuration);
    let mut client = RawClient::connect(balancer.address("web"));
    assert_eq!(client.read_exactly(6), b"hello ");
    set(&balancer, "drain", &address);
    let mut other = RawClient::connect(balancer.address("web"));
    assert!(other.read_to_end().is_err(), "nobody takes it");
    client.send("still");
    assert_eq!(client.read_exactly(5), b"still");
}

#[test]
fn the_admin_address_shows_and_sets() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let balancer = start(&[&a, &b], "");
    let path = format!("/api/upstreams/app/servers/{}", a.address());
    assert_eq!(
        put(&balancer, &path, "", r#"{"state": "drain"}"#).status,
        200
    );
    let all: Value = serde_json::from_str(balancer.admin("/api/upstreams").text()).expect("JSON");
    let servers = [shown(&a, "drain"), shown(&b, "up")];
    assert_eq!(
        all,
        json!({ "upstreams": [{ "name": "app", "servers": servers }] })
    );
    let one = balancer.admin(&path);
    assert_eq!(one.field("content-type"), Some("application/json"));
    let one: Value = serde_json::from_str(one.text()).expect("JSON");
    assert_eq!(one, shown(&a, "drain"));

    let long = format!("{{\"state\": \"up\", {}}}", " ".repeat(5_000));
    for (fields, body, status) in [
        ("", r#"{"state": "off"}"#, 400),
        ("", r#"{"state": "up", "weights": 3}"#, 400),
        ("", r#"{"state": "up", "weight": 0}"#, 400),
        ("", r#"{"state": "up", "weight": 65536}"#, 400),
        ("", r#"{"state": "up", "weight": "half"}"#, 400),
        ("", r#"{"state": "up", "weight": -1.5}"#, 400),
        ("", "", 400),
        ("", long.as_str(), 413),
        ("Origin: http://a\r\n", r#"{"state": "up"}"#, 403),
    ] {
        assert_eq!(put(&balancer, &path, fields, body).status, status, "{body}");
    }
    assert_eq!(answering(&balancer), ["b"], "nothing was changed");
    let unknown = put(&balancer, "/api/upstreams/app/servers/x", "", "{}");
    assert_eq!(unknown.status, 404);
}

#[test]
fn mistakes_are_told() {
    let a = EchoServer::start("a");
    let balancer = start(&[&a], "");
    for (server, code, part) in [
        ("app", 2, "`app` is not an upstream and a server of it"),
        (
            "web/127.0.0.1:1",
            1,
            "there is no upstream `web`; there are: app",
        ),
        (
            "app/127.0.0.1:1",
            1,
            "upstream `app` has no server `127.0.0.1:1`; it has: ",
        ),
        ("app/unix:/run/a%b", 1, "has no server `unix:/run/a%b`"),
    ] {
        let finished = sluice(&balancer, "drain", server);
        assert_eq!((finished.code(), finished.stdout.as_str()), (code, ""));
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    let nobody = testkit::refused_address().to_string();
    let finished = run(SLUICE, &["up", "app/a:1", "--admin", &nobody]);
    assert_eq!(finished.code(), 1);
    let part = format!("nobody answers at the admin address {nobody}");
    assert!(finished.stderr.contains(&part), "{}", finished.stderr);
}

#[test]
fn the_token_comes_from_the_file_or_the_environment() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let configuration = configuration(&addresses(&[&a, &b]), "");
    let balancer = Balancer::start(
        SLUICE,
        &format!("{configuration}token = \"s3cret-s3cret\"\n"),
    );
    let admin = balancer.address("admin").to_string();
    let server = format!("app/{}", a.address());
    let by_admin = |token: Option<&str>| -> Output {
        let mut command = Command::new(SLUICE);
        command.args(["drain", &server, "--admin", &admin]);
        command.env_remove("SLUICE_ADMIN_TOKEN");
        command.envs(token.map(|token| ("SLUICE_ADMIN_TOKEN", token)));
        command.output().expect("running sluice")
    };
    for token in [None, Some("wrong")] {
        let output = by_admin(token);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said.contains("SLUICE_ADMIN_TOKEN") && !said.contains("s3cret"),
            "{said}"
        );
    }
    assert_eq!(answering(&balancer), ["a", "b"]);
    assert_eq!(by_admin(Some("s3cret-s3cret")).status.code(), Some(0));
    assert_eq!(answering(&balancer), ["b"]);
    set(&balancer, "up", &a.address());
    assert_eq!(answering(&balancer), ["a", "b"]);
}
