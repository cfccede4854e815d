//! `fallback` of a route: what becomes of a request that its own upstream has failed.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{Balancer, EchoReply, EchoServer, Script, ScriptedServer, refused_address};

const GET: &str = "GET /some/path HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
const SORRY: &str =
    "{ status = 200, body = \"{ \\\"sorry\\\": true }\", content-type = \"application/json\" }";

fn route(rest: &str, fallback: &str) -> String {
    format!("[[routes]]\nupstream = \"app\"\nfallback = {fallback}\n{rest}\n")
}

/// With another upstream, of this server.
fn with_spare(rest: &str, spare: &EchoServer) -> String {
    let route = route(rest, "{ upstream = \"spare\" }");
    format!(
        "{route}[upstreams.spare]\nservers = [\"{}\"]\n",
        spare.address()
    )
}

fn begin(servers: &[std::net::SocketAddr], tables: &str) -> Balancer {
    let setup = Setup {
        tables,
        ..Setup::default()
    };
    start(servers, setup)
}

#[test]
fn another_upstream_takes_over_where_none_can_be_reached() {
    let spare = EchoServer::start("spare");
    let balancer = begin(&[refused_address()], &with_spare("", &spare));
    for request in [GET, POST] {
        assert_eq!(
            EchoReply::from_response(&balancer.ask(request)).server,
            "spare"
        );
    }
    let metrics = balancer.metrics_after(2);
    let spare = [("upstream", "spare")];
    assert_eq!(metrics.count("sluice_upstream_fallbacks_total", &spare), 2);
    assert_eq!(
        metrics.count("sluice_requests_total", &[("code", "2xx")]),
        2
    );
}

#[test]
fn another_upstream_takes_over_where_the_last_answer_is_not_wanted() {
    let spare = EchoServer::start("spare");
    let busy = ScriptedServer::start([Script::new().read_request().write(BUSY)]);
    let retry = "retry = { attempts = 2, on = [\"503\"], backoff = \"1ms\" }";
    let balancer = begin(&[busy.address()], &with_spare(retry, &spare));
    assert_eq!(EchoReply::from_response(&balancer.ask(GET)).server, "spare");
    assert_eq!(busy.requests(), 2);
    // What may not be sent again has the answer that there is.
    assert_eq!(balancer.ask(POST).text(), "busy");
}

#[test]
fn another_upstream_takes_over_where_none_answers_in_time() {
    let spare = EchoServer::start("spare");
    let silent = ScriptedServer::start([Script::silent()]);
    let balancer = begin(&[silent.address()], &with_spare("timeout = \"1s\"", &spare));
    assert_eq!(EchoReply::from_response(&balancer.ask(GET)).server, "spare");
    assert_eq!(balancer.ask(POST).status, 504);
}

#[test]
fn where_the_other_fails_too_the_client_is_told() {
    let table = format!(
        "{}[upstreams.spare]\nservers = [\"{}\"]\n",
        route("", "{ upstream = \"spare\" }"),
        refused_address()
    );
    let balancer = begin(&[refused_address()], &table);
    assert_eq!(balancer.ask(GET).status, 502);
}

#[test]
fn a_fixed_answer_is_for_every_request() {
    let silent = ScriptedServer::start([Script::silent()]);
    let dropping = ScriptedServer::start([Script::new().read_request()]);
    for server in [refused_address(), silent.address(), dropping.address()] {
        let balancer = begin(&[server], &route("timeout = \"100ms\"", SORRY));
        for request in [GET, POST] {
            let response = balancer.ask(request);
            assert_eq!(
                (response.status, response.text()),
                (200, "{ \"sorry\": true }")
            );
            assert_eq!(response.field("content-type"), Some("application/json"));
        }
    }
}

#[test]
fn good_answers_and_bad_requests_are_none_of_its_business() {
    let server = EchoServer::start("app");
    let balancer = begin(&[server.address()], &route("max-body = \"1B\"", SORRY));
    assert_eq!(EchoReply::from_response(&balancer.ask(GET)).server, "app");
    assert_eq!(balancer.ask(POST).status, 413);
}
