//! Requests that wait until it is known who their clients are.

mod auth_kit;
mod http_proxy;
mod jwt_kit;

use std::fs;

use auth_kit::{House, REST, ask};
use testkit::{
    EchoReply, Frame, Gate, Http2Client, RawClient, Script, ScriptedServer, digest, flag, kind,
    request,
};

/// A service that lets in, once each of its gates is open.
fn service(gates: impl IntoIterator<Item = Gate>) -> ScriptedServer {
    let yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nX-User: ann\r\n\r\n";
    let scripts = gates
        .into_iter()
        .map(|gate| Script::new().read_request().wait(&gate).write(yes));
    ScriptedServer::start(scripts)
}

fn asking(service: &ScriptedServer) -> String {
    format!(
        "[auth.ask]\nforward = {{ url = \"http://{}/\", copy-headers = [\"x-user\"], timeout = \"60s\" }}\n",
        service.address()
    )
}

#[test]
fn a_request_that_waits_for_its_client_to_be_known_stays_as_it_was_sent() {
    let house = House::new();
    let gates = [Gate::new(), Gate::new()];
    let service = service(gates.iter().map(Gate::clone));
    let balancer = house.start(&format!(
        r#"{}
[[routes]]
match.json = {{ "/a" = "1" }}
auth = "ask"
upstream = "app"

[[routes]]
match.path = "/wait"
auth = "ask"
upstream = "app"
{REST}
[logs]
access = {{ format = "json", to = "stdout" }}
"#,
        asking(&service)
    ));
    let mut client = RawClient::connect(balancer.address("web"));
    // A body in pieces, one of them with the head, and the next request right behind it.
    client.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    service.wait_for_received(0, "\r\n\r\n");
    gates[0].open();
    client.send("56789POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret\r\n\r\n");
    let reply = EchoReply::from_response(&client.response("POST"));
    assert_eq!(reply.body_digest, digest(b"0123456789"));
    assert_eq!(reply.fields("x-user"), ["ann"]);
    gates[1].open();
    let reply = EchoReply::from_response(&client.response("POST"));
    assert_eq!(reply.body_digest, digest(b"{\"a\":1}"));
    assert_eq!(reply.fields("x-user"), ["ann"]);
    assert_eq!(client.response("GET").text(), "rest");
    let ids: Vec<_> = String::from_utf8(service.received_in_all())
        .expect("text")
        .lines()
        .filter_map(|line| line.strip_prefix("X-Request-ID: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(reply.fields("x-request-id"), [&*ids[1]], "the same for all");
    balancer.wait_for_stdout(&ids[1]);
    let lines = balancer.stdout().matches(&*ids[0]).count();
    assert_eq!(lines, 1, "one line in the log");
}

#[test]
fn who_does_not_wait_to_be_known_has_used_the_limits_before_that() {
    let house = House::new();
    let gate = Gate::new();
    let service = service([gate.clone()]);
    let limit = "rate-limits = [\"per-address\"]";
    let balancer = house.start(&format!(
        "{}[rate-limits.per-address]\nrate = \"1/d\"\nburst = 9\nfields = true\n\
         [[routes]]\nmatch.path = \"/wait\"\nauth = \"ask\"\n{limit}\nupstream = \"app\"\n\
         [[routes]]\nmatch.path = \"/left\"\n{limit}\nrespond = {{}}\n{REST}",
        asking(&service)
    ));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/wait")]);
    service.wait_for_received(0, "\r\n\r\n");
    client.send(&[Frame::reset(1, 8)]);
    balancer.wait_for_metrics("the stream to end", |metrics| {
        metrics.count("sluice_request_ends_total", &[("end", "client-closed")]) == 1
    });
    let left = ask(&balancer, "/left", "");
    let left = left.field("ratelimit").expect("how it stands");
    assert!(left.contains(";r=7;"), "{left}");
    gate.open();
}

/// Whatever the file says meanwhile.
#[test]
fn a_request_that_waits_for_its_client_to_be_known_is_decided_upon_by_one_file() {
    let house = House::new();
    let gate = Gate::new();
    let service = service([gate.clone()]);
    let wait = "[[routes]]\nmatch.path = \"/wait\"";
    let limits = "[rate-limits.none]\nrate = \"1/d\"\nkey = \"global\"\n";
    let mut balancer = house.start(&format!(
        "{}{limits}{wait}\nauth = \"ask\"\nupstream = \"app\"\n[[routes]]\nmatch.path = \"/none\"\nrate-limits = [\"none\"]\nrespond = {{}}\n{REST}",
        asking(&service)
    ));
    assert_eq!(ask(&balancer, "/none", "").status, 200);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    service.wait_for_received(0, "\r\n\r\n");

    let file = fs::read_to_string(balancer.file()).expect("the file");
    let before = format!("{wait}\nauth = \"ask\"\nupstream = \"app\"");
    let others = format!(
        "{wait}\nmatch.method = \"PUT\"\nauth = \"ask\"\nrespond = {{}}\n{wait}\nauth = \"keys\"\nrate-limits = [\"none\"]\nrespond.body = \"new\""
    );
    assert!(file.contains(&before), "{file}");
    balancer.reload(&file.replace(&before, &others));
    assert_eq!(ask(&balancer, "/wait", "").status, 401);
    assert_eq!(ask(&balancer, "/wait", "X-Api-Key: secret\r\n").status, 429);
    gate.open();
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(
        (&*reply.server, reply.field("x-user")),
        ("app", Some("ann"))
    );
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 401, "the next one");
}

/// Whatever becomes of the keys meanwhile.
#[test]
fn a_request_that_waits_for_its_client_to_be_known_comes_to_the_route_that_has_asked() {
    let house = House::new();
    let gates = [Gate::new(), Gate::new()];
    let service = service([gates[0].clone()]);
    let jwks = format!("{{\"keys\":[{}]}}", house.issuer.jwk());
    let keys = Script::new().read_request().wait(&gates[1]).write(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{jwks}",
        jwks.len()
    ));
    let idp = ScriptedServer::start([keys.forever()]);
    let balancer = house.start(&format!(
        r#"{}
[auth.fetched]
jwt = {{ jwks = "http://{}/keys" }}

[[routes]]
match.claims = {{ role = "admin" }}
auth = "fetched"
respond.body = "admin"

[[routes]]
match.path = "/wait"
auth = "ask"
upstream = "app"
{REST}"#,
        asking(&service),
        idp.address()
    ));
    let shown = house.issuer.shows(r#"{"role":"admin"}"#);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!("GET /wait HTTP/1.1\r\nHost: a\r\n{shown}\r\n"));
    // In vain it has waited for keys.
    service.wait_for_received(0, "\r\n\r\n");
    gates[1].open();
    balancer.wait_for_metrics("keys to be fetched", |metrics| {
        let labels = [("auth", "fetched"), ("outcome", "success")];
        metrics.count("sluice_auth_key_fetches_total", &labels) >= 1
    });
    assert_eq!(ask(&balancer, "/wait", &shown).text(), "admin");
    gates[0].open();
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(
        (&*reply.server, reply.field("x-user")),
        ("app", Some("ann"))
    );
}

#[test]
fn streams_that_wait_do_not_hinder_each_other() {
    let house = House::new();
    let gate = Gate::new();
    let service = service([gate.clone()]);
    let balancer = house.start(&format!(
        "{}[[routes]]\nmatch.path = \"/wait\"\nauth = \"ask\"\nupstream = \"app\"\n{REST}",
        asking(&service)
    ));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[
        Frame::headers(1, 0, &request("POST", "/wait")),
        Frame::data(1, flag::END_STREAM, "hello"),
    ]);
    service.wait_for_received(0, "\r\n\r\n");
    let fields = [&request("GET", "/")[..], &[("x-api-key", "secret")]].concat();
    client.send(&[Frame::headers(3, flag::END_STREAM, &fields)]);
    assert_eq!(client.expect(kind::HEADERS, 3).status(), 200);
    gate.open();
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    let (body, _) = client.body(1);
    let reply: EchoReply = serde_json::from_slice(&body).expect("an echo");
    assert_eq!(reply.body_digest, digest(b"hello"));
    assert_eq!(reply.fields("x-user"), ["ann"]);
}
