//! What a worker does while memory is short, step by step.

#[expect(dead_code, reason = "clients and reloads of other tests")]
mod house;

use house::House;
use sluice_health::Strain;
use sluice_telemetry::metrics::Crowded;
use testkit::{Frame, Gate, Http2Client, RawClient, Script, ScriptedServer, kind};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A client that has got its answer, and stays.
fn served(house: &House) -> RawClient {
    let mut client = RawClient::connect(house.address);
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    client
}

fn refused(house: &House) -> u64 {
    let metrics = house.registry.listener(0, "web");
    metrics.connections_refused.value(Crowded::Memory)
}

#[test]
fn it_lets_go_step_by_step() {
    let gate = Gate::new();
    let at_once = Script::new().read_request().write_last(OK);
    let held = Script::new().read_request().wait(&gate).write_last(OK);
    let server = ScriptedServer::start([at_once, held]);
    let more = "protocols = ['h1', 'h2']\n[upstreams.app]";
    let house = House::new(&[server.address()], more);
    let mut idle = served(&house);
    // One connection with many requests under way, and one with few.
    let mut many = Http2Client::connect(house.address);
    let streams: Vec<_> = (0..9)
        .map(|number| Frame::get(2 * number + 1, "/"))
        .collect();
    many.send(&streams);
    let mut few = Http2Client::connect(house.address);
    few.send(&[Frame::get(1, "/")]);
    server.connections().wait_for_accepted(11);

    house.memory.set(Strain::Near);
    assert!(idle.is_closed_without_a_byte());
    assert!(RawClient::connect(house.address).is_closed_without_a_byte());
    assert_eq!(refused(&house), 1);
    many.send(&[Frame::get(19, "/")]);
    assert_eq!(many.expect(kind::HEADERS, 19).status(), 503);
    few.send(&[Frame::get(3, "/")]);
    server.connections().wait_for_accepted(12);

    house.memory.set(Strain::Full);
    few.send(&[Frame::get(5, "/")]);
    assert_eq!(few.expect(kind::HEADERS, 5).status(), 503);
    assert!(RawClient::connect(house.address).is_closed_without_a_byte());
    assert_eq!(refused(&house), 2);

    // What was under way is served, and then everything.
    gate.open();
    for (client, stream) in [(&mut few, 1), (&mut many, 1)] {
        assert_eq!(client.expect(kind::HEADERS, stream).status(), 200);
    }
    house.memory.set(Strain::Calm);
    served(&house);
    house.end();
}

#[test]
fn it_says_when_to_come_again_and_closes() {
    let gate = Gate::new();
    let held = Script::new().read_request().wait(&gate);
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let server = ScriptedServer::start([held.write(ok).read_request().write(ok)]);
    let house = House::new(&[server.address()], "[upstreams.app]");
    let mut client = RawClient::connect(house.address);
    client.send(GET);
    server.connections().wait_for_accepted(1);
    house.memory.set(Strain::Full);
    // It is read when the first has got its answer, so that the connection is never idle.
    client.send(GET);
    gate.open();
    assert_eq!(client.response("GET").status, 200);
    let response = client.response("GET");
    let told = [response.field("retry-after"), response.field("connection")];
    assert_eq!((response.status, told), (503, [Some("5"), Some("close")]));
    assert!(client.is_closed_without_a_byte());
    assert_eq!(server.requests(), 1);
    house.end();
}
