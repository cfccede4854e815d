//! Clients of HTTP/2 that mean harm: each is put off, and costs no memory to speak of.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoServer, Frame, Http2Client, Script, ScriptedServer, flag, header_block, kind,
    pattern, request, wait_for,
};

const H2: Setup<'static> = Setup {
    listener: "protocols = [\"h2\"]",
    upstream: "",
    tables: "",
};

const ENHANCE_YOUR_CALM: u32 = 11;

/// The connection ends, with GOAWAY if that got through.
#[track_caller]
fn is_put_off(client: &mut Http2Client) {
    let mut reason = None;
    while let Some(frame) = client.receive() {
        if frame.kind == kind::GOAWAY {
            reason = Some(frame.number(4));
        }
    }
    assert!(
        matches!(reason, None | Some(ENHANCE_YOUR_CALM)),
        "{reason:?}"
    );
}

/// Others are served.
#[track_caller]
fn serves(balancer: &Balancer) {
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
}

fn odd(number: u32) -> u32 {
    number * 2 + 1
}

#[test]
fn floods_of_frames_that_mean_nothing() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let open = Frame::headers(1, 0, &request("POST", "/"));
    let unfinished = Frame::new(
        kind::HEADERS,
        flag::END_STREAM,
        1,
        header_block(&request("GET", "/")),
    );
    let floods = [
        ("ping", Frame::new(kind::PING, 0, 0, [0; 8]), None),
        (
            "ping acks",
            Frame::new(kind::PING, flag::ACK, 0, [0; 8]),
            None,
        ),
        ("settings", Frame::settings(&[]), None),
        (
            "settings that change",
            Frame::settings(&[(1, 4096), (4, 70_000)]),
            None,
        ),
        ("empty data", Frame::data(1, 0, ""), Some(&open)),
        (
            "priority",
            Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 16]),
            None,
        ),
        ("unknown frames", Frame::new(0xFE, 0, 0, [0; 8]), None),
        (
            "empty continuations",
            Frame::new(kind::CONTINUATION, 0, 1, ""),
            Some(&unfinished),
        ),
    ];
    for (what, frame, before) in floods {
        let mut client = Http2Client::connect(balancer.address("web"));
        client.send(before.cloned().as_slice());
        for _ in 0..20 {
            client.send(&vec![frame.clone(); 200]);
        }
        println!("{what}");
        is_put_off(&mut client);
    }
    serves(&balancer);
}

#[test]
fn a_few_of_them_are_no_attack() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    for number in 0..100 {
        client.send(&[
            Frame::new(kind::PING, 0, 0, [0; 8]),
            Frame::settings(&[]),
            Frame::get(odd(number), "/"),
        ]);
        assert_eq!(client.expect(kind::HEADERS, odd(number)).status(), 200);
        client.body(odd(number));
    }
}

#[test]
fn rapid_reset() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    let frames: Vec<_> = (0..2000)
        .flat_map(|number| [Frame::get(odd(number), "/"), Frame::reset(odd(number), 8)])
        .collect();
    client.send(&frames);
    is_put_off(&mut client);
    assert!(server.requests() < 500, "{}", server.requests());
    serves(&balancer);
}

#[test]
fn reset_after_the_server_has_begun() {
    let server = ScriptedServer::start([Script::new().read_request().read_to_end()]);
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    for number in 0..200 {
        let begun = server.connections().accepted();
        client.send(&[Frame::get(odd(number), "/")]);
        let is_over = wait_for("the request at the server, or the end", || {
            if server.connections().accepted() > begun {
                return Some(false);
            }
            // A ping that is not answered: the connection is over. One at a time: a flood of them would end it, too.
            client.send(&[Frame::new(kind::PING, 0, 0, [1; 8])]);
            client.find(kind::PING, 0).is_none().then_some(true)
        });
        if is_over {
            assert!((100..150).contains(&number), "{number}");
            return;
        }
        client.send(&[Frame::reset(odd(number), 8)]);
    }
    panic!("200 resets were put up with");
}

#[test]
fn a_flood_of_continuations() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    let block = header_block(&request("GET", "/"));
    let field = header_block(&[("x-field", &"x".repeat(100))]);
    let mut frames = vec![Frame::new(kind::HEADERS, flag::END_STREAM, 1, block)];
    frames.extend(vec![Frame::new(kind::CONTINUATION, 0, 1, field); 5000]);
    client.send(&frames);
    is_put_off_or_reset(&mut client);
    serves(&balancer);
}

/// Either the stream is refused, or the connection ends.
#[track_caller]
fn is_put_off_or_reset(client: &mut Http2Client) {
    while let Some(frame) = client.receive() {
        match frame.kind {
            kind::HEADERS => return assert_eq!(frame.status(), 431),
            kind::RST_STREAM => return,
            _ => {}
        }
    }
}

#[test]
fn a_bomb_of_hpack() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    // One field of 4000 bytes into the table (RFC 7541, 6.2.1), then 16,000 times by its index: 64 MB of fields.
    let mut block = header_block(&request("GET", "/"));
    block.extend([0x40, 1, b'x', 127, 0xA1, 0x1E]);
    block.extend("x".repeat(127 + 0x21 + (0x1E << 7)).bytes());
    let mut rest = block.split_off(4000.min(block.len()));
    rest.extend([0xBE; 16_000 - 4000]);
    let mut frames = vec![Frame::new(kind::HEADERS, flag::END_STREAM, 1, block)];
    frames.push(Frame::new(kind::CONTINUATION, flag::END_HEADERS, 1, rest));
    client.send(&frames);
    is_put_off_or_reset(&mut client);
    assert_eq!(server.requests(), 0);
    serves(&balancer);
    let memory = resident(&balancer);
    assert!(memory < 64e6, "{memory}");
}

fn resident(balancer: &Balancer) -> f64 {
    balancer.metrics().sum("process_resident_memory_bytes", &[])
}

#[test]
fn header_lists_that_are_too_long() {
    let server = EchoServer::start("a");
    let balancer = start(&[server.address()], H2);
    let mut client = Http2Client::connect(balancer.address("web"));
    let long = "x".repeat(10_000);
    let names = ["x-a", "x-b", "x-c", "x-d"];
    let mut fields = request("GET", "/").to_vec();
    fields.extend(names.map(|name| (name, &*long)));
    let block = header_block(&fields);
    let mut pieces = block.chunks(16_384);
    let first = pieces.next().expect("a piece");
    let mut frames = vec![Frame::new(kind::HEADERS, flag::END_STREAM, 1, first)];
    frames.extend(pieces.map(|piece| Frame::new(kind::CONTINUATION, 0, 1, piece)));
    frames.last_mut().expect("a frame").flags |= flag::END_HEADERS;
    client.send(&frames);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 431);
    // Many small ones are too many.
    let names: Vec<_> = (0..200).map(|number| format!("x-{number}")).collect();
    let mut fields = request("GET", "/").to_vec();
    fields.extend(names.iter().map(|name| (name.as_str(), "")));
    client.send(&[Frame::headers(3, flag::END_STREAM, &fields)]);
    assert_eq!(client.expect(kind::HEADERS, 3).status(), 431);
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_window_that_never_opens() {
    let body = "x".repeat(1000);
    let server = ScriptedServer::start([Script::ok(&body)]);
    let setup = Setup {
        listener: "protocols = [\"h2\"]\nbody-timeout = \"1s\"",
        tables: "[logs]\naccess = { format = \"json\", to = \"stdout\" }",
        ..H2
    };
    let balancer = start(&[server.address()], setup);
    let mut client = Http2Client::connect_with(balancer.address("web"), &[(4, 0)]);
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(client.expect(kind::RST_STREAM, 1).number(0), 2);
    balancer.wait_for_stdout("\"end\":\"client-timeout\"");
}

#[test]
fn readers_that_do_not_read() {
    let size = 1_000_000;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
    answer.extend(pattern(size));
    let server = ScriptedServer::start([Script::answer(answer)]);
    let balancer = start(&[server.address()], H2);
    let before = resident(&balancer);
    // Windows as wide as can be, a hundred streams, and not a byte taken from the socket.
    let most = 0x7FFF_FFFF;
    let mut client = Http2Client::connect_with(balancer.address("web"), &[(4, most)]);
    client.send(&[Frame::window(0, most - 65_535)]);
    let frames: Vec<_> = (0..100)
        .map(|number| Frame::get(odd(number), "/"))
        .collect();
    client.send(&frames);
    server.connections().wait_for_accepted(100);
    serves(&balancer);
    let grown = resident(&balancer) - before;
    assert!(grown < 30e6, "{grown} bytes for 100 MB that nobody reads");
}
