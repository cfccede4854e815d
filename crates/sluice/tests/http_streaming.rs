//! Nothing is held back and nothing is collected: events, both directions at once, slow readers.

mod http_proxy;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, DEADLINE, EchoServer, Gate, RawClient, Script, ScriptedServer, resident_kib,
};

#[test]
fn server_sent_events_are_passed_on_at_once() {
    let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let event = |number: usize| format!("data: {number}\n\n");
    let mut script = Script::new().read_request().write(head);
    for (number, gate) in gates.iter().enumerate() {
        let event = event(number);
        script = script
            .wait(gate)
            .write(format!("{:x}\r\n{event}\r\n", event.len()));
    }
    let server = ScriptedServer::start([script.write("0\r\n\r\n").stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
    let head = client.head().expect("the head before any event");
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    for (number, gate) in gates.iter().enumerate() {
        gate.open();
        client.read_until(event(number));
    }
    client.read_until("0\r\n\r\n");
}

#[test]
fn a_body_until_the_end_of_the_connection_is_not_held_back_either() {
    let gate = Gate::new();
    let script = Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\n\r\nnow")
        .wait(&gate)
        .write("then");
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        client
            .read_until("now\r\n")
            .ends_with(b"\r\n\r\n3\r\nnow\r\n")
    );
    gate.open();
    assert_eq!(client.read_until("0\r\n\r\n"), b"4\r\nthen\r\n0\r\n\r\n");
}

#[test]
fn an_answer_may_begin_before_the_request_has_ended() {
    let script = Script::new()
        .read_head()
        .write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .read_until("2\r\nup\r\n")
        .write("4\r\ndown\r\n")
        .read_until("3\r\nend\r\n")
        .write("3\r\nend\r\n")
        .read_until("0\r\n\r\n")
        .write("0\r\n\r\n")
        .stay_open();
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(
        client.head().expect("a head").field("transfer-encoding"),
        Some("chunked")
    );
    client.send("2\r\nup\r\n");
    client.read_until("4\r\ndown\r\n");
    client.send("3\r\nend\r\n");
    client.read_until("3\r\nend\r\n");
    client.send("0\r\n\r\n");
    assert_eq!(client.read_until("0\r\n\r\n"), b"0\r\n\r\n");
    balancer.wait_for_metrics("the request to end", |metrics| {
        metrics.count("sluice_request_ends_total", &[("end", "ok")]) == 1
    });
}

#[test]
fn a_whole_answer_to_half_a_request_says_that_the_connection_ends() {
    let script = Script::new()
        .read_head()
        .write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        .stay_open();
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    let response = client.response("POST");
    assert_eq!((response.status, response.text()), (403, "no"));
    assert_eq!(response.field("connection"), Some("close"));
    // What the client was about to send is received and dropped: no reset takes the answer from it.
    client.send(vec![b'x'; 100_000]);
    assert!(client.is_closed_without_a_byte());
    // The connection to the server stands in the middle of a request: it is of no more use.
    server.wait_for_end(0);
}

#[test]
fn a_client_that_does_not_read_slows_the_server_down() {
    const LENGTH: usize = 200 << 20;
    let (address, serving) = serve_once(|stream| {
        read_head(stream);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sending");
        let block = vec![b'd'; 1 << 20];
        for _ in 0..LENGTH / block.len() {
            stream.write_all(&block).expect("sending");
        }
    });
    let small = EchoServer::start("small");
    let balancer = two_ways(address, small.address());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head().expect("a head");
    let mut watch = Memory::of(&balancer);
    // The same worker serves others meanwhile, and gets many turns in which it could read on.
    take_turns(&balancer);
    watch.assert_bounded();
    assert!(
        !serving.is_finished(),
        "the server wrote everything although nobody read it"
    );
    let block = vec![b'd'; 1 << 20];
    for _ in 0..LENGTH / block.len() {
        assert!(client.read_exactly(block.len()) == block);
    }
    watch.assert_bounded();
    serving.join().expect("the server");
}

#[test]
fn a_server_that_does_not_read_slows_the_client_down() {
    const LENGTH: usize = 64 << 20;
    let gate = Gate::new();
    let (address, serving) = serve_once({
        let gate = gate.clone();
        move |stream| {
            read_head(stream);
            assert!(gate.wait());
            let mut block = vec![0; 1 << 20];
            for _ in 0..LENGTH / block.len() {
                stream.read_exact(&mut block).expect("receiving");
                assert!(block == vec![b'u'; 1 << 20]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .expect("sending");
        }
    });
    let small = EchoServer::start("small");
    let balancer = two_ways(address, small.address());
    let mut client = RawClient::connect(balancer.address("web"));
    let sending = std::thread::spawn(move || {
        client.send(format!(
            "PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n"
        ));
        let block = vec![b'u'; 1 << 20];
        for _ in 0..LENGTH / block.len() {
            client.send(&block);
        }
        client
    });
    let mut watch = Memory::of(&balancer);
    take_turns(&balancer);
    watch.assert_bounded();
    assert!(
        !sending.is_finished(),
        "the client sent everything although nobody read it"
    );
    gate.open();
    let mut client = sending.join().expect("the client");
    assert_eq!(client.response("PUT").text(), "ok");
    watch.assert_bounded();
    serving.join().expect("the server");
}

/// `/large` goes to one server, the rest to another.
fn two_ways(large: SocketAddr, small: SocketAddr) -> Balancer {
    let tables = format!(
        "[[routes]]\nmatch.path = \"/large\"\nupstream = \"large\"\n[[routes]]\nupstream = \"app\"\n[upstreams.large]\nservers = [\"{large}\"]\n"
    );
    start(
        &[small],
        Setup {
            tables: &tables,
            ..Setup::default()
        },
    )
}

fn take_turns(balancer: &Balancer) {
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..1000 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response("GET").status, 200);
    }
}

/// The resident memory of a process.
struct Memory {
    pid: u32,
    start: u64,
}

impl Memory {
    fn of(balancer: &Balancer) -> Self {
        let pid = balancer.pid();
        Self {
            pid,
            start: resident_kib(pid),
        }
    }

    #[track_caller]
    fn assert_bounded(&mut self) {
        let grown = resident_kib(self.pid).saturating_sub(self.start);
        assert!(grown < 20 << 10, "grown by {grown} KiB");
    }
}

/// A server for one connection.
fn serve_once(serve: impl FnOnce(&mut TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback listener");
    let address = listener.local_addr().expect("its address");
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a read deadline");
        stream
            .set_write_timeout(Some(DEADLINE))
            .expect("a write deadline");
        serve(&mut stream);
    });
    (address, serving)
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.extend_from_slice(&byte);
    }
}
