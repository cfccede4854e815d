//! `adaptive-concurrency` of an upstream.

mod overload_kit;

use overload_kit::{asking, holding, is_refused, refused, wait_for_waiting};
use testkit::{
    Balancer, EchoServer, Gate, Metrics, RawClient, Script, ScriptedServer, TcpEchoServer,
};

fn balancer(server: &str, limit: &str, upstream: &str) -> Balancer {
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\ntrusted-proxies = [\"127.0.0.1\"]\n\
         [[routes]]\nupstream = \"app\"\ntimeout = \"20ms\"\nmatch.path = \"/impatient\"\n\
         [[routes]]\nupstream = \"app\"\npriority = {{ header = \"X-Priority\" }}\n\
         [upstreams.app]\nservers = [\"{server}\"]\nadaptive-concurrency = {{ {limit} }}\n{upstream}\n\
         [runtime]\nworkers = 2\n"
    );
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration)
}

fn limit(metrics: &Metrics) -> usize {
    metrics.count("sluice_upstream_concurrency_limit", &[])
}

fn in_flight(metrics: &Metrics) -> usize {
    metrics.count("sluice_upstream_concurrency_in_flight", &[])
}

fn wait_for_in_flight(balancer: &Balancer, count: usize) {
    balancer.wait_for_metrics("requests under way", |metrics| in_flight(metrics) == count);
}

#[test]
fn at_the_limit_requests_are_refused_the_least_important_first() {
    let gate = Gate::new();
    let server = holding(&gate);
    let balancer = balancer(&server.address().to_string(), "min = 10, max = 10", "");
    let mut served = Vec::new();
    for (priority, places) in [("low", 8), ("normal", 9), ("high", 9), ("critical", 10)] {
        while served.len() < places {
            served.push(asking(&balancer, "/", priority));
            wait_for_in_flight(&balancer, served.len());
        }
        is_refused(&mut asking(&balancer, "/", priority));
    }
    gate.open();
    for client in &mut served {
        assert_eq!(client.response("GET").status, 204);
    }
    let metrics = balancer.metrics_after(14);
    for priority in ["low", "normal", "high", "critical"] {
        assert_eq!(
            refused(&metrics, "concurrency-limit", priority),
            1,
            "{priority}"
        );
    }
    let ends = metrics.count("sluice_request_ends_total", &[("end", "concurrency-limit")]);
    assert_eq!(ends, 4);
    assert_eq!(metrics.count("sluice_upstream_no_server_total", &[]), 0);
    assert_eq!((limit(&metrics), in_flight(&metrics)), (10, 0));
}

#[test]
fn with_a_queue_requests_wait_for_a_place_under_the_limit() {
    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "queue = { length = 4, timeout = \"1h\" }";
    let balancer = balancer(&server.address().to_string(), "min = 2, max = 2", queue);
    let mut served = vec![
        asking(&balancer, "/", "critical"),
        asking(&balancer, "/", "critical"),
    ];
    wait_for_in_flight(&balancer, 2);
    for (number, priority) in ["low", "normal", "high", "critical"].iter().enumerate() {
        served.push(asking(&balancer, "/", priority));
        wait_for_waiting(&balancer, number + 1);
    }
    is_refused(&mut asking(&balancer, "/", "low"));
    assert!(server.requests() <= 2, "never more at a time");
    gate.open();
    for client in &mut served {
        assert_eq!(client.response("GET").status, 204);
    }
    let metrics = balancer.metrics_after(7);
    assert_eq!(refused(&metrics, "queue-full", "low"), 1);
    assert_eq!(in_flight(&metrics), 0);
}

#[test]
fn servers_that_answer_too_late_get_fewer_until_they_are_well_again() {
    let gate = Gate::new();
    let server = holding(&gate);
    let balancer = balancer(&server.address().to_string(), "min = 1, initial = 50", "");
    assert_eq!(limit(&balancer.metrics()), 50);
    testkit::wait_until("a lower limit", || {
        let mut clients: Vec<_> = (0..20)
            .map(|_| asking(&balancer, "/impatient", ""))
            .collect();
        for client in &mut clients {
            let status = client.response("GET").status;
            assert!(status == 504 || status == 503, "{status}");
        }
        limit(&balancer.metrics()) <= 2
    });
    is_refused_some_time(&balancer);
    gate.open();
    testkit::wait_until("a higher limit", || {
        let mut clients: Vec<_> = (0..20)
            .map(|_| asking(&balancer, "/", "critical"))
            .collect();
        for client in &mut clients {
            let status = client.response("GET").status;
            assert!(status == 204 || status == 503, "{status}");
        }
        limit(&balancer.metrics()) > 4
    });
}

/// Of many at once some are refused.
fn is_refused_some_time(balancer: &Balancer) {
    testkit::wait_until("a refusal", || {
        let _clients: Vec<_> = (0..5).map(|_| asking(balancer, "/", "")).collect();
        let metrics = balancer.metrics();
        refused(&metrics, "concurrency-limit", "normal") > 0
    });
}

#[test]
fn tunnels_do_not_count_for_as_long_as_they_stand() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let server = ScriptedServer::start([
        Script::new().read_head().write(switch).read_to_end(),
        Script::new().read_head().write(switch).read_to_end(),
        Script::ok("a"),
    ]);
    let balancer = balancer(&server.address().to_string(), "min = 2, max = 2", "");
    let mut tunnels = Vec::new();
    for _ in 0..2 {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        assert!(client.read_until("\r\n\r\n").starts_with(b"HTTP/1.1 101 "));
        tunnels.push(client);
    }
    assert_eq!(in_flight(&balancer.metrics()), 0);
    assert_eq!(asking(&balancer, "/", "").response("GET").status, 200);
}

#[test]
fn connections_of_a_tcp_listener_are_not_limited() {
    let server = TcpEchoServer::start("in");
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocol = \"tcp\"\n\
         [upstreams.app]\nservers = [\"{}\"]\nadaptive-concurrency = {{ min = 1, max = 1 }}\n",
        server.address()
    );
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    let mut clients: Vec<_> = (0..3)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    for client in &mut clients {
        assert_eq!(client.read_exactly(2), b"in");
    }
}

#[test]
fn another_try_has_a_place_as_the_first_had() {
    let refused = testkit::refused_address();
    let echo = EchoServer::start("a");
    let servers = format!("{refused}\", \"{}", echo.address());
    let balancer = balancer(&servers, "min = 1, max = 1", "balance = \"round-robin\"");
    for _ in 0..4 {
        assert_eq!(asking(&balancer, "/", "").response("GET").status, 200);
        // The client has its answer before its place is free.
        wait_for_in_flight(&balancer, 0);
    }
}
