//! `runtime.max-memory`: short of memory the process refuses, stays up and recovers.
#![expect(clippy::float_cmp, reason = "bytes are whole numbers")]

use testkit::{
    Balancer, EchoServer, Frame, Gate, Http2Client, RawClient, Script, ScriptedServer, kind,
    wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const BODY: usize = 8 << 20;
const CLIENTS: usize = 10;

/// In front of `holding`, which takes whole requests and answers when it is told to, and of `app`. Requests to `/big` are kept.
fn file(holding: &ScriptedServer, app: &EchoServer, runtime: &str) -> String {
    format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
protocols = ["h1", "h2"]
body-timeout = "1h"
[[routes]]
match.path = "/held/*"
upstream = "holding"
timeout = "1h"
retry = {{ attempts = 2, buffer = "16MiB" }}
[[routes]]
match.path = "/critical"
upstream = "app"
priority = "critical"
[[routes]]
upstream = "app"
[upstreams.holding]
servers = ["{}"]
[upstreams.app]
servers = ["{}"]
[runtime]
workers = 1
{runtime}
"#,
        holding.address(),
        app.address()
    )
}

fn gauge(balancer: &Balancer, name: &str) -> f64 {
    balancer.metrics().value(name, &[]).unwrap_or_default()
}

fn strain(balancer: &Balancer) -> usize {
    balancer.metrics().count("sluice_memory_strain", &[])
}

#[track_caller]
fn is_served(balancer: &Balancer) -> RawClient {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    client
}

#[test]
fn short_of_memory_it_refuses_and_recovers() {
    let gate = Gate::new();
    let holding = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")]);
    let app = EchoServer::start("a");
    let mut balancer = Balancer::start(SLUICE, &file(&holding, &app, ""));
    let mut idle = is_served(&balancer);
    assert_eq!(
        balancer.metrics().value("sluice_memory_limit_bytes", &[]),
        None
    );

    // What it takes as it is, and room for some bodies.
    let mebibyte = f64::from(1 << 20);
    let before = (gauge(&balancer, "process_resident_memory_bytes") / mebibyte).ceil();
    let limit = format!("max-memory = \"{}MiB\"", before + 40.0);
    balancer.reload(&file(&holding, &app, &limit));
    assert_eq!(
        gauge(&balancer, "sluice_memory_limit_bytes"),
        (before + 40.0) * mebibyte
    );
    assert_eq!(strain(&balancer), 0);

    // A connection with something under way is not idle, whatever comes.
    let mut busy = Http2Client::connect(balancer.address("web"));
    busy.send(&[Frame::get(1, "/held/one")]);
    let head = format!("PUT /held/big HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n");
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = RawClient::connect(balancer.address("web"));
            client.send(&head);
            client
        })
        .collect();
    holding.connections().wait_for_accepted(CLIENTS + 1);
    let body = vec![b'x'; BODY];
    for client in &mut clients {
        client.send(&body);
    }
    wait_until("memory to be short", || strain(&balancer) == 2);
    balancer.wait_for_stderr("memory is short");

    // Who has nothing under way is let go, who is new does not come in.
    assert!(idle.is_closed_without_a_byte());
    for _ in 0..3 {
        let mut new = RawClient::connect(balancer.address("web"));
        assert!(new.is_closed_without_a_byte());
    }
    let refused = [("reason", "memory")];
    let metrics = balancer.metrics();
    assert_eq!(
        metrics.count("sluice_connections_refused_total", &refused),
        3
    );

    // Who is there is told, unless it matters most.
    busy.send(&[Frame::get(3, "/")]);
    let told = busy.expect(kind::HEADERS, 3);
    assert_eq!(told.status(), 503);
    busy.send(&[Frame::get(5, "/critical")]);
    assert_eq!(busy.expect(kind::HEADERS, 5).status(), 200);
    let ends = [("end", "no-memory")];
    balancer.wait_for_metrics("the refusal to be counted", |metrics| {
        metrics.count("sluice_request_ends_total", &ends) == 1
    });

    // What is under way comes to its end, and what it took goes back.
    gate.open();
    assert_eq!(busy.expect(kind::HEADERS, 1).status(), 200);
    for client in &mut clients {
        assert_eq!(client.response("PUT").status, 200);
    }
    drop(clients);
    wait_until("memory to be there again", || strain(&balancer) == 0);
    is_served(&balancer);
    balancer.wait_for_stderr("memory is no longer short");
    let log = balancer.stderr();
    assert_eq!(log.matches("memory is short").count(), 1, "{log}");
}

/// Buffers of many streams that nobody reads, instead of few large ones.
#[test]
fn clients_that_do_not_read_do_not_end_it() {
    let size = 1_000_000;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + size, b'x');
    let holding = ScriptedServer::start([Script::answer(answer)]);
    let app = EchoServer::start("a");
    let mut balancer = Balancer::start(SLUICE, &file(&holding, &app, ""));
    is_served(&balancer);
    let mebibyte = f64::from(1 << 20);
    let before = (gauge(&balancer, "process_resident_memory_bytes") / mebibyte).ceil();
    let limit = format!("max-memory = \"{}MiB\"", before + 24.0);
    balancer.reload(&file(&holding, &app, &limit));
    // Windows as wide as can be, and next to nothing taken from the socket.
    let most = 0x7FFF_FFFF;
    let mut clients: Vec<_> = (0..16)
        .map(|_| {
            let mut client = Http2Client::connect_with(balancer.address("web"), &[(4, most)]);
            client.send(&[Frame::window(0, most - 65_535), Frame::get(1, "/held/0")]);
            client
        })
        .collect();
    for client in &mut clients {
        assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    }
    let streams: Vec<_> = (1..100)
        .map(|number| Frame::get(2 * number + 1, "/held/more"))
        .collect();
    for client in &mut clients {
        client.send(&streams);
    }
    wait_until("memory to be short", || strain(&balancer) > 0);
    assert!(RawClient::connect(balancer.address("web")).is_closed_without_a_byte());
    drop(clients);
    wait_until("memory to be there again", || strain(&balancer) == 0);
    is_served(&balancer);
}

#[test]
fn a_ceiling_that_goes_ends_the_shortage() {
    let app = EchoServer::start("a");
    let holding = ScriptedServer::start([Script::silent()]);
    // Less than the program itself takes.
    let mut balancer = Balancer::start(SLUICE, &file(&holding, &app, ""));
    is_served(&balancer);
    balancer.reload(&file(&holding, &app, "max-memory = \"16MiB\""));
    wait_until("memory to be short", || strain(&balancer) == 2);
    assert!(RawClient::connect(balancer.address("web")).is_closed_without_a_byte());
    balancer.reload(&file(&holding, &app, "max-memory = \"100%\""));
    wait_until("memory to be there again", || strain(&balancer) == 0);
    is_served(&balancer);
    balancer.reload(&file(&holding, &app, "max-memory = \"16MiB\""));
    wait_until("memory to be short", || strain(&balancer) == 2);
    balancer.reload(&file(&holding, &app, ""));
    wait_until("memory to be there again", || strain(&balancer) == 0);
    is_served(&balancer);
}
