//! Which server takes a request: turns by weight, backups, limits.

mod http_proxy;

use http_proxy::{Setup, start};
use testkit::{
    Balancer, EchoReply, EchoServer, Gate, RawClient, Script, ScriptedServer, refused_address,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[track_caller]
fn balancer(servers: &str, workers: usize) -> Balancer {
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = {servers}\nbalance = \"round-robin\"\n[runtime]\nworkers = {workers}\n"
    );
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration)
}

/// The names of the servers that answer this many requests, in order.
#[track_caller]
fn turns(balancer: &Balancer, count: usize) -> String {
    let mut client = RawClient::connect(balancer.address("web"));
    (0..count)
        .map(|_| {
            client.send(GET);
            EchoReply::from_response(&client.response("GET")).server
        })
        .collect()
}

#[test]
fn servers_of_equal_weight_take_turns() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let addresses = servers.each_ref().map(EchoServer::address);
    let balancer = start(&addresses, Setup::default());
    assert_eq!(turns(&balancer, 7), "abcabca");
}

#[test]
fn weights_are_kept_smoothly() {
    let [a, b, c] = ["a", "b", "c"].map(EchoServer::start);
    let servers = format!(
        "[{{ address = \"{}\", weight = 5 }}, \"{}\", {{ address = \"{}\", weight = 1 }}]",
        a.address(),
        b.address(),
        c.address()
    );
    assert_eq!(turns(&balancer(&servers, 1), 14), "aabacaaaabacaa");
}

#[test]
fn a_backup_is_used_only_while_no_other_server_can_be() {
    let (mut main, spare) = (EchoServer::start("m"), EchoServer::start("s"));
    let servers = format!(
        "[{{ address = \"{}\", backup = true }}, \"{}\"]",
        spare.address(),
        main.address()
    );
    let balancer = balancer(&servers, 1);
    assert_eq!(turns(&balancer, 4), "mmmm");
    assert_eq!(spare.connections().accepted(), 0);
    main.die();
    assert_eq!(turns(&balancer, 4), "ssss");
}

#[test]
fn the_share_of_a_server_that_refuses_goes_to_the_others() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let balancer = start(
        &[a.address(), refused_address(), b.address()],
        Setup::default(),
    );
    let turns = turns(&balancer, 12);
    let count = |name| turns.matches(name).count();
    assert_eq!((count("a"), count("b")), (6, 6), "{turns}");
}

#[test]
fn max_connections_holds_over_all_workers() {
    let gate = Gate::new();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write(answer)
        .forever()]);
    let servers = format!(
        "[{{ address = \"{}\", max-connections = 3 }}]",
        server.address()
    );
    let balancer = balancer(&servers, 2);
    let mut clients: Vec<_> = (0..40)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    for client in &mut clients {
        client.send(GET);
    }
    let metrics = balancer.wait_for_counts(&[
        ("sluice_requests_total", &[("code", "5xx")], 37),
        ("sluice_server_in_flight", &[], 3),
        (
            "sluice_upstream_no_server_total",
            &[("upstream", "app")],
            37,
        ),
    ]);
    assert!(metrics.count("sluice_server_limit_reached_total", &[]) >= 37);
    gate.open();
    let statuses: Vec<_> = clients
        .iter_mut()
        .map(|client| client.response("GET").status)
        .collect();
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(200), count(503)), (3, 37));
    // The places are free again.
    balancer.wait_for_counts(&[("sluice_server_in_flight", &[], 0)]);
    clients[0].send(GET);
    assert_eq!(clients[0].response("GET").status, 200);
    balancer.wait_for_counts(&[
        ("sluice_request_ends_total", &[], 41),
        ("sluice_server_in_flight", &[], 0),
    ]);
}

#[test]
fn a_full_server_is_passed_by() {
    let gate = Gate::new();
    let full = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 204 No Content\r\n\r\n")]);
    let other = EchoServer::start("o");
    let servers = format!(
        "[{{ address = \"{}\", max-connections = 1 }}, \"{}\"]",
        full.address(),
        other.address()
    );
    let balancer = balancer(&servers, 1);
    let mut waiting = RawClient::connect(balancer.address("web"));
    waiting.send(GET);
    full.wait_for_received(0, "\r\n\r\n");
    assert_eq!(turns(&balancer, 5), "ooooo");
    gate.open();
    assert_eq!(waiting.response("GET").status, 204);
}
