//! The life of a connection of HTTP/2: how it is told to go, and when it ends.

use testkit::{Balancer, Frame, Gate, Http2Client, Script, ScriptedServer, kind};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn gated(gate: &Gate) -> ScriptedServer {
    ScriptedServer::start([Script::new()
        .read_request()
        .wait(gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        .forever()])
}

fn web(server: &ScriptedServer, listener: &str) -> String {
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h2\"]\n{listener}\n\
         [upstreams.app]\nservers = [\"{}\"]\ndrain-timeout = \"1h\"\n[runtime]\nworkers = 1\n",
        server.address()
    )
}

/// Acknowledges the ping that comes with a farewell, after which the last GOAWAY names the last stream.
#[track_caller]
fn hears_the_farewell(client: &mut Http2Client, last_stream: u32) {
    let first = client.expect(kind::GOAWAY, 0);
    assert_eq!((first.number(0), first.number(4)), (0x7FFF_FFFF, 0));
    let mut ping = client.expect(kind::PING, 0);
    ping.flags = 1;
    client.send(&[ping]);
    let last = client.expect(kind::GOAWAY, 0);
    assert_eq!((last.number(0), last.number(4)), (last_stream, 0));
}

#[test]
fn at_the_end_streams_under_way_finish() {
    let gate = Gate::new();
    let server = gated(&gate);
    let mut balancer = Balancer::start(SLUICE, &web(&server, ""));
    let mut idle = Http2Client::connect(balancer.address("web"));
    idle.expect(kind::SETTINGS, 0);
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/")]);
    server.wait_for_received(0, "GET / ");
    balancer.terminate();
    hears_the_farewell(&mut client, 1);
    hears_the_farewell(&mut idle, 0);
    assert_eq!(idle.find(kind::DATA, 1), None);
    gate.open();
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(client.body(1).0, b"done");
    assert_eq!(client.find(kind::DATA, 1), None, "it closes");
    assert!(balancer.wait_exit().success());
}

#[test]
fn a_listener_that_left_the_file_says_so() {
    let gate = Gate::new();
    let server = gated(&gate);
    let mut balancer = Balancer::start(SLUICE, &web(&server, ""));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/")]);
    server.wait_for_received(0, "GET / ");
    balancer.reload(&web(&server, "").replace("<port:web>", "<port:other>"));
    hears_the_farewell(&mut client, 1);
    gate.open();
    assert_eq!(client.body(1).0, b"done");
    assert_eq!(client.find(kind::DATA, 1), None, "it closes");
}

#[test]
fn a_reload_that_does_not_concern_it_leaves_it_alone() {
    let gate = Gate::new();
    let server = gated(&gate);
    let mut balancer = Balancer::start(SLUICE, &web(&server, ""));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/")]);
    server.wait_for_received(0, "GET / ");
    balancer.reload(&web(&server, "max-fields = 64"));
    gate.open();
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    assert_eq!(client.body(1).0, b"done");
    client.send(&[Frame::get(3, "/")]);
    assert_eq!(client.expect(kind::HEADERS, 3).status(), 200);
}

#[test]
fn silence_ends_with_a_farewell() {
    let server = gated(&Gate::new());
    let balancer = Balancer::start(SLUICE, &web(&server, "idle-timeout = \"1s\""));
    let mut client = Http2Client::connect(balancer.address("web"));
    hears_the_farewell(&mut client, 0);
    assert_eq!(client.find(kind::DATA, 1), None, "it closes");
}

#[test]
fn a_client_that_does_not_answer_the_farewell_is_left() {
    let server = gated(&Gate::new());
    let mut balancer = Balancer::start(SLUICE, &web(&server, ""));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.expect(kind::SETTINGS, 0);
    balancer.terminate();
    assert!(balancer.wait_exit().success());
    client.expect(kind::GOAWAY, 0);
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let server = gated(&Gate::new());
    let balancer = Balancer::start(SLUICE, &web(&server, "head-timeout = \"1s\""));
    let mut client = Http2Client::open(balancer.address("web"));
    while client.receive().is_some() {}
}

#[test]
fn streams_above_the_limit_are_refused() {
    let gate = Gate::new();
    let server = gated(&gate);
    let listener = "h2 = { max-concurrent-streams = 2, initial-window = \"20KiB\" }";
    let balancer = Balancer::start(SLUICE, &web(&server, listener));
    let mut client = Http2Client::connect(balancer.address("web"));
    let settings = client.expect(kind::SETTINGS, 0).payload;
    let has = |name: u8, value: u32| {
        let mut sought = vec![0, name];
        sought.extend(value.to_be_bytes());
        settings.chunks(6).any(|one| one == sought)
    };
    assert!(
        has(3, 2) && has(4, 20 << 10) && has(6, 32 << 10),
        "{settings:?}"
    );
    client.send(&[Frame::get(1, "/"), Frame::get(3, "/"), Frame::get(5, "/")]);
    assert_eq!(client.expect(kind::RST_STREAM, 5).number(0), 7);
    gate.open();
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
}
