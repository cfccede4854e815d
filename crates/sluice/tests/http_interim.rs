//! Interim responses, and requests that wait for one: `Expect: 100-continue`, early hints.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    EchoReply, EchoServer, Gate, RawClient, Script, ScriptedServer, StartLine, digest, pattern,
};

const POST: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn a_server_that_says_go_on_is_heard() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..2 {
        client.send(POST);
        let interim = client.head().expect("an interim response");
        assert!(
            interim.raw.starts_with(b"HTTP/1.1 100 Continue\r\n"),
            "{interim:?}"
        );
        client.send("hello");
        let response = client.response("POST");
        let reply = EchoReply::from_response(&response);
        assert_eq!(
            (reply.body_digest, reply.field("expect")),
            (digest(b"hello"), Some("100-continue"))
        );
        assert_eq!(response.field("connection"), None);
    }
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_server_that_refuses_at_once_spares_the_client_the_body() {
    for status in ["417 Expectation Failed", "401 Unauthorized"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        let server = ScriptedServer::start([Script::new().read_head().write(answer).stay_open()]);
        let balancer = start(&[server.address()], Setup::default());
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(POST);
        let response = client.response("POST");
        assert_eq!(format!("{} ", response.status), status[..4]);
        assert_eq!((response.interim.len(), response.text()), (0, "no"));
        // Whether the five bytes still come nobody knows: neither connection is of further use.
        assert_eq!(response.field("connection"), Some("close"));
        server.wait_for_end(0);
    }
}

#[test]
fn a_server_that_says_nothing_is_to_blame_for_the_body_that_does_not_come() {
    let server = ScriptedServer::start([Script::new().read_head().stay_open()]);
    let setup = Setup {
        listener: "body-timeout = \"1s\"",
        ..Setup::default()
    };
    let balancer = start(&[server.address()], setup);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(POST);
    assert_eq!(client.response("POST").status, 504);
    // Once the body has begun it is the client's to go on.
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!("{POST}he"));
    assert_eq!(client.response("POST").status, 408);
    let metrics = balancer.metrics_after(2);
    for end in ["upstream-timeout", "client-timeout"] {
        assert_eq!(
            metrics.count("sluice_request_ends_total", &[("end", end)]),
            1,
            "{end}"
        );
    }
}

#[test]
fn curl_sends_a_large_body_once_it_is_told_to_go_on() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let body = pattern(5_000_000);
    let file = balancer.folder().join("body");
    std::fs::write(&file, &body).expect("a file");
    let url = format!("http://{}/upload", balancer.address("web"));
    let data = format!("@{}", file.display());
    let finished = testkit::curl(&[
        &url,
        "--data-binary",
        &data,
        "--header",
        "Expect: 100-continue",
        "--expect100-timeout",
        "15",
        "--http1.1",
    ]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    let reply: EchoReply = serde_json::from_str(&finished.stdout).expect("an echo");
    assert_eq!(
        (reply.body_length, reply.body_digest),
        (body.len() as u64, digest(&body))
    );
    assert_eq!(reply.field("expect"), Some("100-continue"));
}

#[test]
fn an_expectation_that_nobody_knows_is_refused() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n");
    assert_eq!(client.response("GET").status, 417);
    assert_eq!(server.requests(), 0);
}

#[test]
fn early_hints_reach_the_client_before_the_answer() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .write(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n",
        )
        .write("HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n")
        .wait(&gate)
        .write("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
        .stay_open();
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for link in ["</a.css>", "</b.css>"] {
        let hints = client.head().expect("hints before the answer");
        let StartLine::Status { status, .. } = hints.start else {
            panic!("{hints:?}")
        };
        assert_eq!(
            (status, hints.field("link"), hints.field("x-hop")),
            (103, Some(link), None)
        );
        assert_eq!(hints.field("connection"), None);
    }
    gate.open();
    let response = client.response("GET");
    assert_eq!((response.interim.len(), response.text()), (1, "ok"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").text(), "again");
    let metrics = balancer.metrics_after(2);
    assert_eq!(metrics.count("sluice_requests_total", &[]), 2);
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "1xx")]),
        0
    );
}

#[test]
fn interim_responses_in_pieces_are_passed_on_whole() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write_pieces(answer, 1)
        .stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("GET");
    assert_eq!((response.interim.len(), response.text()), (2, "ok"));
}

#[test]
fn http_1_0_clients_get_no_interim_responses() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = ScriptedServer::start([Script::answer(answer)]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response("GET");
    assert_eq!((response.interim.len(), response.text()), (0, "ok"));
}
