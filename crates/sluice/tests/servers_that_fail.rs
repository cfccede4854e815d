//! What a client is told when no server answers, and that nothing a server sends late is taken for an answer.

use std::io::{Read, Write};
use std::net::TcpListener;

use testkit::{
    Balancer, Gate, RawClient, Script, ScriptedServer, SilentPort, refused_address, wait_until,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A balancer with one worker and one server; `more` goes into the tables of the route and the upstream.
fn balancer(server: std::net::SocketAddr, route: &str, upstream: &str) -> Balancer {
    Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!(
            "[runtime]\nworkers = 1\n\
             [listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
             [[routes]]\nupstream = \"app\"\n{route}\n\
             [upstreams.app]\nservers = [\"{server}\"]\n{upstream}\n"
        ),
    )
}

/// The answer must be whole, and the connection kept for the next request.
fn expect_kept(client: &mut RawClient, status: u16) {
    for _ in 0..2 {
        client.send(GET);
        let response = client.response("GET");
        assert_eq!(response.status, status, "{}", response.text());
        assert!(response.field("content-length").is_some());
        assert_eq!(response.field("connection"), None);
    }
}

#[test]
fn refused_connections_are_502() {
    let balancer = balancer(refused_address(), "", "");
    let mut client = RawClient::connect(balancer.address("web"));
    expect_kept(&mut client, 502);
}

#[test]
fn connections_that_are_not_made_in_time_are_504() {
    let server = SilentPort::start();
    let balancer = balancer(server.address(), "", "connect-timeout = \"50ms\"");
    let mut client = RawClient::connect(balancer.address("web"));
    expect_kept(&mut client, 504);
}

#[test]
fn answers_that_do_not_come_in_time_are_504() {
    let server = ScriptedServer::start([Script::silent()]);
    // Long enough to reach the server.
    let balancer = balancer(server.address(), "timeout = \"500ms\"", "");
    let mut client = RawClient::connect(balancer.address("web"));
    expect_kept(&mut client, 504);
    // A silent one is not used again.
    server.connections().wait_for_accepted(2);
}

#[test]
fn answers_that_stop_in_their_head_are_504() {
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\n")
        .stay_open()]);
    let balancer = balancer(server.address(), "timeout = \"50ms\"", "");
    let mut client = RawClient::connect(balancer.address("web"));
    expect_kept(&mut client, 504);
}

#[test]
fn servers_that_are_full_are_503() {
    let gate = Gate::new();
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        .stay_open()]);
    let upstream = format!(
        "[[upstreams.app.servers]]\naddress = \"{}\"\nmax-connections = 1",
        server.address()
    );
    let balancer = Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &format!("[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n{upstream}\n"),
    );
    let mut first = RawClient::connect(balancer.address("web"));
    first.send(GET);
    server.wait_for_received(0, "\r\n\r\n");
    let mut second = RawClient::connect(balancer.address("web"));
    expect_kept(&mut second, 503);
    gate.open();
    assert_eq!(first.response("GET").text(), "done");
}

/// What comes on a connection that waits for its next request answers nobody.
#[test]
fn a_late_response_is_not_the_answer_to_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback listener");
    let address = listener.local_addr().expect("its address");
    let (poison, poisoned) = (Gate::new(), Gate::new());
    let server = std::thread::spawn({
        let (poison, poisoned) = (poison.clone(), poisoned.clone());
        move || {
            let (mut first, _) = listener.accept().expect("a connection");
            read_head(&mut first);
            first.write_all(&answer("first")).expect("answering");
            assert!(poison.wait());
            first.write_all(&answer("poison")).expect("sending more");
            poisoned.open();
            let (mut second, _) = listener.accept().expect("another connection");
            read_head(&mut second);
            second.write_all(&answer("second")).expect("answering");
            // The poisoned one is closed, and nothing was sent on it.
            let mut rest = Vec::new();
            match first.read_to_end(&mut rest) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
            }
            assert_eq!(rest, b"");
        }
    });
    let balancer = balancer(address, "", "idle-timeout = \"1h\"");
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").text(), "first");
    poison.open();
    assert!(poisoned.wait());
    client.send(GET);
    assert_eq!(client.response("GET").text(), "second");
    wait_until("the server to have seen the end", || server.is_finished());
    server.join().expect("the server");
}

fn read_head(stream: &mut impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        head.extend_from_slice(&byte);
    }
}

fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}
