//! Every file in `examples/` is run by the real binary, and does what its comments say.
//!
//! A file runs as it is, but for its addresses: those are replaced by ports of the test's, each by the same wherever it
//! stands.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

mod example;
#[expect(dead_code, reason = "only `sluice check` looks at its key here")]
mod jwt_kit;
#[expect(dead_code, reason = "only `sluice check` looks at certificates here")]
mod tls_kit;

use std::net::SocketAddr;

use example::{Example, folder};
use jwt_kit::Issuer;
use testkit::{
    Balancer, EchoReply, EchoServer, Frame, Http2Client, Options, RawClient, Response, Script,
    ScriptedServer, TcpEchoServer, UdpClient, UdpServer, flag, kind, request,
};
use tls_kit::Authority;

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// `secret`
const KEYS: &str = "shop 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n";

/// The files, each with its test below or in the file of its subject: `auth_examples.rs`, `examples_tls.rs`, `acme.rs`, `health_checks.rs`,
/// `http_conditions.rs`, `http_hedge.rs`, `http_mirror.rs`, `http_rewrite_examples.rs`, `http_split.rs`, `overload_queue.rs`,
/// `rate_limits_examples.rs`, `shift.rs`, `sticky_cookie.rs`, `sticky_store.rs`, `sticky_table.rs`.
const EXAMPLES: [&str; 35] = [
    "ab-test.toml",
    "acme.toml",
    "api-keys-with-limits.toml",
    "api-limits.toml",
    "balancing.toml",
    "blue-green.toml",
    "canary-by-cookie.toml",
    "circuit-breaker.toml",
    "grpc.toml",
    "health-checks.toml",
    "hedging.toml",
    "hosts-for-tenants.toml",
    "http3-servers.toml",
    "http3.toml",
    "jwt.toml",
    "layer7.toml",
    "legacy-app-cookie.toml",
    "microservices-by-path.toml",
    "mirror.toml",
    "mobile-by-user-agent.toml",
    "mutual-tls.toml",
    "overload.toml",
    "passthrough.toml",
    "premium-by-header.toml",
    "production.toml",
    "proxy-protocol.toml",
    "smallest.toml",
    "sticky-cookie.toml",
    "sticky-redis.toml",
    "tcp.toml",
    "tls.toml",
    "tuning-sockets.toml",
    "udp.toml",
    "websocket.toml",
    "weights-and-backup.toml",
];

#[test]
fn every_example_has_a_test() {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("the examples")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name != "README.md" && name != "simulate")
        .collect();
    files.sort();
    assert_eq!(files, EXAMPLES, "list it here, and write its test");
}

#[test]
fn every_example_is_good_without_a_warning() {
    let authority = Authority::new("examples");
    for name in ["example.com", "example.org", "lb"] {
        authority.issue(name, &[name]);
    }
    let beside = testkit::TempDir::new().expect("a folder");
    for name in ["internal.pem", "clients.pem"] {
        std::fs::copy(authority.ca(), authority.path(name)).expect("to copy");
    }
    std::os::unix::fs::symlink(authority.path(""), beside.path().join("certs")).expect("a link");
    std::fs::write(beside.path().join("idp.pem"), Issuer::new().pem()).expect("to write");
    std::fs::write(beside.path().join("keys.txt"), KEYS).expect("to write");
    for name in EXAMPLES {
        let path = beside.path().join(name);
        std::fs::copy(folder().join(name), &path).expect("to copy");
        let finished = testkit::run(SLUICE, &["check", path.to_str().expect("UTF-8")]);
        assert_eq!(
            (finished.code(), finished.stderr.as_str()),
            (0, ""),
            "{name}"
        );
    }
}

fn ask(address: SocketAddr, method: &str, path: &str, fields: &str) -> Response {
    let mut client = RawClient::connect(address);
    client.send(format!(
        "{method} {path} HTTP/1.1\r\n{fields}Content-Length: 0\r\n\r\n"
    ));
    client.response(method)
}

/// The name of the server that answers.
fn served_by(address: SocketAddr, method: &str, path: &str, fields: &str) -> String {
    let response = ask(address, method, path, fields);
    assert_eq!(response.status, 200, "{method} {path}");
    EchoReply::from_response(&response).server
}

fn servers<const COUNT: usize>(names: [&str; COUNT]) -> [EchoServer; COUNT] {
    names.map(EchoServer::start)
}

#[test]
fn smallest() {
    let [one, two, three] = servers(["1", "2", "3"]);
    let balancer = Example::read("smallest.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .server("127.0.0.1:9003", three.address())
        .run();
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..6 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let server = EchoReply::from_response(&client.response("GET")).server;
        assert!(["1", "2", "3"].contains(&server.as_str()), "{server}");
    }
}

#[test]
fn balancing() {
    let all = servers(["1", "2", "3", "4", "5", "6", "7"]);
    let [east, east_too, west, cart, cart_too, report, report_too] = &all;
    let balancer = Example::read("balancing.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", east.address())
        .server("127.0.0.1:9002", east_too.address())
        .server("127.0.0.1:9003", west.address())
        .server("127.0.0.1:9004", cart.address())
        .server("127.0.0.1:9005", cart_too.address())
        .server("127.0.0.1:9006", report.address())
        .server("127.0.0.1:9007", report_too.address())
        .run();
    let address = balancer.address("web");
    for _ in 0..10 {
        let server = served_by(address, "GET", "/", "Host: a\r\n");
        assert!(["1", "2"].contains(&server.as_str()), "{server}");
        let server = served_by(address, "GET", "/reports/x", "Host: a\r\n");
        assert!(["6", "7"].contains(&server.as_str()), "{server}");
    }
    let of_user = |user: usize| {
        let fields = format!("Host: a\r\nX-User-Id: {user}\r\n");
        served_by(address, "GET", "/carts/1", &fields)
    };
    let carts: Vec<_> = (0..48).map(of_user).collect();
    assert!(carts.contains(&"4".to_owned()) && carts.contains(&"5".to_owned()));
}

#[test]
fn circuit_breaker() {
    let [web, mut pay, mut pay_too] = servers(["web", "pay", "pay too"]);
    let busy = Script::answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let busy = ScriptedServer::start([busy]);
    let balancer = Example::read("circuit-breaker.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", web.address())
        .server("127.0.0.1:9002", busy.address())
        .server("127.0.0.1:9003", pay.address())
        .server("127.0.0.1:9004", pay_too.address())
        .run();
    let address = balancer.address("web");
    let ask_web = || assert_eq!(served_by(address, "GET", "/", "Host: a\r\n"), "web");
    testkit::wait_until("it to be ejected", || {
        ask_web();
        let metrics = balancer.metrics();
        metrics.count("sluice_server_breaker_openings_total", &[]) >= 1
    });
    // Another worker may learn of it some milliseconds later.
    let asked = testkit::wait_for("it to be left alone", || {
        let before = busy.requests();
        (0..20).for_each(|_| ask_web());
        (busy.requests() == before).then_some(before)
    });
    assert!((5..10).contains(&asked), "{asked}");
    assert_eq!(ask(address, "GET", "/pay/1", "Host: a\r\n").status, 200);
    pay.die();
    pay_too.die();
    let refused = testkit::wait_for("both to be ejected", || {
        let answer = ask(address, "GET", "/pay/1", "Host: a\r\n");
        answer.field("retry-after").map(|_| answer.status)
    });
    assert_eq!(refused, 503);
}

#[test]
fn hedging() {
    let slow = [(); 2].map(|()| ScriptedServer::start([Script::silent()]));
    let [fast] = servers(["fast"]);
    let balancer = Example::read("hedging.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", slow[0].address())
        .server("127.0.0.1:9002", slow[1].address())
        .server("127.0.0.1:9003", fast.address())
        .run();
    let address = balancer.address("web");
    // Sooner or later it is a slow one that has it first.
    testkit::wait_until("a request to be hedged", || {
        assert_eq!(served_by(address, "GET", "/search", "Host: a\r\n"), "fast");
        let metrics = balancer.metrics();
        metrics.count("sluice_upstream_hedges_won_total", &[]) > 0
    });
}

#[test]
fn layer7() {
    let [one, two, beta] = servers(["one", "two", "beta"]);
    let balancer = Example::read("layer7.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .server("127.0.0.1:9003", beta.address())
        .run();
    let web = balancer.address("web");
    let host = "Host: shop.localhost\r\n";
    let health = ask(web, "GET", "/healthz", host);
    assert_eq!((health.status, health.text()), (200, "healthy\n"));
    let moved = ask(web, "GET", "/old/summer", host);
    assert_eq!(
        (moved.status, moved.field("location")),
        (308, Some("/new/summer"))
    );
    let with_beta = format!("{host}x-beta: yes\r\nUser-Agent: curl/8.5\r\n");
    for _ in 0..3 {
        assert_eq!(served_by(web, "GET", "/api/items", &with_beta), "beta");
        assert_ne!(served_by(web, "GET", "/api", host), "beta");
        assert_ne!(served_by(web, "POST", "/api/items", host), "beta");
    }
    let mut rest = Vec::new();
    testkit::wait_until("every server of `web` to answer", || {
        rest.push(served_by(web, "GET", "/apis", host));
        ["one", "two", "beta"]
            .iter()
            .all(|name| rest.iter().any(|server| server == name))
    });
    let mut client = RawClient::connect(web);
    client.send(format!(
        "POST /api/x HTTP/1.1\r\n{host}Content-Length: 10000001\r\n\r\n"
    ));
    assert_eq!(client.response("POST").status, 413);
    let counts = [
        ("healthz", 1),
        ("moved", 1),
        ("beta", 3),
        ("reads", 3),
        ("writes", 4),
        ("rest", rest.len()),
    ];
    for (route, count) in counts {
        balancer.wait_for_counts(&[("sluice_requests_total", &[("route", route)], count)]);
    }
}

#[test]
fn production() {
    let [one, two, web] = servers(["api-1", "api-2", "web"]);
    let [one_address, two_address, web_address] =
        [&one, &two, &web].map(|server| server.address().to_string());
    // What differs between machines comes from the environment.
    let port = testkit::free_port();
    let variables = [
        ("SLUICE_PORT", port.to_string()),
        ("SLUICE_HOST", "shop.example".to_owned()),
        ("SLUICE_WORKERS", "1".to_owned()),
        ("SLUICE_API_1", one_address),
        ("SLUICE_API_2", two_address),
        ("SLUICE_WEB", web_address),
    ];
    let environment = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let options = Options {
        environment,
        ..Options::default()
    };
    let balancer = Example::read("production.toml")
        .listener("127.0.0.1:9900", "admin")
        .run_with(&options);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let api: Vec<_> = (0..6)
        .map(|_| served_by(address, "GET", "/api/x", "Host: shop.example\r\n"))
        .collect();
    assert!(
        api.iter().all(|server| server.starts_with("api-")),
        "{api:?}"
    );
    assert_eq!(
        served_by(address, "GET", "/", "Host: SHOP.example\r\n"),
        "web"
    );
    let unknown = ask(address, "GET", "/", "Host: elsewhere\r\n");
    assert_eq!(
        (unknown.status, unknown.text()),
        (421, "this host is not served here\n")
    );
    assert_eq!(balancer.admin("/readyz").status, 200);
    let line = balancer.wait_for_stdout("\"status\":421");
    assert!(
        line.starts_with('{') && line.contains("unknown-host"),
        "{line}"
    );
}

#[test]
fn passthrough() {
    let all = ["site-a", "site-b", "acme", "rest"].map(TcpEchoServer::start);
    let [site_a, site_b, acme, rest] = &all;
    let balancer = Example::read("passthrough.toml")
        .listener("127.0.0.1:8443", "tls")
        .server("127.0.0.1:9001", site_a.address())
        .server("127.0.0.1:9002", site_b.address())
        .server("127.0.0.1:9003", acme.address())
        .server("127.0.0.1:9004", rest.address())
        .run();
    let address = balancer.address("tls").to_string();
    for (arguments, server) in [
        (&["-servername", "a.example.com"][..], site_a),
        (&["-servername", "x.y.b.example.com"], site_b),
        (&["-servername", "c.example.com", "-alpn", "h2"], site_b),
        (
            &["-servername", "c.example.com", "-alpn", "acme-tls/1"],
            acme,
        ),
        (&["-servername", "b.example.com"], rest),
        (&["-noservername"], rest),
    ] {
        let before = server.connections().accepted();
        let base = ["s_client", "-connect", &address];
        // What greets it is no TLS; that it reached its server is all that is asked.
        testkit::run("openssl", &[&base, arguments].concat());
        assert_eq!(server.connections().accepted(), before + 1, "{arguments:?}");
    }
}

#[test]
fn udp() {
    let all = ["one", "two", "room", "other"].map(UdpServer::start);
    let [one, two, room, other] = &all;
    let balancer = Example::read("udp.toml")
        .listener("127.0.0.1:5353", "dns")
        .listener("127.0.0.1:7777", "game")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .server("127.0.0.1:9003", room.address())
        .server("127.0.0.1:9004", other.address())
        .run();
    let answer = UdpClient::new(balancer.address("dns")).ask("question");
    assert!(
        answer.starts_with("one ") || answer.starts_with("two "),
        "{answer}"
    );
    balancer.wait_for_metrics("the session to end with its answer", |metrics| {
        metrics.sum(
            "sluice_udp_sessions_total",
            &[("listener", "dns"), ("end", "ok")],
        ) == 1.0
    });
    let rooms: Vec<_> = (0..3)
        .map(|_| UdpClient::new(balancer.address("game")).ask("join"))
        .map(|answer| answer.split(' ').next().map(str::to_owned))
        .collect();
    assert!(rooms.windows(2).all(|pair| pair[0] == pair[1]), "{rooms:?}");
}

#[test]
fn tcp() {
    let backup = TcpEchoServer::start("backup:");
    let mut first = TcpEchoServer::start("first.:");
    let balancer = Example::read("tcp.toml")
        .listener("127.0.0.1:5433", "database")
        .server("127.0.0.1:9001", first.address())
        .server("127.0.0.1:9002", backup.address())
        .run();
    let greeting = || RawClient::connect(balancer.address("database")).read_exactly(7);
    assert_eq!(
        (greeting(), greeting()),
        (b"first.:".to_vec(), b"first.:".to_vec())
    );
    first.die();
    let mut client = RawClient::connect(balancer.address("database"));
    client.send("query");
    client.half_close();
    assert_eq!(
        client.read_to_end().expect("an orderly close"),
        b"backup:query"
    );
}

#[test]
fn proxy_protocol() {
    let script = Script::new().read_until("QUIT\n").read_exactly(16);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let server = ScriptedServer::start([script.read_request().write(answer).stay_open()]);
    let balancer = Example::read("proxy-protocol.toml")
        .listener("127.0.0.1:8080", "tcp-proxy")
        .listener("127.0.0.1:8081", "http-proxy")
        .server("127.0.0.1:9001", server.address())
        .run();
    let mut client = RawClient::connect(balancer.address("tcp-proxy"));
    client.send("PROXY TCP4 203.0.113.7 198.51.100.1 4444 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 200);
    let received = server.received(0);
    assert_eq!(
        received[16..20],
        [203, 0, 113, 7],
        "the client, in the header to the server"
    );
    let head = String::from_utf8_lossy(&received[28..]).to_lowercase();
    assert!(head.contains("x-forwarded-for: 203.0.113.7\r\n"), "{head}");
    let mut without = RawClient::connect(balancer.address("tcp-proxy"));
    without.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        !without
            .read_to_end()
            .unwrap_or_default()
            .starts_with(b"HTTP/1.1 200")
    );

    let response = ask(
        balancer.address("http-proxy"),
        "GET",
        "/",
        "Host: a\r\nX-Forwarded-For: 203.0.113.9\r\n",
    );
    assert_eq!(response.status, 200);
    assert!(
        response
            .field("via")
            .is_some_and(|via| via.contains("sluice")),
        "{response:?}"
    );
    let head = String::from_utf8_lossy(&server.received(1)[28..]).to_lowercase();
    assert!(
        head.contains("x-forwarded-for: 203.0.113.9, 127.0.0.1\r\n"),
        "believed: {head}"
    );
    assert!(
        head.contains("forwarded: for=") && head.contains("via: 1.1 sluice\r\n"),
        "{head}"
    );
}

#[test]
fn tuning_sockets() {
    let [one, two] = servers(["one", "two"]);
    let balancer = Example::read("tuning-sockets.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .run();
    let web = balancer.address("web");
    for name in ["one", "two"] {
        testkit::wait_until(&format!("{name} to answer"), || {
            served_by(web, "GET", "/", "Host: a\r\n") == name
        });
    }
    assert_eq!(
        ask(web, "GET", &format!("/{}", "x".repeat(9000)), "Host: a\r\n").status,
        414
    );
    let fields: String = (10..80).fold(String::new(), |fields, number| {
        fields + "x-" + &number.to_string() + ": y\r\n"
    });
    assert_eq!(
        ask(web, "GET", "/", &format!("Host: a\r\n{fields}")).status,
        431
    );
}

#[test]
fn weights_and_backup() {
    let [mut one, mut two, mut three, backup] = servers(["1", "2", "3", "backup"]);
    let balancer = Example::read("weights-and-backup.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .server("127.0.0.1:9003", three.address())
        .server("127.0.0.1:9004", backup.address())
        .run();
    // One connection is one worker's, and each worker has a turn of its own.
    let mut client = RawClient::connect(balancer.address("web"));
    let mut ask = || {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        EchoReply::from_response(&client.response("GET")).server
    };
    let turns: String = (0..12).map(|_| ask()).collect();
    assert_eq!(turns.matches('1').count(), 8, "{turns}");
    assert_eq!(
        (turns.matches('2').count(), turns.matches('3').count()),
        (2, 2),
        "{turns}"
    );
    assert!(!turns.contains("11111"), "smoothly: {turns}");
    for server in [&mut one, &mut two, &mut three] {
        server.die();
    }
    assert_eq!(ask(), "backup");
}

#[test]
fn grpc() {
    let [one, two, rest] = ["one", "two", "rest"].map(EchoServer::start);
    // Servers that speak HTTP/2: balancers of their own.
    let backs = [&one, &two, &rest].map(|server| {
        let file = format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h2\"]\n[upstreams.a]\nservers = [\"{}\"]\n",
            server.address()
        );
        Balancer::start(SLUICE, &file)
    });
    let [one, two, rest] = backs.each_ref().map(|back| back.address("web"));
    let balancer = Example::read("grpc.toml")
        .listener("127.0.0.1:8080", "grpc")
        .server("127.0.0.1:9001", one)
        .server("127.0.0.1:9002", two)
        .server("127.0.0.1:9003", rest)
        .run();
    // One connection of the client's; each call goes where it is next.
    let mut client = Http2Client::connect(balancer.address("grpc"));
    let mut call = |stream, path| {
        let fields = [
            &request("POST", path)[..],
            &[("content-type", "application/grpc")],
        ]
        .concat();
        client.send(&[
            Frame::headers(stream, 0, &fields),
            Frame::data(stream, flag::END_STREAM, [0; 5]),
        ]);
        assert_eq!(client.expect(kind::HEADERS, stream).status(), 200);
        let (body, _) = client.body(stream);
        let reply: EchoReply = serde_json::from_slice(&body).expect("an echo");
        reply.server
    };
    let mut greeters = [1, 3].map(|stream| call(stream, "/helloworld.Greeter/SayHello"));
    greeters.sort();
    assert_eq!(greeters, ["one", "two"]);
    assert_eq!(call(5, "/other.Service/Do"), "rest");
}

#[test]
fn websocket() {
    let chat = ScriptedServer::start([Script::new()
        .switch("hello ")
        .read_until("ping")
        .write("pong")
        .read_to_end()]);
    let pages = EchoServer::start("pages");
    let balancer = Example::read("websocket.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", chat.address())
        .server("127.0.0.1:9002", chat.address())
        .server("127.0.0.1:9003", pages.address())
        .run();
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let head = client.head().expect("the switch");
    assert!(head.raw.starts_with(b"HTTP/1.1 101 "), "{head:?}");
    assert_eq!(client.read_exactly(6), b"hello ");
    client.send("ping");
    assert_eq!(client.read_exactly(4), b"pong");
    let mut other = RawClient::connect(balancer.address("web"));
    other.send("GET /chat/rules HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        EchoReply::from_response(&other.response("GET")).server,
        "pages"
    );
}
