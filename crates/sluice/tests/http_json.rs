//! Routes that look into JSON bodies, through the real binary, over HTTP/1.1 and HTTP/2.

mod http_proxy;

use http_proxy::{Setup, start};
use serde_json::json;
use testkit::{Balancer, EchoReply, EchoServer, RawClient, curl, digest, run, wait_until};

const ROUTES: &str = r#"
[[routes]]
name = "premium"
match.json = { "/user/tier" = "premium" }
upstream = "premium"

[[routes]]
upstream = "app"
"#;

struct Site {
    balancer: Balancer,
    servers: [EchoServer; 2],
}

fn site(listener: &str) -> Site {
    let servers = ["app", "premium"].map(EchoServer::start);
    let tables = format!(
        "{ROUTES}\n[upstreams.premium]\nservers = [\"{}\"]\n",
        servers[1].address()
    );
    let setup = Setup {
        listener,
        tables: &tables,
        ..Setup::default()
    };
    Site {
        balancer: start(&[servers[0].address()], setup),
        servers,
    }
}

const PREMIUM: &str = r#"{"user":{"name":"ann","tier":"premium"}}"#;
const BASIC: &str = r#"{"user":{"name":"bob","tier":"basic"}}"#;

/// The server that answered, which has got this body.
#[track_caller]
fn answered(client: &mut RawClient, body: &str) -> String {
    let response = client.response("POST");
    assert_eq!(response.status, 200, "{}", response.text());
    let echo = EchoReply::from_response(&response);
    assert_eq!(echo.body_digest, digest(body.as_bytes()), "{body}");
    echo.server
}

fn post(media_type: &str, body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_route_is_chosen_by_what_the_body_says() {
    let site = site("");
    let mut client = RawClient::connect(site.balancer.address("web"));
    let not_utf_8 = "{\"user\":";
    for (media_type, body, server) in [
        ("application/json", PREMIUM, "premium"),
        ("application/vnd.api+json; v=1", PREMIUM, "premium"),
        ("application/json", BASIC, "app"),
        ("application/json", not_utf_8, "app"),
        ("application/json", "", "app"),
        ("text/plain", PREMIUM, "app"),
    ] {
        client.send(post(media_type, body));
        assert_eq!(answered(&mut client, body), server, "{media_type}");
    }
}

#[test]
fn a_body_in_pieces_is_waited_for() {
    let site = site("");
    let mut client = RawClient::connect(site.balancer.address("web"));
    let request = post("application/json", PREMIUM);
    for byte in request.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(answered(&mut client, PREMIUM), "premium");

    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(head);
    let (first, second) = PREMIUM.split_at(20);
    for piece in [first, second] {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    assert_eq!(site.servers[1].connections().accepted(), 1);
    // The end, and the next request right behind it.
    client.send(format!("0\r\n\r\n{}", post("application/json", BASIC)));
    assert_eq!(answered(&mut client, PREMIUM), "premium");
    assert_eq!(answered(&mut client, BASIC), "app");
}

#[test]
fn who_waits_to_send_the_body_is_told_to() {
    let site = site("");
    let mut client = RawClient::connect(site.balancer.address("web"));
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        PREMIUM.len()
    ));
    let told = client.read_until("\r\n\r\n");
    assert_eq!(told, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send(PREMIUM);
    assert_eq!(answered(&mut client, PREMIUM), "premium");
}

#[test]
fn what_is_longer_than_the_limit_goes_its_way() {
    let site = site("json-body-limit = \"64B\"");
    let mut client = RawClient::connect(site.balancer.address("web"));
    let long = json!({"user": {"tier": "premium"}, "text": "x".repeat(100)}).to_string();
    client.send(post("application/json", &long));
    assert_eq!(answered(&mut client, &long), "app");
    // It is passed on before its end has come.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("{:x}\r\n{long}\r\n", long.len()));
    client.send("0\r\n\r\n");
    assert_eq!(answered(&mut client, &long), "app");
    client.send(post("application/json", PREMIUM));
    assert_eq!(answered(&mut client, PREMIUM), "premium");
}

#[test]
fn a_body_that_does_not_come_is_408() {
    let site = site("head-timeout = \"1s\"\nbody-timeout = \"1s\"\n");
    let mut client = RawClient::connect(site.balancer.address("web"));
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{");
    let response = client.response("POST");
    assert_eq!(response.status, 408);
    wait_until("it to be counted", || {
        let reason = [("reason", "body-timeout")];
        let metrics = site.balancer.metrics();
        metrics.count("sluice_bad_requests_total", &reason) == 1
    });
    let seen = site.servers.iter().map(|one| one.connections().accepted());
    assert_eq!(seen.sum::<usize>(), 0);
}

#[test]
fn streams_of_http_2_are_looked_into_as_well() {
    let site = site("protocols = [\"h1\", \"h2\"]");
    let url = format!("http://{}/", site.balancer.address("web"));
    for (body, server) in [(PREMIUM, "premium"), (BASIC, "app")] {
        let done = curl(&["-sS", "--http2-prior-knowledge", "--json", body, &url]);
        assert_eq!(done.code(), 0, "{}", done.stderr);
        let echo: EchoReply = serde_json::from_str(&done.stdout).expect("an echo");
        assert_eq!(echo.server, server);
        assert_eq!(echo.body_digest, digest(body.as_bytes()));
    }
}

#[test]
fn explain_takes_a_body() {
    let site = site("");
    let file = site.balancer.file();
    let file = file.to_str().expect("UTF-8");
    let explain = |more: &[&str]| {
        let arguments = [&["explain", "-c", file, "POST", "http://a/"], more].concat();
        run(env!("CARGO_BIN_EXE_sluice"), &arguments)
    };
    let basic = explain(&["--json", BASIC]);
    assert!(
        basic.stdout.contains(
            "route     premium: no, value /user/tier of a JSON body is `basic`, not `premium`\n"
        ),
        "{}",
        basic.stdout
    );
    assert!(
        explain(&["--json", PREMIUM])
            .stdout
            .contains("route     premium: matches\n")
    );
    assert!(explain(&[]).stdout.contains(
        "route     premium: no, no value /user/tier of a JSON body, which must be `premium`\n"
    ));
    let wrong = explain(&["--json", "{"]);
    assert!(
        wrong.stderr.contains("the body is not JSON"),
        "{}",
        wrong.stderr
    );
}
