//! `request-headers` and `response-headers` of a route: fields that are set, added, removed and copied.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoReply, EchoServer, RawClient, Response, Script, ScriptedServer, refused_address,
};

fn begin(servers: &[std::net::SocketAddr], route: &str) -> Balancer {
    let tables = format!(
        "[[routes]]\nname = \"all\"\nmatch.path = \"/{{first}}/b\"\nupstream = \"app\"\n{route}\n"
    );
    let setup = Setup {
        tables: &tables,
        ..Setup::default()
    };
    start(servers, setup)
}

fn ask(balancer: &Balancer, target: &str, fields: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"
    ));
    client.response("GET")
}

#[test]
fn what_the_server_gets() {
    let server = EchoServer::start("a");
    let balancer = begin(
        &[server.address()],
        r#"
request-headers.set = { x-env = "prod", x-real-ip = "{client-ip}", x-first = "{first}", x-none = "{header:x-absent}", x-forwarded-proto = "https", x-up = "{upstream} of {route}" }
request-headers.add = { x-tag = ["one", "two {cookie:c}"] }
request-headers.remove = ["x-debug", "X-Internal-*", "accept"]
request-headers.copy = { x-debug = "x-was", authorization = "x-auth" }
"#,
    );
    let reply = EchoReply::from_response(&ask(
        &balancer,
        "/caf%C3%A9/b",
        "X-ENV: theirs\r\nX-Debug: 1\r\nX-Debug: 2\r\nX-Internal-User: root\r\nX-None: theirs\r\nX-Tag: zero\r\nx_env: forged\r\nAccept: a\r\nX-Was: theirs\r\nX-Auth: forged\r\nCookie: c=3\r\n",
    ));
    for (name, expected) in [
        ("x-env", &["prod"][..]),
        ("x-real-ip", &["127.0.0.1"]),
        ("x-first", &["caf%C3%A9"]),
        ("x-none", &[]),
        ("x-forwarded-proto", &["https"]),
        ("x-up", &["app of all"]),
        ("x-tag", &["zero", "one", "two 3"]),
        ("x-debug", &[]),
        ("x-internal-user", &[]),
        ("accept", &[]),
        ("x-was", &["1", "2"]),
        ("x-auth", &[]),
        ("x_env", &[]),
        ("host", &["a.example"]),
        ("x-forwarded-for", &["127.0.0.1"]),
    ] {
        assert_eq!(reply.fields(name), expected, "{name}");
    }
}

#[test]
fn nothing_a_client_sends_begins_another_field() {
    let server = EchoServer::start("a");
    let balancer = begin(
        &[server.address()],
        "request-headers.set = { x-all = \"{path}|{query}|{header:x-a}|{cookie:c}|{first}\" }",
    );
    let target = "/a%0d%0ax-evil:%201/b?c%0d%0ax-evil:1";
    let reply = EchoReply::from_response(&ask(
        &balancer,
        target,
        "X-A: %0d%0ax-evil: 1\r\nCookie: c=\t1\r\n",
    ));
    assert_eq!(reply.fields("x-evil"), [""; 0]);
    assert_eq!(
        reply.fields("x-all"),
        ["/a%0d%0ax-evil:%201/b|c%0d%0ax-evil:1|%0d%0ax-evil: 1|\t1|a%0D%0Ax-evil:%201"]
    );
}

#[test]
fn what_the_client_gets() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nServer: secret/1.0\r\nX-Powered-By: magic\r\nX-Frame-Options: ALLOW\r\nX-Load: 3\r\nDate: then\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok",
    )]);
    let balancer = begin(
        &[server.address()],
        r#"
response-headers.set = { x-frame-options = "DENY", x-served-by = "{upstream}/{server}", x-you = "{client-ip} {header:x-a}" }
response-headers.add = { set-cookie = "b={request-id}" }
response-headers.remove = ["server", "x-powered-*", "date"]
response-headers.copy = { x-load = "x-was" }
"#,
    );
    let response = ask(&balancer, "/a/b", "X-A: b\r\nX-Request-ID: id-7\r\n");
    let served_by = format!("app/{}", server.address());
    for (name, expected) in [
        ("server", &[][..]),
        ("x-powered-by", &[]),
        ("x-frame-options", &["DENY"]),
        ("x-served-by", &[served_by.as_str()]),
        ("x-you", &["127.0.0.1 b"]),
        ("set-cookie", &["a=1", "b=id-7"]),
        ("x-load", &["3"]),
        ("x-was", &["3"]),
        ("date", &[]),
        ("content-length", &["2"]),
    ] {
        assert_eq!(response.fields(name), expected, "{name}");
    }
    assert_eq!(response.text(), "ok");
}

#[test]
fn answers_of_ours_are_changed_too() {
    let route = "response-headers = { set = { x-frame-options = \"DENY\", x-served-by = \"{server}\" }, remove = [\"date\"] }";
    let balancer = begin(
        &[refused_address()],
        &format!(
            "{route}\nmax-body = \"1B\"\n[[routes]]\nmatch.path = \"/fixed\"\nrespond = {{ body = \"{{path}}\" }}\n{route}\n[[routes]]\nmatch.path = \"/moved\"\nredirect = {{ to = \"/\" }}\n{route}\n"
        ),
    );
    for (target, status) in [("/a/b", 502), ("/fixed", 200), ("/moved", 308)] {
        let response = ask(&balancer, target, "");
        assert_eq!(response.status, status, "{target}");
        assert_eq!(response.fields("x-frame-options"), ["DENY"], "{target}");
        assert_eq!(response.fields("date"), [""; 0], "{target}");
    }
    assert_eq!(ask(&balancer, "/fixed", "").fields("x-served-by"), [""; 0]);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    let refused = client.response("POST");
    assert_eq!(refused.status, 413);
    assert_eq!(refused.fields("x-frame-options"), ["DENY"]);
    // No route, nothing of a route.
    let lost = ask(&balancer, "/", "");
    assert_eq!(lost.status, 404);
    assert_eq!(lost.fields("x-frame-options"), [""; 0]);
    assert_eq!(lost.fields("date").len(), 1);
}

#[test]
fn security_headers() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nX-Frame-Options: ALLOW\r\nReferrer-Policy: unsafe-url\r\nPermissions-Policy: theirs\r\nContent-Length: 0\r\n\r\n",
    )]);
    let fields = |route: &str| {
        let balancer = begin(&[server.address()], route);
        let response = ask(&balancer, "/a/b", "");
        [
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "content-security-policy",
            "permissions-policy",
        ]
        .map(|name| response.fields(name).join(" and "))
    };
    assert_eq!(
        fields("security-headers = true"),
        [
            "nosniff",
            "DENY",
            "strict-origin-when-cross-origin",
            "",
            "theirs"
        ]
    );
    assert_eq!(
        fields(
            "security-headers = { nosniff = false, frame-options = \"off\", referrer-policy = \"no-referrer\", content-security-policy = \"default-src 'self'\", permissions-policy = \"camera=()\" }"
        ),
        [
            "",
            "ALLOW",
            "no-referrer",
            "default-src 'self'",
            "camera=()"
        ]
    );
    assert_eq!(
        fields("security-headers = true\nresponse-headers.set.x-frame-options = \"SAMEORIGIN\"")[1],
        "SAMEORIGIN"
    );
    assert_eq!(
        fields("security-headers = false"),
        ["", "ALLOW", "unsafe-url", "", "theirs"]
    );
}
