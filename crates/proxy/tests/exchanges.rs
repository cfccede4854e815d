//! Exchanges through a worker, between a client and servers that misbehave.

mod house;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use house::{House, PATIENCE, patient};

/// A server that treats its connections, in order, as told.
struct Server {
    address: SocketAddr,
    thread: thread::JoinHandle<()>,
}

type Treatment = Box<dyn FnOnce(&mut TcpStream) + Send>;

impl Server {
    fn new(treatments: Vec<Treatment>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let thread = thread::spawn(move || {
            let mut held = Vec::new();
            for treat in treatments {
                let mut stream = patient(listener.accept().expect("accept").0);
                treat(&mut stream);
                held.push(stream);
            }
        });
        Self { address, thread }
    }

    fn end(self) {
        self.thread.join().expect("the server saw what it should");
    }
}

/// Receives up to the end of a head.
fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

fn exactly(stream: &mut TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("a body");
    String::from_utf8(bytes).expect("text")
}

fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("send");
}

const OK: &str = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok";

fn answers() -> Treatment {
    Box::new(|stream| {
        head(stream);
        send(stream, OK);
    })
}

#[test]
fn a_server_that_has_not_got_the_whole_head_gets_no_further_request_on_that_connection() {
    use std::os::unix::net::UnixListener;

    // A Unix socket: its buffers do not grow until the head fits.
    let path = std::env::temp_dir().join(format!("sluice-exchanges-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("bind");
    let server = thread::spawn(move || {
        // Answers at once, and receives next to nothing of the head.
        let (mut first, _) = listener.accept().expect("accept");
        first.read_exact(&mut [0; 100]).expect("receive");
        first.write_all(OK.as_bytes()).expect("send");
        let (mut second, _) = listener.accept().expect("accept");
        let mut start = [0; 12];
        second.read_exact(&mut start).expect("receive");
        assert_eq!(&start, b"GET /second ");
        second.write_all(OK.as_bytes()).expect("send");
        drop(first);
    });
    let more = "max-fields = 200\n[upstreams.app]";
    let house = House::new(&[format!("unix:{}", path.display())], more);
    let mut client = house.client();
    let field = format!("X: {}\r\n", "x".repeat(7_000));
    let long = format!(
        "GET /first HTTP/1.1\r\nHost: a\r\n{}\r\n",
        field.repeat(140)
    );
    send(&mut client, &long);
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut client, 2), "ok");
    send(&mut client, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut client, 2), "ok");
    server.join().expect("the server saw what it should");
    house.end();
    std::fs::remove_file(&path).expect("clean up");
}

#[test]
fn a_body_that_is_malformed_behind_its_head_is_a_bad_gateway() {
    let server = Server::new(vec![Box::new(|stream| {
        head(stream);
        send(
            stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        );
    })]);
    let house = House::new(&[server.address], "[upstreams.app]");
    let mut client = house.client();
    send(&mut client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head(&mut client).starts_with("HTTP/1.1 502"));
    let label = server.address.to_string();
    server.end();
    let metrics = house.registry.server(0, "app", &label);
    house.end();
    assert_eq!(metrics.requests.total(), 0, "it gave no answer that counts");
    assert_eq!(metrics.response_failures.total(), 1);
}

#[test]
fn bytes_are_counted_on_both_sides() {
    let (seen, got) = mpsc::sync_channel(1);
    let server = Server::new(vec![Box::new(move |stream| {
        let text = head(stream) + &exactly(stream, 4);
        send(stream, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        send(stream, OK);
        seen.send(text.len()).expect("the test waits");
    })]);
    let house = House::new(&[server.address], "[upstreams.app]");
    let mut client = house.client();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    send(&mut client, request);
    let hint = head(&mut client);
    let answer = head(&mut client) + &exactly(&mut client, 2);
    drop(client);
    let to_server = got.recv_timeout(PATIENCE).expect("seen");
    let label = server.address.to_string();
    server.end();
    let listener = house.registry.listener(0, "web");
    let metrics = house.registry.server(0, "app", &label);
    house.end();
    assert_eq!(listener.bytes_received.value(), request.len() as u64);
    let to_client = hint.len() + answer.len();
    assert_eq!(listener.bytes_sent.value(), to_client as u64);
    assert_eq!(metrics.bytes_sent.value(), to_server as u64);
    let from_server = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".len() + OK.len();
    assert_eq!(metrics.bytes_received.value(), from_server as u64);
}

#[test]
fn an_idle_client_outlives_the_server_of_its_last_request() {
    let (asked, was_asked) = mpsc::sync_channel(1);
    let first = Server::new(vec![
        answers(),
        Box::new(move |stream| {
            head(stream);
            asked.send(()).expect("the test waits");
            // No answer comes: the connection is cut when the server has left.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }),
    ]);
    let second = Server::new(vec![answers()]);
    let mut house = House::new(
        &[first.address],
        "[upstreams.app]\nidle-connections = 0\ndrain-timeout = '1ms'",
    );
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut idle = house.client();
    send(&mut idle, request);
    assert!(head(&mut idle).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut idle, 2), "ok");
    let mut busy = house.client();
    send(&mut busy, request);
    was_asked.recv_timeout(PATIENCE).expect("under way");

    house.apply(
        &[second.address],
        "[upstreams.app]\nidle-connections = 0\ndrain-timeout = '1ms'",
        false,
    );
    // The drain timeout has passed when the busy one is cut.
    let mut rest = Vec::new();
    let _ = busy.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    first.end();
    send(&mut idle, request);
    assert!(head(&mut idle).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut idle, 2), "ok");
    second.end();
    house.end();
}

#[test]
fn a_switch_that_comes_too_early_is_invalid_and_one_in_time_is_a_tunnel() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let server = Server::new(vec![
        Box::new(move |stream| {
            head(stream);
            send(stream, switching);
        }),
        Box::new(move |stream| {
            head(stream);
            send(stream, &format!("{switching}first words"));
            let words = exactly(stream, 5);
            send(stream, &words);
        }),
    ]);
    let house = House::new(&[server.address], "[upstreams.app]");
    let mut client = house.client();
    let asking = "Host: a\r\nConnection: upgrade\r\nUpgrade: x";
    send(
        &mut client,
        &format!("POST / HTTP/1.1\r\n{asking}\r\nContent-Length: 5\r\n\r\nhe"),
    );
    assert!(head(&mut client).starts_with("HTTP/1.1 502"));
    let mut client = house.client();
    send(&mut client, &format!("GET / HTTP/1.1\r\n{asking}\r\n\r\n"));
    assert!(head(&mut client).starts_with("HTTP/1.1 101"));
    assert_eq!(exactly(&mut client, 11), "first words");
    send(&mut client, "hello");
    assert_eq!(exactly(&mut client, 5), "hello");
    server.end();
    house.end();
}
