//! Requests that a server of HTTP/2 says it has not touched (RFC 9113, 8.7): sent again whatever their method, where nothing of
//! them had to be let go.

mod http_proxy;

use std::net::SocketAddr;

use http_proxy::{Setup, start};
use testkit::{Balancer, Frame, Http2Client, Http2Server, RawClient, flag, kind};

const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;
const POST: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

fn in_front_of(servers: &[SocketAddr]) -> Balancer {
    start(
        servers,
        Setup {
            upstream: "protocol = \"h2\"\n",
            tables: "[logs]\naccess = { format = \"json\", to = \"stdout\" }\n",
            ..Setup::default()
        },
    )
}

fn asking(balancer: &Balancer, request: &str) -> RawClient {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(request);
    client
}

/// The next request, with its body where it has one.
#[track_caller]
fn request(server: &mut Http2Client, stream: u32) -> Vec<u8> {
    let head = server.expect(kind::HEADERS, stream);
    if head.has(flag::END_STREAM) {
        return Vec::new();
    }
    server.body(stream).0
}

fn answer(stream: u32) -> Frame {
    Frame::headers(stream, flag::END_STREAM, &[(":status", "200")])
}

fn farewell(last_stream: u32) -> Frame {
    let payload = [last_stream.to_be_bytes(), [0; 4]].concat();
    Frame::new(kind::GOAWAY, 0, 0, payload)
}

fn refusals(balancer: &Balancer) -> usize {
    let labels = [("reason", "refused")];
    balancer
        .metrics()
        .count("sluice_server_response_failures_total", &labels)
}

#[test]
fn a_refused_stream_is_asked_for_again_on_the_same_connection() {
    let server = Http2Server::start();
    let balancer = in_front_of(&[server.address()]);
    let mut client = asking(&balancer, POST);
    let mut connection = server.accept();
    assert_eq!(request(&mut connection, 1), b"body");
    connection.send(&[Frame::reset(1, REFUSED_STREAM)]);
    assert_eq!(request(&mut connection, 3), b"body");
    connection.send(&[answer(3)]);
    assert_eq!(client.response("POST").status, 200);
    assert!(server.try_accept().is_none());
    assert_eq!(refusals(&balancer), 1);
    balancer.wait_for_stdout("\"attempts\":2");
}

#[test]
fn a_refused_stream_goes_to_another_server_first() {
    let (busy, idle) = (Http2Server::start(), Http2Server::start());
    let balancer = in_front_of(&[busy.address(), idle.address()]);
    let mut client = asking(&balancer, POST);
    let mut connection = busy.accept();
    assert_eq!(request(&mut connection, 1), b"body");
    connection.send(&[Frame::reset(1, REFUSED_STREAM)]);
    let mut connection = idle.accept();
    assert_eq!(request(&mut connection, 1), b"body");
    connection.send(&[answer(1)]);
    assert_eq!(client.response("POST").status, 200);
}

#[test]
fn who_refuses_for_ever_is_not_asked_for_ever() {
    let server = Http2Server::start();
    let balancer = in_front_of(&[server.address()]);
    let mut client = asking(&balancer, POST);
    let mut connection = server.accept();
    for stream in [1, 3] {
        assert_eq!(request(&mut connection, stream), b"body");
        connection.send(&[Frame::reset(stream, REFUSED_STREAM)]);
    }
    assert_eq!(client.response("POST").status, 502);
    assert_eq!(refusals(&balancer), 2);
    assert!(server.try_accept().is_none());
}

#[test]
fn a_farewell_moves_what_it_leaves_out_to_another_connection() {
    let server = Http2Server::start();
    let balancer = in_front_of(&[server.address()]);
    let mut first = asking(&balancer, POST);
    let mut connection = server.accept();
    assert_eq!(request(&mut connection, 1), b"body");
    let mut second = asking(&balancer, POST);
    assert_eq!(request(&mut connection, 3), b"body");
    // The first is served to its end; the second was not looked at.
    connection.send(&[farewell(1)]);
    let mut other = server.accept();
    assert_eq!(request(&mut other, 1), b"body");
    other.send(&[answer(1)]);
    assert_eq!(second.response("POST").status, 200);
    connection.send(&[answer(1)]);
    assert_eq!(first.response("POST").status, 200);
}

#[test]
fn what_may_have_been_worked_on_is_not_repeated() {
    let server = Http2Server::start();
    let balancer = in_front_of(&[server.address()]);
    let mut client = asking(&balancer, POST);
    let mut connection = server.accept();
    assert_eq!(request(&mut connection, 1), b"body");
    connection.send(&[Frame::reset(1, INTERNAL_ERROR)]);
    assert_eq!(client.response("POST").status, 502);
    // A farewell that takes the stream in, and an end that leaves it out.
    let mut client = asking(&balancer, POST);
    assert_eq!(request(&mut connection, 3), b"body");
    connection.send(&[farewell(3)]);
    drop(connection);
    assert_eq!(client.response("POST").status, 502);
    assert!(server.try_accept().is_none());
    assert_eq!(refusals(&balancer), 0);
}

#[test]
fn a_body_that_had_to_be_let_go_cannot_be_sent_again() {
    let server = Http2Server::start();
    let balancer = in_front_of(&[server.address()]);
    let mut client = asking(
        &balancer,
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbody",
    );
    let mut connection = server.accept();
    connection.expect(kind::HEADERS, 1);
    assert_eq!(connection.expect(kind::DATA, 1).payload, b"body");
    client.send("more");
    assert_eq!(connection.expect(kind::DATA, 1).payload, b"more");
    connection.send(&[Frame::reset(1, REFUSED_STREAM)]);
    assert_eq!(client.response("POST").status, 502);
    assert!(server.try_accept().is_none());
}
