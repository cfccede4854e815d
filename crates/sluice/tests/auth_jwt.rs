//! `jwt` of `[auth.NAME]`: who shows a token comes in.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{EchoReply, EchoServer};

/// Made by `PyJWT`: HS256 under [`SECRET`], of `idp` for `api`, until the year 2100.
const RIGHT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJpZHAiLCJhdWQiOiJhcGkiLCJzdWIiOiJhbGljZSIsInJvbGVzIjpbImEiLCJiIl0sImV4cCI6NDEwMjQ0NDgwMH0.vJuRkMl5jv1ugtnRICKOSiNoV4G4wUgfHUdqzYDU70c";
/// The same, until the year 2001.
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJpZHAiLCJhdWQiOiJhcGkiLCJzdWIiOiJhbGljZSIsInJvbGVzIjpbImEiLCJiIl0sImV4cCI6MTAwMDAwMDAwMH0.dZF5HLQP1o3dRTVc6PZmK8Iy0QlHZ7q5GQLuwvW77a8";
/// The same, under another secret.
const FORGED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJpZHAiLCJhdWQiOiJhcGkiLCJzdWIiOiJhbGljZSIsInJvbGVzIjpbImEiLCJiIl0sImV4cCI6NDEwMjQ0NDgwMH0.12CjOLjZ_EiQ5ZAxVIFzeNVoKG_SZZfqff4NQaYXeN8";
/// The same, for somebody else.
const OTHER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJpZHAiLCJhdWQiOiJ3ZWIiLCJzdWIiOiJhbGljZSIsInJvbGVzIjpbImEiLCJiIl0sImV4cCI6NDEwMjQ0NDgwMH0.dl6Vw9vL8W18gfquNm3b6zSoBNEVFuEj3XYrRtH_g7g";
/// The same, with `none` for an algorithm.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJpZHAiLCJhdWQiOiJhcGkiLCJzdWIiOiJhbGljZSIsInJvbGVzIjpbImEiLCJiIl0sImV4cCI6NDEwMjQ0NDgwMH0.";
const SECRET: &str = "a secret that is long enough for HS256";

#[test]
fn tokens_let_in_and_servers_are_told_of_their_claims() {
    let app = EchoServer::start("app");
    let tables = format!(
        "[auth.tokens]\njwt = {{ secret = \"{SECRET}\", issuer = \"idp\", audience = \"api\", claims-to-headers = {{ sub = \"X-User\", roles = \"x-roles\", none = \"x-none\" }} }}\n[[routes]]\nauth = \"tokens\"\nupstream = \"app\"\n"
    );
    let setup = Setup {
        tables: &tables,
        ..Setup::default()
    };
    let balancer = start(&[app.address()], setup);
    let ask = |shown: &str| {
        balancer.ask(&format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\nX-None: root\r\n{shown}\r\n"
        ))
    };
    // The second time it is remembered.
    for scheme in ["Bearer", "bearer"] {
        let reply = EchoReply::from_response(&ask(&format!("Authorization: {scheme} {RIGHT}\r\n")));
        assert_eq!(reply.fields("x-user"), ["alice"]);
        assert_eq!(reply.fields("x-roles"), ["a,b"]);
        assert_eq!(reply.field("x-none"), None);
    }
    for (token, challenge) in [
        ("", "Bearer"),
        (EXPIRED, "Bearer error=\"invalid_token\""),
        (FORGED, "Bearer error=\"invalid_token\""),
        (OTHER, "Bearer error=\"invalid_token\""),
        (UNSIGNED, "Bearer error=\"invalid_token\""),
    ] {
        let shown = if token.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {token}\r\n")
        };
        let response = ask(&shown);
        assert_eq!(response.status, 401, "{token}");
        assert_eq!(response.field("www-authenticate"), Some(challenge));
    }
    let metrics = balancer.metrics_after(7);
    for (outcome, count) in [("allowed", 2), ("missing", 1), ("refused", 4)] {
        let labels = [("auth", "tokens"), ("outcome", outcome)];
        assert_eq!(
            metrics.count("sluice_auth_total", &labels),
            count,
            "{outcome}"
        );
    }
}
