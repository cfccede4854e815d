//! Routes on real requests: which one matches, and answers of our own.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, RawClient, Response};

#[track_caller]
fn ask(balancer: &Balancer, method: &str, target: &str, fields: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!("{method} {target} HTTP/1.1\r\n{fields}\r\n"));
    client.response(method)
}

#[test]
fn the_first_route_whose_every_condition_holds_wins() {
    let servers = ["one", "two", "three", "four"].map(EchoServer::start);
    let upstream = |name: &str, index: usize| {
        format!(
            "[upstreams.{name}]\nservers = [\"{}\"]\n",
            servers[index].address()
        )
    };
    let routes = r#"
[[routes]]
match.host = "*.example.com"
match.path = "/api/*"
match.method = ["POST", "PUT"]
match.headers = { x-tenant = "gold*" }
upstream = "one"

[[routes]]
match.host = "www.example.com"
match.path = "/api/*"
upstream = "two"

[[routes]]
match.path = "/users/{id}"
upstream = "three"

[[routes]]
match.path = "/*"
match.method = ["GET"]
upstream = "app"
"#;
    let tables = [
        routes.to_owned(),
        upstream("one", 0),
        upstream("two", 1),
        upstream("three", 2),
    ]
    .concat();
    let balancer = start(
        &[servers[3].address()],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    );
    let served = |method: &str, target: &str, fields: &str| {
        let response = ask(&balancer, method, target, fields);
        match response.status {
            200 => EchoReply::from_response(&response).server,
            status => status.to_string(),
        }
    };
    let www = "Host: www.example.com\r\n";
    let gold = "Host: WWW.Example.com:80\r\nX-Tenant: golden\r\n";
    assert_eq!(
        served("POST", "/api/x", &format!("{gold}Content-Length: 0\r\n")),
        "one"
    );
    assert_eq!(served("GET", "/api/x", gold), "two");
    assert_eq!(
        served("PUT", "/api", &format!("{www}Content-Length: 0\r\n")),
        "two"
    );
    assert_eq!(served("GET", "/apis", www), "four");
    assert_eq!(served("GET", "/x/../users/7", www), "three");
    assert_eq!(served("GET", "/users/7/more", www), "four");
    assert_eq!(served("GET", "/%61pi/", www), "two");
    assert_eq!(served("DELETE", "/other", www), "404");
}

#[test]
fn a_request_without_a_route_gets_404() {
    let server = EchoServer::start("a");
    let tables = "[[routes]]\nmatch.path = \"/only\"\nupstream = \"app\"\n";
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..2 {
        client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response("GET");
        assert_eq!((response.status, response.field("connection")), (404, None));
    }
    client.send("GET /only HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 200);
    assert_eq!(
        balancer
            .metrics()
            .count("sluice_unrouted_requests_total", &[("listener", "web")]),
        2
    );
}

#[test]
fn fixed_answers_fill_in_captures_and_variables() {
    let server = EchoServer::start("a");
    let tables = r#"
[[routes]]
name = "hello"
match.path = "/hello/{name}/{rest}"
respond = { status = 201, body = "{name}|{rest}|{method}|{scheme}|{host}|{path}|{query}|{client-ip}|{header:x-a}|{cookie:c}|{request-id}|{route}\n" }

[[routes]]
match.path = "/json"
respond = { body = "[]", content-type = "application/json" }

[[routes]]
match.path = "/empty"
respond = { status = 204 }

[[routes]]
upstream = "app"
"#;
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let fields = "Host: h.example:8\r\nX-A: 1\r\nCookie: b=2; c=3\r\nX-Request-ID: id-1\r\n";
    let response = ask(&balancer, "GET", "/hello/you/and?q=4", fields);
    assert_eq!(
        (response.status, response.field("content-type")),
        (201, Some("text/plain; charset=utf-8"))
    );
    assert_eq!(
        response.text(),
        "you|and|GET|http|h.example|/hello/you/and|q=4|127.0.0.1|1|3|id-1|hello\n"
    );
    assert!(response.field("date").is_some());
    let response = ask(&balancer, "GET", "/json", "Host: a\r\n");
    assert_eq!(
        (
            response.status,
            response.text(),
            response.field("content-type")
        ),
        (200, "[]", Some("application/json"))
    );
    let response = ask(&balancer, "GET", "/empty", "Host: a\r\n");
    assert_eq!(
        (response.status, response.field("content-length")),
        (204, None)
    );
    assert_eq!(server.requests(), 0);
}

#[test]
fn head_of_a_fixed_answer_has_its_length_and_no_body() {
    let server = EchoServer::start("a");
    let tables = "[[routes]]\nmatch.path = \"/hi\"\nrespond = { body = \"hello\" }\n[[routes]]\nupstream = \"app\"\n";
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    for (method, body) in [("HEAD", ""), ("GET", "hello"), ("HEAD", "")] {
        client.send(format!("{method} /hi HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response(method);
        assert_eq!(
            (response.field("content-length"), response.text()),
            (Some("5"), body)
        );
    }
}

#[test]
fn a_body_sent_to_a_fixed_answer_is_not_taken_for_the_next_request() {
    let server = EchoServer::start("a");
    let tables = "[[routes]]\nmatch.path = \"/hi\"\nrespond = { body = \"hello\" }\n[[routes]]\nupstream = \"app\"\n";
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST /hi HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET /hi HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("POST").text(), "hello");
    assert_eq!(client.response("GET").text(), "hello");
    // A body that is not here yet: the connection ends with the answer.
    client.send("POST /hi HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    let response = client.response("POST");
    assert_eq!(
        (response.text(), response.field("connection")),
        ("hello", Some("close"))
    );
    client.send(vec![b'x'; 500_000]);
    assert!(client.is_closed_without_a_byte());
}

#[test]
fn redirects_lead_where_the_captures_say() {
    let server = EchoServer::start("a");
    let tables = r#"
[[routes]]
match.path = "/old/{rest}"
redirect = { to = "/new/{rest}?{query}" }

[[routes]]
match.host = "*.old.example"
redirect = { to = "https://{host}{path}", status = 301 }

[[routes]]
match.host = "slash.example"
redirect = { to = "{path}/" }

[[routes]]
upstream = "app"
"#;
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let response = ask(&balancer, "GET", "/old/thing?x=1", "Host: a\r\n");
    assert_eq!(
        (response.status, response.field("location")),
        (308, Some("/new/thing?x=1"))
    );
    assert_eq!(response.text(), "");
    let response = ask(&balancer, "GET", "/old/thing", "Host: a\r\n");
    assert_eq!(response.field("location"), Some("/new/thing"));
    let response = ask(&balancer, "HEAD", "/a/b", "Host: www.old.example\r\n");
    assert_eq!(
        (response.status, response.field("location")),
        (301, Some("https://www.old.example/a/b"))
    );
    // As the condition sees it: the port of the old place is none of the new one's.
    let response = ask(&balancer, "GET", "/a", "Host: WWW.Old.example.:8080\r\n");
    assert_eq!(
        response.field("location"),
        Some("https://www.old.example/a")
    );
    // What browsers would take for another site.
    for target in ["//evil.example", "/\\evil.example", "/%5Cevil.example"] {
        let response = ask(&balancer, "GET", target, "Host: slash.example\r\n");
        let location = response.field("location").map(str::to_owned);
        let location = location.expect("where it leads");
        assert!(!location.starts_with("//"), "{location}");
        assert!(!location.contains('\\'), "{location}");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn connect_is_not_offered() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let response = ask(&balancer, "CONNECT", "b:443", "Host: b:443\r\n");
    assert_eq!(
        (response.status, response.field("connection")),
        (405, Some("close"))
    );
    assert!(
        response
            .field("allow")
            .is_some_and(|allow| !allow.contains("CONNECT"))
    );
    assert_eq!(server.connections().accepted(), 0);
}
