//! `source-address = "client"` through the real binary, between a client and a server that each have a network of their
//! own: the server sees the client's address, and what it answers finds its way back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use testkit::{Balancer, UdpClient, UdpServer, in_private_network, run, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Another network beside the test's, joined to it by a cable. Ends with its one process.
struct Network(Child);

impl Network {
    /// `near` is this end's name and address, `far` the other's address; all of them /24.
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
        for command in [
            format!("ip link add {near} type veth peer name far netns {pid}"),
            format!("ip addr add {near_address}/24 dev {near}"),
            format!("ip link set {near} up"),
            format!("nsenter -t {pid} -n ip addr add {far_address}/24 dev far"),
            format!("nsenter -t {pid} -n ip link set far up"),
            format!("nsenter -t {pid} -n ip route add default via {near_address}"),
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
fn tcp_server() -> SocketAddr {
    let listener = TcpListener::bind("10.9.2.2:0").expect("bind");
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

#[test]
fn servers_see_the_client() {
    let unfiltered = [
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
    ];
    in_private_network("servers_see_the_client", &unfiltered, || {
        let clients = Network::joined_by("clients", "10.9.1.1", "10.9.1.2");
        let servers = Network::joined_by("servers", "10.9.2.1", "10.9.2.2");
        // What comes from servers is ours, whoever it is for.
        shell("ip rule add iif servers lookup 100");
        shell("ip route add local default dev lo table 100");
        let tcp = servers.within(tcp_server);
        let udp = servers.within(|| {
            UdpServer::at("10.9.2.2:0".parse().expect("an address"), |_, from| {
                vec![from.ip().to_string().into_bytes()]
            })
        });
        for (source, expected) in [("client", "10.9.1.2"), ("balancer", "10.9.2.1")] {
            let balancer = Balancer::start(
                SLUICE,
                &format!(
                    "[listeners.tcp]\naddress = \"10.9.1.1:<port:tcp>\"\nprotocol = \"tcp\"\nupstream = \"tcp\"\nsource-address = \"{source}\"\n\
                     [listeners.udp]\naddress = \"10.9.1.1:<port:udp>\"\nprotocol = \"udp\"\nupstream = \"udp\"\nsource-address = \"{source}\"\n\
                     [upstreams.tcp]\nservers = [\"{tcp}\"]\n[upstreams.udp]\nservers = [\"{}\"]\n",
                    udp.address()
                ),
            );
            let at = |name| SocketAddr::from(([10, 9, 1, 1], balancer.address(name).port()));
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
    });
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
