//! What users notice when servers are killed, hang, or are restarted under a steady load: nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use testkit::{Balancer, RawClient, Signal, free_port, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const SERVERS: usize = 5;
const CLIENTS: usize = 8;

/// A server that is a process of its own.
struct Server {
    address: SocketAddr,
    process: Option<Balancer>,
}

impl Server {
    fn start() -> Self {
        let mut server = Self {
            address: ([127, 0, 0, 1], free_port()).into(),
            process: None,
        };
        server.restart();
        server
    }

    fn restart(&mut self) {
        let configuration = format!(
            "[listeners.web]\naddress = \"{}\"\n[runtime]\nworkers = 1\n\
             [[routes]]\nrespond = {{ status = 200, body = \"ok\" }}\n",
            self.address
        );
        self.process = Some(Balancer::start(SLUICE, &configuration));
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        process.signal(signal);
    }

    /// Ends it by a signal.
    fn end(&mut self, signal: Signal) {
        self.signal(signal);
        let mut process = self.process.take().expect("it runs");
        process.wait_exit();
    }
}

/// Clients that ask again and again, each on a connection of its own.
struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let (is_over, answered) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let client = || {
            let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
            std::thread::spawn(move || ask(address, &is_over, &answered))
        };
        let clients = (0..CLIENTS).map(|_| client()).collect();
        let load = Self {
            is_over,
            answered,
            clients,
        };
        load.go_on();
        load
    }

    /// Waits until each client has had some more answers, on average.
    fn go_on(&self) {
        let before = self.answered.load(Ordering::SeqCst);
        wait_until("further answers", || {
            self.answered.load(Ordering::SeqCst) > before + CLIENTS * 25
        });
    }

    /// What went wrong.
    fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        let wrong = self.clients.into_iter().map(JoinHandle::join);
        wrong.flat_map(|wrong| wrong.expect("a client")).collect()
    }
}

fn ask(address: SocketAddr, is_over: &AtomicBool, answered: &AtomicUsize) -> Vec<String> {
    let mut client = RawClient::connect(address);
    let mut wrong = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        match client.try_response("GET") {
            Ok(response) if response.status == 200 => {}
            Ok(response) => wrong.push(response.status.to_string()),
            Err(error) => {
                wrong.push(format!("{error:?}"));
                client = RawClient::connect(address);
            }
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
    wrong
}

/// Servers, and a balancer that is set up against all of this.
fn begin() -> (Vec<Server>, Balancer) {
    let servers: Vec<_> = (0..SERVERS).map(|_| Server::start()).collect();
    let addresses: Vec<_> = servers.iter().map(|it| it.address.to_string()).collect();
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            r#"
[listeners.web]
address = "127.0.0.1:<port:web>"

[[routes]]
upstream = "app"
timeout = "30s"
retry = {{ attempts = 5, on = ["connect-failure", "reset", "timeout", "502", "503"], per-try-timeout = "250ms" }}

[upstreams.app]
servers = {addresses:?}
# It goes on asking whoever fails; others would hardly meet the events.
balance = "round-robin"
connect-timeout = "250ms"

[upstreams.app.health]
http = {{ path = "/" }}
interval = "1s"
fast-interval = "100ms"
timeout = "500ms"

[upstreams.app.circuit-breaker]
consecutive-failures = 3
open-for = "500ms"

[runtime]
workers = 2
"#
        ),
    );
    (servers, balancer)
}

/// Waits until checks say so of a server.
fn wait_for_state(balancer: &Balancer, server: &Server, word: &str) {
    let line = format!("server is {word} upstream=app server={}", server.address);
    balancer.wait_for_stderr(&line);
}

#[test]
fn a_killed_server_costs_no_request() {
    let (mut servers, balancer) = begin();
    let load = Load::start(balancer.address("web"));
    servers[1].end(Signal::KILL);
    load.go_on();
    wait_for_state(&balancer, &servers[1], "unhealthy");
    servers[1].restart();
    load.go_on();
    assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
}

#[test]
fn a_hanging_server_costs_no_request() {
    let (servers, balancer) = begin();
    let load = Load::start(balancer.address("web"));
    servers[2].signal(Signal::STOP);
    load.go_on();
    wait_for_state(&balancer, &servers[2], "unhealthy");
    load.go_on();
    servers[2].signal(Signal::CONT);
    load.go_on();
    assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
}

#[test]
fn restarting_all_in_turn_costs_no_request() {
    let (mut servers, balancer) = begin();
    let load = Load::start(balancer.address("web"));
    for server in &mut servers {
        server.end(Signal::TERM);
        load.go_on();
        server.restart();
        load.go_on();
    }
    assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
}
