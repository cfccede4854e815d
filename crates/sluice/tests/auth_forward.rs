//! `forward` of `[auth.NAME]`: another service is asked who may come in.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoReply, EchoServer, Gate, RawClient, Script, ScriptedServer, refused_address,
};

const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nX-User: root\r\nx_user: root\r\nCookie: session=1\r\nX-Forwarded-Method: FORGED\r\nIf-None-Match: \"x\"\r\n\r\n";
const POST: &str = "POST /a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello";
const YES: &str = "HTTP/1.1 204 No Content\r\nX-User: alice\r\nX-Other: 1\r\n\r\n";

fn tables(service: impl std::fmt::Display, rest: &str) -> String {
    format!(
        "[auth.ask]\nforward = {{ url = \"http://{service}/verify?x=1\", copy-headers = [\"X-User\", \"X-None\"], {rest} }}\n[[routes]]\nupstream = \"app\"\nauth = [\"ask\"]\n"
    )
}

fn begin(app: &EchoServer, tables: &str) -> Balancer {
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    start(&[app.address()], setup)
}

#[test]
fn who_is_let_in_is_told_to_the_server_and_cannot_be_forged() {
    let app = EchoServer::start("app");
    let service = ScriptedServer::start([Script::new().read_request().write(YES).forever()]);
    let balancer = begin(&app, &tables(service.address(), ""));
    let reply = EchoReply::from_response(&balancer.ask(GET));
    assert_eq!(reply.server, "app");
    assert_eq!(reply.fields("x-user"), ["alice"]);
    assert_eq!(
        reply.field("x_user"),
        None,
        "servers may take it for the other"
    );
    assert_eq!(reply.field("x-other"), None, "it was not named");
    // The body is there all the same.
    let reply = EchoReply::from_response(&balancer.ask(POST));
    assert_eq!(
        (reply.field("x-user"), reply.body_length),
        (Some("alice"), 5)
    );

    let asked = String::from_utf8(service.received_in_all()).expect("text");
    assert!(asked.starts_with("GET /verify?x=1 HTTP/1.1\r\n"), "{asked}");
    for line in [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Uri: /a?b=c",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "Cookie: session=1",
        "X-Forwarded-Method: POST",
    ] {
        assert!(
            asked.contains(&format!("\r\n{line}\r\n")),
            "{line}: {asked}"
        );
    }
    for never in ["FORGED", "If-None-Match", "Content-Length", "hello"] {
        assert!(!asked.contains(never), "{never}: {asked}");
    }
    let metrics = balancer.metrics_after(2);
    let allowed = [("auth", "ask"), ("outcome", "allowed")];
    assert_eq!(metrics.count("sluice_auth_total", &allowed), 2);
    // One connection, kept between the two.
    let at = [("upstream", "auth:ask")];
    assert_eq!(metrics.count("sluice_server_requests_total", &at), 2);
    assert_eq!(service.connections().accepted(), 1);
}

#[test]
fn a_refusal_reaches_the_client_as_it_is() {
    let app = EchoServer::start("app");
    for (answer, status, field) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Custom a=b\r\nX-Secret: 1\r\nContent-Length: 4\r\nContent-Type: text/html\r\n\r\nlogn",
            401,
            ("www-authenticate", "Custom a=b"),
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlogn\r\n0\r\n\r\n",
            302,
            ("location", "/login"),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nlogn",
            403,
            ("cache-control", "no-store"),
        ),
    ] {
        let script = if answer.contains("close") {
            Script::new().read_request().write_last(answer)
        } else {
            Script::new().read_request().write(answer).forever()
        };
        let service = ScriptedServer::start([script]);
        let balancer = begin(&app, &tables(service.address(), ""));
        let response = balancer.ask(GET);
        assert_eq!(response.status, status);
        assert_eq!(response.field(field.0), Some(field.1));
        assert_eq!(response.field("x-secret"), None);
        assert_eq!(response.text(), "logn");
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(GET.replace("GET", "HEAD"));
        assert_eq!(client.response("HEAD").status, status);
        let grpc = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n";
        let expected = match status {
            401 => "16",
            403 => "7",
            _ => "2",
        };
        assert_eq!(balancer.ask(grpc).field("grpc-status"), Some(expected));
        let metrics = balancer.metrics_after(3);
        assert_eq!(
            metrics.count("sluice_request_ends_total", &[("end", "unauthorized")]),
            3
        );
    }
    assert_eq!(app.requests(), 0);
}

#[test]
fn without_an_answer_nobody_comes_in_unless_that_is_wanted() {
    let app = EchoServer::start("app");
    let silent = ScriptedServer::start([Script::silent()]);
    let broken =
        ScriptedServer::start([
            Script::answer("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").forever(),
        ]);
    let rest = "timeout = \"100ms\"";
    for service in [refused_address(), silent.address(), broken.address()] {
        let balancer = begin(&app, &tables(service, rest));
        let response = balancer.ask(GET);
        assert_eq!(response.status, 503);
        assert_eq!(response.field("retry-after"), Some("1"));
        let metrics = balancer.metrics_after(1);
        let failed = [("auth", "ask"), ("outcome", "failed")];
        assert_eq!(metrics.count("sluice_auth_total", &failed), 1);
        assert_eq!(
            metrics.count("sluice_request_ends_total", &[("end", "auth-failed")]),
            1
        );
        assert_eq!(app.requests(), 0);
    }
    let open = tables(refused_address(), "on-failure = \"allow\"");
    let reply = EchoReply::from_response(&begin(&app, &open).ask(GET));
    assert_eq!(
        (reply.server.as_str(), reply.field("x-user")),
        ("app", None)
    );
}

#[test]
fn a_client_that_leaves_is_not_waited_for() {
    let app = EchoServer::start("app");
    let gate = Gate::new();
    let service = ScriptedServer::start([Script::new().read_request().wait(&gate).write(YES)]);
    let balancer = begin(&app, &tables(service.address(), "timeout = \"60s\""));
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    service.wait_for_received(0, "\r\n\r\n");
    client.reset();
    let metrics = balancer.metrics_after(1);
    let left = [("end", "client-closed")];
    assert_eq!(metrics.count("sluice_request_ends_total", &left), 1);
    gate.open();
    assert_eq!(app.requests(), 0);
}

#[test]
fn answers_of_our_own_are_guarded_too_and_an_upstream_can_be_asked() {
    let app = EchoServer::start("app");
    let yes = ScriptedServer::start([Script::new().read_request().write(YES).forever()]);
    let no = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let no = ScriptedServer::start([Script::new().read_request().write(no).forever()]);
    let tables = format!(
        "[auth.yes]\nforward = {{ upstream = \"yes\", path = \"/check\", request-headers = [\"cookie\"] }}\n\
         [auth.no]\nforward = {{ upstream = \"no\" }}\n\
         [upstreams.yes]\nservers = [\"{}\"]\n[upstreams.no]\nservers = [\"{}\"]\n\
         [[routes]]\nmatch.path = \"/no\"\nauth = \"no\"\nrespond = {{ body = \"secret\" }}\n\
         [[routes]]\nmatch.path = \"/yes\"\nauth = [\"no\", \"yes\"]\nrespond = {{ body = \"secret\" }}\n\
         [[routes]]\nupstream = \"app\"\n",
        yes.address(),
        no.address()
    );
    let balancer = begin(&app, &tables);
    let get = |path| balancer.ask(&GET.replace("/a?b=c", path));
    assert_eq!(get("/no").status, 403);
    // The first says no, the second yes.
    assert_eq!(get("/yes").text(), "secret");
    assert_eq!(get("/").status, 200);
    let asked = String::from_utf8(yes.received_in_all()).expect("text");
    assert!(
        asked.starts_with("GET /check HTTP/1.1\r\nHost: yes\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("Cookie: session=1") && !asked.contains("X-User"),
        "{asked}"
    );
}
