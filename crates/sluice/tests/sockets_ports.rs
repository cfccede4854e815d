//! Ephemeral ports running short, in a network namespace of its own where there are only eight of them.
//!
//! Clients come by a Unix socket: they take no ports.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::TcpListener;

use testkit::{
    Balancer, Metrics, RawClient, Script, ScriptedServer, TcpEchoServer, in_private_network,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PORTS: usize = 8;
/// Runs `test` where there are eight ephemeral ports and two more, which two listeners have. (The kernel leaves out the last
/// of an odd number.)
fn with_few_ports(name: &str, test: impl FnOnce()) {
    let range = format!("40000 {}", 40_000 + PORTS + 2 - 1);
    in_private_network(name, &[("net/ipv4/ip_local_port_range", &range)], || {
        let _taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a listener"));
        test();
    });
}

/// Clients come in by a file beside the configuration.
fn balancer(protocol: &str, servers: &[String], upstream: &str) -> (testkit::TempDir, Balancer) {
    let folder = testkit::TempDir::new().expect("a folder");
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.in]\naddress = \"unix:{}\"\nprotocol = \"{protocol}\"\n[upstreams.app]\nservers = [{}]\n{upstream}\n\
             [runtime]\nworkers = 1\n",
            folder.path().join("in").display(),
            servers.join(", ")
        ),
    );
    (folder, balancer)
}

fn client(folder: &testkit::TempDir) -> RawClient {
    RawClient::connect_unix(&folder.path().join("in"))
}

fn no_port(metrics: &Metrics) -> f64 {
    metrics.sum(
        "sluice_server_connect_failures_total",
        &[("reason", "no-port")],
    )
}

/// Asks for metrics again and again on one connection, so that asking takes no ports.
struct Scraper(RawClient);

impl Scraper {
    fn of(balancer: &Balancer) -> Self {
        Self(RawClient::connect(balancer.address("admin")))
    }

    fn metrics(&mut self) -> Metrics {
        self.0.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        Metrics::parse(self.0.response("GET").text())
    }
}

#[test]
fn ports_run_out_with_a_warning_before_and_a_502_after() {
    with_few_ports(
        "ports_run_out_with_a_warning_before_and_a_502_after",
        || {
            let server = ScriptedServer::start([Script::silent()]);
            let source = "source-addresses = [\"127.0.0.2\"]";
            let (folder, balancer) =
                balancer("http", &[format!("\"{}\"", server.address())], source);
            let mut scraper = Scraper::of(&balancer);
            let mut clients: Vec<_> = (0..PORTS).map(|_| client(&folder)).collect();
            for client in &mut clients {
                client.send(GET);
            }
            server.connections().wait_for_accepted(PORTS);
            // Eight of ten: still enough for these, and time to say so.
            balancer.wait_for_stderr("local ports to a server run short");
            let used = scraper
                .metrics()
                .sum("sluice_ephemeral_ports_used_ratio", &[("upstream", "app")]);
            assert!((used - 0.8).abs() < 1e-9, "{used}");
            assert_eq!(
                no_port(&scraper.metrics()),
                0.0,
                "the warning comes before they run out"
            );

            let mut one_too_many = client(&folder);
            one_too_many.send(GET);
            assert_eq!(one_too_many.response("GET").status, 502);
            assert_eq!(no_port(&scraper.metrics()), 1.0);
        },
    );
}

#[test]
fn each_source_address_and_each_server_brings_ports_of_its_own() {
    with_few_ports(
        "each_source_address_and_each_server_brings_ports_of_its_own",
        || {
            let servers = [TcpEchoServer::start("in"), TcpEchoServer::start("in")];
            let list = servers
                .each_ref()
                .map(|server| format!("\"{}\"", server.address()));
            let sources = "source-addresses = [\"127.0.0.2\", \"127.0.0.3\"]";
            let (folder, balancer) = balancer("tcp", &list, sources);
            let mut scraper = Scraper::of(&balancer);
            // Two sources, two servers, eight ports each.
            let mut clients: Vec<_> = (0..4 * PORTS).map(|_| client(&folder)).collect();
            for client in &mut clients {
                assert_eq!(client.read_exactly(2), b"in");
            }
            for server in &servers {
                assert_eq!(server.connections().open(), 2 * PORTS);
            }
            assert_eq!(no_port(&scraper.metrics()), 0.0);
            assert!(client(&folder).is_closed_without_a_byte(), "one too many");
            assert_eq!(no_port(&scraper.metrics()), 2.0, "at each of the servers");
        },
    );
}

#[test]
fn a_source_address_that_has_ports_left_is_found() {
    with_few_ports("a_source_address_that_has_ports_left_is_found", || {
        let server = TcpEchoServer::start("in");
        let list = [format!("\"{}\"", server.address())];
        let connect = |sources: &str| {
            let (folder, balancer) = balancer("tcp", &list, sources);
            let mut clients: Vec<_> = (0..PORTS).map(|_| client(&folder)).collect();
            for client in &mut clients {
                assert_eq!(client.read_exactly(2), b"in");
            }
            (folder, balancer, clients)
        };
        // Somebody else has all of the first address's ports.
        let _others = connect("source-addresses = [\"127.0.0.2\"]");
        connect("source-addresses = [\"127.0.0.2\", \"127.0.0.3\"]");
        assert_eq!(server.connections().accepted(), 2 * PORTS);
    });
}
