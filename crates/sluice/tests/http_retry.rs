//! `retry` of a route: which answers go unseen, and how often another server is tried.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoReply, EchoServer, RawClient, Response, Script, ScriptedServer, refused_address,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

fn retrying(retry: &str) -> String {
    format!("[[routes]]\nupstream = \"app\"\nretry = {retry}\n")
}

fn with(tables: &str) -> Setup<'_> {
    Setup {
        tables,
        ..Setup::default()
    }
}

fn busy() -> ScriptedServer {
    ScriptedServer::start([Script::new().read_request().write(BUSY)])
}

#[track_caller]
fn ask(balancer: &Balancer, request: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(request);
    client.response("GET")
}

#[test]
fn an_answer_that_is_not_wanted_comes_from_another_server() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    for (request, length) in [(GET, 0), (PUT, 5)] {
        let reply = EchoReply::from_response(&ask(&balancer, request));
        assert_eq!((reply.server.as_str(), reply.body_length), ("b", length));
    }
    assert_eq!(busy.requests(), 2);
    let metrics = balancer.metrics_after(2);
    assert_eq!(metrics.count("sluice_upstream_retries_total", &[]), 2);
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "2xx")]),
        2
    );
}

#[test]
fn without_retry_the_answer_is_passed_on() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let balancer = start(&[busy.address(), server.address()], Setup::default());
    let response = ask(&balancer, GET);
    assert_eq!((response.status, response.text()), (503, "busy"));
}

#[test]
fn a_request_that_may_not_be_repeated_gets_the_first_answer() {
    let (busy, server) = (busy(), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    assert_eq!(ask(&balancer, POST).status, 503);
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_last_servers_answer_is_passed_on_whatever_it_is() {
    let (first, second) = (busy(), busy());
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[first.address(), second.address()], with(&tables));
    let response = ask(&balancer, GET);
    assert_eq!((response.status, response.text()), (503, "busy"));
    assert_eq!((first.requests(), second.requests()), (1, 1));
}

#[test]
fn attempts_are_all_there_are() {
    let servers = [busy(), busy(), busy()];
    let tables = retrying("{ attempts = 2, on = [\"503\"] }");
    let addresses: Vec<_> = servers.iter().map(ScriptedServer::address).collect();
    let balancer = start(&addresses, with(&tables));
    assert_eq!(ask(&balancer, GET).status, 503);
    let requests: usize = servers.iter().map(ScriptedServer::requests).sum();
    assert_eq!(requests, 2);
}

#[test]
fn what_is_not_listed_is_not_tried_again() {
    let server = EchoServer::start("b");
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[refused_address(), server.address()], with(&tables));
    assert_eq!(ask(&balancer, GET).status, 502);

    let dropping = ScriptedServer::start([Script::new().read_request()]);
    let balancer = start(&[dropping.address(), server.address()], with(&tables));
    assert_eq!(ask(&balancer, GET).status, 502);
    assert_eq!(server.requests(), 0);
}

#[test]
fn an_answer_in_pieces_is_recognised_too() {
    let script = Script::new()
        .read_request()
        .write("HTTP/1.1 103 Early Hints\r\n\r\n")
        .write(BUSY);
    let (busy, server) = (ScriptedServer::start([script]), EchoServer::start("b"));
    let tables = retrying("{ on = [\"503\"] }");
    let balancer = start(&[busy.address(), server.address()], with(&tables));
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    let mut response = client.response("GET");
    if response.status == 103 {
        response = client.response("GET");
    }
    assert_eq!(EchoReply::from_response(&response).server, "b");
}
