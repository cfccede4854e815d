//! Fixed answers: JSON, files, fields of their own.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoServer, RawClient, Response, wait_until};

fn ask(balancer: &Balancer, target: &str, fields: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"
    ));
    client.response("GET")
}

fn begin(tables: &str) -> Balancer {
    let server = EchoServer::start("a");
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    start(&[server.address()], setup)
}

#[test]
fn json() {
    let balancer = begin(
        r#"
[[routes]]
match.path = "/json"
[routes.respond.json]
host = "{host}"
told = "<{header:x-a}>"
list = [1, 2.5, true, { deep = "{{not}} a variable" }]

[[routes]]
upstream = "app"
"#,
    );
    let answer = ask(&balancer, "/json", "X-A: \"}, \\ \t\u{e9}\r\n");
    assert_eq!(answer.fields("content-type"), ["application/json"]);
    let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    let expected = serde_json::json!({
        "host": "a.example",
        "told": "<\"}, \\ \t\u{e9}>",
        "list": [1, 2.5, true, { "deep": "{not} a variable" }],
    });
    assert_eq!(value, expected);
    assert!(
        answer.text().starts_with("{\"host\":"),
        "in the order of the file: {}",
        answer.text()
    );
}

#[test]
fn files_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sorry.html");
    std::fs::write(&file, "<p>{path} one</p>").expect("a file");
    let tables = format!(
        "watch = true\n[[routes]]\nmatch.path = \"/sorry\"\nrespond = {{ status = 503, file = {file:?}, headers = {{ retry-after = \"60\", x-path = \"{{path}}\" }} }}\n[[routes]]\nupstream = \"app\"\n"
    );
    let balancer = begin(&tables);
    let answer = ask(&balancer, "/sorry", "");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), "<p>{path} one</p>", "as it is");
    for (name, expected) in [
        ("content-type", "text/html; charset=utf-8"),
        ("retry-after", "60"),
        ("x-path", "/sorry"),
        ("content-length", "17"),
    ] {
        assert_eq!(answer.fields(name), [expected], "{name}");
    }
    // Another size, as two versions may have the same time.
    let other = folder.path().join("other.html");
    std::fs::write(&other, "<p>another</p>").expect("a file");
    std::fs::rename(&other, &file).expect("it is replaced");
    wait_until("the file is read again", || {
        ask(&balancer, "/sorry", "").text() == "<p>another</p>"
    });
    std::fs::remove_file(&file).expect("it is deleted");
    let told = "a file that the configuration names cannot be read any more";
    balancer.wait_for_stderr(told);
    assert_eq!(ask(&balancer, "/sorry", "").text(), "<p>another</p>");
    std::fs::write(&file, "<p>it is back</p>").expect("a file");
    wait_until("the file is read again", || {
        ask(&balancer, "/sorry", "").text() == "<p>it is back</p>"
    });
    assert_eq!(balancer.stderr().matches(told).count(), 1);
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("large.bin");
    std::fs::write(&file, vec![0; (1 << 20) + 1]).expect("a file");
    let mut balancer = begin("[[routes]]\nupstream = \"app\"\n");
    let configuration = std::fs::read_to_string(balancer.file()).expect("the file");
    balancer.reload_refused(&format!(
        "{configuration}\n[[routes]]\nmatch.path = \"/x\"\nrespond.file = {file:?}\n"
    ));
}
