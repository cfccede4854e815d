//! The queue of an upstream when there is more than it can take: priorities, and a target for the wait.

mod example;
mod overload_kit;

use example::Example;
use overload_kit::{asking, holding, is_refused, refused, wait_for_waiting};
use testkit::{Balancer, EchoReply, EchoServer, Gate, RawClient, Script, ScriptedServer};

fn balancer(server: &str, queue: &str, trusted: &str) -> Balancer {
    let configuration = configuration(server, queue, trusted, 2);
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration)
}

/// The priority by the path, or by what a client says of itself under `/said`.
fn configuration(server: &str, queue: &str, trusted: &str, workers: usize) -> String {
    let routes: String = ["low", "normal", "high", "critical"]
        .map(|one| {
            format!(
                "[[routes]]\nmatch.path = \"/{one}/*\"\nupstream = \"app\"\npriority = \"{one}\"\n"
            )
        })
        .concat();
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\ntrusted-proxies = [{trusted}]\n{routes}\
         [[routes]]\nmatch.path = \"/said/*\"\nupstream = \"app\"\npriority = {{ header = \"x-priority\", default = \"low\" }}\n\
         [[routes]]\nupstream = \"app\"\n\
         [upstreams.app]\nservers = [{{ address = \"{server}\", max-connections = 1 }}]\nqueue = {queue}\n\
         [runtime]\nworkers = {workers}\n"
    )
}

const PATIENT: &str = "{ length = 9, timeout = \"1h\" }";
const TRUSTED: &str = "\"127.0.0.0/8\"";

#[test]
fn who_matters_more_is_served_first() {
    let asked = [
        "/first",
        "/a",
        "/low/b",
        "/critical/c",
        "/high/d",
        "/e",
        "/critical/f",
        "/said/g",
    ];
    let order = [
        "/first",
        "/critical/c",
        "/critical/f",
        "/said/g",
        "/high/d",
        "/a",
        "/e",
        "/low/b",
    ];
    let gate = Gate::new();
    let mut script = Script::new().read_request().wait(&gate);
    for _ in 0..asked.len() {
        script = script
            .write("HTTP/1.1 204 No Content\r\n\r\n")
            .read_request();
    }
    let server = ScriptedServer::start([script.stay_open()]);
    // One worker has one connection to the server, on which the order is seen.
    let configuration = configuration(&server.address().to_string(), PATIENT, TRUSTED, 1);
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    let mut clients = Vec::new();
    for (number, path) in asked.iter().enumerate() {
        clients.push(asking(&balancer, path, "Critical"));
        server.wait_for_received(0, "GET /first ");
        wait_for_waiting(&balancer, number);
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 204);
    }
    let received = String::from_utf8(server.received(0)).expect("text");
    let served: Vec<_> = received
        .lines()
        .filter_map(|line| line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1"))
        .collect();
    // What is said under `/said` counts as much as what a route says, and it came last.
    assert_eq!(served, order);
}

#[test]
fn who_matters_more_takes_the_room_of_the_newest_who_matters_least() {
    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "{ length = 3, timeout = \"1h\" }";
    let balancer = balancer(&server.address().to_string(), queue, "");
    let mut served = vec![asking(&balancer, "/", "")];
    server.wait_for_received(0, "\r\n\r\n");
    let mut waiting = Vec::new();
    for (number, path) in ["/low/", "/low/", "/normal/"].iter().enumerate() {
        waiting.push(asking(&balancer, path, ""));
        wait_for_waiting(&balancer, number + 1);
    }
    is_refused(&mut asking(&balancer, "/low/", ""));
    let high = asking(&balancer, "/high/", "");
    is_refused(&mut waiting[1]);
    let critical = asking(&balancer, "/critical/", "");
    is_refused(&mut waiting[0]);
    is_refused(&mut asking(&balancer, "/normal/", ""));
    gate.open();
    served.extend([high, critical, waiting.remove(2)]);
    for client in &mut served {
        assert_eq!(client.response("GET").status, 204);
    }
    let metrics = balancer.metrics_after(8);
    assert_eq!(refused(&metrics, "pushed-out", "low"), 2);
    assert_eq!(refused(&metrics, "queue-full", "low"), 1);
    assert_eq!(refused(&metrics, "queue-full", "normal"), 1);
    assert_eq!(metrics.count("sluice_upstream_refused_total", &[]), 4);
    let ends = |end| metrics.count("sluice_request_ends_total", &[("end", end)]);
    assert_eq!((ends("pushed-out"), ends("queue-full")), (2, 2));
    assert_eq!(metrics.count("sluice_upstream_queue_waiting", &[]), 0);
    // Those who were refused go on with their connections.
    waiting[0].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(waiting[0].response("GET").status, 204);
}

#[test]
fn a_line_that_stands_is_shed_long_before_its_timeout() {
    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "{ length = 9, timeout = \"1h\", target = \"5ms\", interval = \"50ms\" }";
    let balancer = balancer(&server.address().to_string(), queue, "");
    let mut first = asking(&balancer, "/", "");
    server.wait_for_received(0, "\r\n\r\n");
    for path in ["/low/", "/critical/", "/"] {
        let mut client = asking(&balancer, path, "");
        is_refused(&mut client);
    }
    let mut together: Vec<_> = (0..4).map(|_| asking(&balancer, "/high/", "")).collect();
    together.iter_mut().for_each(is_refused);
    let metrics = balancer.metrics_after(7);
    for (priority, count) in [("low", 1), ("normal", 1), ("high", 4), ("critical", 1)] {
        assert_eq!(refused(&metrics, "shed", priority), count, "{priority}");
    }
    assert_eq!(
        metrics.count("sluice_request_ends_total", &[("end", "shed")]),
        7
    );
    assert_eq!(server.requests(), 1, "nothing of it reached the server");
    gate.open();
    assert_eq!(first.response("GET").status, 204);
    // Its place is free a moment after its answer.
    balancer.metrics_after(8);
    assert_eq!(asking(&balancer, "/low/", "").response("GET").status, 204);
}

#[test]
fn a_client_that_is_not_trusted_does_not_say_how_much_it_matters() {
    let echo = EchoServer::start("a");
    let ask = |balancer: &Balancer, fields: &str| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(format!("GET /said/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        EchoReply::from_response(&client.response("GET"))
    };
    let both = "X-Priority: critical\r\nX_priority: critical\r\nX-Other: 1\r\n";
    for (trusted, passed_on) in [(TRUSTED, 1), ("\"10.0.0.0/8\"", 0)] {
        let balancer = balancer(&echo.address().to_string(), PATIENT, trusted);
        let echo = ask(&balancer, both);
        assert_eq!(echo.fields("x-priority").len(), passed_on);
        assert_eq!(echo.fields("x_priority").len(), passed_on);
        assert_eq!(echo.fields("x-other").len(), 1);
    }

    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "{ length = 1, timeout = \"1h\" }";
    let balancer = balancer(&server.address().to_string(), queue, "\"10.0.0.0/8\"");
    let mut served = vec![asking(&balancer, "/", "")];
    server.wait_for_received(0, "\r\n\r\n");
    served.push(asking(&balancer, "/normal/", ""));
    wait_for_waiting(&balancer, 1);
    is_refused(&mut asking(&balancer, "/said/", "critical"));
    gate.open();
    for client in &mut served {
        assert_eq!(client.response("GET").status, 204);
    }
    let metrics = balancer.metrics_after(3);
    assert_eq!(refused(&metrics, "queue-full", "low"), 1);
}

#[test]
fn a_word_that_is_none_is_taken_for_the_default() {
    let gate = Gate::new();
    let server = holding(&gate);
    let queue = "{ length = 1, timeout = \"1h\" }";
    let balancer = balancer(&server.address().to_string(), queue, TRUSTED);
    let mut served = vec![asking(&balancer, "/", "")];
    server.wait_for_received(0, "\r\n\r\n");
    let mut waiting = asking(&balancer, "/said/", "most urgent");
    wait_for_waiting(&balancer, 1);
    served.push(asking(&balancer, "/said/", "HIGH"));
    is_refused(&mut waiting);
    gate.open();
    for client in &mut served {
        assert_eq!(client.response("GET").status, 204);
    }
    let metrics = balancer.metrics_after(3);
    assert_eq!(refused(&metrics, "pushed-out", "low"), 1);
}

#[test]
fn the_example() {
    let gate = Gate::new();
    let [one, two] = [holding(&gate), holding(&gate)];
    let balancer = Example::read("overload.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", one.address())
        .server("127.0.0.1:9002", two.address())
        .text("max-connections = 64", "max-connections = 1".to_owned())
        .run();
    let mut served: Vec<_> = (0..2).map(|_| asking(&balancer, "/pay/1", "")).collect();
    one.wait_for_received(0, "\r\n\r\n");
    two.wait_for_received(0, "\r\n\r\n");
    is_refused(&mut asking(&balancer, "/reports/1", ""));
    is_refused(&mut asking(&balancer, "/", "critical"));
    gate.open();
    for client in &mut served {
        assert_eq!(client.response("GET").status, 204);
    }
    let metrics = balancer.metrics_after(4);
    assert_eq!(refused(&metrics, "shed", "low"), 1);
    assert_eq!(refused(&metrics, "shed", "critical"), 1);
}
