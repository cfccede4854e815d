//! `basic` and `api-key` of `[auth.NAME]`: who shows a password or a key comes in.

mod http_proxy;

use std::fs;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, Signal, TempDir, curl};

/// `open:sesame`, by `bcrypt` of Python.
const ALICE: &str = "alice:$2b$04$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u\n";
/// `hunter2`, by `argon2-cffi` of Python.
const BOB: &str = "bob:$argon2id$v=19$m=16,t=1,p=1$NXfc302ijZGBuZKk64vN8w$pw5cImGqb3OrLlQpw9qE0c/aoYVVGmCfHUf/elSkTuI\n";
/// `secret`
const SHOP: &str =
    "# ours\nshop 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("users"), format!("{ALICE}{BOB}")).expect("users");
        fs::write(folder.path().join("keys"), SHOP).expect("keys");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn tables(&self, auth: &str, basic: &str, key: &str) -> String {
        format!(
            "[auth.people]\nbasic = {{ users = \"file:{}\", name-header = \"X-User\", {basic} }}\n\
             [auth.keys]\napi-key = {{ keys = \"file:{}\", name-header = \"x-consumer\", {key} }}\n\
             [[routes]]\nauth = {auth}\nupstream = \"app\"\n",
            self.path("users"),
            self.path("keys")
        )
    }
}

fn begin(app: &EchoServer, tables: &str) -> Balancer {
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    start(&[app.address()], setup)
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-User: root\r\nX-Consumer: root\r\n{fields}\r\n")
}

#[test]
fn passwords_let_in() {
    let (app, files) = (EchoServer::start("app"), Files::new());
    let tables = files.tables(
        "\"people\"",
        "realm = \"the \\\"office\\\"\"",
        "header = \"x-api-key\"",
    );
    let tables = tables.replace(
        "[[routes]]",
        "[[routes]]\nmatch.path = \"/keys\"\nauth = \"keys\"\nupstream = \"app\"\n[[routes]]",
    );
    let balancer = begin(&app, &tables);
    let url = format!("http://{}/", balancer.address("web"));
    // A client of others, twice: the second time it is remembered.
    for _ in 0..2 {
        let finished = curl(&["-s", "-u", "alice:open:sesame", &url]);
        assert!(
            finished.stdout.contains("\"x-user\"") || finished.stdout.contains("alice"),
            "{finished:?}"
        );
    }
    let known = "Authorization: Basic Ym9iOmh1bnRlcjI=\r\n";
    let reply = EchoReply::from_response(&balancer.ask(&get("/", known)));
    assert_eq!(reply.fields("x-user"), ["bob"]);
    assert!(reply.field("authorization").is_some(), "it goes on");
    for wrong in [
        "",
        "Authorization: Basic Ym9iOmh1bnRlcjM=\r\n",
        "Authorization: Basic bm9ib2R5Omh1bnRlcjI=\r\n",
        "Authorization: Bearer Ym9iOmh1bnRlcjI=\r\n",
        &format!("{known}Authorization: Basic YTpi\r\n"),
    ] {
        let response = balancer.ask(&get("/", wrong));
        assert_eq!(response.status, 401, "{wrong}");
        assert_eq!(
            response.field("www-authenticate"),
            Some("Basic realm=\"the \\\"office\\\"\", charset=\"UTF-8\"")
        );
    }
    let metrics = balancer.metrics_after(8);
    for (outcome, count) in [("allowed", 3), ("missing", 3), ("refused", 2)] {
        let labels = [("auth", "people"), ("outcome", outcome)];
        assert_eq!(
            metrics.count("sluice_auth_total", &labels),
            count,
            "{outcome}"
        );
    }
    let all = format!("{}{}", balancer.stdout(), balancer.stderr());
    assert!(!all.contains("hunter") && !all.contains("Ym9i"), "{all}");
}

#[test]
fn keys_let_in_and_any_one_of_several_is_enough() {
    let (app, files) = (EchoServer::start("app"), Files::new());
    let tables = files.tables(
        "[\"keys\", \"people\"]",
        "strip = true",
        "header = \"X-API-Key\", strip = true",
    );
    let balancer = begin(&app, &tables);
    for right in ["X-Api-Key: secret\r\n", "x-api-key: bearer secret\r\n"] {
        let reply = EchoReply::from_response(&balancer.ask(&get("/", right)));
        assert_eq!(reply.fields("x-consumer"), ["shop"]);
        assert_eq!(reply.field("x-user"), None, "nobody has said so");
        assert_eq!(reply.field("x-api-key"), None, "it is kept here");
    }
    let basic = "Authorization: Basic Ym9iOmh1bnRlcjI=\r\n";
    let reply =
        EchoReply::from_response(&balancer.ask(&get("/", &format!("{basic}X-Api-Key: no\r\n"))));
    assert_eq!(
        (reply.field("x-user"), reply.field("x-consumer")),
        (Some("bob"), None)
    );
    assert_eq!(reply.field("authorization"), None);
    for wrong in [
        "",
        "X-Api-Key: Secret\r\n",
        "X-Api-Key: \r\n",
        "X-Api-Key: secret\r\nX-Api-Key: secret\r\n",
    ] {
        let response = balancer.ask(&get("/", wrong));
        assert_eq!(response.status, 401, "{wrong}");
        let told = response.fields("www-authenticate");
        assert_eq!(
            told,
            [
                "ApiKey header=\"x-api-key\"",
                "Basic realm=\"people\", charset=\"UTF-8\""
            ]
        );
    }
    let grpc =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(balancer.ask(grpc).field("grpc-status"), Some("16"));
}

#[test]
fn a_key_may_be_in_the_query_and_files_are_read_again() {
    let (app, files) = (EchoServer::start("app"), Files::new());
    let tables = files.tables("\"keys\"", "", "query = \"key\"");
    let tables = tables.replace(
        "[[routes]]",
        "[[routes]]\nmatch.path = \"/people\"\nauth = \"people\"\nupstream = \"app\"\n[[routes]]",
    );
    let balancer = begin(&app, &tables);
    let status = |target: &str| balancer.ask(&get(target, "")).status;
    assert_eq!(status("/?a=b&key=secret"), 200);
    for wrong in ["/", "/?key=", "/?key=Secret", "/?key=secret&key=secret"] {
        assert_eq!(status(wrong), 401, "{wrong}");
    }
    // Nobody but those in the new file comes in.
    let other = SHOP.replace("2bb80d53", "2bb80d54");
    fs::write(files.path("keys"), other).expect("keys");
    balancer.signal(Signal::HUP);
    balancer.wait_for_stderr("reloaded");
    assert_eq!(status("/?key=secret"), 401);
}
