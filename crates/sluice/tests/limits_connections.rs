//! `max-connections` of the whole process, and limits that come by a reload.

use std::net::{IpAddr, Ipv4Addr};

use testkit::{Balancer, Options, RawClient, TcpEchoServer, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Two tcp listeners, `one` and `two`; `limits` are further lines of `[runtime]`, `of_one` of the first listener.
fn file(server: &TcpEchoServer, limits: &str, of_one: &str) -> String {
    format!(
        "[listeners.one]\naddress = \"127.0.0.1:<port:one>\"\nprotocol = \"tcp\"\n{of_one}\n\
         [listeners.two]\naddress = \"127.0.0.1:<port:two>\"\nprotocol = \"tcp\"\n\
         [upstreams.app]\nservers = [\"{}\"]\n[runtime]\nworkers = 2\n{limits}\n",
        server.address()
    )
}

fn client(balancer: &Balancer, listener: &str, last: u8) -> RawClient {
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    RawClient::connect_from(source, balancer.address(listener))
}

/// A client that is served, and stays.
#[track_caller]
fn served(balancer: &Balancer, listener: &str, last: u8) -> RawClient {
    let mut client = client(balancer, listener, last);
    client.send("x");
    assert_eq!(client.read_exactly(1), b"x");
    client
}

#[track_caller]
fn is_refused(balancer: &Balancer, listener: &str, last: u8) {
    assert!(client(balancer, listener, last).is_closed_without_a_byte());
}

fn refused(balancer: &Balancer, reason: &str) -> usize {
    let metrics = balancer.metrics();
    metrics.count("sluice_connections_refused_total", &[("reason", reason)])
}

#[test]
fn all_listeners_together_take_as_many_as_may_be() {
    let server = TcpEchoServer::start("");
    let balancer = Balancer::start(SLUICE, &file(&server, "max-connections = 3", ""));
    let first = served(&balancer, "one", 1);
    let _others = [served(&balancer, "two", 1), served(&balancer, "two", 2)];
    is_refused(&balancer, "one", 3);
    is_refused(&balancer, "two", 3);
    assert_eq!(refused(&balancer, "runtime.max-connections"), 2);
    assert_eq!(refused(&balancer, "max-connections"), 0);
    drop(first);
    wait_until("the first to have left", || {
        let metrics = balancer.metrics();
        metrics.sum("sluice_connections_active", &[]) < 3.0
    });
    let _next = served(&balancer, "two", 3);
}

#[test]
fn limits_that_come_by_a_reload_know_who_is_there() {
    let server = TcpEchoServer::start("");
    let mut balancer = Balancer::start(SLUICE, &file(&server, "", ""));
    let mut here: Vec<_> = (0..4).map(|_| served(&balancer, "one", 1)).collect();

    balancer.reload(&file(&server, "", "max-connections-per-client = 3"));
    is_refused(&balancer, "one", 1);
    here.push(served(&balancer, "one", 2));
    assert_eq!(refused(&balancer, "max-connections-per-client"), 1);

    balancer.reload(&file(&server, "", "max-connections = 5"));
    is_refused(&balancer, "one", 3);
    here.push(served(&balancer, "two", 3));
    assert_eq!(refused(&balancer, "max-connections"), 1);

    balancer.reload(&file(&server, "max-connections = 6", ""));
    is_refused(&balancer, "one", 4);
    is_refused(&balancer, "two", 4);
    assert_eq!(refused(&balancer, "runtime.max-connections"), 2);

    // Nobody was sent away for it.
    for client in &mut here {
        client.send("y");
        assert_eq!(client.read_exactly(1), b"y");
    }
}

#[test]
fn more_connections_than_descriptors_are_warned_of() {
    let server = TcpEchoServer::start("");
    let options = Options {
        open_files: Some(200),
        ..Options::default()
    };
    let text = file(&server, "max-connections = 200", "");
    let balancer = Balancer::start_with(SLUICE, &text, &options);
    balancer.wait_for_stderr("runtime.max-connections is more than");
}
