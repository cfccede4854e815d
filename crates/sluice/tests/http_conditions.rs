//! Conditions of routes beyond host, path and fields, through the real binary, and what `explain` says of them.

mod example;
mod explained;
mod http_proxy;
#[expect(dead_code, reason = "curl speaks TLS here")]
mod tls_kit;

use example::Example;
use explained::explained;
use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, curl};
use tls_kit::{Authority, certificates};

/// Routes that answer with their names, tried in this order; what none takes goes to the server.
const ROUTES: &str = r#"
[[routes]]
name = "canary"
match.cookies = { canary = "v2", user = "*" }
respond = { body = "{route}" }

[[routes]]
name = "beta"
match.query = { beta = "true" }
match.not = [{ client-ip = "192.0.2.0/24" }, { path = "/internal/*", method = ["GET", "HEAD"] }]
respond = { body = "{route}" }

[[routes]]
name = "office"
match.client-ip = ["10.0.0.0/8", "2001:db8::/32"]
match.any = [{ host = "a.example" }, { headers = { x-beta = "*" }, query = { a = "1" } }]
respond = { body = "{route}" }

[[routes]]
name = "secure"
match.scheme = "https"
respond = { body = "{route}" }

[[routes]]
name = "rest"
upstream = "app"
"#;

struct Site {
    balancer: Balancer,
    _server: EchoServer,
}

impl Site {
    fn new(listener: &str) -> Self {
        let server = EchoServer::start("one");
        let setup = Setup {
            listener,
            tables: ROUTES,
            ..Setup::default()
        };
        Self {
            balancer: start(&[server.address()], setup),
            _server: server,
        }
    }

    /// The route of a request.
    fn route(&self, target: &str, fields: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");
        let response = self.balancer.ask(&request);
        assert_eq!(response.status, 200);
        match response.field("content-type") {
            Some("text/plain; charset=utf-8") => response.text().to_owned(),
            _ => "rest".to_owned(),
        }
    }
}

#[test]
fn cookies_and_queries() {
    let site = Site::new("");
    for (target, fields, expected) in [
        ("/", "Cookie: canary=v2; user=7\r\n", "canary"),
        ("/", "Cookie: user=7; canary=v2\r\n", "canary"),
        ("/", "Cookie: canary=v2\r\nCookie: user=\r\n", "canary"),
        ("/", "Cookie: canary=v2\r\n", "rest"),
        ("/", "Cookie: canary=v1; user=7\r\n", "rest"),
        ("/", "", "rest"),
        ("/?beta=true", "", "beta"),
        ("/?a&beta=%74rue", "", "beta"),
        ("/?beta=false", "", "rest"),
        ("/beta=true", "", "rest"),
        ("/internal/x?beta=true", "", "rest"),
        ("/internals?beta=true", "", "beta"),
    ] {
        let fields = format!("Host: b.example\r\n{fields}");
        assert_eq!(site.route(target, &fields), expected, "{target} {fields}");
    }
}

#[test]
fn clients_are_whom_trusted_proxies_name() {
    let [trusting, other] = ["trusted-proxies = [\"127.0.0.0/8\"]\n", ""].map(Site::new);
    for (target, fields, expected) in [
        (
            "/",
            "Host: a.example\r\nX-Forwarded-For: 10.0.0.7\r\n",
            "office",
        ),
        (
            "/",
            "Host: a.example\r\nX-Forwarded-For: 10.0.0.7, 127.0.0.9\r\n",
            "office",
        ),
        (
            "/",
            "Host: a.example\r\nX-Forwarded-For: 10.0.0.7, 192.0.2.1\r\n",
            "rest",
        ),
        (
            "/",
            "Host: a.example\r\nX-Forwarded-For: 2001:db8::9\r\n",
            "office",
        ),
        ("/", "Host: a.example\r\n", "rest"),
        (
            "/",
            "Host: b.example\r\nX-Forwarded-For: 10.0.0.7\r\n",
            "rest",
        ),
        (
            "/?a=1",
            "Host: b.example\r\nX-Beta:\r\nX-Forwarded-For: 10.0.0.7\r\n",
            "office",
        ),
        (
            "/",
            "Host: b.example\r\nX-Beta:\r\nX-Forwarded-For: 10.0.0.7\r\n",
            "rest",
        ),
        (
            "/?beta=true",
            "Host: a\r\nX-Forwarded-For: 192.0.2.7\r\n",
            "rest",
        ),
        (
            "/?beta=true",
            "Host: a\r\nX-Forwarded-For: 192.0.3.7\r\n",
            "beta",
        ),
    ] {
        assert_eq!(
            trusting.route(target, fields),
            expected,
            "{target} {fields}"
        );
        let unbelieved = if target == "/?beta=true" {
            "beta"
        } else {
            "rest"
        };
        assert_eq!(other.route(target, fields), unbelieved, "{target} {fields}");
    }
}

#[test]
fn what_is_spoken_with_the_client() {
    let authority = Authority::new("a");
    let files = authority.issue("server", &["127.0.0.1"]);
    let listener = certificates(&[&files]);
    let site = Site::new(&listener);
    let address = site.balancer.address("web");
    let ca = authority.ca();
    let ca = ca.to_str().expect("UTF-8");
    for version in ["--http1.1", "--http2"] {
        let url = format!("https://{address}/");
        let finished = curl(&["-sS", version, "--cacert", ca, &url]);
        assert_eq!((finished.code(), finished.stdout.as_str()), (0, "secure"));
    }
}

#[test]
fn explain_says_which_condition_did_not_hold() {
    let site = Site::new("");
    let file = site.balancer.file();
    let explain = |words: &[&str]| explained(&file, &[&["GET"], words].concat());
    let said = explain(&[
        "http://b.example/internal/x?beta=true",
        "--client-ip",
        "10.0.0.7",
        "-H",
        "Cookie: canary=v1",
    ]);
    for line in [
        "route     canary: no, cookie canary is `v1`, not `v2`\n",
        "route     canary: no, no cookie user, which must be `*`\n",
        "route     beta: no, what `not` excludes\n",
        "route     office: no, nothing of `any` holds: host is `b.example`, not `a.example`; \
         no header x-beta, which must be `*`, no query parameter a, which must be `1`\n",
        "route     secure: no, scheme is `http`, not `https`\n",
        "route     rest: matches\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let said = explain(&["https://a.example/", "--client-ip", "192.0.2.1"]);
    for line in [
        "route     office: no, client is `192.0.2.1`, not `10.0.0.0/8, 2001:db8::/32`\n",
        "route     secure: matches\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn the_example() {
    let [app, new] = ["app", "new"].map(EchoServer::start);
    let balancer = Example::read("canary-by-cookie.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", app.address())
        .server("127.0.0.1:9002", new.address())
        .run();
    for (path, fields, expected) in [
        ("/", "", "app"),
        ("/", "Cookie: canary=v2\r\n", "new"),
        ("/", "X-Forwarded-For: 10.0.0.7\r\n", "new"),
        ("/", "X-Forwarded-For: 192.0.2.7\r\n", "app"),
        ("/checkout/", "Cookie: canary=v2\r\n", "app"),
    ] {
        let response = balancer.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(
            EchoReply::from_response(&response).server,
            expected,
            "{path} {fields}"
        );
    }
}
