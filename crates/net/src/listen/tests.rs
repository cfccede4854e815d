//! Binding, over the kernel's own sockets.

use super::*;

const OPTIONS: ListenOptions = ListenOptions {
    backlog: 16,
    keep_alive: Some(Duration::from_mins(1)),
    receive_buffer: Some(65_536),
    send_buffer: Some(65_536),
    fast_open: Some(8),
    defer_accept: Some(Duration::from_secs(2)),
};

fn local(port: u16) -> BindAddress {
    BindAddress::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn port(bound: &Bound) -> u16 {
    match bound.address() {
        BoundAddress::Ip(address) => address.port(),
        BoundAddress::Unix(_) => panic!("not an IP socket"),
    }
}

#[test]
fn every_worker_has_a_socket_on_the_same_port() {
    let bound = Bound::new(&local(0), &OPTIONS, 3, false).expect("bind");
    let port = port(&bound);
    let sockets = bound.into_sockets();
    assert_eq!(sockets.len(), 3);
    for socket in sockets {
        let address = socket.0.local_addr().expect("bound").as_socket();
        assert_eq!(address.map(|address| address.port()), Some(port));
    }
}

#[test]
fn a_second_listener_on_the_port_is_noticed() {
    let first = Bound::new(&local(0), &OPTIONS, 2, false).expect("bind");
    let error = Bound::new(&local(port(&first)), &OPTIONS, 2, false).expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    Bound::new(&local(port(&first)), &OPTIONS, 2, true).expect("beside our own");
}

#[test]
fn accepted_sockets_inherit_the_options() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    runtime.block_on(async {
        let options = ListenOptions {
            defer_accept: None,
            ..OPTIONS
        };
        let bound =
            Bound::new(&BindAddress::AllInterfaces { port: 0 }, &options, 1, false).expect("bind");
        let port = port(&bound);
        let socket = bound.into_sockets().remove(0);
        let acceptor = Acceptor::new(socket).expect("register");
        let _client = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connect");
        let (stream, peer) = acceptor.accept().await.expect("accept");
        assert!(peer.is_ipv4(), "an IPv4 client is seen as one: {peer}");
        let Socket::Tcp(stream) = stream else {
            panic!("tcp")
        };
        assert!(stream.nodelay().expect("nodelay"));
        assert!(SockRef::from(&stream).keepalive().expect("keepalive"));
    });
}

#[test]
fn a_unix_socket_takes_its_place_when_it_is_used() {
    use std::os::unix::net::UnixStream;

    let path = std::env::temp_dir().join(format!("sluice-listen-{}.sock", std::process::id()));
    let address = BindAddress::Unix(path.clone());
    let bind = |beside_own| Bound::new(&address, &OPTIONS, 2, beside_own);
    drop(bind(false).expect("bind"));
    assert!(!path.exists(), "one that came to nothing leaves nothing");

    let first = bind(false).expect("bind").into_sockets();
    assert_eq!(first.len(), 2);
    UnixStream::connect(&path).expect("it listens");
    let error = bind(false).expect_err("a live socket is kept");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);

    drop(bind(true).expect("beside our own"));
    let client = UnixStream::connect(&path).expect("the first listens on");
    assert_eq!(
        accepted(&first),
        3,
        "the look whether anybody listens is one"
    );
    let second = bind(true).expect("beside our own").into_sockets();
    let later = UnixStream::connect(&path).expect("the second has its place");
    assert_eq!((accepted(&first), accepted(&second)), (0, 1));
    drop((client, later, first, second));

    let third = bind(false).expect("a stale one is replaced").into_sockets();
    drop(third);
    std::fs::remove_file(&path).expect("clean up");
    std::fs::write(&path, "somebody's").expect("write");
    assert!(bind(false).is_err(), "a file is kept");
    std::fs::remove_file(&path).expect("clean up");
}

/// How many connections wait to be accepted.
fn accepted(sockets: &[ListenSocket]) -> usize {
    std::iter::from_fn(|| sockets[0].0.accept().ok()).count()
}
