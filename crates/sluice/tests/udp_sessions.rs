//! UDP through the real binary: datagrams whole and apart, to one server and back.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use testkit::{
    Balancer, Metrics, UdpClient, UdpServer, in_private_network, run, wait_for, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn configuration(listener: &str, upstream: &str, workers: usize) -> String {
    format!(
        "[listeners.udp]\naddress = \"127.0.0.1:<port:udp>\"\nprotocol = \"udp\"\n{listener}\n[upstreams.app]\n{upstream}\n\
         [runtime]\nworkers = {workers}\n"
    )
}

fn balancer(listener: &str, upstream: &str) -> Balancer {
    Balancer::start(SLUICE, &configuration(listener, upstream, 1))
}

fn servers(all: &[&UdpServer]) -> String {
    let addresses: Vec<_> = all
        .iter()
        .map(|server| format!("\"{}\"", server.address()))
        .collect();
    format!("servers = [{}]", addresses.join(", "))
}

fn wait_for_ends(balancer: &Balancer, end: &str, count: f64) {
    balancer.wait_for_metrics(&format!("{count} sessions to end with {end}"), |metrics| {
        metrics.sum("sluice_udp_sessions_total", &[("end", end)]) == count
    });
}

/// Waits until so many were received from clients and sent to them: one is counted when it was sent, and may be there before.
fn wait_for_datagrams(balancer: &Balancer, count: usize) -> Metrics {
    balancer.wait_for_counts(&[
        ("sluice_udp_datagrams_received_total", &[], count),
        ("sluice_udp_datagrams_sent_total", &[], count),
    ])
}

/// How many sessions servers got.
fn begun(balancer: &Balancer) -> usize {
    let metrics = balancer.metrics();
    metrics.count("sluice_server_sessions_total", &[])
}

#[test]
fn datagrams_of_every_size_go_there_and_back_whole() {
    let server = UdpServer::echo();
    let balancer = balancer("receive-buffer = \"1MiB\"", &servers(&[&server]));
    let client = UdpClient::new(balancer.address("udp"));
    let sizes = [0, 1, 511, 1_472, 1_473, 9_000, 65_507, 0, 2];
    for (number, size) in sizes.into_iter().enumerate() {
        let byte = u8::try_from(number).expect("few");
        let datagram = vec![byte; size];
        client.send(&datagram);
        assert!(client.receive() == datagram, "{size} bytes");
    }
    // Many at once are neither merged nor split, nor do they change places.
    for number in 0..50_usize {
        client.send(vec![7; 900 + number]);
    }
    for number in 0..50 {
        assert_eq!(client.receive().len(), 900 + number);
    }
    let count = sizes.len() + 50;
    let metrics = wait_for_datagrams(&balancer, count);
    let listener = [("listener", "udp")];
    assert_eq!(metrics.sum("sluice_server_sessions_total", &[]), 1.0);
    assert_eq!(metrics.sum("sluice_connections_active", &listener), 1.0);
}

#[test]
fn a_session_keeps_its_server_and_its_port() {
    let all = ["a", "b", "c"].map(UdpServer::start);
    let balancer = balancer(
        "",
        &format!(
            "{}\nbalance = \"round-robin\"",
            servers(&[&all[0], &all[1], &all[2]])
        ),
    );
    let clients: Vec<_> = (0..6)
        .map(|_| UdpClient::new(balancer.address("udp")))
        .collect();
    let first: Vec<_> = clients.iter().map(|client| client.ask("x")).collect();
    for server in ["a ", "b ", "c "] {
        let count = first
            .iter()
            .filter(|answer| answer.starts_with(server))
            .count();
        assert_eq!(count, 2, "{first:?}");
    }
    let again: Vec<_> = clients.iter().map(|client| client.ask("x")).collect();
    assert_eq!(first, again, "the server sees one client in one place");
}

#[test]
fn a_hash_keeps_a_client_on_its_server_over_sessions_and_workers() {
    let all = ["a", "b", "c", "d"].map(UdpServer::start);
    let all: Vec<&UdpServer> = all.iter().collect();
    let upstream = format!(
        "{}\nbalance = {{ policy = \"maglev\", key = \"client-ip\" }}",
        servers(&all)
    );
    let balancer = Balancer::start(SLUICE, &configuration("", &upstream, 2));
    let mut seen = std::collections::BTreeSet::new();
    for host in 1..=12 {
        let ip = IpAddr::from([127, 0, 1, host]);
        let servers: Vec<_> = (0..3)
            .map(|_| UdpClient::from(ip, balancer.address("udp")).ask("x"))
            .map(|answer| answer.split(' ').next().expect("a name").to_owned())
            .collect();
        assert!(
            servers.windows(2).all(|pair| pair[0] == pair[1]),
            "{ip}: {servers:?}"
        );
        seen.extend(servers);
    }
    assert!(seen.len() > 1, "{seen:?}");
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    let server = UdpServer::echo();
    for address in ["0.0.0.0", ""] {
        let balancer = Balancer::start(
            SLUICE,
            &format!(
                "[listeners.udp]\naddress = \"{address}:<port:udp>\"\nprotocol = \"udp\"\n[upstreams.app]\n{}\n",
                servers(&[&server])
            ),
        );
        let port = balancer.address("udp").port();
        for host in [1, 2, 77] {
            let asked = SocketAddr::from(([127, 0, 0, host], port));
            // A connected socket hears nobody else.
            let client = UdpClient::new(asked);
            assert_eq!(client.ask("hello"), "hello", "{asked}");
        }
        if address.is_empty() {
            let client = UdpClient::new(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)));
            assert_eq!(client.ask("hello"), "hello");
        }
    }
}

#[test]
fn one_client_that_speaks_to_two_addresses_has_two_sessions() {
    let server = UdpServer::start("s");
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.udp]\naddress = \"0.0.0.0:<port:udp>\"\nprotocol = \"udp\"\n[upstreams.app]\n{}\n[runtime]\nworkers = 1\n",
            servers(&[&server])
        ),
    );
    let port = balancer.address("udp").port();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .set_read_timeout(Some(testkit::DEADLINE))
        .expect("a timeout");
    for host in [1, 2, 1] {
        let asked = SocketAddr::from(([127, 0, 0, host], port));
        socket.send_to(b"x", asked).expect("sent");
        let (_, from) = socket.recv_from(&mut [0; 99]).expect("answered");
        assert_eq!(from, asked);
    }
    assert_eq!(
        balancer.metrics().sum("sluice_server_sessions_total", &[]),
        2.0
    );
}

#[test]
fn a_server_that_is_gone_is_noticed_and_avoided() {
    let (mut first, second) = (UdpServer::start("first"), UdpServer::start("second"));
    let upstream = format!(
        "servers = [\"{}\", {{ address = \"{}\", backup = true }}]",
        first.address(),
        second.address()
    );
    let balancer = balancer("", &upstream);
    let client = UdpClient::new(balancer.address("udp"));
    assert!(client.ask("x").starts_with("first "));
    first.die();
    let answer = client.ask_until_answered("y");
    assert!(answer.starts_with("second "), "{answer}");
    balancer.wait_for_metrics("the refusal", |metrics| {
        metrics.sum(
            "sluice_server_connect_failures_total",
            &[("reason", "refused")],
        ) >= 1.0
    });
    wait_for_ends(&balancer, "upstream-closed", 1.0);
    assert_eq!(client.ask("z").split(' ').next(), Some("second"));
}

#[test]
fn what_meets_a_server_that_is_gone_goes_to_another() {
    let mut gone = [UdpServer::start("gone"), UdpServer::start("gone, too")];
    for server in &mut gone {
        server.die();
    }
    let alive = UdpServer::echo();
    let upstream = format!(
        "balance = \"round-robin\"\nservers = [\"{}\", \"{}\", {{ address = \"{}\", backup = true }}]",
        gone[0].address(),
        gone[1].address(),
        alive.address()
    );
    let balancer = balancer("", &upstream);
    // All that was sent before the first answer, in its order, without being sent again by the client.
    let client = UdpClient::new(balancer.address("udp"));
    let questions = ["one", "", "three"];
    for question in questions {
        client.send(question);
    }
    for question in questions {
        assert_eq!(client.receive(), question.as_bytes());
    }
    let metrics = wait_for_datagrams(&balancer, 3);
    let refused = [("reason", "refused")];
    assert_eq!(
        metrics.sum("sluice_server_connect_failures_total", &refused),
        2.0
    );
    assert_eq!(
        metrics.sum("sluice_udp_datagrams_dropped_total", &[]),
        0.0,
        "nothing is lost"
    );
    wait_for_ends(&balancer, "connect-failed", 2.0);
}

#[test]
fn what_no_server_takes_is_counted() {
    let mut gone = UdpServer::start("gone");
    gone.die();
    let balancer = balancer("", &servers(&[&gone]));
    let client = UdpClient::new(balancer.address("udp"));
    client.send("x");
    balancer.wait_for_metrics("the loss", |metrics| {
        metrics.sum(
            "sluice_udp_datagrams_dropped_total",
            &[("reason", "no-server")],
        ) == 1.0
    });
    wait_for_ends(&balancer, "connect-failed", 1.0);
}

#[test]
fn one_answer_ends_a_session_where_one_is_all_there_is() {
    let server = UdpServer::echo();
    let balancer = balancer("responses = 1", &servers(&[&server]));
    for number in 1..=20_u8 {
        let client = UdpClient::new(balancer.address("udp"));
        client.send([number]);
        assert_eq!(client.receive(), [number]);
    }
    wait_for_ends(&balancer, "ok", 20.0);
    balancer.wait_for_metrics("none to be left", |metrics| {
        metrics.sum("sluice_connections_active", &[("listener", "udp")]) == 0.0
    });
    // Several questions under way are all answered first.
    let client = UdpClient::new(balancer.address("udp"));
    for question in ["a", "b", "c"] {
        client.send(question);
    }
    let mut answers: Vec<_> = (0..3).map(|_| client.receive()).collect();
    answers.sort();
    assert_eq!(answers, [b"a", b"b", b"c"]);
}

#[test]
fn a_server_that_owes_an_answer_has_failed() {
    let server = UdpServer::answering(|_, _| Vec::new());
    let balancer = balancer("responses = 1\nidle-timeout = \"1s\"", &servers(&[&server]));
    UdpClient::new(balancer.address("udp")).send("x");
    wait_for_ends(&balancer, "upstream-timeout", 1.0);
}

#[test]
fn silence_ends_a_session() {
    let server = UdpServer::start("s");
    let balancer = balancer("idle-timeout = \"1s\"", &servers(&[&server]));
    let client = UdpClient::new(balancer.address("udp"));
    client.ask("x");
    wait_for_ends(&balancer, "idle-timeout", 1.0);
    client.ask("x");
    assert_eq!(begun(&balancer), 2);
}

#[test]
fn the_longest_silent_makes_room() {
    let server = UdpServer::start("s");
    let balancer = balancer("max-sessions = 3", &servers(&[&server]));
    let clients: Vec<_> = (0..4)
        .map(|_| UdpClient::new(balancer.address("udp")))
        .collect();
    let first: Vec<_> = clients[..3].iter().map(|client| client.ask("x")).collect();
    assert_eq!(clients[0].ask("x"), first[0]);
    clients[3].ask("x");
    wait_for_ends(&balancer, "evicted", 1.0);
    assert_eq!(clients[0].ask("x"), first[0], "spoke since");
    assert_eq!(clients[2].ask("x"), first[2]);
    assert_eq!(begun(&balancer), 4);
    clients[1].ask("x");
    assert_eq!(begun(&balancer), 5, "it was that one");
    assert_eq!(
        balancer
            .metrics()
            .sum("sluice_connections_active", &[("listener", "udp")]),
        3.0
    );
}

#[test]
fn without_a_server_a_datagram_is_dropped_and_counted() {
    let server = UdpServer::start("s");
    let upstream = format!(
        "servers = [{{ address = \"{}\", max-connections = 1 }}]",
        server.address()
    );
    let balancer = balancer("", &upstream);
    UdpClient::new(balancer.address("udp")).ask("x");
    UdpClient::new(balancer.address("udp")).send("x");
    balancer.wait_for_metrics("the drop", |metrics| {
        metrics.sum(
            "sluice_udp_datagrams_dropped_total",
            &[("reason", "no-server")],
        ) == 1.0
    });
}

#[test]
fn reloads_keep_sessions() {
    let (one, two) = (UdpServer::start("one"), UdpServer::start("two"));
    let mut balancer = balancer("", &servers(&[&one]));
    let client = UdpClient::new(balancer.address("udp"));
    let before = client.ask("x");
    balancer.reload(&configuration(
        "",
        &format!("{}\nbalance = \"round-robin\"", servers(&[&one, &two])),
        1,
    ));
    assert_eq!(client.ask("x"), before);
    // Another socket at the same address.
    let same = servers(&[&one, &two]);
    balancer.reload(&configuration("receive-buffer = \"512KiB\"", &same, 1));
    assert_eq!(client.ask_until_answered("x"), before);
    // A server that leaves gets no new sessions.
    balancer.reload(&configuration("", &servers(&[&two]), 1));
    assert!(
        UdpClient::new(balancer.address("udp"))
            .ask_until_answered("x")
            .starts_with("two ")
    );
}

#[test]
fn a_server_that_left_is_cut_after_its_drain_timeout() {
    let (one, two) = (UdpServer::start("one"), UdpServer::start("two"));
    let drain = "drain-timeout = \"1s\"";
    let mut balancer = balancer("", &format!("{}\n{drain}", servers(&[&one])));
    let client = UdpClient::new(balancer.address("udp"));
    assert!(client.ask("x").starts_with("one "));
    balancer.reload(&configuration(
        "",
        &format!("{}\n{drain}", servers(&[&two])),
        1,
    ));
    wait_for_ends(&balancer, "drained", 1.0);
    assert!(client.ask("x").starts_with("two "));
}

#[test]
fn it_stops_once_sessions_are_silent() {
    let server = UdpServer::start("s");
    let mut balancer = balancer("", &servers(&[&server]));
    let client = UdpClient::new(balancer.address("udp"));
    let before = client.ask("x");
    balancer.terminate();
    assert_eq!(client.ask("x"), before, "who is there may go on");
    assert!(balancer.wait_exit().success());
}

#[test]
fn the_access_log_has_a_line_for_each_session() {
    let server = UdpServer::answering(|datagram, _| vec![datagram.to_vec(), b"more".to_vec()]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let text = format!(
        "{}[logs]\naccess = {{ format = \"json\", to = \"file:{}\" }}\n",
        configuration("responses = 2", &servers(&[&server]), 1),
        path.display()
    );
    let balancer = Balancer::start(SLUICE, &text);
    let client = UdpClient::new(balancer.address("udp"));
    client.send("hello");
    assert_eq!(
        (client.receive(), client.receive()),
        (b"hello".to_vec(), b"more".to_vec())
    );
    let line: Value = wait_for("a line", || {
        let text = std::fs::read_to_string(&path).ok()?;
        serde_json::from_str(text.lines().next()?).ok()
    });
    for (name, expected) in [
        ("kind", "udp".into()),
        ("listener", "udp".into()),
        ("client_ip", "127.0.0.1".into()),
        ("client_port", client.local_address().port().into()),
        ("upstream", "app".into()),
        ("server", server.address().to_string().into()),
        ("attempts", 1.into()),
        ("received_datagrams", 1.into()),
        ("sent_datagrams", 2.into()),
        ("received_bytes", 5.into()),
        ("sent_bytes", 9.into()),
        ("end", "ok".into()),
    ] {
        let expected: Value = expected;
        assert_eq!(line[name], expected, "{name}");
    }
}

/// Answers a question for an address with 192.0.2.7, by hand.
fn dns_answer(question: &[u8]) -> Vec<Vec<u8>> {
    let Some(end) = question.iter().skip(12).position(|byte| *byte == 0) else {
        return Vec::new();
    };
    let end = 12 + end + 5;
    let mut answer = question[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    vec![answer]
}

#[test]
fn dig_gets_its_answer() {
    let server = UdpServer::answering(|question, _| dns_answer(question));
    let balancer = balancer("responses = 1", &servers(&[&server]));
    let port = balancer.address("udp").port().to_string();
    for _ in 0..3 {
        let finished = run(
            "dig",
            &[
                "@127.0.0.1",
                "-p",
                &port,
                "a.example.com",
                "A",
                "+short",
                "+noedns",
            ],
        );
        assert_eq!(finished.stdout.trim(), "192.0.2.7", "{finished:?}");
    }
    wait_for_ends(&balancer, "ok", 3.0);
    assert_eq!(server.received(), 3);
}

#[test]
fn a_command_line_will_do() {
    let server = UdpServer::echo();
    let address = testkit::free_address();
    let mut child = std::process::Command::new(SLUICE)
        .args([
            "run",
            "--listen",
            &format!("udp:{address}"),
            "--to",
            &server.address().to_string(),
        ])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("sluice");
    let client = UdpClient::new(address);
    assert_eq!(client.ask_until_answered("hello"), "hello");
    child.kill().expect("killed");
    wait_until("it to end", || child.try_wait().expect("waiting").is_some());
}

#[test]
fn answers_too_long_for_the_way_arrive_in_fragments() {
    in_private_network(
        "answers_too_long_for_the_way_arrive_in_fragments",
        &[],
        || {
            let narrow = run("ip", &["link", "set", "lo", "mtu", "1500"]);
            assert_eq!(narrow.code(), 0, "{}", narrow.stderr);
            let server = UdpServer::echo();
            for address in ["127.0.0.1", "0.0.0.0", ""] {
                let balancer = Balancer::start(
                    SLUICE,
                    &format!(
                        "[listeners.udp]\naddress = \"{address}:<port:udp>\"\nprotocol = \"udp\"\n[upstreams.app]\n{}\n",
                        servers(&[&server])
                    ),
                );
                let port = balancer.address("udp").port();
                let mut near = vec![SocketAddr::from(([127, 0, 0, 1], port))];
                if address.is_empty() {
                    near.push(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)));
                }
                for asked in near {
                    let client = UdpClient::new(asked);
                    for size in [1_400, 1_500, 9_000, 10, 1_600] {
                        let datagram = vec![7; size];
                        client.send(&datagram);
                        assert!(client.receive() == datagram, "{size} bytes by {asked}");
                    }
                }
            }
        },
    );
}
