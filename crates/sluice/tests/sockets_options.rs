//! The options of the real binary's sockets, read from the sockets themselves: each is duplicated out of the process.
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;
use testkit::{Balancer, EchoServer, RawClient, TcpEchoServer, wait_until};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn start(server: SocketAddr, listener: &str, upstream: &str) -> Balancer {
    Balancer::start(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n{listener}\n[upstreams.app]\nservers = [\"{server}\"]\n{upstream}\n\
             [runtime]\nworkers = 2\n"
        ),
    )
}

#[test]
fn listening_sockets_have_the_options_of_the_file() {
    let server = EchoServer::start("a");
    let options = "backlog = 77\ntcp-keep-alive = \"30s\"\nreceive-buffer = \"64KiB\"\nsend-buffer = \"128KiB\"\nfast-open = 55\ndefer-accept = \"5s\"";
    let balancer = start(server.address(), options, "");
    let sockets = listening(&balancer, balancer.address("web"));
    assert_eq!(sockets.len(), 2, "one for each worker");
    for socket in &sockets {
        assert!(socket.reuse_port().expect("SO_REUSEPORT"));
        assert!(
            socket.tcp_nodelay().expect("TCP_NODELAY"),
            "inherited by what is accepted"
        );
        assert!(socket.keepalive().expect("SO_KEEPALIVE"));
        assert_eq!(
            socket.tcp_keepalive_time().expect("TCP_KEEPIDLE"),
            Duration::from_secs(30)
        );
        // The kernel doubles what it is asked for, for its own book-keeping (socket(7)).
        assert_eq!(socket.recv_buffer_size().expect("SO_RCVBUF"), 2 * 65_536);
        assert_eq!(socket.send_buffer_size().expect("SO_SNDBUF"), 2 * 131_072);
        assert_eq!(option(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN), 55);
        // Rounded up to a number of retransmissions.
        assert!((5..=7).contains(&option(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT)));
        assert_eq!(backlog(socket), 77);
    }
}

#[test]
fn listening_sockets_have_good_defaults() {
    let server = EchoServer::start("a");
    let balancer = start(server.address(), "", "");
    for socket in &listening(&balancer, balancer.address("web")) {
        assert!(socket.tcp_nodelay().expect("TCP_NODELAY"));
        assert_eq!(
            socket.tcp_keepalive_time().expect("TCP_KEEPIDLE"),
            Duration::from_mins(1)
        );
        assert_eq!(option(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN), 0);
        assert_eq!(option(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT), 0);
        let most: i32 = std::fs::read_to_string("/proc/sys/net/core/somaxconn")
            .expect("a limit")
            .trim()
            .parse()
            .expect("a number");
        assert_eq!(backlog(socket), most.min(4096));
    }
}

#[test]
fn keep_alive_can_be_switched_off() {
    let server = EchoServer::start("a");
    let balancer = start(
        server.address(),
        "tcp-keep-alive = \"off\"",
        "tcp-keep-alive = \"off\"",
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    let downstream = connected(&balancer, client.local_address());
    let upstream = connected(&balancer, server.address());
    for socket in downstream.iter().chain(&upstream) {
        assert!(!socket.keepalive().expect("SO_KEEPALIVE"));
    }
}

#[test]
fn connected_sockets_do_not_delay_and_are_kept_alive() {
    let server = EchoServer::start("a");
    let balancer = start(
        server.address(),
        "tcp-keep-alive = \"40s\"",
        "tcp-keep-alive = \"20s\"",
    );
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(GET);
    assert_eq!(client.response("GET").status, 200);
    for (peer, silence) in [(client.local_address(), 40), (server.address(), 20)] {
        let sockets = connected(&balancer, peer);
        assert_eq!(sockets.len(), 1, "towards {peer}");
        assert!(sockets[0].tcp_nodelay().expect("TCP_NODELAY"));
        assert!(sockets[0].keepalive().expect("SO_KEEPALIVE"));
        assert_eq!(
            sockets[0].tcp_keepalive_time().expect("TCP_KEEPIDLE"),
            Duration::from_secs(silence)
        );
    }
}

#[test]
fn source_addresses_are_used_in_turn_and_bound_late() {
    let server = TcpEchoServer::start("in");
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.tcp]\naddress = \"127.0.0.1:<port:tcp>\"\nprotocol = \"tcp\"\n[upstreams.app]\nservers = [\"{}\"]\n\
             source-addresses = [\"127.0.0.2\", \"::1\", \"127.0.0.3\"]\n[runtime]\nworkers = 1\n",
            server.address()
        ),
    );
    let mut clients: Vec<_> = (0..6)
        .map(|_| RawClient::connect(balancer.address("tcp")))
        .collect();
    for client in &mut clients {
        assert_eq!(client.read_exactly(2), b"in");
    }
    let sockets = connected(&balancer, server.address());
    assert_eq!(sockets.len(), 6);
    let from = |last: u8| {
        let source = IpAddr::from([127, 0, 0, last]);
        sockets
            .iter()
            .filter(|socket| local(socket).is_some_and(|address| address.ip() == source))
            .count()
    };
    // The address of the other family cannot reach this server and is passed over.
    assert_eq!(from(2) + from(3), 6);
    assert!(from(2) >= 2 && from(3) >= 2, "{} and {}", from(2), from(3));
    for socket in &sockets {
        assert_eq!(
            option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT),
            1
        );
    }
}

#[test]
fn a_deferred_connection_is_accepted_when_it_speaks() {
    let server = EchoServer::start("a");
    let balancer = start(server.address(), "defer-accept = \"30s\"", "");
    let silent = RawClient::connect(balancer.address("web"));
    let mut speaking = RawClient::connect(balancer.address("web"));
    speaking.send(GET);
    assert_eq!(speaking.response("GET").status, 200);
    let accepted = || {
        balancer
            .metrics()
            .sum("sluice_connections_total", &[("listener", "web")])
    };
    assert_eq!(accepted(), 1.0, "the silent one waits in the kernel");
    let mut speaking = silent;
    speaking.send(GET);
    assert_eq!(speaking.response("GET").status, 200);
    wait_until("the second to be counted", || accepted() == 2.0);
}

/// The balancer's sockets that listen at an address.
fn listening(balancer: &Balancer, address: SocketAddr) -> Vec<Socket> {
    let mut sockets = sockets(balancer);
    sockets.retain(|socket| {
        option(socket, libc::SOL_SOCKET, libc::SO_ACCEPTCONN) == 1 && local(socket) == Some(address)
    });
    sockets
}

/// The balancer's sockets that are connected to an address.
fn connected(balancer: &Balancer, peer: SocketAddr) -> Vec<Socket> {
    let mut sockets = sockets(balancer);
    sockets.retain(|socket| {
        socket
            .peer_addr()
            .ok()
            .and_then(|address| address.as_socket())
            == Some(peer)
    });
    sockets
}

fn local(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}

/// Second handles of all of its sockets.
fn sockets(balancer: &Balancer) -> Vec<Socket> {
    let pid = i32::try_from(balancer.pid())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    let process = pidfd_open(pid, PidfdFlags::empty()).expect("a handle of the process");
    let entries =
        std::fs::read_dir(format!("/proc/{}/fd", balancer.pid())).expect("its descriptors");
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let target = std::fs::read_link(&path).ok()?;
            let number = path.file_name()?.to_str()?.parse().ok()?;
            target.to_str()?.starts_with("socket:").then_some(number)
        })
        // It may have closed one in the meantime.
        .filter_map(|number| pidfd_getfd(process.as_fd(), number, PidfdGetfdFlags::empty()).ok())
        .map(Socket::from)
        .collect()
}

/// The length of a listening socket's queue, as `ss` shows it: a listener reports it where others report bytes to send.
fn backlog(socket: &Socket) -> i32 {
    let mut info = [0_u32; 26];
    let size = option_into(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info);
    // `tcpi_sacked`, the eighth 32-bit word (tcp(7), `struct tcp_info`), is the limit of the accept queue.
    assert!(size >= 32, "{size}");
    i32::try_from(info[7]).expect("a small number")
}

fn option(socket: &Socket, level: i32, name: i32) -> u32 {
    let mut value = [0_u32; 1];
    option_into(socket, level, name, &mut value);
    value[0]
}

/// `getsockopt(2)` for options that the safe wrappers lack. Returns how many bytes were written.
#[expect(unsafe_code, reason = "getsockopt for options no safe wrapper offers")]
fn option_into(socket: &Socket, level: i32, name: i32, value: &mut [u32]) -> usize {
    let mut size = libc::socklen_t::try_from(size_of_val(value)).expect("small");
    // SAFETY: the descriptor is open; `value` is valid for `size` bytes of plain numbers, of which the kernel writes no more.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    assert_eq!(
        result,
        0,
        "option {name}: {}",
        std::io::Error::last_os_error()
    );
    size as usize
}
