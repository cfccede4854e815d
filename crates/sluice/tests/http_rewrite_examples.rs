//! The examples of rewrites and fields: services by path, tenants by host, phones by what they call themselves.

mod example;
mod explained;

use example::{Example, folder};
use explained::explained;
use testkit::{Balancer, EchoReply, EchoServer, Response};

fn ask(balancer: &Balancer, host: &str, target: &str, fields: &str) -> Response {
    balancer.ask(&format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"
    ))
}

#[track_caller]
fn explain(file: &str, question: &[&str]) -> String {
    explained(&folder().join(file), question)
}

#[track_caller]
fn has(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.lines().any(|one| one == *line), "{line}\n{said}");
    }
}

#[test]
fn microservices_by_path() {
    let [users, orders, site] = ["users", "orders", "site"].map(EchoServer::start);
    let balancer = Example::read("microservices-by-path.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", users.address())
        .server("127.0.0.1:9002", orders.address())
        .server("127.0.0.1:9003", site.address())
        .run();
    for (target, server, expected) in [
        ("/users/7?full=1", "users", "/7?full=1"),
        ("/users", "users", "/"),
        ("/orders/7?full=1", "orders", "/api/v2/orders/7?full=1"),
        ("/invoice/12", "orders", "/api/v2/invoices?number=12"),
        ("/usersx", "site", "/usersx"),
    ] {
        let response = ask(&balancer, "a", target, "X-Internal-User: root\r\n");
        let reply = EchoReply::from_response(&response);
        assert_eq!((&*reply.server, &*reply.target), (server, expected));
        let is_site = server == "site";
        assert_eq!(
            response.fields("x-frame-options").len(),
            usize::from(is_site)
        );
    }
    let reply = EchoReply::from_response(&ask(&balancer, "a", "/users/7", "X-Internal-A: b\r\n"));
    assert_eq!(reply.fields("x-forwarded-prefix"), ["/users"]);
    assert_eq!(reply.fields("x-internal-a"), [""; 0]);
    let origin = "Origin: https://shop.example.com\r\n";
    let answer = ask(&balancer, "a", "/orders/7", origin);
    assert_eq!(
        answer.fields("access-control-allow-origin"),
        ["https://shop.example.com"]
    );
}

#[test]
fn hosts_for_tenants() {
    let [large, shared] = ["large", "shared"].map(EchoServer::start);
    let balancer = Example::read("hosts-for-tenants.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", large.address())
        .server("127.0.0.1:9002", shared.address())
        .run();
    for (host, target, server, expected) in [
        (
            "large.example.com",
            "/a",
            "large",
            ("/a", "large.example.com", None),
        ),
        (
            "red.example.com",
            "/a?b",
            "shared",
            ("/a?b", "app.internal", Some("red.example.com")),
        ),
        (
            "example.com",
            "/t/blue/a?b",
            "shared",
            ("/a?b", "app.internal", Some("blue.example.com")),
        ),
    ] {
        let forged = if server == "shared" {
            "X-Tenant: forged\r\n"
        } else {
            ""
        };
        let reply = EchoReply::from_response(&ask(&balancer, host, target, forged));
        assert_eq!(reply.server, server, "{host}");
        let got = (
            &*reply.target,
            reply.field("host").expect("a host"),
            reply.field("x-tenant"),
        );
        assert_eq!(got, expected, "{host}");
    }
    let nobody = ask(&balancer, "example.org", "/", "");
    assert_eq!(nobody.status, 404);
    assert_eq!(
        nobody.text(),
        "{\"error\":\"no tenant has this host\",\"host\":\"example.org\"}"
    );
}

#[test]
fn mobile_by_user_agent() {
    let [large, small] = ["large", "small"].map(EchoServer::start);
    let balancer = Example::read("mobile-by-user-agent.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", large.address())
        .server("127.0.0.1:9002", small.address())
        .run();
    let phone =
        "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148\r\n";
    let chosen = format!("{phone}Cookie: pages=large\r\n");
    for (fields, server, device) in [
        (phone, "small", Some("phone")),
        (chosen.as_str(), "large", None),
        (
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n",
            "large",
            None,
        ),
        ("", "large", None),
    ] {
        let response = ask(&balancer, "a", "/", fields);
        let reply = EchoReply::from_response(&response);
        assert_eq!((&*reply.server, reply.field("x-device")), (server, device));
        assert_eq!(response.fields("vary"), ["User-Agent, Cookie"]);
    }
}

#[test]
fn explain_says_what_is_changed() {
    let services = "microservices-by-path.toml";
    let said = explain(services, &["GET", "http://localhost/orders/7?full=1"]);
    has(
        &said,
        &[
            "rewrite   the server is asked for /api/v2/orders/7?full=1",
            "request   has no x-internal-*",
        ],
    );
    let said = explain(services, &["GET", "http://localhost/users/7"]);
    has(
        &said,
        &["request   has x-forwarded-prefix, has no x-internal-*"],
    );
    let said = explain(services, &["GET", "http://localhost/"]);
    has(
        &said,
        &[
            "response  has x-content-type-options, has x-frame-options, has referrer-policy, has no server, has no x-powered-by",
        ],
    );
    let said = explain(
        "hosts-for-tenants.toml",
        &["GET", "http://example.com/t/red/x"],
    );
    has(
        &said,
        &[
            "rewrite   the server is asked for /x",
            "rewrite   its host is app.internal",
        ],
    );
    let origin = "origin: https://shop.example.com";
    let asked = "access-control-request-method: PUT";
    let url = "http://localhost/orders/7";
    let said = explain(services, &["OPTIONS", url, "-H", origin, "-H", asked]);
    has(
        &said,
        &[
            "cors      pages of https://shop.example.com may read the answer",
            "answer    204 by sluice itself: what browsers ask beforehand (GET, HEAD, POST, PUT, PATCH, DELETE)",
        ],
    );
    assert!(!said.contains("upstream"), "{said}");
    let said = explain(
        services,
        &["GET", url, "-H", "origin: https://evil.example"],
    );
    has(
        &said,
        &["cors      pages of https://evil.example may not read the answer"],
    );
    assert!(said.contains("upstream"), "{said}");
}
