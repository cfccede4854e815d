//! `min-body-rate` and `min-read-rate`: clients that are too slow, by every version of HTTP, and those that only seem so.

#[expect(dead_code, reason = "no client of openssl here")]
mod tls_kit;
mod two_hops;

use std::io::Read as _;

use testkit::{Gate, RawClient, Script, ScriptedServer, wait_until};
use two_hops::{Hop, Hops, VERSIONS};

/// No key of the other listener: it is as patient as can be.
const ELSEWHERE: &str = "body-timeout = \"1h\"";
const BODY: &str = "body-timeout = \"1h\"\nmin-body-rate = \"1MiB/s\"";
const READ: &str = "body-timeout = \"1h\"\nmin-read-rate = \"1MiB/s\"";
/// More than who dribbles, and far less than a busy machine.
const MODEST: &str =
    "body-timeout = \"1h\"\nmin-body-rate = \"10KiB/s\"\nmin-read-rate = \"10KiB/s\"";

fn told(hops: &Hops, reason: &str) -> usize {
    let metrics = hops.balancer.metrics();
    metrics.count("sluice_bad_requests_total", &[("reason", reason)])
}

/// Of the one request that was given up.
fn wait_for_end(hops: &Hops, version: &str) {
    wait_until(&format!("its end to be counted: {version}"), || {
        hops.ended(Hop::Back, "client-timeout") == 1
    });
}

fn large_answer() -> Vec<u8> {
    let length = 64 << 20;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}

/// Sends a byte again and again until it was too slow.
fn dribble(client: &mut RawClient, is_over: impl Fn() -> bool) {
    wait_until("a slow client to be given up", || {
        let _ = client.try_send("x");
        is_over()
    });
}

#[test]
fn who_sends_too_slowly_gets_408() {
    for version in VERSIONS {
        let server = ScriptedServer::start([Script::new().read_head().stay_open()]);
        let hops = Hops::start(&server, version, Hop::Back, [BODY, ELSEWHERE]);
        let mut client = hops.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
        dribble(&mut client, || told(&hops, "body-rate") == 1);
        assert_eq!(client.response("POST").status, 408, "{version}");
        wait_for_end(&hops, version);
        server.wait_for_end(0);
    }
}

#[test]
fn who_reads_too_slowly_is_reset() {
    let answer = large_answer();
    for version in VERSIONS {
        let server = ScriptedServer::start([Script::new().read_request().write(&answer)]);
        let hops = Hops::start(&server, version, Hop::Back, [READ, ELSEWHERE]);
        let mut client = hops.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_until(&format!("a slow reader to be given up: {version}"), || {
            // What is left of it may be a reset by now.
            let _ = client.socket().read(&mut [0; 1000]);
            told(&hops, "read-rate") == 1
        });
        wait_for_end(&hops, version);
        // What comes is never taken for the whole.
        let rest = client.read_to_end();
        assert!(rest.is_err() || rest.is_ok_and(|rest| rest.len() < answer.len() / 2));
    }
}

/// It is not the clients that are slow here. The one that is shows how long the others are waited for.
#[test]
fn who_waits_for_a_slow_server_is_not_given_up() {
    for version in VERSIONS {
        let gate = Gate::new();
        let taking = Script::new()
            .read_head()
            .wait(&gate)
            .read_exactly(30_000_000);
        let answering = Script::new()
            .read_request()
            .write("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhal")
            .wait(&gate)
            .write("fway");
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let slow = Script::new().read_head().stay_open();
        let server = ScriptedServer::start([answering, taking.write(ok), slow]);
        let hops = Hops::start(&server, version, Hop::Back, [MODEST, ELSEWHERE]);
        let mut reader = hops.client();
        reader.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        reader.read_until("hal");
        let mut sender = hops.client();
        sender.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n");
        let sending = std::thread::spawn(move || {
            sender.send(vec![b'x'; 30_000_000]);
            sender
        });
        server.connections().wait_for_accepted(2);
        let mut slow = hops.client();
        slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
        dribble(&mut slow, || told(&hops, "body-rate") == 1);
        gate.open();
        assert_eq!(reader.read_exactly(4), b"fway", "{version}");
        let mut sender = sending.join().expect("it was sent");
        assert_eq!(sender.response("POST").status, 200, "{version}");
        assert_eq!(told(&hops, "body-rate") + told(&hops, "read-rate"), 1);
    }
}

#[test]
fn who_waits_to_be_told_to_go_on_is_not_given_up() {
    let gate = Gate::new();
    let expecting = Script::new()
        .read_head()
        .wait(&gate)
        .write("HTTP/1.1 100 Continue\r\n\r\n")
        .read_exactly(2)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let server = ScriptedServer::start([expecting, Script::new().read_head().stay_open()]);
    let hops = Hops::start(&server, "h1", Hop::Front, [BODY, ELSEWHERE]);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n";
    let mut waiting = hops.client();
    waiting.send(format!("{head}Expect: 100-continue\r\n\r\n"));
    server.connections().wait_for_accepted(1);
    let mut slow = hops.client();
    slow.send(format!("{head}\r\n"));
    wait_until("a slow client to be given up", || {
        told(&hops, "body-rate") == 1
    });
    gate.open();
    waiting.read_until("100 Continue\r\n\r\n");
    waiting.send("ok");
    assert_eq!(waiting.response("POST").status, 200);
}

/// With nothing but what the two of them say to each other: an answer that has begun ends the watch over the body.
#[test]
fn a_conversation_may_pause() {
    let gate = Gate::new();
    let talking = Script::new()
        .read_head()
        .write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        .read_until("5\r\nthere\r\n0\r\n\r\n")
        .write("3\r\nbye\r\n0\r\n\r\n");
    let server = ScriptedServer::start([talking, Script::new().read_head().wait(&gate)]);
    let hops = Hops::start(&server, "h1", Hop::Front, [BODY, ELSEWHERE]);
    let mut talking = hops.client();
    talking.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    talking.read_until("hi\r\n");
    let mut slow = hops.client();
    slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    wait_until("a slow client to be given up", || {
        told(&hops, "body-rate") == 1
    });
    talking.send("5\r\nthere\r\n0\r\n\r\n");
    talking.read_until("bye\r\n0\r\n\r\n");
    gate.open();
}
