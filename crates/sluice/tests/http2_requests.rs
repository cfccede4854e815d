//! HTTP/2 from clients: what becomes of a request, and of its answer.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    EchoServer, Frame, Gate, Http2Client, RawClient, Script, ScriptedServer, curl, flag, kind,
    pattern, request, wait_until, websocket_request,
};

const H2: Setup<'static> = Setup {
    listener: "protocols = [\"h1\", \"h2\"]\nvia = \"lb\"",
    upstream: "",
    tables: "",
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn curl_is_served_and_the_server_sees_http_1() {
    let server = ScriptedServer::start([Script::ok("hello")]);
    let balancer = start(&[server.address()], H2);
    let url = format!("http://{}/a?b=c", balancer.address("web"));
    let finished = curl(&[
        "--http2-prior-knowledge",
        "--include",
        "--cookie",
        "a=1; b=2",
        "--header",
        "X-Forwarded-For: 1.2.3.4",
        &url,
    ]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stdout.starts_with("HTTP/2 200"), "{finished:?}");
    assert!(finished.stdout.contains("via: 1.1 lb"), "{finished:?}");
    assert!(finished.stdout.ends_with("hello"), "{finished:?}");
    let seen = text(&server.received(0));
    assert!(
        seen.starts_with("GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:"),
        "{seen}"
    );
    for line in [
        "\r\ncookie: a=1; b=2\r\n",
        "\r\nX-Forwarded-For: 127.0.0.1\r\n",
        "\r\nVia: 2.0 lb\r\n",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
}

#[test]
fn beside_it_http_1_is_served_as_ever() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    for pieces in [1, 3, 1000] {
        let mut client = RawClient::connect(balancer.address("web"));
        let request = "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".repeat(2);
        for piece in request.as_bytes().chunks(pieces) {
            client.send(piece);
        }
        assert_eq!(client.response("PUT").status, 200);
        assert_eq!(client.response("PUT").status, 200);
    }
}

#[test]
fn bodies_go_both_ways_in_full() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let folder = balancer.folder();
    let sent = pattern(3_000_000);
    let file = folder.join("body");
    std::fs::write(&file, &sent).expect("a file");
    let url = format!("http://{}/", balancer.address("web"));
    for length_said in [true, false] {
        let data = format!("@{}", file.display());
        let mut arguments = vec!["--http2-prior-knowledge", "--data-binary", &data, &url];
        if !length_said {
            arguments.extend(["--header", "Content-Length:"]);
        }
        let finished = curl(&arguments);
        assert_eq!(finished.code(), 0, "{finished:?}");
        let digest = testkit::digest(&sent).to_string();
        assert!(finished.stdout.contains(&digest), "{finished:?}");
    }
}

#[test]
fn a_body_waits_for_the_window_of_its_reader() {
    let body = pattern(300_000);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut bytes = answer.into_bytes();
    bytes.extend(&body);
    let server = ScriptedServer::start([Script::answer(bytes)]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    let mut received = Vec::new();
    while received.len() < 65_535 {
        received.extend(client.expect(kind::DATA, 1).payload);
    }
    assert_eq!(received.len(), 65_535, "not a byte above the window");
    client.send(&[Frame::window(0, 1_000_000), Frame::window(1, 1_000_000)]);
    received.extend(client.body(1).0);
    assert!(received == body, "{} bytes", received.len());
}

#[test]
fn trailers_go_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
                  3\r\nabc\r\n0\r\nx-sum: 3\r\ncontent-length: 9\r\n\r\n";
    let server = ScriptedServer::start([Script::answer(answer)]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    let fields = [&request("POST", "/")[..], &[("te", "trailers")]].concat();
    client.send(&[
        Frame::headers(1, 0, &fields),
        Frame::data(1, 0, "hello"),
        Frame::headers(1, flag::END_STREAM, &[("x-digest", "abc")]),
    ]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    let (body, last) = client.body(1);
    assert_eq!(body, b"abc");
    assert_eq!(
        (last.kind, last.has(flag::END_STREAM)),
        (kind::HEADERS, true)
    );
    let seen = text(&server.received(0));
    assert!(seen.contains("\r\nTE: trailers\r\n"), "{seen}");
    assert!(
        seen.ends_with("5\r\nhello\r\n0\r\nx-digest: abc\r\n\r\n"),
        "{seen}"
    );
}

#[test]
fn heads_alone_and_statuses_without_a_body_end_the_stream_with_them() {
    let table = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            304,
        ),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
    ];
    for (method, answer, status) in table {
        let server = ScriptedServer::start([Script::answer(answer)]);
        let balancer = start(&[server.address()], H2);
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(&[Frame::headers(1, flag::END_STREAM, &request(method, "/"))]);
        let head = client.expect(kind::HEADERS, 1);
        assert_eq!(
            (head.status(), head.has(flag::END_STREAM)),
            (status, true),
            "{answer}"
        );
    }
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let server = ScriptedServer::start([Script::new()
        .read_head()
        .write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        .read_until("hello")
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .stay_open()]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    let fields = [
        &request("POST", "/")[..],
        &[("content-length", "5"), ("expect", "100-continue")],
    ]
    .concat();
    client.send(&[Frame::headers(1, 0, &fields)]);
    for status in [100, 103] {
        let head = client.expect(kind::HEADERS, 1);
        assert_eq!((head.status(), head.has(flag::END_STREAM)), (status, false));
    }
    client.send(&[Frame::data(1, flag::END_STREAM, "hello")]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
}

#[test]
fn a_reset_cancels_the_request_at_the_server() {
    let server = ScriptedServer::start([Script::new().read_request().read_to_end()]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/slow")]);
    server.wait_for_received(0, "GET /slow ");
    client.send(&[Frame::reset(1, 8)]);
    server.wait_for_end(0);
    // The connection goes on.
    client.send(&[Frame::new(kind::PING, 0, 0, [7; 8])]);
    assert_eq!(client.expect(kind::PING, 0).payload, [7; 8]);
}

#[test]
fn an_answer_that_breaks_off_is_a_reset() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let server = ScriptedServer::start([Script::new().read_request().write_last(answer)]);
        let balancer = start(&[server.address()], H2);
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(&[Frame::get(1, "/")]);
        assert_eq!(
            client.expect(kind::RST_STREAM, 1).number(0),
            2,
            "{answer:?}"
        );
    }
}

#[test]
fn a_body_that_ends_with_the_servers_connection_is_whole() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it";
    let server = ScriptedServer::start([Script::new().read_request().write_last(answer)]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    let (body, last) = client.body(1);
    assert_eq!(
        (body.as_slice(), last.kind),
        (&b"all of it"[..], kind::DATA)
    );
}

#[test]
fn an_answer_before_the_end_of_the_request_ends_it_without_an_error() {
    let balancer = start(
        &[testkit::refused_address()],
        Setup {
            tables: "[[routes]]\nrespond = { status = 403, body = \"no\" }",
            ..H2
        },
    );
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::headers(1, 0, &request("POST", "/"))]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 403);
    let (body, _) = client.body(1);
    assert_eq!(body, b"no");
    assert_eq!(client.expect(kind::RST_STREAM, 1).number(0), 0);
}

#[test]
fn malformed_requests_reach_no_server() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    // What stands after a usual GET, and what comes of it: a status, or a reset (0).
    let table: &[(&[(&str, &str)], u16)] = &[
        (&[("connection", "close")], 0),
        (&[("transfer-encoding", "chunked")], 0),
        (&[("upgrade", "websocket")], 0),
        (&[("te", "gzip")], 0),
        (&[("x", " a")], 0),
        (&[("host", "b.example")], 400),
        (&[("host", "a.example"), ("host", "b.example")], 400),
        (&[("content-length", "x")], 0),
        (&[("content-length", "1")], 0),
        (&[(":path", "/late")], 0),
        (&[("X", "a")], 0),
        (&[("x", "a\r\nb: c")], 0),
        (&[("x", "a\0")], 0),
        (&[("a b", "c")], 0),
    ];
    for (fields, status) in table {
        let fields = [&request("GET", "/")[..], fields].concat();
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(&[Frame::headers(1, flag::END_STREAM, &fields)]);
        if *status == 0 {
            assert_eq!(
                client.expect(kind::RST_STREAM, 1).number(0),
                1,
                "{fields:?}"
            );
        } else {
            assert_eq!(
                client.expect(kind::HEADERS, 1).status(),
                *status,
                "{fields:?}"
            );
        }
    }
    for path in ["", "no-slash", "/a b", "/\u{e9}"] {
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(&[Frame::get(1, path)]);
        let answer = loop {
            let frame = client.receive().expect("an answer");
            if frame.stream == 1 {
                break frame;
            }
        };
        let is_refused = match answer.kind {
            kind::HEADERS => answer.status() == 400,
            other => other == kind::RST_STREAM,
        };
        assert!(is_refused, "{path}: {answer:?}");
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_pseudo_field_among_trailers_is_malformed() {
    let server = ScriptedServer::start([Script::new().read_request().read_to_end()]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[
        Frame::headers(1, 0, &request("POST", "/")),
        Frame::data(1, 0, "body"),
        Frame::headers(1, flag::END_STREAM, &[(":path", "/other")]),
    ]);
    assert_eq!(client.expect(kind::RST_STREAM, 1).number(0), 1);
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_body_that_is_not_as_long_as_was_said_is_a_reset() {
    for (said, body) in [("5", "abc"), ("2", "abc")] {
        let server = ScriptedServer::start([Script::new().read_request()]);
        let balancer = start(&[server.address()], H2);
        let fields = [&request("POST", "/")[..], &[("content-length", said)]].concat();
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(&[
            Frame::headers(1, 0, &fields),
            Frame::data(1, flag::END_STREAM, body),
        ]);
        assert_eq!(client.expect(kind::RST_STREAM, 1).number(0), 1, "{said}");
        assert_eq!(server.requests(), 0);
    }
}

#[test]
fn websocket_by_extended_connect_is_an_upgrade_at_the_server() {
    let server = ScriptedServer::start([Script::new()
        .switch("early")
        .read_until("question")
        .write("answer")
        .read_to_end()
        .write_last("last words")]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    let settings = client.expect(kind::SETTINGS, 0);
    assert!(
        settings
            .payload
            .chunks(6)
            .any(|one| one == [0, 8, 0, 0, 0, 1]),
        "{settings:?}"
    );
    client.send(&[Frame::headers(1, 0, &websocket_request("/chat"))]);
    let head = client.expect(kind::HEADERS, 1);
    assert_eq!((head.status(), head.has(flag::END_STREAM)), (200, false));
    assert_eq!(client.expect(kind::DATA, 1).payload, b"early");
    client.send(&[Frame::data(1, 0, "question")]);
    assert_eq!(client.expect(kind::DATA, 1).payload, b"answer");
    client.send(&[Frame::data(1, flag::END_STREAM, "")]);
    let (body, last) = client.body(1);
    assert_eq!(
        (body.as_slice(), last.kind),
        (&b"last words"[..], kind::DATA)
    );
    let seen = text(&server.received(0));
    assert!(seen.starts_with("GET /chat HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nUpgrade: websocket\r\n"), "{seen}");
    assert!(seen.contains("\r\nsec-websocket-key: "), "{seen}");
}

#[test]
fn who_asks_for_a_tunnel_is_not_told_200_without_one() {
    let server = ScriptedServer::start([
        Script::ok("a page"),
        Script::answer(
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
        ),
    ]);
    let balancer = start(
        &[server.address()],
        Setup {
            upstream: "idle-connections = 0",
            ..H2
        },
    );
    let mut client = Http2Client::connect(balancer.address("web"));
    for (stream, status) in [(1, 502), (3, 403)] {
        let fields = [&request("CONNECT", "/")[..], &[(":protocol", "websocket")]].concat();
        client.send(&[Frame::headers(stream, 0, &fields)]);
        assert_eq!(client.expect(kind::HEADERS, stream).status(), status);
    }
    let fields = [&request("CONNECT", "/")[..], &[(":protocol", "other")]].concat();
    client.send(&[Frame::headers(5, 0, &fields)]);
    assert_eq!(client.expect(kind::HEADERS, 5).status(), 501);
}

#[test]
fn many_streams_of_one_connection_count_as_one_connection() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .stay_open();
    let server = ScriptedServer::start([script]);
    let tables = "[logs]\naccess = { format = \"combined\", to = \"stdout\" }\n";
    let balancer = start(&[server.address()], Setup { tables, ..H2 });
    let mut client = Http2Client::connect(balancer.address("web"));
    let frames: Vec<_> = (0..5)
        .map(|number| Frame::get(number * 2 + 1, "/"))
        .collect();
    client.send(&frames);
    wait_until("five requests at the server", || {
        server.connections().accepted() == 5
    });
    let metrics = balancer.metrics();
    assert_eq!(
        metrics.count("sluice_connections_active", &[("listener", "web")]),
        1
    );
    gate.open();
    for _ in 0..5 {
        let head =
            std::iter::from_fn(|| client.receive()).find(|frame| frame.kind == kind::HEADERS);
        assert_eq!(head.expect("an answer").status(), 200);
    }
    balancer.metrics_after(5);
    balancer.wait_for_stdout("\"GET / HTTP/2.0\" 200");
}
