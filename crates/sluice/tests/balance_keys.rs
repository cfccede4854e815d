//! Policies by which a key keeps its server: the same one from every balancer, whatever of the request the key is.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use testkit::{Balancer, EchoReply, EchoServer, RawClient, TcpEchoServer};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn web(servers: &[SocketAddr], balance: &str, workers: usize) -> String {
    let servers: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = {servers:?}\n\
         balance = {balance}\n[runtime]\nworkers = {workers}\n"
    )
}

/// The servers that take these heads, each on a connection of its own.
#[track_caller]
fn chosen(balancer: &Balancer, requests: &[String]) -> Vec<String> {
    let one = |request: &String| {
        let mut client = RawClient::connect(balancer.address("web"));
        client.send(request);
        EchoReply::from_response(&client.response("GET")).server
    };
    requests.iter().map(one).collect()
}

fn requests(request: impl Fn(usize) -> String) -> Vec<String> {
    (0..24).map(request).collect()
}

fn different(chosen: &[String]) -> usize {
    chosen.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn a_key_has_the_same_server_from_every_balancer() {
    let servers: Vec<_> = ["a", "b", "c", "d", "e"].map(EchoServer::start).into();
    let mut addresses: Vec<_> = servers.iter().map(EchoServer::address).collect();
    let get = |rest: String| format!("GET {rest}\r\n\r\n");
    let header = requests(|n| get(format!("/ HTTP/1.1\r\nHost: a\r\nX-User: user-{n}")));
    let cookie = requests(|n| get(format!("/ HTTP/1.1\r\nHost: a\r\nCookie: x=1; uid={n}")));
    let query = requests(|n| get(format!("/?a=1&id={n} HTTP/1.1\r\nHost: a")));
    let path = requests(|n| get(format!("/p/{n}?x={n} HTTP/1.1\r\nHost: a")));
    for (key, requests) in [
        ("header:x-user", header),
        ("cookie:uid", cookie),
        ("query:id", query),
        ("path", path),
    ] {
        // A bound would send a key on while the last request of its server is just ending.
        for policy in ["consistent-hash\", load-bound = \"off", "maglev"] {
            let balance = format!("{{ key = \"{key}\", policy = \"{policy}\" }}");
            let one = Balancer::start(SLUICE, &web(&addresses, &balance, 2));
            // Another process, with its servers in another order.
            addresses.reverse();
            let other = Balancer::start(SLUICE, &web(&addresses, &balance, 1));
            let first = chosen(&one, &requests);
            // Where they lie depends on their ports: that 24 keys share one of five servers never comes about.
            assert!(different(&first) >= 2, "{key} {policy}: {first:?}");
            assert_eq!(chosen(&one, &requests), first, "{key} {policy}, again");
            assert_eq!(
                chosen(&other, &requests),
                first,
                "{key} {policy}, elsewhere"
            );
        }
    }
}

#[test]
fn a_request_without_the_key_goes_to_any_server() {
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let addresses = servers.each_ref().map(EchoServer::address);
    let balance = "{ policy = \"consistent-hash\", key = \"header:x-user\" }";
    let balancer = Balancer::start(SLUICE, &web(&addresses, balance, 1));
    let plain = requests(|_| "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned());
    assert!(different(&chosen(&balancer, &plain)) >= 2);
}

#[test]
fn a_server_that_leaves_moves_its_keys_only() {
    let servers: Vec<_> = ["a", "b", "c", "d"].map(EchoServer::start).into();
    let addresses: Vec<_> = servers.iter().map(EchoServer::address).collect();
    for policy in ["consistent-hash\", load-bound = \"off", "maglev"] {
        let balance = format!("{{ key = \"path\", policy = \"{policy}\" }}");
        let mut balancer = Balancer::start(SLUICE, &web(&addresses, &balance, 1));
        let requests: Vec<_> = (0..100)
            .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .collect();
        let before = chosen(&balancer, &requests);
        balancer.reload(&web(&addresses[..3], &balance, 1));
        let after = chosen(&balancer, &requests);
        let moved = |(before, after): &(&String, &String)| before != after && *before != "d";
        let moved = before.iter().zip(&after).filter(moved).count();
        assert!(!after.iter().any(|server| server == "d"));
        // A maglev table moves a few others as well.
        let allowed = if policy == "maglev" { 10 } else { 0 };
        assert!(moved <= allowed, "{policy}: {moved} moved");
    }
}

/// The servers of clients at these addresses.
fn by_address(listener: SocketAddr, read: impl Fn(&mut RawClient) -> String) -> Vec<String> {
    let one = |host: u8| {
        let source = IpAddr::from([127, 0, 1, host]);
        read(&mut RawClient::connect_from(source, listener))
    };
    (1..=32).map(one).collect()
}

#[test]
fn a_client_keeps_its_server_by_its_address_over_http_and_tcp() {
    let http = ["a", "b", "c"].map(EchoServer::start);
    let tcp = ["a", "b", "c"].map(TcpEchoServer::start);
    // A bound would send a key on while the last session of its server is just ending.
    for policy in [
        "\"ip-hash\"",
        "\"maglev\"",
        "{ policy = \"consistent-hash\", load-bound = \"off\" }",
    ] {
        let start = |workers| {
            let http = web(&http.each_ref().map(EchoServer::address), policy, workers);
            let tcp = tcp.each_ref().map(|server| server.address().to_string());
            Balancer::start(
                SLUICE,
                &format!(
                    "{http}\n[[routes]]\nupstream = \"app\"\n[listeners.tcp]\naddress = \"127.0.0.1:<port:tcp>\"\n\
                     protocol = \"tcp\"\nupstream = \"tcp\"\n[upstreams.tcp]\nservers = {tcp:?}\nbalance = {policy}\n"
                ),
            )
        };
        let (one, other) = (start(1), start(2));
        let ask = |client: &mut RawClient| {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            EchoReply::from_response(&client.response("GET")).server
        };
        let greeting =
            |client: &mut RawClient| String::from_utf8(client.read_exactly(1)).expect("a name");
        let http = by_address(one.address("web"), ask);
        assert!(different(&http) >= 2, "{policy}: {http:?}");
        assert_eq!(by_address(one.address("web"), ask), http);
        assert_eq!(by_address(other.address("web"), ask), http);
        let tcp = by_address(one.address("tcp"), greeting);
        assert!(different(&tcp) >= 2, "{policy}: {tcp:?}");
        assert_eq!(by_address(one.address("tcp"), greeting), tcp);
        assert_eq!(by_address(other.address("tcp"), greeting), tcp);
    }
}
