//! gRPC beyond what grpcio drives (`http2_upstream.rs`): breaking off by the server, and gRPC-Web, which passes as it is.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, Frame, Http2Client, Http2Server, RawClient, Script, ScriptedServer, flag, kind,
    request,
};

const CANCEL: u32 = 8;

fn in_front_of(server: &Http2Server) -> Balancer {
    start(
        &[server.address()],
        Setup {
            listener: "protocols = [\"h1\", \"h2\"]\n",
            upstream: "protocol = \"h2\"\n",
            ..Setup::default()
        },
    )
}

/// A call whose request is whole.
fn call(client: &mut Http2Client) {
    let fields = [
        &request("POST", "/s/m")[..],
        &[("content-type", "application/grpc"), ("te", "trailers")],
    ]
    .concat();
    client.send(&[
        Frame::headers(1, 0, &fields),
        Frame::data(1, flag::END_STREAM, [0; 5]),
    ]);
}

const HEAD: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/grpc")];

#[test]
fn a_server_that_breaks_a_call_off_breaks_it_off_at_the_client() {
    let server = Http2Server::start();
    let balancer = in_front_of(&server);
    let mut client = Http2Client::connect(balancer.address("web"));
    call(&mut client);
    let mut connection = server.accept();
    connection.expect(kind::HEADERS, 1);
    connection.send(&[
        Frame::headers(1, 0, HEAD),
        Frame::data(1, 0, "half a message"),
    ]);
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(client.expect(kind::DATA, 1).payload, b"half a message");
    connection.send(&[Frame::reset(1, CANCEL)]);
    // Its trailers never come, so nothing of it may look like the end.
    let (rest, last) = client.body(1);
    assert_eq!((rest.as_slice(), last.kind), (&b""[..], kind::RST_STREAM));
}

#[test]
fn a_server_that_refuses_before_an_answer_is_unavailable() {
    let server = Http2Server::start();
    let balancer = in_front_of(&server);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0");
    let mut connection = server.accept();
    connection.expect(kind::HEADERS, 1);
    connection.send(&[Frame::reset(1, CANCEL)]);
    let response = client.response("POST");
    let told = (response.status, response.field("grpc-status"));
    assert_eq!(told, (200, Some("14")));
}

/// Its trailers are a part of the body, so nothing of it may be touched, whatever is spoken on either side.
#[test]
fn grpc_web_passes_as_it_is() {
    let answer = b"\x00\x00\x00\x00\x02ok\x80\x00\x00\x00\x0fgrpc-status:0\r\n";
    let question = b"\x00\x00\x00\x00\x03ask";
    let length = answer.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: {length}\r\n\r\n"
    );
    let script = Script::new()
        .read_request()
        .write([head.as_bytes(), answer].concat())
        .forever();
    let server = ScriptedServer::start([script]);
    let listener = "protocols = [\"h1\", \"h2\"]\n";
    let back = start(
        &[server.address()],
        Setup {
            listener,
            ..Setup::default()
        },
    );
    for protocol in ["h1", "h2"] {
        let front = start(
            &[back.address("web")],
            Setup {
                listener,
                upstream: &format!("protocol = \"{protocol}\"\n"),
                ..Setup::default()
            },
        );
        let mut client = RawClient::connect(front.address("web"));
        let head = format!(
            "POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web+proto\r\nX-Grpc-Web: 1\r\nContent-Length: {}\r\n\r\n",
            question.len()
        );
        client.send([head.as_bytes(), question].concat());
        let response = client.response("POST");
        assert_eq!(response.status, 200, "{protocol}");
        assert_eq!(
            response.field("content-type"),
            Some("application/grpc-web+proto")
        );
        assert_eq!(response.body, answer, "{protocol}");
        let mut client = Http2Client::connect(front.address("web"));
        let fields = [
            &request("POST", "/s/m")[..],
            &[("content-type", "application/grpc-web+proto")],
        ]
        .concat();
        client.send(&[
            Frame::headers(1, 0, &fields),
            Frame::data(1, flag::END_STREAM, question),
        ]);
        assert_eq!(client.expect(kind::HEADERS, 1).status(), 200, "{protocol}");
        assert_eq!(client.body(1).0, answer, "{protocol}");
    }
    let received = server.received(0);
    let asked = received.windows(question.len());
    assert_eq!(asked.filter(|part| part == question).count(), 4);
}
