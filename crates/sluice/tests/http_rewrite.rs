//! `rewrite` of a route: what the server is asked for instead. What is the same over all versions of HTTP is in `http_versions`.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, RawClient};

fn begin(server: &EchoServer, tables: &str) -> Balancer {
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    start(&[server.address()], setup)
}

/// The status, and of an answer by the server what it was asked for.
fn ask(balancer: &Balancer, target: &str, fields: &str) -> (u16, Option<EchoReply>) {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"
    ));
    let response = client.response("GET");
    let reply = (response.status == 200).then(|| EchoReply::from_response(&response));
    (response.status, reply)
}

#[track_caller]
fn rewritten(balancer: &Balancer, target: &str, fields: &str) -> String {
    let (status, reply) = ask(balancer, target, fields);
    reply.unwrap_or_else(|| panic!("{status}")).target
}

const ROUTES: &str = r#"
[[routes]]
match.path = "/api/*"
upstream = "app"
rewrite = { strip-prefix = "/api" }

[[routes]]
match.path = "/v1/*"
upstream = "app"
rewrite = { prefix = "/v2/" }

[[routes]]
match.path = "/users/{id}/{tail*}"
upstream = "app"
rewrite = { path = "/u?id={id}&tail={tail}&{query}" }

[[routes]]
match.path = "/tenants/{tenant}/*"
upstream = "app"
rewrite = { path = "/{rest}", host = "{tenant}.internal:8080" }

[[routes]]
match.path = "/by-header/*"
upstream = "app"
rewrite = { path = "/t/{header:x-tenant}/{rest}" }

[[routes]]
match.path = "/report-*"
upstream = "app"
rewrite.regex = { pattern = "/report-(?<year>[0-9]{4})-(?<month>[0-9]{2})", to = "/reports/{year}/{month}" }

[[routes]]
match.path = "/host"
upstream = "app"
rewrite = { host = "internal.example" }
request-headers.set = { x-asked = "{host}{path}" }

[[routes]]
upstream = "app"
"#;

#[test]
fn paths() {
    let server = EchoServer::start("a");
    let balancer = begin(&server, ROUTES);
    for (target, expected) in [
        ("/api?x", "/?x"),
        ("/api//x", "/x"),
        ("/v1/x/y?z", "/v2/x/y?z"),
        ("/v1", "/v2"),
        ("/v1/", "/v2/"),
        ("/users/7/a/b?c=d", "/u?id=7&tail=a/b&c=d"),
        ("/users/a&b=c/x", "/u?id=a%26b%3Dc&tail=x"),
        ("/report-2024-05?x", "/reports/2024/05?x"),
        ("/report-may", "/report-may"),
        // As it came.
        ("//other/./%61?x", "//other/./%61?x"),
        ("http://a.example/api/x", "/x"),
    ] {
        assert_eq!(rewritten(&balancer, target, ""), expected, "{target}");
    }
}

#[test]
fn hosts() {
    let server = EchoServer::start("a");
    let balancer = begin(&server, ROUTES);
    let (_, reply) = ask(&balancer, "/host", "");
    let reply = reply.expect("the server's answer");
    assert_eq!(reply.target, "/host");
    assert_eq!(reply.fields("host"), ["internal.example"]);
    assert_eq!(reply.fields("x-forwarded-host"), ["a.example"]);
    assert_eq!(reply.fields("x-asked"), ["a.example/host"]);
}

#[test]
fn no_client_leads_elsewhere() {
    let server = EchoServer::start("a");
    let balancer = begin(&server, ROUTES);
    for tenant in ["..", ".", "..;x", "../..", "%2e%2e/..", "a/../../b"] {
        let (status, reply) = ask(
            &balancer,
            "/by-header/x",
            &format!("X-Tenant: {tenant}\r\n"),
        );
        // Where it is passed on, it is one segment and no dots.
        match reply {
            Some(reply) => {
                let segments: Vec<_> = reply.target.split('/').collect();
                let [_, "t", inside, "x"] = segments[..] else {
                    panic!("{tenant}: {}", reply.target);
                };
                assert!(![".", ".."].contains(&inside), "{tenant}");
            }
            None => assert_eq!(status, 400, "{tenant}"),
        }
    }
    // Without the field, what follows would be taken for it.
    assert_eq!(ask(&balancer, "/by-header/other/x", "").0, 400);
    assert_eq!(ask(&balancer, "/by-header/other/x", "X-Tenant:\r\n").0, 400);
    // What is no host names no server.
    for tenant in ["a%20b", "a@b"] {
        let (status, _) = ask(&balancer, &format!("/tenants/{tenant}/x"), "");
        assert_eq!(status, 400, "{tenant}");
    }
    assert_eq!(ask(&balancer, "/", "").0, 200);
}
