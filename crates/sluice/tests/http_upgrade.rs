//! Switching protocols: after `101` the connection is a tunnel.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{RawClient, Script, ScriptedServer, pattern};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A masked text frame of a client (RFC 6455, 5.2), of at most 125 bytes.
fn frame(text: &str) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let length = u8::try_from(text.len()).expect("a short text");
    let masked = text
        .bytes()
        .zip(mask.iter().cycle())
        .map(|(byte, mask)| byte ^ mask);
    [0x81, 0x80 | length]
        .into_iter()
        .chain(mask)
        .chain(masked)
        .collect()
}

#[test]
fn a_websocket_speaks_both_ways() {
    let (question, answer) = (frame("Hello"), b"\x81\x05World");
    let script = Script::new()
        .read_head()
        .write(SWITCH)
        .read_until(&question)
        .write(answer)
        .read_until(frame("more"))
        .write(b"\x81\x04more")
        .read_to_end();
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(UPGRADE);
    let head = client.head().expect("the switch");
    assert!(head.raw.starts_with(b"HTTP/1.1 101 "), "{head:?}");
    assert_eq!(
        (head.field("connection"), head.field("upgrade")),
        (Some("upgrade"), Some("websocket"))
    );
    assert_eq!(
        head.field("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    client.send(question);
    assert_eq!(client.read_exactly(7), answer);
    client.send(frame("more"));
    assert_eq!(client.read_exactly(6), b"\x81\x04more");
    let received = String::from_utf8_lossy(&server.received(0)).into_owned();
    assert!(
        received.contains("\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"),
        "{received}"
    );
    assert_eq!(balancer.metrics().count("sluice_server_in_flight", &[]), 1);
    drop(client);
    server.wait_for_end(0);
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "ok")]),
        1
    );
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "1xx")]),
        1
    );
    assert_eq!(metrics.count("sluice_server_in_flight", &[]), 0);
}

#[test]
fn bytes_right_after_the_switch_are_not_lost() {
    let greeting = pattern(3000);
    let script = Script::new()
        .read_head()
        .write([SWITCH.as_bytes(), &greeting].concat())
        .read_until("early bird")
        .write("done");
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    // A client that is sure of the switch may speak before it has heard of it.
    client.send(format!("{UPGRADE}early bird"));
    client.head().expect("the switch");
    assert_eq!(client.read_exactly(greeting.len()), greeting);
    assert_eq!(client.read_to_end().expect("an orderly end"), b"done");
}

#[test]
fn each_side_of_a_tunnel_ends_by_itself() {
    let script = Script::new()
        .read_head()
        .write(SWITCH)
        .read_to_end()
        .write(pattern(200_000));
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(UPGRADE);
    client.head().expect("the switch");
    client.send(pattern(200_000));
    client.half_close();
    assert!(client.read_to_end().expect("an orderly end") == pattern(200_000));
    let received = server.wait_for_end(0).received;
    assert!(received.ends_with(&pattern(200_000)));
    let metrics = balancer.metrics_after(1);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "ok")]),
        1
    );
    let sent = metrics.count("sluice_server_sent_bytes_total", &[]);
    assert_eq!(sent, received.len());
    let switch = 200_000 + SWITCH.len();
    assert_eq!(
        metrics.count("sluice_server_received_bytes_total", &[]),
        switch
    );
    let from_client = 200_000 + UPGRADE.len();
    assert_eq!(
        metrics.count("sluice_downstream_received_bytes_total", &[]),
        from_client
    );
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain",
        "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nplain",
    ];
    let script = Script::new()
        .read_request()
        .write(answers[0])
        .read_request()
        .write(answers[1])
        .stay_open();
    let server = ScriptedServer::start([script]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(UPGRADE);
    let response = client.response("GET");
    assert_eq!(
        (response.status, response.text(), response.field("upgrade")),
        (200, "plain", None)
    );
    client.send(UPGRADE);
    let response = client.response("GET");
    assert_eq!(
        (response.status, response.field("upgrade")),
        (426, Some("websocket"))
    );
    assert_eq!(response.field("connection"), Some("upgrade"));
    assert_eq!(server.connections().accepted(), 1);
}

#[test]
fn a_switch_that_was_not_asked_for_is_no_answer() {
    let server = ScriptedServer::start([Script::new().read_request().write(SWITCH).stay_open()]);
    let balancer = start(&[server.address()], Setup::default());
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response("GET").status, 502);
    server.wait_for_end(0);
}
