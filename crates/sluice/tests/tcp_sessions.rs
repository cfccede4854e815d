//! TCP through the real binary: what goes in at one side comes out at the other, and each side learns how it ended.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;

use testkit::{
    Balancer, DEADLINE, End, RawClient, ReadError, Script, ScriptedServer, SilentPort,
    TcpEchoServer, pattern, refused_address, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// A balancer with one tcp listener before one upstream.
fn balancer(workers: usize, listener: &str, upstream: &str) -> Balancer {
    Balancer::start(
        SLUICE,
        &format!(
            r#"
[listeners.tcp]
address = "127.0.0.1:<port:tcp>"
protocol = "tcp"
{listener}
[upstreams.app]
{upstream}
[runtime]
workers = {workers}
"#
        ),
    )
}

fn to_one(server: SocketAddr) -> Balancer {
    balancer(1, "", &format!("servers = [\"{server}\"]"))
}

fn wait_for_session_end(balancer: &Balancer, end: &str) {
    balancer.wait_for_metrics(&format!("a session that ended with {end}"), |metrics| {
        metrics.sum("sluice_tcp_sessions_total", &[("end", end)]) >= 1.0
    });
}

#[test]
fn short_messages_go_back_and_forth() {
    let server = TcpEchoServer::start("welcome ");
    let balancer = to_one(server.address());
    let mut client = RawClient::connect(balancer.address("tcp"));
    assert_eq!(
        client.read_exactly(8),
        b"welcome ",
        "the server may speak first"
    );
    for message in ["a", "some more", "\0\r\n\u{1}"] {
        client.send(message);
        assert_eq!(client.read_exactly(message.len()), message.as_bytes());
    }
    client.half_close();
    assert_eq!(client.read_to_end().expect("an orderly close"), b"");
    wait_for_session_end(&balancer, "ok");
    let metrics = balancer.metrics();
    let listener = [("listener", "tcp")];
    assert_eq!(
        metrics.sum("sluice_downstream_received_bytes_total", &listener),
        14.0
    );
    assert_eq!(
        metrics.sum("sluice_downstream_sent_bytes_total", &listener),
        22.0
    );
    assert_eq!(
        metrics.sum("sluice_server_sessions_total", &[("upstream", "app")]),
        1.0
    );
}

#[test]
fn bytes_are_counted_while_the_session_goes_on() {
    let server = TcpEchoServer::start("");
    let balancer = to_one(server.address());
    let mut client = RawClient::connect(balancer.address("tcp"));
    for total in [5.0, 10.0] {
        client.send("hello");
        assert_eq!(client.read_exactly(5), b"hello");
        balancer.wait_for_metrics("the bytes on both sides", |metrics| {
            [
                "sluice_downstream_received_bytes_total",
                "sluice_downstream_sent_bytes_total",
                "sluice_server_received_bytes_total",
                "sluice_server_sent_bytes_total",
            ]
            .iter()
            .all(|name| metrics.sum(name, &[]) == total)
        });
    }
}

#[test]
fn bulk_arrives_unharmed_both_ways_through_pipes_of_the_kernel() {
    let server = TcpEchoServer::start("");
    let balancer = to_one(server.address());
    let pipes_before = descriptors(&balancer, "pipe:");
    echo_in_bulk(balancer.address("tcp"), 50);
    assert_eq!(server.received(), 50 * BLOCK as u64);
    wait_for_session_end(&balancer, "ok");
    assert!(
        descriptors(&balancer, "pipe:") > pipes_before,
        "a worker keeps the pipes of a bulk transfer for the next, so splice was not used"
    );
}

#[test]
fn pipes_are_lent_and_not_left_behind() {
    let server = TcpEchoServer::start("");
    let balancer = to_one(server.address());
    let before = descriptors(&balancer, "pipe:");
    for number in 1..=20 {
        echo_in_bulk(balancer.address("tcp"), 1);
        // The client may know of the end before the session has given its pipes back.
        balancer.wait_for_metrics("the session to end", |metrics| {
            metrics.count("sluice_tcp_sessions_total", &[]) == number
        });
    }
    // One session at a time has a pipe for each direction, and a pipe has two ends.
    assert!(descriptors(&balancer, "pipe:") <= before + 4);
}

#[test]
fn a_client_that_has_said_all_still_hears() {
    let server = ScriptedServer::start([Script::new().read_to_end().write("after your end")]);
    let balancer = to_one(server.address());
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("question");
    client.half_close();
    assert_eq!(
        client.read_to_end().expect("an orderly close"),
        b"after your end"
    );
    assert_eq!(server.received(0), b"question");
    assert_eq!(server.wait_for_end(0).end, Some(End::Done));
}

#[test]
fn a_server_that_has_said_all_still_hears() {
    let script = Script::new()
        .write("that is all")
        .half_close()
        .read_to_end();
    let server = ScriptedServer::start([script]);
    let balancer = to_one(server.address());
    let mut client = RawClient::connect(balancer.address("tcp"));
    assert_eq!(
        client.read_to_end().expect("an orderly end of the server"),
        b"that is all"
    );
    client.send("still heard");
    client.half_close();
    assert_eq!(server.wait_for_end(0).received, b"still heard");
    wait_for_session_end(&balancer, "ok");
}

#[test]
fn silence_closes_both_sides() {
    let server = ScriptedServer::start([Script::silent()]);
    let servers = format!("servers = [\"{}\"]", server.address());
    let balancer = balancer(1, "idle-timeout = \"1s\"", &servers);
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("then nothing");
    assert!(client.is_closed_without_a_byte());
    let record = server.wait_for_end(0);
    assert_eq!(record.end, Some(End::ClientClosed));
    assert_eq!(record.received, b"then nothing");
    wait_for_session_end(&balancer, "idle-timeout");
}

#[test]
fn servers_that_refuse_or_stay_silent_are_passed_over() {
    let server = TcpEchoServer::start("here");
    let silent = SilentPort::start();
    let servers = format!(
        "balance = \"round-robin\"\nservers = [\"{}\", \"{}\", \"{}\"]\nconnect-timeout = \"500ms\"",
        refused_address(),
        silent.address(),
        server.address()
    );
    let balancer = balancer(1, "", &servers);
    for _ in 0..6 {
        let mut client = RawClient::connect(balancer.address("tcp"));
        assert_eq!(client.read_exactly(4), b"here");
    }
    let metrics = balancer.metrics();
    let failures = |reason| {
        metrics.sum(
            "sluice_server_connect_failures_total",
            &[("reason", reason)],
        )
    };
    assert!(failures("refused") >= 2.0, "{metrics:?}");
    assert!(failures("timeout") >= 2.0, "{metrics:?}");
    assert_eq!(metrics.sum("sluice_server_sessions_total", &[]), 6.0);
    assert!(metrics.sum("sluice_upstream_retries_total", &[]) >= 4.0);
}

#[test]
fn where_every_server_refuses_the_client_is_reset() {
    let servers = format!(
        "servers = [\"{}\", \"{}\"]",
        refused_address(),
        refused_address()
    );
    let balancer = balancer(1, "", &servers);
    let mut client = RawClient::connect(balancer.address("tcp"));
    let end = client.read_to_end();
    assert!(
        matches!(end, Err(ReadError::Reset)),
        "an answer that looks whole: {end:?}"
    );
    wait_for_session_end(&balancer, "connect-failed");
}

#[test]
fn a_backup_is_used_only_when_no_other_can_be() {
    let mut first = TcpEchoServer::start("first");
    let backup = TcpEchoServer::start("extra");
    let servers = format!(
        "servers = [\"{}\", {{ address = \"{}\", backup = true }}]",
        first.address(),
        backup.address()
    );
    let balancer = balancer(1, "", &servers);
    let greeting = || RawClient::connect(balancer.address("tcp")).read_exactly(5);
    assert_eq!(
        (greeting(), greeting()),
        (b"first".to_vec(), b"first".to_vec())
    );
    first.die();
    assert_eq!(
        (greeting(), greeting()),
        (b"extra".to_vec(), b"extra".to_vec())
    );
}

#[test]
fn a_client_that_resets_resets_the_server() {
    let server = ScriptedServer::start([Script::silent()]);
    let balancer = to_one(server.address());
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("x");
    wait_until("the byte to arrive", || server.received(0) == b"x");
    client.reset();
    assert_eq!(server.wait_for_end(0).end, Some(End::ClientReset));
    wait_for_session_end(&balancer, "client-closed");
}

#[test]
fn a_server_that_resets_resets_the_client() {
    let server = ScriptedServer::start([Script::new().read_exactly(1).reset()]);
    let balancer = to_one(server.address());
    let mut client = RawClient::connect(balancer.address("tcp"));
    client.send("x");
    assert!(matches!(client.read_to_end(), Err(ReadError::Reset)));
    wait_for_session_end(&balancer, "upstream-closed");
}

#[test]
fn sessions_go_round_by_weight() {
    let (a, b) = (TcpEchoServer::start("a"), TcpEchoServer::start("b"));
    let servers = format!(
        "balance = \"round-robin\"\nservers = [{{ address = \"{}\", weight = 2 }}, \"{}\"]",
        a.address(),
        b.address()
    );
    let balancer = balancer(1, "", &servers);
    let mut turns = String::new();
    for _ in 0..9 {
        let greeting = RawClient::connect(balancer.address("tcp")).read_exactly(1);
        turns.push(char::from(greeting[0]));
    }
    assert_eq!(turns.matches('a').count(), 6, "{turns}");
    // Smoothly: the heavier one never takes three in a row.
    assert!(!turns.contains("aaa") && !turns.contains("bb"), "{turns}");
}

#[test]
fn a_full_server_takes_no_more() {
    let server = TcpEchoServer::start("in");
    let servers = format!(
        "servers = [{{ address = \"{}\", max-connections = 2 }}]",
        server.address()
    );
    // Both workers keep to the one limit.
    let balancer = balancer(2, "", &servers);
    let mut inside: Vec<_> = (0..2)
        .map(|_| RawClient::connect(balancer.address("tcp")))
        .collect();
    for client in &mut inside {
        assert_eq!(client.read_exactly(2), b"in");
    }
    for _ in 0..4 {
        let mut turned_away = RawClient::connect(balancer.address("tcp"));
        assert!(turned_away.is_closed_without_a_byte());
    }
    let metrics = balancer.metrics();
    assert!(metrics.sum("sluice_server_limit_reached_total", &[]) >= 4.0);
    assert_eq!(metrics.sum("sluice_upstream_no_server_total", &[]), 4.0);
    drop(inside.pop());
    balancer.wait_for_metrics("a free place", |metrics| {
        metrics.sum("sluice_server_in_flight", &[]) < 2.0
    });
    assert_eq!(
        RawClient::connect(balancer.address("tcp")).read_exactly(2),
        b"in"
    );
}

#[test]
fn five_hundred_sessions_at_once_leave_nothing_behind() {
    sluice_net::descriptors::raise_limit();
    let server = TcpEchoServer::start("");
    let balancer = balancer(2, "", &format!("servers = [\"{}\"]", server.address()));
    let before = descriptors(&balancer, "socket:");
    let mut clients: Vec<_> = (0..500)
        .map(|_| RawClient::connect(balancer.address("tcp")))
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("{number:08}"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.read_exactly(8), format!("{number:08}").into_bytes());
    }
    let metrics = balancer.metrics();
    assert_eq!(metrics.sum("sluice_server_in_flight", &[]), 500.0);
    assert_eq!(
        metrics.sum("sluice_connections_active", &[("listener", "tcp")]),
        500.0
    );
    for worker in ["0", "1"] {
        let taken = metrics.sum("sluice_worker_connections_total", &[("worker", worker)]);
        assert!(taken > 0.0, "worker {worker} took nothing");
    }
    drop(clients);
    server.connections().wait_for_none_open();
    // A session leaves its server, is counted, and leaves its listener: a scrape may come in between.
    balancer.wait_for_metrics(
        "every session to have ended well, and none left",
        |metrics| {
            metrics.sum("sluice_server_in_flight", &[]) == 0.0
                && metrics.sum("sluice_connections_active", &[("listener", "tcp")]) == 0.0
                && metrics.sum("sluice_tcp_sessions_total", &[("end", "ok")]) == 500.0
        },
    );
    wait_until("every socket closed", || {
        descriptors(&balancer, "socket:") <= before
    });
}

#[test]
fn sessions_come_in_and_go_out_by_unix_sockets() {
    let folder = testkit::TempDir::new().expect("a folder");
    let (front, back) = (folder.path().join("front"), folder.path().join("back"));
    let listener = std::os::unix::net::UnixListener::bind(&back).expect("a socket");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut received = String::new();
        stream.read_to_string(&mut received).expect("to the end");
        stream.write_all(b"heard").expect("answer");
        received
    });
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.tcp]\naddress = \"unix:{}\"\nprotocol = \"tcp\"\n[upstreams.app]\nservers = [\"unix:{}\"]\n",
            front.display(),
            back.display()
        ),
    );
    let mut client = RawClient::connect_unix(&front);
    client.send("over two files");
    client.half_close();
    assert_eq!(client.read_to_end().expect("an orderly close"), b"heard");
    assert_eq!(server.join().expect("the server"), "over two files");
    wait_for_session_end(&balancer, "ok");
}

/// Sends blocks through an echo and compares what comes back, both at the same time.
fn echo_in_bulk(address: SocketAddr, blocks: usize) {
    let block = pattern(BLOCK);
    let mut reading = TcpStream::connect(address).expect("connect");
    reading
        .set_read_timeout(Some(DEADLINE))
        .expect("a deadline");
    reading
        .set_write_timeout(Some(DEADLINE))
        .expect("a deadline");
    let mut writing = reading.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..blocks {
                writing.write_all(&block).expect("send");
            }
            writing.shutdown(Shutdown::Write).expect("half-close");
        });
        let mut received = vec![0; BLOCK];
        for number in 0..blocks {
            reading.read_exact(&mut received).expect("receive");
            assert!(received == block, "block {number} was changed");
        }
        let mut rest = Vec::new();
        reading.read_to_end(&mut rest).expect("the end");
        assert!(rest.is_empty(), "{} bytes more", rest.len());
    });
}

/// How many of the balancer's descriptors are of a kind.
fn descriptors(balancer: &Balancer, kind: &str) -> usize {
    let folder = format!("/proc/{}/fd", balancer.pid());
    let entries = std::fs::read_dir(Path::new(&folder)).expect("its descriptors");
    entries
        .filter_map(|entry| std::fs::read_link(entry.expect("an entry").path()).ok())
        .filter(|target| target.to_string_lossy().starts_with(kind))
        .count()
}

/// About a megabyte, and no multiple of any buffer's size.
const BLOCK: usize = 1_000_003;
