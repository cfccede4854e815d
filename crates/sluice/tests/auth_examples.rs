//! The examples of tokens and keys, as they stand.

mod example;
mod jwt_kit;

use example::{Example, ask, served};
use jwt_kit::Issuer;
use testkit::{EchoReply, EchoServer, TempDir, run};

#[test]
fn jwt() {
    let (issuer, folder) = (Issuer::new(), TempDir::new().expect("a folder"));
    let pem = folder.path().join("idp.pem");
    std::fs::write(&pem, issuer.pem()).expect("to write");
    let servers = ["admin", "orders", "fast"].map(EchoServer::start);
    let balancer = Example::read("jwt.toml")
        .text("file:idp.pem", format!("file:{}", pem.display()))
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", servers[0].address())
        .server("127.0.0.1:9002", servers[1].address())
        .server("127.0.0.1:9003", servers[2].address())
        .run();
    let shown = |rest: &str| {
        let claims = format!(r#"{{"iss":"https://idp.example.com","aud":"orders",{rest}}}"#);
        issuer.shows(&claims)
    };
    let reply =
        |target: &str, fields: &str| EchoReply::from_response(&ask(&balancer, target, fields));
    let admin = shown(r#""sub":"ann","access":{"roles":["admin","ops"]}"#);
    assert_eq!(reply("/admin/x", &admin).server, "admin");
    let ben = shown(r#""sub":"ben","tenant":"t1","plan":"gold""#);
    let refused = ask(&balancer, "/admin/x", &ben);
    assert_eq!(
        (refused.status, refused.text()),
        (403, r#"{"error":"ben is no administrator"}"#)
    );
    assert_eq!(ask(&balancer, "/admin/x", "").status, 401);
    let fast = reply("/orders/1", &ben);
    assert_eq!(
        (&*fast.server, fast.field("x-user"), fast.field("x-tenant")),
        ("fast", Some("ben"), Some("t1"))
    );
    assert_eq!(reply("/orders/1", &admin).server, "orders");
    assert_eq!(ask(&balancer, "/orders/1", "").status, 401);
    // A token of the bucket comes back every second.
    let platinum = shown(r#""sub":"cleo","plan":"platinum""#);
    assert!((58..100).contains(&served(&balancer, 100, "/orders/1", &ben)));
    assert_eq!(served(&balancer, 100, "/orders/1", &platinum), 100);
    assert_eq!(
        reply("/orders/1", &admin).server,
        "orders",
        "others have their own"
    );
}

#[test]
fn api_keys_with_limits() {
    let folder = TempDir::new().expect("a folder");
    let keys = folder.path().join("keys.txt");
    // As its first lines say.
    let mut made = ["shop", "visitor"].map(|name| {
        let finished = run(
            env!("CARGO_BIN_EXE_sluice"),
            &["hash-key", name, "--generate"],
        );
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        let told = finished.stderr.trim().rsplit(' ').next().expect("a key");
        (format!("X-Api-Key: {told}\r\n"), finished.stdout)
    });
    let lines: String = made
        .iter_mut()
        .map(|(_, line)| std::mem::take(line))
        .collect();
    std::fs::write(&keys, lines).expect("to write");
    let [(shop, _), (visitor, _)] = made;
    let server = EchoServer::start("api");
    let balancer = Example::read("api-keys-with-limits.toml")
        .text("file:keys.txt", format!("file:{}", keys.display()))
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", server.address())
        .run();
    assert_eq!(ask(&balancer, "/api/x", "").status, 401);
    let answer = ask(&balancer, "/api/x", &visitor);
    assert_eq!(
        answer.field("ratelimit-policy"),
        Some("\"per-client\";q=100;w=60")
    );
    let reply = EchoReply::from_response(&answer);
    assert_eq!(
        (reply.field("x-client"), reply.field("x-api-key")),
        (Some("visitor"), None)
    );
    // A token comes back every 600 ms.
    assert!((19..60).contains(&served(&balancer, 60, "/api/x", &visitor)));
    assert_eq!(served(&balancer, 200, "/api/x", &shop), 200);
}
