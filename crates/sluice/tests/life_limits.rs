//! What the real binary does at the limits of the machine: few descriptors, a port that somebody else has.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use testkit::{
    Balancer, EchoServer, Gate, Options, RawClient, Script, ScriptedServer, run, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn the_limit_of_open_files_is_raised() {
    let folder = testkit::TempDir::new().expect("a folder");
    let program = folder.path().join("sluice");
    std::fs::write(
        &program,
        format!("#!/bin/sh\nulimit -S -n 100\nexec {SLUICE} \"$@\"\n"),
    )
    .expect("a script");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("its permissions");
    let text = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[[routes]]\nrespond = {}\n";
    let balancer = Balancer::start(program, text);
    let limit = balancer
        .metrics()
        .value("process_max_fds", &[])
        .expect("a limit");
    assert!(limit > 100.0, "{limit}");
}

#[test]
fn out_of_descriptors_it_waits_and_recovers() {
    let gate = Gate::new();
    let server = ScriptedServer::start([Script::new()
        .read_request()
        .wait(&gate)
        .write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")]);
    let options = Options {
        open_files: Some(64),
        ..Options::default()
    };
    let mut balancer = Balancer::start_with(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[[routes]]\nmatch.path = \"/own\"\nrespond = {{ body = \"own\" }}\n\
             [[routes]]\nupstream = \"app\"\n[upstreams.app]\nservers = [\"{}\"]\n[runtime]\nworkers = 2\n",
            server.address()
        ),
        &options,
    );
    // More clients than descriptors: the kernel takes them all, sluice as many as it can.
    let mut clients: Vec<_> = (0..100)
        .map(|_| RawClient::connect(balancer.address("web")))
        .collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    balancer.wait_for_stderr("out of file descriptors");
    assert!(balancer.is_running());
    gate.open();
    // Each client has an answer: from the server, or 502 or 503 where no descriptor was left to reach it by.
    let (mut served, mut turned_away) = (0, 0);
    for mut client in clients {
        match client.response("GET").status {
            200 => served += 1,
            502 | 503 => turned_away += 1,
            other => panic!("{other}"),
        }
    }
    assert!(served > 0, "{turned_away} were turned away");
    // Nothing of it stays.
    wait_until("requests to be served again", || {
        balancer.ask(GET).status == 200
    });
    wait_until("the admin listener to accept again", || {
        TcpStream::connect(balancer.address("admin")).is_ok()
    });
    let metrics = balancer.metrics();
    let pauses = metrics
        .value("sluice_accept_pauses_total", &[])
        .expect("a counter");
    // A pause is 50 ms, so this many would be minutes of them; spinning, they would be millions.
    assert!((1.0..5_000.0).contains(&pauses), "{pauses}");
    assert_eq!(metrics.sum("sluice_accept_errors_total", &[]), 0.0);
}

#[test]
fn a_second_sluice_on_the_same_port_says_so_and_ends() {
    let server = EchoServer::start("a");
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[upstreams.app]\nservers = [\"{}\"]\n",
            server.address()
        ),
    );
    let address = balancer.address("web").to_string();
    let second = run(
        SLUICE,
        &[
            "run",
            "--listen",
            &address,
            "--to",
            &server.address().to_string(),
        ],
    );
    assert_eq!(second.code(), 1);
    assert!(
        second.stderr.contains(&address) && second.stderr.contains("something else listens there"),
        "{}",
        second.stderr
    );
    // The same file again: the admin address is taken as well.
    let again = run(
        SLUICE,
        &["run", "-c", balancer.file().to_str().expect("UTF-8")],
    );
    assert_eq!(again.code(), 1);
    assert!(again.stderr.contains("cannot be bound"), "{}", again.stderr);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
}
