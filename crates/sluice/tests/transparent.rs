//! `source-address = "client"` through the real binary, between a client and a server that each have a network of their
//! own: the server sees the client's address, and what it answers finds its way back.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use testkit::{Balancer, UdpClient, UdpServer, in_private_network, run, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Another network beside the test's, joined to it by a cable. Ends with its one process.
struct Network(Child);

impl Network {
    /// `near` is this end's name and address, `far` the other's address; in /24, or /64 over IPv6.
    fn joined_by(near: &str, near_address: &str, far_address: &str) -> Self {
        let child = Command::new("unshare")
            .args(["--net", "sleep", "600"])
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare, of util-linux");
        let network = Self(child);
        let own = std::fs::read_link("/proc/self/ns/net").expect("a network");
        let path = network.path();
        wait_until("a network of its own", || {
            std::fs::read_link(&path).is_ok_and(|other| other != own)
        });
        let pid = network.0.id();
        // IPv6 addresses are used at once, without asking the network whether somebody else has them.
        let (family, length, flag) = if near_address.contains(':') {
            ("-6", 64, "nodad")
        } else {
            ("-4", 24, "")
        };
        for command in [
            format!("ip link add {near} type veth peer name far netns {pid}"),
            format!("ip addr add {near_address}/{length} dev {near} {flag}"),
            format!("ip link set {near} up"),
            format!("nsenter -t {pid} -n ip addr add {far_address}/{length} dev far {flag}"),
            format!("nsenter -t {pid} -n ip link set far up"),
            format!("nsenter -t {pid} -n ip {family} route add default via {near_address}"),
        ] {
            shell(&command);
        }
        network
    }

    /// Runs `work` with this network's sockets.
    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(self.path()).expect("the network");
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind).expect("entering");
            work()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().expect("the work"))
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shell(command: &str) {
    let finished = run("sh", &["-c", command]);
    assert_eq!(finished.code(), 0, "{command}: {}", finished.stderr);
}

/// A server that tells each client where it sees it.
fn tcp_server(ip: IpAddr) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).expect("bind");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.expect("accepted");
            let from = stream.peer_addr().expect("an address");
            write!(stream, "{}", from.ip()).expect("sent");
        }
    });
    address
}

/// The two ends of the cable to the clients, and of the one to the servers.
struct Addresses {
    clients: [&'static str; 2],
    servers: [&'static str; 2],
}

#[test]
fn servers_see_the_client() {
    let unfiltered = [
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
    ];
    in_private_network("servers_see_the_client", &unfiltered, || {
        servers_see_it_at(&Addresses {
            clients: ["10.9.1.1", "10.9.1.2"],
            servers: ["10.9.2.1", "10.9.2.2"],
        });
    });
}

#[test]
fn servers_see_the_client_over_ipv6() {
    in_private_network("servers_see_the_client_over_ipv6", &[], || {
        servers_see_it_at(&Addresses {
            clients: ["fd09:1::1", "fd09:1::2"],
            servers: ["fd09:2::1", "fd09:2::2"],
        });
    });
}

fn servers_see_it_at(addresses: &Addresses) {
    let ([balancer_near, client], [balancer_far, server]) = (addresses.clients, addresses.servers);
    let clients = Network::joined_by("clients", balancer_near, client);
    let servers = Network::joined_by("servers", balancer_far, server);
    // What comes from servers is ours, whoever it is for.
    let family = if client.contains(':') { "-6" } else { "-4" };
    shell(&format!("ip {family} rule add iif servers lookup 100"));
    shell(&format!(
        "ip {family} route add local default dev lo table 100"
    ));
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let tcp = servers.within(|| tcp_server(ip(server)));
    let udp = servers.within(|| {
        UdpServer::at(SocketAddr::new(ip(server), 0), |_, from| {
            vec![from.ip().to_string().into_bytes()]
        })
    });
    for (source, expected) in [("client", client), ("balancer", balancer_far)] {
        let listen = match ip(balancer_near) {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let balancer = Balancer::start(
            SLUICE,
            &format!(
                "[listeners.tcp]\naddress = \"{listen}:<port:tcp>\"\nprotocol = \"tcp\"\nupstream = \"tcp\"\nsource-address = \"{source}\"\n\
                 [listeners.udp]\naddress = \"{listen}:<port:udp>\"\nprotocol = \"udp\"\nupstream = \"udp\"\nsource-address = \"{source}\"\n\
                 [upstreams.tcp]\nservers = [\"{tcp}\"]\n[upstreams.udp]\nservers = [\"{}\"]\n",
                udp.address()
            ),
        );
        let at = |name| SocketAddr::new(ip(balancer_near), balancer.address(name).port());
        let (tcp_at, udp_at) = (at("tcp"), at("udp"));
        let (by_tcp, by_udp) = clients.within(|| {
            let mut stream = TcpStream::connect(tcp_at).expect("connect");
            stream
                .set_read_timeout(Some(testkit::DEADLINE))
                .expect("a timeout");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("an answer");
            (text, UdpClient::new(udp_at).ask("who am I?"))
        });
        assert_eq!(
            (by_tcp.as_str(), by_udp.as_str()),
            (expected, expected),
            "{source}"
        );
    }
}

#[test]
fn what_is_missing_is_said_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sluice.toml");
    let port = testkit::free_port();
    let text = format!(
        "[listeners.game]\naddress = \"127.0.0.1:{port}\"\nprotocol = \"udp\"\nsource-address = \"client\"\n[upstreams.app]\nservers = [\"127.0.0.1:9\"]\n"
    );
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("UTF-8");
    // Root over nothing: a user namespace without a network of its own.
    let finished = run("unshare", &["--map-root-user", SLUICE, "run", "-c", file]);
    assert_eq!(finished.code(), 1, "{finished:?}");
    for part in [
        "listener `game`",
        "source-address",
        "CAP_NET_ADMIN",
        "docs/transparent.md",
    ] {
        assert!(
            finished.stderr.contains(part),
            "{part} in {}",
            finished.stderr
        );
    }
}
