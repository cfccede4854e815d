//! Servers that come and go while requests run, and the first requests of those that come.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testkit::{Balancer, EchoReply, EchoServer, RawClient, TcpEchoServer, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn configuration(servers: &[&EchoServer], upstream: &str, workers: usize) -> String {
    let servers: Vec<_> = servers
        .iter()
        .map(|one| one.address().to_string())
        .collect();
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = {servers:?}\n{upstream}\n\
         [runtime]\nworkers = {workers}\n"
    )
}

fn start(configuration: &str) -> Balancer {
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), configuration)
}

/// How many of this many requests each of the two servers answers.
#[track_caller]
fn shares(balancer: &Balancer, count: usize) -> (usize, usize) {
    let mut client = RawClient::connect(balancer.address("web"));
    let a = (0..count)
        .filter(|_| {
            client.send(GET);
            EchoReply::from_response(&client.response("GET")).server == "a"
        })
        .count();
    (a, count - a)
}

#[test]
fn no_request_fails_while_servers_come_and_go() {
    let [a, b, c] = ["a", "b", "c"].map(EchoServer::start);
    for policy in [
        "least-connections",
        "peak-ewma",
        "consistent-hash",
        "prequal",
    ] {
        let upstream = format!("balance = \"{policy}\"\nslow-start = \"10ms\"");
        let with = |servers: &[&EchoServer]| configuration(servers, &upstream, 2);
        let mut balancer = start(&with(&[&a, &b]));
        let address = balancer.address("web");
        let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = RawClient::connect(address);
                    while !stop.load(Ordering::SeqCst) {
                        client.send(GET);
                        assert_eq!(client.response("GET").status, 200);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for servers in [&[&a, &b, &c][..], &[&c], &[&a, &c], &[&b], &[&a, &b, &c]] {
                balancer.reload(&with(servers));
                let before = answered.load(Ordering::SeqCst);
                wait_until("requests under the new plan", || {
                    answered.load(Ordering::SeqCst) >= before + 50
                });
            }
            stop.store(true, Ordering::SeqCst);
        });
        let answered = answered.load(Ordering::SeqCst);
        balancer.wait_for_counts(&[
            ("sluice_requests_total", &[("code", "2xx")], answered),
            ("sluice_server_in_flight", &[], 0),
        ]);
    }
}

#[test]
fn a_server_that_joins_warms_up_and_those_of_the_start_do_not() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    for policy in ["round-robin", "random", "least-connections"] {
        let upstream = format!("balance = \"{policy}\"\nslow-start = \"1h\"");
        let both = configuration(&[&a, &b], &upstream, 1);
        let balancer = start(&both);
        let (first, second) = shares(&balancer, 200);
        // A half each: 100 ± 6.5 standard deviations.
        assert!(
            first >= 54 && second >= 54,
            "{policy}: {first} and {second}"
        );
        drop(balancer);
        let mut balancer = start(&configuration(&[&a], &upstream, 1));
        balancer.reload(&both);
        // A twentieth to begin with: of 10, ten standard deviations away, and far from a half.
        let (_, joined) = shares(&balancer, 200);
        assert!(joined <= 40, "{policy}: {joined}");
    }
}

#[test]
fn weights_that_change_take_effect_and_counts_stay() {
    let [a, b] = ["a", "b"].map(EchoServer::start);
    let weighted = |weight: usize| {
        format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nbalance = \"random\"\n\
             servers = [{{ address = \"{}\", weight = {weight} }}, \"{}\"]\n[runtime]\nworkers = 1\n",
            a.address(),
            b.address()
        )
    };
    let mut balancer = start(&weighted(1));
    let (before, _) = shares(&balancer, 200);
    // 100 ± 6.5 standard deviations.
    assert!((54..=146).contains(&before), "{before}");
    balancer.reload(&weighted(19));
    let (after, _) = shares(&balancer, 200);
    // 190, nine standard deviations away.
    assert!(after >= 160, "{after}");
    let metrics = balancer.metrics_after(400);
    assert_eq!(metrics.count("sluice_server_requests_total", &[]), 400);
}

#[test]
fn tcp_sessions_go_where_the_fewest_are() {
    let servers = ["a", "b", "c"].map(TcpEchoServer::start);
    let addresses = servers.each_ref().map(|one| one.address().to_string());
    let balancer = start(&format!(
        "[listeners.tcp]\naddress = \"127.0.0.1:<port:tcp>\"\nprotocol = \"tcp\"\n[upstreams.app]\n\
         servers = {addresses:?}\nbalance = \"least-connections\"\n[runtime]\nworkers = 2\n"
    ));
    let session = || {
        let mut client = RawClient::connect(balancer.address("tcp"));
        let name = client.read_exactly(1);
        (client, char::from(name[0]))
    };
    let sessions: Vec<_> = (0..9).map(|_| session()).collect();
    let of = |name: char| {
        sessions
            .iter()
            .filter(|(_, server)| *server == name)
            .count()
    };
    assert_eq!((of('a'), of('b'), of('c')), (3, 3, 3));
    // All of one server end: it is the emptiest, so it gets the next three.
    let kept: Vec<_> = sessions
        .into_iter()
        .filter(|(_, name)| *name != 'b')
        .collect();
    balancer.wait_for_metrics("three sessions to end", |metrics| {
        metrics.count("sluice_server_in_flight", &[]) == 6
    });
    let next: Vec<_> = (0..3).map(|_| session()).collect();
    assert!(next.iter().all(|(_, name)| *name == 'b'));
    drop(kept);
}
