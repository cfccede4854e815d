//! Servers that are processes of their own, a balancer that is set up against their failures, and a steady load.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use testkit::{Balancer, RawClient, free_port, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const CLIENTS: usize = 8;

/// A server that is a process of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) process: Option<Balancer>,
}

impl Server {
    fn start(ip: Ipv4Addr) -> Self {
        let mut server = Self {
            address: (ip, free_port()).into(),
            process: None,
        };
        server.restart();
        server
    }

    /// Starts it anew at its address.
    pub(crate) fn restart(&mut self) {
        let configuration = format!(
            "[listeners.web]\naddress = \"{}\"\n[runtime]\nworkers = 1\n\
             [[routes]]\nrespond = {{ status = 200, body = \"ok\" }}\n",
            self.address
        );
        self.process = Some(Balancer::start(SLUICE, &configuration));
    }
}

/// Clients that ask again and again, each on a connection of its own.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
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
    pub(crate) fn go_on(&self) {
        let before = self.answered.load(Ordering::SeqCst);
        wait_until("further answers", || {
            self.answered.load(Ordering::SeqCst) > before + CLIENTS * 25
        });
    }

    /// What went wrong.
    pub(crate) fn end(self) -> Vec<String> {
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

/// Servers at these addresses, and a balancer that is set up against all that happens to them.
pub(crate) fn begin(addresses: [Ipv4Addr; 5]) -> (Vec<Server>, Balancer) {
    let servers: Vec<_> = addresses.map(Server::start).into();
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

/// Waits until checks say so of a server, whatever they have said before.
pub(crate) fn wait_for_state(balancer: &Balancer, server: &Server, word: &str) {
    let whose = format!(" upstream=app server={}", server.address);
    wait_until(&format!("server {word}: {}", server.address), || {
        let said = balancer.stderr();
        // Breakers say that a server is back, before or after a check does.
        let mut verdicts = said.lines().filter_map(|line| {
            let (verdict, _) = line.split_once(&whose)?;
            ["healthy", "unhealthy"]
                .into_iter()
                .find(|word| verdict.ends_with(&format!(" server is {word}")))
        });
        verdicts.next_back() == Some(word)
    });
}
