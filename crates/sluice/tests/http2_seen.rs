//! Requests of HTTP/2 that are refused before they are requests: each has its line in the access log, and is counted.

mod http_proxy;

use http_proxy::{Setup, start};
use serde_json::Value;
use testkit::{
    Balancer, EchoServer, Frame, Gate, Http2Client, Script, ScriptedServer, flag, kind, request,
};

const SETUP: Setup<'_> = Setup {
    listener: "protocols = [\"h2\"]\nmax-head = \"2KiB\"\nh2 = { max-concurrent-streams = 2 }\n",
    upstream: "",
    tables: "[logs]\naccess = { format = \"json\", to = \"stdout\" }\n",
};

/// Names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

fn lines(balancer: &Balancer, count: usize) -> Vec<Value> {
    let parsed = || -> Vec<Value> {
        let said = balancer.stdout();
        let lines = said
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        lines.collect()
    };
    testkit::wait_until("the lines of the access log", || parsed().len() >= count);
    parsed()
}

#[test]
fn malformed_requests_and_heads_too_long_are_logged_and_counted() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], SETUP);
    let long = "x".repeat(5000);
    let (resets, refusals) = (Value::Null, |status: u16| Value::from(status));
    // What stands after a usual GET, and the status in the log: none where the stream, or the connection, ended at once.
    let table: [(Fields<'_>, Value, &str); 7] = [
        (&[("connection", "close")], resets.clone(), "syntax"),
        (&[("te", "gzip")], resets.clone(), "syntax"),
        (&[(":path", "/late")], resets.clone(), "syntax"),
        (&[("x", " a")], resets.clone(), "syntax"),
        (&[("X", "uppercase")], resets, "syntax"),
        (&[("x", &long)], refusals(431), "head-too-large"),
        (&[("host", "b.example")], refusals(400), "host"),
    ];
    for (number, (fields, status, word)) in table.iter().enumerate() {
        let fields = [&request("GET", "/")[..], fields].concat();
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(&[Frame::headers(1, flag::END_STREAM, &fields)]);
        let lines = lines(&balancer, number + 1);
        assert_eq!(lines.len(), number + 1, "{fields:?}: {lines:?}");
        let line = &lines[number];
        assert_eq!(line["end"], "bad-request", "{line}");
        assert_eq!(&line["status"], status, "{fields:?}: {line}");
        assert_eq!(line["listener"], "web", "{line}");
        let labels = [("reason", *word)];
        let counted = balancer
            .metrics()
            .count("sluice_bad_requests_total", &labels);
        let until_now = table[..=number].iter().filter(|one| one.2 == *word);
        assert_eq!(counted, until_now.count(), "{fields:?}");
    }
    assert_eq!(server.requests(), 0);
    // A head that cannot even be read: an index beyond the tables.
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::new(kind::HEADERS, 5, 1, [0xFE])]);
    assert_eq!(
        lines(&balancer, table.len() + 1)[table.len()]["end"],
        "bad-request"
    );
    // Beside them a good one, after a bad one on the same connection.
    let mut client = Http2Client::connect(balancer.address("web"));
    let bad = [&request("GET", "/")[..], &[("te", "gzip")]].concat();
    client.send(&[
        Frame::headers(1, flag::END_STREAM, &bad),
        Frame::get(3, "/good"),
    ]);
    assert_eq!(client.expect(kind::HEADERS, 3).status(), 200);
    let lines = lines(&balancer, table.len() + 3);
    let ends: Vec<_> = lines[table.len() + 1..]
        .iter()
        .map(|line| &line["end"])
        .collect();
    assert_eq!(ends, ["bad-request", "ok"]);
}

#[test]
fn a_stream_that_is_one_too_many_is_not_at_fault() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], SETUP);
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[1, 3, 5].map(|stream| Frame::get(stream, "/")));
    assert_eq!(client.expect(kind::RST_STREAM, 5).number(0), 7);
    gate.open();
    for line in lines(&balancer, 2) {
        assert_eq!(line["end"], "ok", "{line}");
    }
    assert_eq!(
        balancer.metrics().count("sluice_bad_requests_total", &[]),
        0
    );
}
