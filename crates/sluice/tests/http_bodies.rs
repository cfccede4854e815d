//! Bodies both ways: by length, in chunks, to the end of the connection; what has none.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    EchoReply, EchoServer, Gate, RawClient, ReadError, Script, ScriptedServer, digest, pattern,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SIZES: [usize; 6] = [0, 1, 1000, 65_536, 65_537, 10_000_000];

#[test]
fn bodies_with_a_length_arrive_whole() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for size in SIZES {
        let body = pattern(size);
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        ));
        client.send(&body);
        let reply = EchoReply::from_response(&client.response("POST"));
        assert_eq!(
            (reply.body_length, reply.body_digest),
            (size as u64, digest(&body))
        );
        assert_eq!(
            reply.field("content-length"),
            Some(size.to_string().as_str())
        );

        client.send(format!("GET /bytes/{size} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response("GET");
        assert_eq!(
            response.field("content-length"),
            Some(size.to_string().as_str())
        );
        assert!(response.body == body, "{size} bytes differ");
    }
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn chunked_bodies_arrive_whole_with_their_trailers() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for size in SIZES {
        let body = pattern(size);
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n",
        );
        let mut chunks = Vec::with_capacity(size + size / 100);
        for chunk in body.chunks(4093) {
            chunks.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\nx-sum: 1\r\nX-Other: two\r\n\r\n");
        client.send(chunks);
        let reply = EchoReply::from_response(&client.response("POST"));
        assert_eq!(
            (reply.body_length, reply.body_digest),
            (size as u64, digest(&body))
        );
        let trailers =
            [("x-sum", "1"), ("X-Other", "two")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(reply.trailers, trailers);
        assert_eq!(reply.field("transfer-encoding"), Some("chunked"));
        assert_eq!(reply.field("content-length"), None);

        client.send(format!(
            "GET /chunked/{size} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n"
        ));
        let response = client.response("GET");
        assert!(response.body == body, "{size} bytes differ");
        let sum = format!("{:016x}", digest(&body));
        assert_eq!(response.trailers, [("x-digest".to_owned(), sum)]);
        assert_eq!(response.field("content-length"), None);
    }
}

#[test]
fn trailer_fields_that_do_not_belong_there_are_removed() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 7\r\nX-Good: b\r\nSet-Cookie: c\r\n\r\n",
    )]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: evil\r\nX-Good: a\r\nTransfer-Encoding: gzip\r\nContent-Length: 9\r\nAuthorization: b\r\n\r\n",
    );
    let response = client.response("POST");
    assert_eq!(response.text(), "ok");
    assert!(response.trailers.contains(&("X-Good".into(), "b".into())));
    assert!(
        !response
            .trailers
            .iter()
            .any(|(name, _)| name == "Content-Length")
    );
    let received = String::from_utf8(server.received(0)).expect("text");
    let (_, body) = received.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, "1\r\nx\r\n0\r\nX-Good: a\r\n\r\n");
}

#[test]
fn chunk_extensions_are_cut() {
    let server = ScriptedServer::start([Script::answer(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\n\r\n",
    )]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y;z\"\r\nabc\r\n0;last\r\n\r\n");
    client.head().expect("a head");
    assert_eq!(client.read_until("0\r\n\r\n"), b"2\r\nok\r\n0\r\n\r\n");
    let received = server.received(0);
    assert!(
        received.ends_with(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "{}",
        String::from_utf8_lossy(&received)
    );
}

#[test]
fn answers_that_have_no_body_have_none() {
    let head_answer = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nETag: \"x\"\r\n\r\n";
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write(head_answer)
        .read_request()
        .write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .read_request()
        .write("HTTP/1.1 204 No Content\r\n\r\n")
        .read_request()
        .write("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"x\"\r\n\r\n")
        .read_request()
        .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
        .stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("HEAD");
    assert_eq!(
        (response.field("content-length"), response.field("etag")),
        (Some("500"), Some("\"x\""))
    );
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("HEAD").field("content-length"), None);
    client.send(GET);
    let response = client.response("GET");
    assert_eq!(
        (
            response.status,
            response.field("content-length"),
            response.field("transfer-encoding")
        ),
        (204, None, None)
    );
    client.send(GET);
    let response = client.response("GET");
    assert_eq!(
        (response.status, response.field("etag")),
        (304, Some("\"x\""))
    );
    client.send(GET);
    assert_eq!(client.response("GET").text(), "last");
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_body_that_ends_with_the_servers_connection_is_chunked_and_the_clients_is_kept() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\n\r\nfirst ")
        .wait(&gate)
        .write(pattern(100_000));
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..2 {
        client.send(GET);
        gate.open();
        let response = client.response("GET");
        assert_eq!(response.field("transfer-encoding"), Some("chunked"));
        assert_eq!(response.field("connection"), None);
        assert!(response.body == [b"first ".as_slice(), &pattern(100_000)].concat());
    }
    assert_eq!(server.connections().accepted(), 2);
}

#[test]
fn http_1_0_clients_get_bodies_without_chunks() {
    let close_delimited = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n6\r\nuntil \r\n7\r\nthe end\r\n0\r\nx: y\r\n\r\n";
    let server = ScriptedServer::start([
        Script::new().read_request().write(close_delimited),
        Script::answer(chunked),
    ]);
    let balancer = start(&[server.address()], Setup::default());
    for _ in 0..3 {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response("GET");
        assert_eq!(response.text(), "until the end");
        assert_eq!(response.field("transfer-encoding"), None);
        assert_eq!(response.field("connection"), Some("close"));
    }
    assert_eq!(server.connections().accepted(), 2);
}

#[test]
fn a_body_cut_short_is_not_taken_for_whole() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
    ];
    let server =
        ScriptedServer::start(answers.map(|answer| Script::new().read_request().write(answer)));
    let balancer = start(&[server.address()], Setup::default());
    for answer in answers {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(GET);
        let error = client.try_response("GET").expect_err("a cut body");
        assert!(
            matches!(error, ReadError::Truncated(_) | ReadError::Reset),
            "{answer:?}: {error}"
        );
    }
    // An HTTP/1.0 client knows the end of this body by the end of the connection: it must be no orderly one.
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert!(matches!(client.try_response("GET"), Err(ReadError::Reset)));
    let metrics = balancer.metrics_after(3);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "upstream-closed")]),
        3
    );
    assert_eq!(
        metrics.count(
            "sluice_server_response_failures_total",
            &[("reason", "closed")]
        ),
        3
    );
}

#[test]
fn a_body_above_the_routes_limit_is_refused() {
    let server = EchoServer::start("a");
    let tables = "[[routes]]\nmatch.path = \"/small/*\"\nupstream = \"app\"\nmax-body = \"1KiB\"\n[[routes]]\nupstream = \"app\"\n";
    let balancer = start(
        &[server.address()],
        Setup {
            tables,
            ..Setup::default()
        },
    );
    let post = |path: &str, framing: &str| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}"));
        client
    };
    // By its length: no server hears of it.
    let mut client = post("/small/x", "Content-Length: 1025\r\n\r\n");
    assert_eq!(client.response("POST").status, 413);
    assert!(client.is_closed_without_a_byte());
    assert_eq!(server.connections().accepted(), 0);
    // In chunks: once it is too much. The rest need not be read.
    let mut client = post("/small/x", "Transfer-Encoding: chunked\r\n\r\n3E8\r\n");
    client.send(pattern(1000));
    server.connections().wait_for_accepted(1);
    // At once: it is refused by the size of the chunk.
    client.send([b"\r\n19\r\n".as_slice(), &pattern(25)].concat());
    assert_eq!(client.response("POST").status, 413);
    // At the limit, and where there is none.
    let exactly = format!("Content-Length: 1024\r\n\r\n{}", "x".repeat(1024));
    assert_eq!(post("/small/x", &exactly).response("POST").status, 200);
    let chunked = format!(
        "Transfer-Encoding: chunked\r\n\r\n400\r\n{}\r\n0\r\n\r\n",
        "x".repeat(1024)
    );
    assert_eq!(post("/small/x", &chunked).response("POST").status, 200);
    let more = format!("Content-Length: 1025\r\n\r\n{}", "x".repeat(1025));
    assert_eq!(post("/large", &more).response("POST").status, 200);
    let too_large = [("reason", "body-too-large")];
    balancer.wait_for_counts(&[
        ("sluice_request_ends_total", &[], 5),
        ("sluice_bad_requests_total", &too_large, 2),
        ("sluice_server_in_flight", &[], 0),
    ]);
    assert_eq!(server.requests(), 3);
}
