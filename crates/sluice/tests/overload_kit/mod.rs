//! Servers that hold requests until they are let go, and requests that matter more or less.

use testkit::{Balancer, Gate, Metrics, RawClient, Script, ScriptedServer};

/// A server that holds each of its requests until the gate opens.
pub(crate) fn holding(gate: &Gate) -> ScriptedServer {
    ScriptedServer::start([Script::new()
        .read_request()
        .wait(gate)
        .write("HTTP/1.1 204 No Content\r\n\r\n")
        .forever()])
}

/// A client that has asked for `path` and says that it matters so much.
pub(crate) fn asking(balancer: &Balancer, path: &str, priority: &str) -> RawClient {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nX-Priority: {priority}\r\n\r\n"
    ));
    client
}

pub(crate) fn wait_for_waiting(balancer: &Balancer, count: usize) {
    balancer.wait_for_metrics("requests in the queue", |metrics| {
        metrics.count("sluice_upstream_queue_waiting", &[]) == count
    });
}

/// Refused, told when to come again, and the connection is as good as before.
#[track_caller]
pub(crate) fn is_refused(client: &mut RawClient) {
    let response = client.response("GET");
    assert_eq!(response.status, 503);
    assert_eq!(response.field("retry-after"), Some("1"));
    assert_eq!(response.field("connection"), None);
}

pub(crate) fn refused(metrics: &Metrics, reason: &str, priority: &str) -> usize {
    let labels = [("reason", reason), ("priority", priority)];
    metrics.count("sluice_upstream_refused_total", &labels)
}
