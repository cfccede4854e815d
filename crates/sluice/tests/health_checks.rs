//! Active health checks: who is found sick, by what, and what that means for traffic.

mod example;
mod http_proxy;
mod patient;
#[expect(dead_code, reason = "certificates are needed, and no client of TLS")]
mod tls_kit;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use example::Example;
use http_proxy::{Setup, start};
use patient::Patient;
use testkit::{
    Balancer, EchoReply, EchoServer, Metrics, RawClient, TcpEchoServer, UdpClient, UdpServer,
    free_port, refused_address, wait_for, wait_until,
};
use tls_kit::{Authority, certificates};

/// A second each while nothing changes: long enough for a busy machine, and short when something does.
const TIMES: &str = "interval = \"1s\", fast-interval = \"50ms\"";

/// One check of each server, and no other within the test.
const ONCE: &str = "interval = \"1h\", timeout = \"1h\", fast-interval = \"50ms\"";

fn checked(servers: &[SocketAddr], health: &str, upstream: &str) -> Balancer {
    start(
        servers,
        Setup {
            upstream: &format!("health = {{ {health} }}\n{upstream}"),
            ..Setup::default()
        },
    )
}

/// Who answered.
fn ask(balancer: &Balancer) -> String {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response("GET");
    assert_eq!(response.status, 200, "{}", balancer.stderr());
    response.text().to_owned()
}

fn all_from(balancer: &Balancer, server: &str) {
    for _ in 0..20 {
        assert_eq!(ask(balancer), server, "{}", balancer.stderr());
    }
}

fn checks(metrics: &Metrics, server: SocketAddr, outcome: &str) -> usize {
    let server = server.to_string();
    let labels = [("server", server.as_str()), ("outcome", outcome)];
    metrics.count("sluice_server_checks_total", &labels)
}

fn wait_for_check(balancer: &Balancer, server: SocketAddr, outcome: &str) {
    balancer.wait_for_metrics(&format!("{server}: {outcome}"), |metrics| {
        checks(metrics, server, outcome) > 0
    });
}

/// Waits until so many lines of the log hold this.
fn wait_for_lines(balancer: &Balancer, count: usize, part: &str) {
    wait_until(&format!("{count} lines with {part}"), || {
        balancer.stderr().matches(part).count() >= count
    });
}

#[test]
fn a_sick_server_takes_no_traffic_until_it_is_well_again() {
    let (one, two) = (Patient::start("one"), Patient::start("two"));
    let health = format!("http = {{ path = \"/health?deep\" }}, {TIMES}");
    let balancer = checked(&[one.address(), two.address()], &health, "");
    wait_for_lines(&balancer, 2, "server is healthy");
    let served: Vec<_> = (0..4).map(|_| ask(&balancer)).collect();
    assert!(served.contains(&"one".to_owned()) && served.contains(&"two".to_owned()));
    let request = one.checks().remove(0);
    assert!(
        request.starts_with("GET /health?deep HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("\r\nhost: {}\r\n", one.address())),
        "{request}"
    );

    // Two in a row are too few to be sick, three are enough.
    let ok = |metrics: &Metrics| checks(metrics, one.address(), "ok");
    for (times, in_all) in [(2, 2), (3, 5)] {
        one.says_times(503, times);
        let metrics = balancer.wait_for_metrics("it to fail so often", |metrics| {
            checks(metrics, one.address(), "status") == in_all
        });
        let before = ok(&metrics);
        // Twice, so that one that was found sick has been found well since.
        balancer.wait_for_metrics("it to be well again", |metrics| ok(metrics) >= before + 2);
    }
    let log = balancer.wait_for_stderr("server is unhealthy");
    assert!(log.contains("status 503, expected 200-299"), "{log}");
    assert!(log.contains(&one.address().to_string()), "{log}");
    wait_for_lines(&balancer, 3, "server is healthy");
    let verdicts = balancer.stderr().matches("server is unhealthy").count();
    assert_eq!(verdicts, 1, "{}", balancer.stderr());
    let failed = checks(&balancer.metrics(), one.address(), "status");
    assert_eq!(failed, 5, "unhealthy-after");

    one.says(503, "");
    wait_for_lines(&balancer, 2, "server is unhealthy");
    all_from(&balancer, "two");
    let metrics = balancer.metrics();
    let label = one.address().to_string();
    let took = metrics.value(
        "sluice_server_check_duration_seconds",
        &[("server", &label)],
    );
    assert!(took.is_some_and(|seconds| seconds > 0.0), "{took:?}");

    let before = checks(&balancer.metrics(), one.address(), "ok");
    one.says(204, "");
    wait_for_lines(&balancer, 4, "server is healthy");
    wait_until("the server to be used again", || ask(&balancer) == "one");
    let after = checks(&balancer.metrics(), one.address(), "ok");
    assert!(after >= before + 2, "healthy-after: {before} to {after}");
}

#[test]
fn a_killed_server_is_found_without_a_request() {
    let (mut one, two) = (Patient::start("one"), Patient::start("two"));
    let health = format!("tcp = true, {TIMES}");
    let balancer = checked(&[one.address(), two.address()], &health, "");
    wait_for_lines(&balancer, 2, "server is healthy");
    one.die();
    let log = balancer.wait_for_stderr("server is unhealthy");
    assert!(log.contains("connection refused"), "{log}");
    all_from(&balancer, "two");
    let metrics = balancer.metrics();
    assert_eq!(
        metrics.count("sluice_server_connect_failures_total", &[]),
        0
    );
    assert!(checks(&metrics, one.address(), "refused") >= 3);
}

#[test]
fn what_an_answer_says_decides() {
    let server = Patient::start("one");
    let json = r#"{ "checks.database.status" = "healthy", "cpu_usage" = "< 95" }"#;
    let health = format!(
        "http = {{ path = \"/health\", headers = {{ x-probe = \"1\" }}, body = \"*database*\", json = {json} }}, \
         unhealthy-after = 1, healthy-after = 1, {TIMES}"
    );
    let body = |status: &str, cpu: u8| {
        format!(r#"{{"checks": {{"database": {{"status": "{status}"}}}}, "cpu_usage": {cpu}}}"#)
    };
    server.says(200, &body("healthy", 20));
    let balancer = checked(&[server.address()], &health, "");
    wait_for_lines(&balancer, 1, "server is healthy");
    assert!(server.checks()[0].contains("\r\nx-probe: 1\r\n"));
    for (answer, reason, outcome) in [
        (
            body("degraded", 20),
            "`checks.database.status` is \\\"degraded\\\", expected `healthy`",
            "json",
        ),
        (
            body("healthy", 95),
            "`cpu_usage` is 95, expected < 95",
            "json",
        ),
        ("database, but no JSON".to_owned(), "no JSON", "json"),
        ("something else".to_owned(), "expected `*database*`", "body"),
        (
            format!("database{}", " ".repeat(64 << 10)),
            "a body longer than 64 KiB",
            "body",
        ),
    ] {
        server.says(200, &answer);
        let reason = reason.replace('\\', "");
        wait_until(&format!("it to be unhealthy: {reason}"), || {
            let log = balancer.stderr().replace('\\', "");
            let mut verdicts = log
                .lines()
                .filter(|line| line.contains("server is unhealthy"));
            verdicts.any(|line| line.contains(&reason))
        });
        wait_for_check(&balancer, server.address(), outcome);
        let before = balancer.stderr().matches("server is healthy").count();
        server.says(200, &body("healthy", 20));
        wait_for_lines(&balancer, before + 1, "server is healthy");
    }
}

#[test]
fn a_server_that_was_not_checked_waits_while_another_is_known_to_be_well() {
    let (one, two) = (Patient::start("one"), Patient::start("two"));
    // Its check will not be done.
    two.is_silent();
    let health = format!("http = {{ path = \"/health\" }}, {ONCE}");
    let balancer = checked(&[one.address(), two.address()], &health, "");
    wait_for_lines(&balancer, 1, "server is healthy");
    all_from(&balancer, "one");
}

#[test]
fn while_no_server_was_checked_all_take_traffic() {
    let (one, two) = (Patient::start("one"), Patient::start("two"));
    one.is_silent();
    two.is_silent();
    let health = format!("http = {{ path = \"/health\" }}, {ONCE}");
    let balancer = checked(&[one.address(), two.address()], &health, "");
    let served: Vec<_> = (0..4).map(|_| ask(&balancer)).collect();
    assert!(served.contains(&"one".to_owned()) && served.contains(&"two".to_owned()));
}

#[test]
fn silence_fails_a_check() {
    let server = Patient::start("one");
    server.is_silent();
    let health = "http = { path = \"/health\" }, interval = \"300ms\"";
    let balancer = checked(&[server.address()], health, "");
    let log = balancer.wait_for_stderr("server is unhealthy");
    assert!(log.contains("no whole answer within 300ms"), "{log}");
    wait_for_check(&balancer, server.address(), "timeout");
}

#[test]
fn the_process_checks_once_for_all_workers_and_reloads_that_change_nothing() {
    let server = Patient::start("one");
    let address = server.address();
    let configuration = |more: &str| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[runtime]\nworkers = 2\n\
             [upstreams.app]\nservers = [\"{address}\"{more}]\n\
             health = {{ http = {{ path = \"/health\" }}, {ONCE} }}\n"
        )
    };
    let mut balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration(""));
    wait_for_check(&balancer, address, "ok");
    for _ in 0..20 {
        assert_eq!(ask(&balancer), "one");
    }
    // Another server joins: that is checked, and the first is not again.
    let other = Patient::start("two");
    balancer.reload(&configuration(&format!(", \"{}\"", other.address())));
    wait_for_check(&balancer, other.address(), "ok");
    balancer.reload(&configuration(""));
    let metrics = balancer.metrics();
    assert_eq!(checks(&metrics, address, "ok"), 1);
    assert_eq!(server.checks().len(), 1, "{:?}", server.checks());
    let gone = other.address().to_string();
    balancer.wait_for_metrics("the other to be forgotten", |metrics| {
        let labels = [("server", &*gone)];
        metrics
            .value("sluice_server_check_duration_seconds", &labels)
            .is_none()
    });
}

#[test]
fn a_reload_changes_what_is_asked_for_and_ends_it() {
    let (one, two) = (EchoServer::start("one"), EchoServer::start("two"));
    let configuration = |health: &str| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[runtime]\nworkers = 1\n\
             [upstreams.app]\nservers = [\"{}\", \"{}\"]\nbalance = \"round-robin\"\n{health}",
            one.address(),
            two.address()
        )
    };
    let path = |path: &str| format!("health = {{ http = {{ path = \"{path}\" }}, {TIMES} }}\n");
    let mut balancer = Balancer::start(
        env!("CARGO_BIN_EXE_sluice"),
        &configuration(&path("/status/200")),
    );
    wait_for_lines(&balancer, 2, "server is healthy");
    balancer.reload(&configuration(&path("/status/500")));
    wait_for_lines(&balancer, 2, "server is unhealthy");
    assert_eq!(
        balancer
            .stderr()
            .matches("status 500, expected 200-299")
            .count(),
        2
    );
    balancer.reload(&configuration(&path("/")));
    wait_for_lines(&balancer, 4, "server is healthy");
    // Whoever is not checked any more is as good as the others.
    balancer.reload(&configuration(&path("/status/500")));
    wait_for_lines(&balancer, 4, "server is unhealthy");
    balancer.reload(&configuration(""));
    let name = |()| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        EchoReply::from_response(&client.response("GET")).server
    };
    let served: Vec<_> = [(); 4].map(name).to_vec();
    assert!(served.contains(&"one".to_owned()) && served.contains(&"two".to_owned()));
    wait_until("the checks to be forgotten", || {
        balancer.metrics().sum("sluice_server_checks_total", &[]) < 1.0
    });
    // Servers that were not checked so far are taken to be well until checks say otherwise.
    balancer.reload(&configuration(&path("/status/500")));
    wait_for_lines(&balancer, 6, "server is unhealthy");
}

#[test]
fn a_port_of_its_own_is_checked() {
    let (server, sidecar) = (Patient::start("one"), Patient::start("sidecar"));
    let port = sidecar.address().port();
    let health = format!("http = {{ path = \"/health\", host = \"app\" }}, port = {port}, {TIMES}");
    let balancer = checked(&[server.address()], &health, "");
    wait_for_lines(&balancer, 1, "server is healthy");
    assert_eq!(ask(&balancer), "one");
    assert!(server.checks().is_empty());
    assert!(sidecar.checks()[0].contains("\r\nhost: app\r\n"));
    sidecar.says(500, "");
    wait_for_lines(&balancer, 1, "server is unhealthy");
}

#[test]
fn checks_speak_as_the_upstream_does() {
    let authority = Authority::new("a");
    let files = authority.issue("one", &["127.0.0.1"]);
    let patient = Patient::start("one");
    let trusted = format!("tls = {{ ca = \"{}\" }}\n", authority.ca().display());
    let health = format!("http = {{ path = \"/health\" }}, {TIMES}");
    for (protocols, proxy, protocol) in [
        (
            "[\"h1\"]",
            "proxy-protocol = \"require\"\n",
            "h1\"\nsend-proxy-protocol = \"v2",
        ),
        (
            "[\"h1\"]",
            "proxy-protocol = \"require\"\n",
            "h1\"\nsend-proxy-protocol = \"v1",
        ),
        ("[\"h2\"]", "", "h2"),
        ("[\"h1\", \"h2\"]", "", "auto"),
        ("[\"h1\", \"h2\", \"h3\"]", "", "h3"),
    ] {
        let server = start(
            &[patient.address()],
            Setup {
                listener: &format!(
                    "protocols = {protocols}\n{proxy}{}",
                    certificates(&[&files])
                ),
                ..Setup::default()
            },
        );
        let upstream = format!("protocol = \"{protocol}\"\n{trusted}");
        let balancer = checked(&[server.address("web")], &health, &upstream);
        wait_for_lines(&balancer, 1, "server is healthy");
        assert_eq!(ask(&balancer), "one");
        patient.says(503, "");
        wait_for_lines(&balancer, 1, "status 503");
        patient.says(200, "");
    }
}

/// A server beside the server speaks plainly, and knows nothing of PROXY headers.
#[test]
fn something_else_may_be_spoken_at_another_port() {
    let authority = Authority::new("a");
    let (patient, sidecar) = (Patient::start("one"), Patient::start("sidecar"));
    let server = start(
        &[patient.address()],
        Setup {
            listener: &format!(
                "protocols = [\"h2\"]\nproxy-protocol = \"require\"\n{}",
                certificates(&[&authority.issue("one", &["127.0.0.1"])])
            ),
            ..Setup::default()
        },
    );
    let health = format!(
        "http = {{ path = \"/health\" }}, port = {}, protocol = \"h1\", tls = false, send-proxy-protocol = \"off\", {TIMES}",
        sidecar.address().port()
    );
    let upstream = format!(
        "protocol = \"h2\"\nsend-proxy-protocol = \"v2\"\ntls = {{ ca = \"{}\" }}\n",
        authority.ca().display()
    );
    let balancer = checked(&[server.address("web")], &health, &upstream);
    wait_for_lines(&balancer, 1, "server is healthy");
    assert_eq!(ask(&balancer), "one");
    assert!(patient.checks().is_empty());
}

/// Each is checked once, and none is answered, until the test closes one after the other.
#[test]
fn so_many_checks_are_under_way_at_a_time() {
    let listeners: Vec<_> = (0..80)
        .map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.set_nonblocking(true).expect("to set it");
            listener
        })
        .collect();
    let addresses = listeners
        .iter()
        .map(|one| one.local_addr().expect("an address"));
    let addresses: Vec<_> = addresses.collect();
    let _balancer = checked(&addresses, &format!("http = {{}}, {ONCE}"), "");
    let mut open: VecDeque<TcpStream> = VecDeque::new();
    for done in 0..=16 {
        wait_until("the next check", || {
            let accepted = listeners.iter().filter_map(|one| one.accept().ok());
            open.extend(accepted.map(|(stream, _)| stream));
            open.len() >= 64
        });
        assert_eq!(open.len(), 64, "after {done}");
        open.pop_front();
    }
}

#[test]
fn a_certificate_of_somebody_else_fails_a_check() {
    let (authority, other) = (Authority::new("a"), Authority::new("b"));
    let patient = Patient::start("one");
    let server = start(
        &[patient.address()],
        Setup {
            listener: &certificates(&[&authority.issue("one", &["127.0.0.1"])]),
            ..Setup::default()
        },
    );
    let trusting =
        |authority: &Authority| format!("tls = {{ ca = \"{}\" }}\n", authority.ca().display());
    let health = format!("tcp = true, {TIMES}");
    let address = server.address("web");
    let balancer = checked(&[address], &health, &trusting(&other));
    balancer.wait_for_stderr("server is unhealthy");
    wait_for_check(&balancer, address, "certificate");
    let balancer = checked(&[address], &health, &trusting(&authority));
    wait_for_lines(&balancer, 1, "server is healthy");
}

#[test]
fn datagrams_are_answered_as_expected() {
    let one = UdpServer::answering(|datagram, _| vec![[b"pong ", datagram].concat()]);
    let two = UdpServer::answering(|_, _| vec![b"what?".to_vec()]);
    let mut three = UdpServer::echo();
    three.die();
    let servers = [&one, &two, &three].map(|server| server.address().to_string());
    let configuration = format!(
        "[listeners.dns]\naddress = \"127.0.0.1:<port:dns>\"\nprotocol = \"udp\"\nupstream = \"app\"\n\
         [upstreams.app]\nservers = {servers:?}\n\
         health = {{ udp = {{ send = \"hex:00 70\", expect = \"pong*p\" }}, unhealthy-after = 1, {TIMES} }}\n"
    );
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    wait_for_check(&balancer, one.address(), "ok");
    wait_for_check(&balancer, two.address(), "body");
    wait_for_check(&balancer, three.address(), "refused");
    balancer.wait_for_stderr("what?");
}

/// A child that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn grpc_servers_say_themselves_how_they_are() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let server = Command::new("python3")
        .env("PYTHONPATH", format!("{folder}/../../target/python"))
        .arg(format!("{folder}/tests/health_grpcio.py"))
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut server = Running(server);
    let mut says = server.0.stdin.take().expect("a pipe");
    let mut say = |word: &str| {
        use std::io::Write as _;
        says.write_all(format!("{word}\n").as_bytes())
            .expect("to tell the server");
        says.flush().expect("to tell the server");
    };
    wait_for("the server to listen", || TcpStream::connect(address).ok());
    let health = format!("grpc = {{ service = \"orders\" }}, {TIMES}");
    let balancer = checked(&[address], &health, "protocol = \"h2\"");
    wait_for_lines(&balancer, 1, "server is healthy");
    say("NOT_SERVING");
    let log = balancer.wait_for_stderr("server is unhealthy");
    assert!(
        log.contains("it says NOT_SERVING, expected SERVING"),
        "{log}"
    );
    say("SERVING");
    wait_for_lines(&balancer, 2, "server is healthy");
    // What only a trailer says.
    say("NOT_FOUND");
    wait_for_lines(&balancer, 1, "it does not know the service");
    wait_for_check(&balancer, address, "not-serving");
}

#[test]
fn the_example() {
    let (one, two) = (Patient::start("one"), Patient::start("two"));
    let told = |latency: u8| {
        format!(r#"{{"status": "healthy", "checks": {{"database": {{"latency_ms": {latency}}}}}}}"#)
    };
    one.says(200, &told(7));
    two.says(200, &told(80));
    let sidecar = Patient::start("sidecar");
    let database = TcpEchoServer::start("primary");
    let names = UdpServer::start("name server");
    let balancer = Example::read("health-checks.toml")
        .listener("127.0.0.1:8080", "web")
        .listener("127.0.0.1:5433", "db")
        .listener("127.0.0.1:5353", "dns")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .server("127.0.0.1:9011", refused_address())
        .server("127.0.0.1:9012", refused_address())
        .server("10.0.2.1:5432", database.address())
        .server("10.0.2.2:5432", refused_address())
        .server("10.0.3.1:53", names.address())
        .server("10.0.3.2:53", refused_address())
        .text("8008", sidecar.address().port().to_string())
        .run();
    for (server, outcome) in [
        (one.address(), "ok"),
        (two.address(), "json"),
        (database.address(), "ok"),
        (names.address(), "ok"),
    ] {
        wait_for_check(&balancer, server, outcome);
    }
    wait_for_lines(&balancer, 4, "server is healthy");
    wait_for_lines(&balancer, 4, "server is unhealthy");
    all_from(&balancer, "one");
    let greeting = RawClient::connect(balancer.address("db")).read_exactly(7);
    assert_eq!(greeting, b"primary");
    let answer = UdpClient::new(balancer.address("dns")).ask("question");
    assert!(answer.starts_with("name server "), "{answer}");
}
