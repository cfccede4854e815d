//! Bursts of datagrams through the real binary: as one system call where the kernel takes them so, one by one where it does not, and the
//! same datagrams in the same order either way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use testkit::{Balancer, Signal, UdpClient, UdpServer, in_private_network, run, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn balancer(address: &str, server: &UdpServer) -> Balancer {
    let text = format!(
        "[listeners.udp]\naddress = \"{address}:<port:udp>\"\nprotocol = \"udp\"\nreceive-buffer = \"1MiB\"\n\
         [upstreams.app]\nservers = [\"{}\"]\n[runtime]\nworkers = 1\n",
        server.address()
    );
    Balancer::start(SLUICE, &text)
}

/// An echo, on the machine itself.
fn echo(ip: IpAddr) -> UdpServer {
    let address = SocketAddr::new(ip, testkit::free_port());
    UdpServer::at(address, |datagram, _| vec![datagram.to_vec()])
}

/// Datagrams of these lengths, each of other bytes.
fn numbered(lengths: &[usize]) -> Vec<Vec<u8>> {
    let numbers = 1..=u8::MAX;
    let all = lengths.iter().zip(numbers);
    all.map(|(length, number)| vec![number; *length]).collect()
}

/// Sends them while the balancer stands still, so that it finds all of them at once.
fn send_at_once(balancer: &Balancer, client: &UdpClient, datagrams: &[Vec<u8>]) {
    balancer.signal(Signal::STOP);
    wait_until("it to stand still", || stands_still(balancer.pid()));
    for datagram in datagrams {
        client.send(datagram);
    }
    balancer.signal(Signal::CONT);
}

/// Whether all threads of a process are stopped.
fn stands_still(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    threads.flatten().all(|thread| {
        let state = std::fs::read_to_string(thread.path().join("stat"));
        state.is_ok_and(|text| {
            text.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('T'))
        })
    })
}

/// Lengths of bursts: alike, with a shorter one behind, with others between, with empty ones, and too long for a frame.
const BURSTS: [&[usize]; 6] = [
    &[1_200; 8],
    &[1_200, 1_200, 1_200, 17],
    &[1_200, 500, 500, 1_200, 1, 1_200],
    &[5, 0, 0, 5, 5, 0],
    &[1_453, 1_453, 9_000, 9_000, 1_452, 1_452],
    &[40; 100],
];

fn come_back_as_they_went(address: &str, near: IpAddr) {
    let server = echo(near);
    let balancer = balancer(address, &server);
    let asked = SocketAddr::new(near, balancer.address("udp").port());
    let client = UdpClient::new(asked);
    assert_eq!(client.ask("hello"), "hello");
    let mut count = 1;
    for lengths in BURSTS {
        let datagrams = numbered(lengths);
        send_at_once(&balancer, &client, &datagrams);
        for (number, datagram) in datagrams.iter().enumerate() {
            let answer = client.receive();
            assert!(answer == *datagram, "{asked}: {number} of {lengths:?}");
        }
        count += lengths.len();
    }
    // The last of them is counted when it was sent, and may be here before.
    balancer.wait_for_counts(&[
        ("sluice_udp_datagrams_received_total", &[], count),
        ("sluice_udp_datagrams_sent_total", &[], count),
        ("sluice_udp_datagrams_dropped_total", &[], 0),
    ]);
}

#[test]
fn bursts_come_back_as_they_went() {
    for address in ["127.0.0.1", "0.0.0.0", ""] {
        come_back_as_they_went(address, Ipv4Addr::LOCALHOST.into());
    }
    for address in ["[::1]", ""] {
        come_back_as_they_went(address, Ipv6Addr::LOCALHOST.into());
    }
}

#[test]
fn a_way_too_narrow_for_a_burst_gets_it_one_by_one() {
    in_private_network(
        "a_way_too_narrow_for_a_burst_gets_it_one_by_one",
        &[],
        || {
            let narrow = run("ip", &["link", "set", "lo", "mtu", "1280"]);
            assert_eq!(narrow.code(), 0, "{}", narrow.stderr);
            come_back_as_they_went("127.0.0.1", Ipv4Addr::LOCALHOST.into());
            come_back_as_they_went("[::1]", Ipv6Addr::LOCALHOST.into());
        },
    );
}

#[test]
fn a_burst_goes_to_its_server_as_one() {
    in_private_network("a_burst_goes_to_its_server_as_one", &[], || {
        for (listen, near) in [
            ("127.0.0.1", IpAddr::from(Ipv4Addr::LOCALHOST)),
            ("[::1]", IpAddr::from(Ipv6Addr::LOCALHOST)),
        ] {
            let address = SocketAddr::new(near, testkit::free_port());
            let server = UdpServer::at(address, |datagram, _| {
                let is_greeting = datagram == b"hello";
                is_greeting.then(|| datagram.to_vec()).into_iter().collect()
            });
            let balancer = balancer(listen, &server);
            let asked = SocketAddr::new(near, balancer.address("udp").port());
            let client = UdpClient::new(asked);
            let start = sent_by_all(near);
            assert_eq!(client.ask("hello"), "hello");
            // The kernel counts a datagram when it has arrived: whoever has the answer may be ahead of the counter.
            wait_until("the greeting counted", || sent_by_all(near) - start == 4);
            send_at_once(&balancer, &client, &numbered(&[1_200; 8]));
            wait_until("all to arrive", || server.received() == 9);
            wait_until("all to be counted", || sent_by_all(near) - start >= 4 + 9);
            assert_eq!(sent_by_all(near) - start, 4 + 8 + 1, "{near}");
        }
    });
}

/// Datagrams sent in this network, those that went as one counted as one.
fn sent_by_all(near: IpAddr) -> u64 {
    if near.is_ipv6() {
        let text = std::fs::read_to_string("/proc/self/net/snmp6").expect("counters");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Udp6OutDatagrams"));
        return line.expect("a counter").trim().parse().expect("a number");
    }
    let text = std::fs::read_to_string("/proc/self/net/snmp").expect("counters");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let mut words = || lines.next().expect("a line").split(' ');
    let names = words().zip(words());
    let found = names.into_iter().find(|(name, _)| *name == "OutDatagrams");
    found.expect("a counter").1.parse().expect("a number")
}
