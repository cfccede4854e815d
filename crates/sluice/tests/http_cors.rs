//! `cors` of a route: what browsers ask beforehand, and whose pages may read the answers.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, RawClient, Response, Script, ScriptedServer};

const NAMED: &str = r#"
[[routes]]
name = "api"
match.path = "/api/*"
upstream = "app"
max-body = "1B"

[routes.cors]
origins = ["https://app.example.com", "https://*.preview.example.com"]
methods = ["GET", "PUT"]
headers = ["content-type", "x-csrf-token"]
expose-headers = "x-total-count"
credentials = true
max-age = "10m"

[[routes]]
match.path = "/open/*"
upstream = "app"
cors.origins = "*"
cors.expose-headers = ["x-a", "x-b"]

[[routes]]
match.path = "/inside"
respond.body = "ok\n"
deny = ["127.0.0.0/8"]
cors.origins = ["https://app.example.com"]

[[routes]]
match.path = "/fixed"
respond.body = "ok\n"
cors.origins = ["https://app.example.com"]
"#;

const APP: &str = "https://app.example.com";

fn begin(server: std::net::SocketAddr) -> Balancer {
    let setup = Setup {
        tables: NAMED,
        ..Setup::default()
    };
    start(&[server], setup)
}

fn send(balancer: &Balancer, method: &str, target: &str, fields: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
    ));
    client.response(method)
}

/// What a browser asks before a page of `origin` sends a `PUT` with a field of its own.
fn preflight(balancer: &Balancer, target: &str, origin: &str) -> Response {
    let fields = format!(
        "Origin: {origin}\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-csrf-token,x-more\r\n"
    );
    send(balancer, "OPTIONS", target, &fields)
}

#[track_caller]
fn says(response: &Response, expected: &[(&str, &[&str])]) {
    for (name, values) in expected {
        let name = format!("access-control-{name}");
        assert_eq!(response.fields(&name), *values, "{name}");
    }
}

#[test]
fn what_browsers_ask_is_answered_here() {
    let server = EchoServer::start("a");
    let balancer = begin(server.address());
    for origin in [APP, "https://pr-7.preview.example.com"] {
        let answer = preflight(&balancer, "/api/x", origin);
        assert_eq!(answer.status, 204, "{origin}");
        says(
            &answer,
            &[
                ("allow-origin", &[origin]),
                ("allow-methods", &["GET, PUT"]),
                ("allow-headers", &["content-type, x-csrf-token"]),
                ("allow-credentials", &["true"]),
                ("max-age", &["600"]),
                ("expose-headers", &[]),
            ],
        );
        assert_eq!(
            answer.fields("vary"),
            ["Origin, Access-Control-Request-Method, Access-Control-Request-Headers"]
        );
        assert_eq!(answer.fields("content-length"), [""; 0]);
    }
    let open = preflight(&balancer, "/open/x", "https://anybody.example");
    assert_eq!(open.status, 204);
    says(
        &open,
        &[
            ("allow-origin", &["*"]),
            ("allow-methods", &["GET, HEAD, POST, PUT, PATCH, DELETE"]),
            ("allow-headers", &["x-csrf-token,x-more"]),
            ("allow-credentials", &[]),
            ("max-age", &["3600"]),
        ],
    );
    for origin in [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "null",
    ] {
        let refused = preflight(&balancer, "/api/x", origin);
        assert_eq!(refused.status, 403, "{origin}");
        says(
            &refused,
            &[
                ("allow-origin", &[]),
                ("allow-methods", &[]),
                ("allow-credentials", &[]),
            ],
        );
    }
    assert_eq!(server.requests(), 0, "the server was asked nothing");
    // The connection goes on.
    let mut client = RawClient::connect(balancer.address("web"));
    let asked = format!(
        "OPTIONS /api/x HTTP/1.1\r\nHost: a\r\nOrigin: {APP}\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
    );
    for _ in 0..2 {
        client.send(&asked);
        assert_eq!(client.response("OPTIONS").status, 204);
    }
}

#[test]
fn what_no_browser_asks_beforehand_goes_to_the_server() {
    let server = EchoServer::start("a");
    let balancer = begin(server.address());
    for fields in [
        String::new(),
        format!("Origin: {APP}\r\n"),
        "Access-Control-Request-Method: PUT\r\n".to_owned(),
    ] {
        let answer = send(&balancer, "OPTIONS", "/api/x", &fields);
        assert_eq!(EchoReply::from_response(&answer).method, "OPTIONS");
    }
}

#[test]
fn answers_say_whose_pages_may_read_them() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://evil.example\r\nAccess-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: x-theirs\r\nVary: Accept-Encoding\r\nX-Total-Count: 3\r\nContent-Length: 2\r\n\r\nok",
    )]);
    let balancer = begin(server.address());
    let with_origin =
        |target, origin| send(&balancer, "GET", target, &format!("Origin: {origin}\r\n"));

    let answer = with_origin("/api/x", APP);
    assert_eq!(answer.text(), "ok");
    says(
        &answer,
        &[
            ("allow-origin", &[APP]),
            ("allow-credentials", &["true"]),
            ("expose-headers", &["x-total-count"]),
            ("allow-methods", &[]),
        ],
    );
    assert_eq!(answer.fields("vary"), ["Accept-Encoding", "Origin"]);
    let nothing: &[(&str, &[&str])] = &[
        ("allow-origin", &[]),
        ("allow-credentials", &[]),
        ("expose-headers", &[]),
    ];
    for answer in [
        with_origin("/api/x", "https://evil.example"),
        send(&balancer, "GET", "/api/x", ""),
    ] {
        assert_eq!(answer.status, 200, "the request itself is not refused");
        says(&answer, nothing);
        assert_eq!(answer.fields("vary"), ["Accept-Encoding", "Origin"]);
    }
    let open = with_origin("/open/x", "https://anybody.example");
    says(
        &open,
        &[("allow-origin", &["*"]), ("expose-headers", &["x-a, x-b"])],
    );
    assert_eq!(open.fields("vary"), ["Accept-Encoding"]);
}

#[test]
fn answers_of_ours_say_it_too() {
    let server = EchoServer::start("a");
    let balancer = begin(server.address());
    let fixed = send(&balancer, "GET", "/fixed", &format!("Origin: {APP}\r\n"));
    assert_eq!(fixed.text(), "ok\n");
    says(&fixed, &[("allow-origin", &[APP])]);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!(
        "POST /api/x HTTP/1.1\r\nHost: a\r\nOrigin: {APP}\r\nContent-Length: 5\r\n\r\nhello"
    ));
    let refused = client.response("POST");
    assert_eq!(refused.status, 413);
    says(
        &refused,
        &[("allow-origin", &[APP]), ("allow-credentials", &["true"])],
    );
}

#[test]
fn pages_may_read_that_the_client_is_denied() {
    let server = EchoServer::start("a");
    let balancer = begin(server.address());
    let answer = send(&balancer, "GET", "/inside", &format!("Origin: {APP}\r\n"));
    assert_eq!(
        (answer.status, answer.fields("vary")),
        (403, vec!["Origin"])
    );
    says(&answer, &[("allow-origin", &[APP])]);
    // A browser that asks beforehand hears no either, and of no methods.
    let answer = preflight(&balancer, "/inside", APP);
    assert_eq!(answer.status, 403);
    says(&answer, &[("allow-methods", &[])]);
}
