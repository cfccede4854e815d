//! What routes change is the same whatever version the client speaks: fields, paths and hosts, `cors`, `security-headers`, and answers of
//! our own. HTTP/1.1 and HTTP/2 are spoken by curl, HTTP/3 by aioquic.

#[expect(dead_code, reason = "only one part is asked for, with what it needs")]
mod aioquic;
mod http_proxy;
#[expect(dead_code, reason = "openssl is not asked here")]
mod tls_kit;

use std::net::SocketAddr;

use aioquic::aioquic_with;
use http_proxy::{Setup, start};
use serde::Deserialize;
use testkit::{Balancer, EchoReply, EchoServer, Script, ScriptedServer};
use tls_kit::{Authority, certificates, https};

const HOST: &str = "www.example.com";

/// How a client speaks.
#[derive(Clone, Copy, Debug)]
enum Version {
    Http11,
    Http2,
    Http3,
}

const VERSIONS: [Version; 3] = [Version::Http11, Version::Http2, Version::Http3];

struct Site {
    authority: Authority,
    balancer: Balancer,
}

#[derive(Debug, Deserialize)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: String,
}

impl Site {
    fn start(server: SocketAddr, tables: &str) -> Self {
        let authority = Authority::new("a");
        let files = authority.issue("web", &[HOST]);
        let listener = format!(
            "protocols = [\"h1\", \"h2\", \"h3\"]\n{}",
            certificates(&[&files])
        );
        let setup = Setup {
            listener: &listener,
            tables,
            ..Setup::default()
        };
        Self {
            authority,
            balancer: start(&[server], setup),
        }
    }

    #[track_caller]
    fn get(&self, version: Version, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(version, "GET", path, fields)
    }

    #[track_caller]
    fn ask(&self, version: Version, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        match version {
            Version::Http11 => self.curl(&["--http1.1"], "HTTP/1.1 ", method, path, fields),
            Version::Http2 => self.curl(&["--http2"], "HTTP/2 ", method, path, fields),
            Version::Http3 => self.aioquic(method, path, fields),
        }
    }

    #[track_caller]
    fn curl(
        &self,
        speaking: &[&str],
        spoken: &str,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        // Without the port, as the other client says it.
        let lines: Vec<_> = [("host", HOST)]
            .iter()
            .chain(fields)
            .flat_map(|(name, value)| ["--header".to_owned(), format!("{name}: {value}")])
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let asking = match method {
            "HEAD" => ["--head"].as_slice(),
            _ => &["--include", "--request", method],
        };
        let web = self.balancer.address("web");
        let arguments = [&["--path-as-is"], speaking, asking, &lines].concat();
        let finished = https(web, &self.authority.ca(), HOST, path, &arguments);
        assert_eq!(finished.code(), 0, "{finished:?}");
        let (head, body) = finished.stdout.split_once("\r\n\r\n").expect("a head");
        let (status, lines) = head.split_once("\r\n").expect("fields");
        let status = status.strip_prefix(spoken).expect("the version");
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a field");
            (name.to_owned(), value.to_owned())
        };
        Answer {
            status: status
                .trim()
                .get(..3)
                .expect("a status")
                .parse()
                .expect("a number"),
            fields: lines.split("\r\n").map(field).collect(),
            body: body.to_owned(),
        }
    }

    #[track_caller]
    fn aioquic(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let requests = serde_json::json!([[method, path, fields]]).to_string();
        let web = self.balancer.address("web");
        let said = aioquic_with(web, &self.authority.ca(), "asked", &[&requests]);
        let line = said.lines().next().expect("an answer");
        serde_json::from_str(line).expect("an answer")
    }
}

impl Answer {
    fn values(&self, name: &str) -> Vec<&str> {
        let named = self
            .fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    #[track_caller]
    fn echo(&self) -> EchoReply {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.body).expect("what the server received")
    }

    #[track_caller]
    fn says(&self, version: Version, expected: &[(&str, &[&str])]) {
        for (name, values) in expected {
            assert_eq!(self.values(name), *values, "{name} over {version:?}");
        }
    }
}

#[test]
fn fields_for_the_server() {
    let server = EchoServer::start("a");
    let site = Site::start(
        server.address(),
        r#"
[[routes]]
name = "all"
match.path = "/{first}/b"
upstream = "app"
request-headers.set = { x-env = "prod", x-real-ip = "{client-ip}", x-first = "{first}", x-host = "{host}", x-none = "{header:x-absent}", x-forwarded-proto = "http", x-up = "{upstream} of {route}", x-all = "{path}|{query}|{cookie:c}" }
request-headers.add = { x-tag = ["one", "two {cookie:c}"] }
request-headers.remove = ["x-debug", "X-Internal-*", "accept"]
request-headers.copy = { x-debug = "x-was", authorization = "x-auth" }
"#,
    );
    for version in VERSIONS {
        let fields = [
            ("x-env", "theirs"),
            ("x_env", "forged"),
            ("x-debug", "1"),
            ("x-debug", "2"),
            ("x-internal-user", "root"),
            ("x-none", "theirs"),
            ("x-tag", "zero"),
            ("accept", "a"),
            ("x-was", "theirs"),
            ("x-auth", "forged"),
            ("cookie", "c=3"),
        ];
        let answer = site.get(version, "/caf%C3%A9/b?c%0d%0ax-evil:1", &fields);
        let reply = answer.echo();
        for (name, expected) in [
            ("x-env", &["prod"][..]),
            ("x_env", &[]),
            ("x-real-ip", &["127.0.0.1"]),
            ("x-first", &["caf%C3%A9"]),
            ("host", &[HOST]),
            ("x-host", &[HOST]),
            ("x-none", &[]),
            ("x-forwarded-proto", &["http"]),
            ("x-up", &["app of all"]),
            ("x-all", &["/caf%C3%A9/b|c%0d%0ax-evil:1|3"]),
            ("x-tag", &["zero", "one", "two 3"]),
            ("x-debug", &[]),
            ("x-internal-user", &[]),
            ("accept", &[]),
            ("x-was", &["1", "2"]),
            ("x-auth", &[]),
            ("x-evil", &[]),
            ("x-forwarded-for", &["127.0.0.1"]),
        ] {
            assert_eq!(reply.fields(name), expected, "{name} over {version:?}");
        }
    }
}

#[test]
fn fields_for_the_client() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nServer: secret/1.0\r\nX-Powered-By: magic\r\nX-Frame-Options: ALLOW\r\nX-Load: 3\r\nDate: then\r\nReferrer-Policy: unsafe-url\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok",
    )
    .forever()]);
    let site = Site::start(
        server.address(),
        r#"
[[routes]]
name = "all"
match.path = "/{first}/b"
upstream = "app"
security-headers = { content-security-policy = "default-src 'self'" }
response-headers.set = { x-served-by = "{upstream}/{server} by {route}", x-you = "{client-ip} {header:x-a} {first}" }
response-headers.add = { set-cookie = "b={request-id}" }
response-headers.remove = ["server", "x-powered-*", "date"]
response-headers.copy = { x-load = "X-Was" }

[[routes]]
match.path = "/moved"
redirect.to = "/"
security-headers = true
response-headers.set.x-served-by = "us"
"#,
    );
    let served_by = format!("app/{} by all", server.address());
    for version in VERSIONS {
        let fields = [("x-a", "b"), ("x-request-id", "id-7")];
        let answer = site.get(version, "/a/b", &fields);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        answer.says(
            version,
            &[
                ("server", &[]),
                ("x-powered-by", &[]),
                ("x-served-by", &[&served_by]),
                ("x-you", &["127.0.0.1 b a"]),
                ("set-cookie", &["a=1", "b=id-7"]),
                ("x-load", &["3"]),
                ("x-was", &["3"]),
                ("date", &[]),
                ("content-length", &["2"]),
                ("x-frame-options", &["DENY"]),
                ("x-content-type-options", &["nosniff"]),
                ("referrer-policy", &["strict-origin-when-cross-origin"]),
                ("content-security-policy", &["default-src 'self'"]),
            ],
        );
        let moved = site.get(version, "/moved", &[]);
        assert_eq!(moved.status, 308);
        let expected = [("x-served-by", &["us"][..]), ("x-frame-options", &["DENY"])];
        moved.says(version, &expected);
    }
}

#[test]
fn paths_and_hosts() {
    let server = EchoServer::start("a");
    let site = Site::start(
        server.address(),
        r#"
[[routes]]
match.path = "/api/*"
upstream = "app"
rewrite = { strip-prefix = "/api" }

[[routes]]
match.path = "/tenants/{tenant}/*"
upstream = "app"
rewrite = { path = "/{rest}", host = "{tenant}.internal:8080" }

[[routes]]
match.path = "/by-header/*"
upstream = "app"
rewrite = { path = "/t/{header:x-tenant}/{rest}" }
"#,
    );
    for version in VERSIONS {
        let client = [("x-tenant", "a b/c?d#e")];
        for (path, target, host) in [
            ("/api/users?a=b", "/users?a=b", None),
            ("/api", "/", None),
            ("/%61pi/caf%c3%a9/%2f", "/caf%C3%A9/%2F", None),
            ("/tenants/red/x?y", "/x?y", Some("red.internal:8080")),
            ("/by-header/x", "/t/a%20b%2Fc%3Fd%23e/x", None),
        ] {
            let reply = site.get(version, path, &client).echo();
            assert_eq!(reply.target, target, "{path} over {version:?}");
            if let Some(host) = host {
                assert_eq!(reply.fields("host"), [host], "{path} over {version:?}");
            }
        }
        // What is no host names no server.
        let answer = site.get(version, "/tenants/a%0d%0ax:%20y/x", &[]);
        assert_eq!(answer.status, 400, "{version:?}");
    }
}

#[test]
fn what_browsers_ask() {
    const APP: &str = "https://app.example.com";
    const PUT: (&str, &str) = ("access-control-request-method", "PUT");
    let server = EchoServer::start("a");
    let site = Site::start(
        server.address(),
        r#"
[[routes]]
upstream = "app"
cors = { origins = ["https://app.example.com"], methods = ["GET", "PUT"], expose-headers = "x-total", credentials = true, max-age = "10m" }
"#,
    );
    for version in VERSIONS {
        let answer = site.ask(version, "OPTIONS", "/x", &[("origin", APP), PUT]);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        answer.says(
            version,
            &[
                ("access-control-allow-origin", &[APP]),
                ("access-control-allow-methods", &["GET, PUT"]),
                ("access-control-allow-credentials", &["true"]),
                ("access-control-max-age", &["600"]),
                ("content-length", &[]),
            ],
        );
        let evil = [("origin", "https://evil.example"), PUT];
        let refused = site.ask(version, "OPTIONS", "/x", &evil);
        assert_eq!(refused.status, 403, "{version:?}");
        refused.says(version, &[("access-control-allow-origin", &[])]);
    }
    assert_eq!(server.requests(), 0, "the server was asked nothing");
    for version in VERSIONS {
        let answer = site.get(version, "/x", &[("origin", APP)]);
        assert_eq!(answer.echo().method, "GET");
        answer.says(
            version,
            &[
                ("access-control-allow-origin", &[APP]),
                ("access-control-allow-credentials", &["true"]),
                ("access-control-expose-headers", &["x-total"]),
                ("vary", &["Origin"]),
            ],
        );
    }
}

#[test]
fn answers_of_our_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sorry.html");
    std::fs::write(&file, "<p>{path} one</p>").expect("a file");
    let tables = format!(
        r#"
[[routes]]
match.path = "/json/{{name}}"
respond.json = {{ host = "{{host}}", told = "<{{header:x-a}}>", name = "{{name}}" }}

[[routes]]
match.path = "/sorry"
respond = {{ status = 503, file = {file:?}, headers = {{ retry-after = "60", x-path = "{{path}}" }} }}
"#
    );
    let server = EchoServer::start("a");
    let site = Site::start(server.address(), &tables);
    for version in VERSIONS {
        let answer = site.get(version, "/json/a", &[("x-a", "\"}, \\")]);
        assert_eq!(answer.status, 200);
        answer.says(version, &[("content-type", &["application/json"])]);
        let value: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        let expected = serde_json::json!({ "host": HOST, "told": "<\"}, \\>", "name": "a" });
        assert_eq!(value, expected, "{version:?}");

        let sorry = site.get(version, "/sorry", &[]);
        let said = (sorry.status, sorry.body.as_str());
        assert_eq!(said, (503, "<p>{path} one</p>"), "{version:?}");
        let fields = [
            ("content-type", &["text/html; charset=utf-8"][..]),
            ("retry-after", &["60"]),
            ("x-path", &["/sorry"]),
            ("content-length", &["17"]),
        ];
        sorry.says(version, &fields);
        // Of an answer to HEAD with a length, aioquic misses the body.
        if !matches!(version, Version::Http3) {
            let head = site.ask(version, "HEAD", "/sorry", &[]);
            assert_eq!((head.status, head.body.as_str()), (503, ""), "{version:?}");
            head.says(version, &fields);
        }
    }
    assert_eq!(server.requests(), 0, "the server was asked nothing");
}
