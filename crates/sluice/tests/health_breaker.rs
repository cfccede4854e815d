//! Circuit breakers with real servers that fail: who gets a rest, who takes over, and how a server comes back.

use std::net::SocketAddr;

use testkit::{
    Balancer, EchoReply, EchoServer, Gate, Metrics, RawClient, Response, Script, ScriptedServer,
    TcpEchoServer, UdpClient, UdpServer, refused_address, wait_for, wait_until,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OPENINGS: &str = "sluice_server_breaker_openings_total";
/// The third failure in a row opens it, for as long as a test lasts.
const THREE: &str =
    "circuit-breaker = { consecutive-failures = 3, failure-rate = \"off\", open-for = \"1h\" }";
/// The first failure opens it, whoever else is left.
const FIRST: &str = "circuit-breaker = { consecutive-failures = 1, failure-rate = \"off\", open-for = \"1h\", max-ejected = \"100%\" }";

fn configuration(servers: &[SocketAddr], upstream: &str, workers: usize) -> String {
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = {servers:?}\nbalance = \"round-robin\"\n\
         {upstream}\n[runtime]\nworkers = {workers}\n"
    )
}

fn start(servers: &[SocketAddr], upstream: &str) -> Balancer {
    start_configured(&configuration(servers, upstream, 1))
}

fn start_configured(configuration: &str) -> Balancer {
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), configuration)
}

fn get(client: &mut RawClient) -> Response {
    client.send(GET);
    client.response("GET")
}

/// A server that always answers this, on connections that stay open.
fn always(status: &str) -> ScriptedServer {
    ScriptedServer::start([Script::answer(format!(
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"
    ))])
}

/// Answers 503 so many times, and is well after that.
fn unwell(times: usize) -> ScriptedServer {
    let sick = Script::new()
        .read_request()
        .write_last("HTTP/1.1 503 Nope\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let well = Script::ok("well");
    ScriptedServer::start(std::iter::repeat_n(sick, times).chain([well]))
}

fn state(metrics: &Metrics, server: SocketAddr, state: &str) -> bool {
    let server = server.to_string();
    let labels = [("server", &*server), ("state", state)];
    metrics.count("sluice_server_state", &labels) == 1
}

fn openings(metrics: &Metrics, server: SocketAddr, cause: &str) -> usize {
    metrics.count(
        OPENINGS,
        &[("server", &server.to_string()), ("cause", cause)],
    )
}

#[test]
fn a_server_that_resets_is_ejected_and_no_request_fails() {
    let sick = ScriptedServer::start([Script::new().read_request().reset()]);
    let well = EchoServer::start("well");
    let balancer = start(&[sick.address(), well.address()], THREE);
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..30 {
        assert_eq!(get(&mut client).status, 200);
    }
    assert_eq!(sick.requests(), 3, "it gets nothing after the third");
    let metrics = balancer.metrics_after(30);
    assert!(state(&metrics, sick.address(), "open"));
    assert!(state(&metrics, well.address(), "up"));
    assert_eq!(
        openings(&metrics, sick.address(), "consecutive-failures"),
        1
    );
    let line = balancer.wait_for_stderr("circuit breaker opened");
    for part in [
        &sick.address().to_string(),
        "app",
        "consecutive-failures",
        "3600s",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_server_that_has_recovered_comes_back_by_its_trials() {
    let server = unwell(4);
    let other = always("204 No Content");
    let breaker = "circuit-breaker = { consecutive-failures = 3, failure-rate = \"off\", open-for = \"50ms\", half-open-requests = 2 }";
    let balancer = start(&[server.address(), other.address()], breaker);
    let mut client = RawClient::connect(balancer.address("web"));
    // Three failures open it, the fourth is that of a trial; then two trials succeed.
    wait_until("the server to be back", || {
        get(&mut client);
        state(&balancer.metrics(), server.address(), "up") && server.requests() >= 6
    });
    let metrics = balancer.metrics();
    for cause in ["consecutive-failures", "failed-trial"] {
        assert_eq!(openings(&metrics, server.address(), cause), 1, "{cause}");
    }
    balancer.wait_for_stderr("circuit breaker closed");
    let bodies: Vec<_> = (0..4).map(|_| get(&mut client).text().to_owned()).collect();
    assert_eq!(bodies.iter().filter(|body| *body == "well").count(), 2);
}

#[test]
fn workers_share_a_breaker() {
    let sick = always("503 Nope");
    let well = always("204 No Content");
    let servers = [sick.address(), well.address()];
    let balancer = start_configured(&configuration(&servers, THREE, 2));
    let mut failed = 0;
    wait_until("both workers to have had a connection", || {
        let mut client = RawClient::connect(balancer.address("web"));
        for _ in 0..8 {
            failed += usize::from(get(&mut client).status == 503);
        }
        let metrics = balancer.metrics();
        let has_accepted =
            |worker| metrics.count("sluice_worker_connections_total", &[("worker", worker)]) > 0;
        has_accepted("0") && has_accepted("1")
    });
    assert_eq!((failed, sick.requests()), (3, 3));
}

#[test]
fn statuses_count_as_the_file_says() {
    let sick = always("429 Too Many");
    let well = always("204 No Content");
    let servers = [sick.address(), well.address()];
    let other =
        "circuit-breaker = { consecutive-failures = 1, failures = [\"5xx\"], open-for = \"1h\" }";
    let mut balancer = start(&servers, other);
    let mut client = RawClient::connect(balancer.address("web"));
    let count = |client: &mut RawClient| (0..10).filter(|_| get(client).status == 429).count();
    assert_eq!(count(&mut client), 5);
    let this =
        "circuit-breaker = { consecutive-failures = 1, failures = [\"429\"], open-for = \"1h\" }";
    balancer.reload(&configuration(&servers, this, 1));
    assert_eq!(count(&mut client), 1);
}

#[test]
fn servers_that_cannot_be_connected_to_or_do_not_answer_are_ejected() {
    let well = EchoServer::start("well");
    let refusing = refused_address();
    let balancer = start(&[refusing, well.address()], THREE);
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..20 {
        assert_eq!(get(&mut client).status, 200);
    }
    let metrics = balancer.metrics_after(20);
    assert_eq!(openings(&metrics, refusing, "consecutive-failures"), 1);
    let failures = metrics.count("sluice_server_connect_failures_total", &[]);
    assert_eq!(failures, 3);

    let silent = ScriptedServer::start([Script::new().read_request().stay_open()]);
    let servers = configuration(&[silent.address(), well.address()], THREE, 1);
    // Long enough for the one that is well on a busy machine.
    let balancer = start_configured(&format!(
        "{servers}\n[[routes]]\nupstream = \"app\"\ntimeout = \"1s\"\n"
    ));
    let mut client = RawClient::connect(balancer.address("web"));
    let late = (0..20).filter(|_| get(&mut client).status == 504).count();
    assert_eq!((late, silent.requests()), (3, 3));
}

#[test]
fn slow_answers_open_it_too() {
    let gate = Gate::new();
    let held = Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .stay_open();
    let slow = ScriptedServer::start([held]);
    let well = always("204 No Content");
    let breaker = "circuit-breaker = { consecutive-failures = \"off\", failure-rate = \"off\", slow-call = \"1s\", \
                   slow-call-rate = \"100%\", min-requests = 2, window = \"1h\", open-for = \"1h\" }";
    let balancer = start(&[slow.address(), well.address()], breaker);
    let mut clients: Vec<_> = (0..4)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    for client in &mut clients {
        client.send(GET);
    }
    wait_until("the slow one to have two", || slow.requests() == 2);
    // What is asked of the server takes longer than a second, if not much.
    let asked = std::time::Instant::now();
    wait_until("its answers to be slow", || {
        asked.elapsed().as_millis() > 1_100
    });
    gate.open();
    for client in &mut clients {
        assert!(client.response("GET").status < 300);
    }
    balancer.wait_for_metrics("it to be ejected", |metrics| {
        openings(metrics, slow.address(), "slow-call-rate") == 1
    });
    for client in &mut clients {
        assert_eq!(get(client).status, 204);
    }
}

#[test]
fn no_more_than_a_share_is_ejected() {
    let servers: Vec<_> = (0..4).map(|_| always("503 Nope")).collect();
    let addresses: Vec<_> = servers.iter().map(ScriptedServer::address).collect();
    let breaker = "circuit-breaker = { consecutive-failures = 1, open-for = \"1h\" }";
    let balancer = start(&addresses, breaker);
    let mut client = RawClient::connect(balancer.address("web"));
    wait_until("all to have failed", || {
        get(&mut client);
        servers.iter().all(|server| server.requests() > 0)
    });
    // The last opening is known to all a few milliseconds later at most.
    let requests = || servers.iter().map(ScriptedServer::requests);
    wait_until("two to get everything", || {
        let before: Vec<_> = requests().collect();
        for _ in 0..20 {
            get(&mut client);
        }
        let busy = requests().zip(&before).filter(|(now, before)| now > before);
        busy.count() == 2
    });
    let metrics = balancer.metrics();
    assert_eq!(metrics.count(OPENINGS, &[]), 4);
    assert_eq!(metrics.count("sluice_server_last_resorts_total", &[]), 0);
}

#[test]
fn fail_open_tries_the_servers_all_the_same() {
    let servers = [always("503 One"), always("503 Two")];
    let addresses = servers.each_ref().map(ScriptedServer::address);
    let balancer = start(&addresses, FIRST);
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..10 {
        let response = get(&mut client);
        assert_eq!(response.status, 503);
        assert_eq!(response.field("retry-after"), None, "it is the server's");
    }
    assert_eq!(
        servers.iter().map(ScriptedServer::requests).sum::<usize>(),
        10
    );
    let metrics = balancer.metrics_after(10);
    assert_eq!(metrics.count("sluice_server_last_resorts_total", &[]), 8);
}

#[test]
fn fail_closed_refuses_and_says_when_to_come_back() {
    let servers = [always("503 One"), always("503 Two")];
    let addresses = servers.each_ref().map(ScriptedServer::address);
    let upstream = format!("when-all-down = \"fail-closed\"\n{FIRST}");
    let balancer = start(&addresses, &upstream);
    let mut client = RawClient::connect(balancer.address("web"));
    for _ in 0..2 {
        assert_eq!(get(&mut client).field("retry-after"), None);
    }
    for _ in 0..5 {
        let response = get(&mut client);
        assert_eq!(response.status, 503);
        let seconds = response.field("retry-after").expect("when");
        let seconds: u64 = seconds.parse().expect("seconds");
        assert!((3_000..=3_601).contains(&seconds), "{seconds}");
        assert_eq!(response.field("connection"), None, "it is kept");
    }
    assert_eq!(servers.each_ref().map(ScriptedServer::requests), [1, 1]);
    let metrics = balancer.metrics_after(7);
    assert_eq!(metrics.count("sluice_upstream_all_down_total", &[]), 5);
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "all-down")]),
        5
    );
}

#[test]
fn a_reload_keeps_a_breaker_open_and_ends_it_with_its_section() {
    let sick = always("503 Nope");
    let well = always("204 No Content");
    let servers = [sick.address(), well.address()];
    let mut balancer = start(&servers, THREE);
    let mut client = RawClient::connect(balancer.address("web"));
    let mut failed = || (0..20).filter(|_| get(&mut client).status == 503).count();
    assert_eq!(failed(), 3);
    let changed = format!("connect-timeout = \"1s\"\n{}", THREE.replace("= 3", "= 4"));
    balancer.reload(&configuration(&servers, &changed, 1));
    assert_eq!(failed(), 0, "it is still open");
    assert!(state(&balancer.metrics(), sick.address(), "open"));
    balancer.reload(&configuration(&servers, "", 1));
    // Most of its requests fail, so that it gets fewer of them than the other.
    assert!(failed() > 0);
    assert!(state(&balancer.metrics(), sick.address(), "up"));
}

#[test]
fn keys_of_the_other_servers_stay_where_they_are() {
    let mut servers = ["a", "b", "c"].map(EchoServer::start);
    let addresses = servers.each_ref().map(EchoServer::address);
    let configuration = configuration(&addresses, FIRST, 1).replace(
        "\"round-robin\"",
        "{ policy = \"consistent-hash\", key = \"header:x-key\" }",
    );
    let balancer = start_configured(&configuration);
    let mut client = RawClient::connect(balancer.address("web"));
    let mut homes = || -> Vec<String> {
        (0..120)
            .map(|key| {
                client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Key: {key}\r\n\r\n"));
                let response = client.response("GET");
                assert_eq!(response.status, 200);
                EchoReply::from_response(&response).server
            })
            .collect()
    };
    let before = homes();
    servers[0].die();
    let after = homes();
    assert!(before.iter().any(|home| home == "a"));
    for (before, after) in before.iter().zip(&after) {
        assert!(after != "a" && (before == "a" || before == after));
    }
    let metrics = balancer.metrics();
    assert_eq!(metrics.count(OPENINGS, &[]), 1);
    let failures = metrics.count("sluice_server_connect_failures_total", &[]);
    assert_eq!(failures, 1, "one request found out for all");
}

#[test]
fn tcp_sessions_that_the_server_breaks_count() {
    let sick = ScriptedServer::start([Script::new().read_exactly(1).reset()]);
    let well = TcpEchoServer::start("well");
    let configuration = configuration(&[sick.address(), well.address()], THREE, 1).replace(
        "[upstreams",
        "protocol = \"tcp\"\nupstream = \"app\"\n[upstreams",
    );
    let balancer = start_configured(&configuration);
    let mut broken = 0;
    wait_until("it to be ejected", || {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("x");
        client.half_close();
        match client.read_to_end() {
            Ok(said) if said == b"wellx" => {}
            _ => broken += 1,
        }
        openings(&balancer.metrics(), sick.address(), "consecutive-failures") == 1
    });
    assert_eq!(broken, 3);
    for _ in 0..6 {
        let mut client = RawClient::connect(balancer.address("web"));
        assert_eq!(client.read_exactly(4), b"well");
    }
}

#[test]
fn datagrams_that_meet_nobody_count() {
    let gone = refused_address();
    let well = UdpServer::echo();
    let configuration = configuration(&[gone, well.address()], FIRST, 1).replace(
        "[upstreams",
        "protocol = \"udp\"\nupstream = \"app\"\n[upstreams",
    );
    let balancer = start_configured(&configuration);
    wait_for("it to be ejected", || {
        let client = UdpClient::new(balancer.address("web"));
        client.send("hello");
        assert_eq!(client.receive(), b"hello");
        let metrics = balancer.metrics();
        (openings(&metrics, gone, "consecutive-failures") == 1).then_some(())
    });
}
