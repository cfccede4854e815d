//! Stopping the real binary: what runs may finish, but not for ever.

use std::net::{SocketAddr, TcpStream};

use testkit::{
    Balancer, End, Gate, RawClient, Script, ScriptedServer, Signal, TcpEchoServer, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn web(server: SocketAddr, drain: &str) -> Balancer {
    Balancer::start(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{server}\"]\n\
             drain-timeout = \"{drain}\"\n[logs]\naccess = {{ format = \"json\", to = \"stdout\" }}\n"
        ),
    )
}

fn wait_until_refused(address: SocketAddr) {
    wait_until("connecting to be refused", || {
        TcpStream::connect(address).is_err()
    });
}

#[test]
fn a_request_under_way_finishes() {
    let gate = Gate::new();
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        .stay_open()]);
    let mut balancer = web(server.address(), "1h");
    let mut idle = RawClient::connect(balancer.address("web"));
    let mut busy = RawClient::connect(balancer.address("web"));
    busy.send(GET);
    server.connections().wait_for_accepted(1);
    balancer.terminate();
    wait_until_refused(balancer.address("web"));
    assert!(
        idle.is_closed_without_a_byte(),
        "idle connections end at once"
    );
    let ready = balancer.admin("/readyz");
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert_eq!(balancer.admin("/livez").status, 200);
    assert!(balancer.is_running());
    gate.open();
    let response = busy.response("GET");
    assert_eq!(response.text(), "done");
    assert_eq!(response.field("connection"), Some("close"));
    assert_eq!(balancer.wait_exit().code(), Some(0));
    // What was logged last is not lost.
    let log = balancer.wait_for_stdout("\"status\":200");
    assert!(log.contains("\"end\":\"ok\""), "{log}");
}

#[test]
fn what_ends_meanwhile_is_logged_at_once() {
    let (first, second) = (Gate::new(), Gate::new());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
    let script = |gate| Script::new().read_request().wait(gate).write(answer);
    let server = ScriptedServer::start([script(&first), script(&second)]);
    let mut balancer = web(server.address(), "1h");
    let mut clients = [1, 2].map(|count| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(GET);
        server.connections().wait_for_accepted(count);
        client
    });
    balancer.terminate();
    wait_until_refused(balancer.address("web"));
    first.open();
    assert_eq!(clients[0].response("GET").text(), "done");
    balancer.wait_for_stdout("\"status\":200");
    assert!(balancer.is_running());
    second.open();
    assert_eq!(clients[1].response("GET").text(), "done");
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

#[test]
fn a_session_under_way_finishes() {
    let server = TcpEchoServer::start("");
    let mut balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.tcp]\naddress = \"127.0.0.1:<port:tcp>\"\nprotocol = \"tcp\"\n[upstreams.app]\nservers = [\"{}\"]\n",
            server.address()
        ),
    );
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("one");
    assert_eq!(client.read_exactly(3), b"one");
    balancer.terminate();
    wait_until_refused(balancer.address("tcp"));
    client.send("two");
    assert_eq!(client.read_exactly(3), b"two");
    client.half_close();
    assert_eq!(client.read_to_end().expect("an orderly close"), b"");
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

#[test]
fn what_outstays_the_drain_timeout_is_cut() {
    let server = ScriptedServer::start([Script::silent()]);
    let mut balancer = web(server.address(), "1s");
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    server.connections().wait_for_accepted(1);
    balancer.terminate();
    assert!(client.is_closed_without_a_byte());
    server.connections().wait_for_none_open();
    assert_ne!(server.wait_for_end(0).end, Some(End::Failed));
    // The timeout was kept: that is in order.
    assert_eq!(balancer.wait_exit().code(), Some(0));
    let log = balancer.wait_for_stdout("\"end\"");
    assert!(log.contains("\"end\":\"drained\""), "{log}");
    balancer.wait_for_stderr("the drain timeout passed");
}

#[test]
fn a_tunnel_that_outstays_the_drain_timeout_is_logged_with_its_bytes() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    let server = ScriptedServer::start([Script::new()
        .read_head()
        .write(switch)
        .read_until("question")
        .write("answer")
        .stay_open()]);
    let mut balancer = web(server.address(), "1s");
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    client.head().expect("the switch");
    client.send("question");
    assert_eq!(client.read_exactly(6), b"answer");
    balancer.terminate();
    assert_eq!(balancer.wait_exit().code(), Some(0));
    let log = balancer.wait_for_stdout("\"end\":\"drained\"");
    for part in [
        "\"status\":101",
        "\"request_bytes\":8",
        "\"response_bytes\":6",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
}

#[test]
fn a_session_that_outstays_the_drain_timeout_is_cut_and_counted() {
    let server = TcpEchoServer::start("");
    let mut balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.tcp]\naddress = \"127.0.0.1:<port:tcp>\"\nprotocol = \"tcp\"\n[upstreams.app]\nservers = [\"{}\"]\n\
             drain-timeout = \"1s\"\n[logs]\naccess = {{ format = \"json\", to = \"stdout\" }}\n",
            server.address()
        ),
    );
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("hello");
    assert_eq!(client.read_exactly(5), b"hello");
    balancer.terminate();
    assert!(client.is_closed_without_a_byte());
    server.connections().wait_for_none_open();
    assert_eq!(balancer.wait_exit().code(), Some(0));
    let log = balancer.wait_for_stdout("\"end\"");
    assert!(log.contains("\"end\":\"drained\""), "{log}");
    assert!(
        log.contains("\"received_bytes\":5") && log.contains("\"sent_bytes\":5"),
        "{log}"
    );
}

#[test]
fn a_second_signal_ends_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let server = ScriptedServer::start([Script::silent()]);
        let mut balancer = web(server.address(), "1h");
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(GET);
        server.connections().wait_for_accepted(1);
        balancer.terminate();
        wait_until_refused(balancer.address("web"));
        balancer.signal(second);
        let status = balancer.wait_exit();
        assert_eq!(
            status.code(),
            Some(1),
            "it did not end in order, and not by a signal either"
        );
        assert!(client.is_closed_without_a_byte());
    }
}

#[test]
fn an_interrupt_ends_it_as_well() {
    let server = TcpEchoServer::start("");
    let mut balancer = web(server.address(), "1h");
    balancer.signal(Signal::INT);
    assert_eq!(balancer.wait_exit().code(), Some(0));
}

#[test]
fn unix_sockets_do_not_stay_behind() {
    let folder = testkit::TempDir::new().expect("a folder");
    let path = folder.path().join("web");
    let text = format!(
        "[listeners.web]\naddress = \"unix:{}\"\n[[routes]]\nrespond = {{ body = \"here\" }}\n",
        path.display()
    );
    for _ in 0..2 {
        let mut balancer = Balancer::start(SLUICE, &text);
        let mut client = RawClient::connect_unix(&path);
        client.send(GET);
        assert_eq!(client.response("GET").text(), "here");
        balancer.terminate();
        assert_eq!(balancer.wait_exit().code(), Some(0));
        assert!(!path.exists());
        // What a process that was killed left behind is no obstacle.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale socket"));
    }
}
