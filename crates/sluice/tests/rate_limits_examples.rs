//! The examples of rate limits, as they stand.

mod example;

use example::{Example, ask, served};
use testkit::{EchoReply, EchoServer};

#[test]
fn api_limits() {
    let server = EchoServer::start("api");
    let balancer = Example::read("api-limits.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", server.address())
        .run();
    assert_eq!(served(&balancer, 8, "/api/login", ""), 5);
    let key = "X-API-Key: a\r\n";
    assert_eq!(served(&balancer, 20, "/api/x", key), 20, "at once");
    // A token comes back every 600 ms: less than one for each of these.
    assert!(served(&balancer, 200, "/api/x", key) < 200);
    let other = ask(&balancer, "/api/x", "X-API-Key: b\r\n");
    assert_eq!(other.status, 200);
    assert_eq!(
        other.field("ratelimit-policy"),
        Some("\"per-key\";q=100;w=60")
    );
    assert_eq!(ask(&balancer, "/api/x", "").status, 200);
}

#[test]
fn premium_by_header() {
    let servers = ["premium", "standard"].map(EchoServer::start);
    let balancer = Example::read("premium-by-header.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", servers[0].address())
        .server("127.0.0.1:9002", servers[1].address())
        .run();
    let premium = "X-Tier: premium\r\nX-Customer: a\r\n";
    let answer = EchoReply::from_response(&ask(&balancer, "/", premium));
    assert_eq!(answer.server, "premium");
    assert_eq!(
        served(&balancer, 30, "/", premium),
        30,
        "at once or after a while"
    );
    let standard = "X-Customer: a\r\n";
    let answer = EchoReply::from_response(&ask(&balancer, "/", standard));
    assert_eq!(answer.server, "standard");
    // A token comes back every 600 ms, and nobody waits for longer than 500 ms.
    assert!(served(&balancer, 200, "/", standard) < 200);
}
