//! `request-headers` and `response-headers` of a route: fields that are set, added, removed and copied, beside what `http_versions` asks over all
//! versions of HTTP.

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
