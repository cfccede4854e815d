//! Datagrams over real sockets: whole, apart, and from the right address.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::time::Duration;

use quinn_udp::{Transmit, UdpSocketState};
use sluice_model::BindAddress;

use super::*;
use crate::connect::Source;
use crate::listen::{Bound, ListenOptions};

const OPTIONS: ListenOptions = ListenOptions {
    backlog: 16,
    keep_alive: None,
    receive_buffer: Some(1 << 20),
    send_buffer: None,
    fast_open: None,
    defer_accept: None,
};

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(test)
}

fn listener(address: &str) -> (Datagrams, SocketAddr) {
    let address: BindAddress = address.parse().expect("an address");
    let bound = Bound::datagrams(&address, &OPTIONS, 1, false).expect("bind");
    let crate::listen::BoundAddress::Ip(at) = *bound.address() else {
        panic!("no port");
    };
    let socket = bound.into_sockets().pop().expect("one");
    (Datagrams::new(socket).expect("a reactor"), at)
}

fn client() -> StdSocket {
    let socket = StdSocket::bind("127.0.0.1:0").expect("bind");
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).expect("a timeout");
    socket
}

/// Datagrams as they came, until there are `count`.
async fn receive(datagrams: &Datagrams, count: usize) -> Vec<(Flow, Vec<u8>)> {
    let mut arrivals = Arrivals::default();
    let mut all = Vec::new();
    while all.len() < count {
        poll_fn(|cx| datagrams.poll_receive(cx, &mut arrivals))
            .await
            .expect("received");
        for arrival in arrivals.iter() {
            all.extend(arrival.datagrams().map(|one| (arrival.flow, one.to_vec())));
        }
    }
    all
}

#[test]
fn datagrams_stay_whole_and_apart() {
    run(async {
        let (datagrams, at) = listener("127.0.0.1:0");
        let client = client();
        let lengths = [0, 1, 1200, 1200, 1200, 700, 65_507, 0];
        for length in lengths {
            client.send_to(&vec![7; length], at).expect("sent");
        }
        let all = receive(&datagrams, lengths.len()).await;
        let received: Vec<_> = all.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(received, lengths);
        assert!(
            all.iter()
                .all(|(flow, _)| Some(flow.client()) == client.local_addr().ok())
        );
    });
}

#[test]
fn what_was_sent_as_one_run_is_told_apart() {
    run(async {
        let (datagrams, at) = listener("127.0.0.1:0");
        let client = client();
        client.connect(at).expect("connect");
        let state = UdpSocketState::new((&client).into()).expect("a state");
        let transmit = Transmit {
            destination: at,
            ecn: None,
            contents: &[5; 2_500],
            segment_size: Some(1_000),
            src_ip: None,
        };
        state.try_send((&client).into(), &transmit).expect("sent");
        let all = receive(&datagrams, 3).await;
        let lengths: Vec<_> = all.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [1_000, 1_000, 500]);
    });
}

/// What a client gets when a server sends datagrams of these lengths for it.
fn answered(listen: &str, connect: &str, lengths: &[usize]) -> (Vec<usize>, Vec<SocketAddr>) {
    run(async {
        let (datagrams, at) = listener(listen);
        let to = SocketAddr::new(connect.parse().expect("an address"), at.port());
        let client = client();
        client.send_to(b"?", to).expect("sent");
        let flow = receive(&datagrams, 1).await[0].0;
        let server = self::client();
        let near = ServerSocket::connect(server.local_addr().expect("an address"), Source::Any)
            .expect("connect");
        near.send(b"?").expect("sent");
        let (_, asker) = server.recv_from(&mut [0; 9]).expect("asked");
        let mut answers = Answers::default();
        for length in lengths {
            server.send_to(&vec![1; *length], asker).expect("sent");
            assert!(!answers.is_full());
            assert_eq!(answers.receive(flow, &near).expect("received"), *length);
        }
        assert_eq!(datagrams.send(&mut answers), 0);
        assert!(answers.is_empty());
        let mut buffer = vec![0; MAX_DATAGRAM];
        lengths
            .iter()
            .map(|_| client.recv_from(&mut buffer).expect("answered"))
            .unzip()
    })
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0", ":0"] {
        for (lengths, what) in [
            (&[3][..], "one"),
            (&[900, 900, 900, 100], "a run"),
            (&[5, 0, 60_000, 9], "a mixture"),
        ] {
            let (received, from) = answered(listen, "127.0.0.1", lengths);
            assert_eq!(received, lengths, "{listen} {what}");
            assert!(from.iter().all(|from| from.ip().is_loopback()));
        }
    }
    for listen in ["0.0.0.0:0", ":0"] {
        let (_, from) = answered(listen, "127.0.0.2", &[1, 1]);
        let asked = IpAddr::from([127, 0, 0, 2]);
        assert!(
            from.iter().all(|from| from.ip() == asked),
            "{listen}: {from:?}"
        );
    }
}

#[test]
fn nobody_there_is_an_error() {
    run(async {
        // Its port is taken, but it hears itself alone.
        let deaf = client();
        let gone = deaf.local_addr().expect("an address");
        deaf.connect(gone).expect("connect");
        let socket = ServerSocket::connect(gone, Source::Any).expect("connecting asks nobody");
        socket.send(b"?").expect("sent");
        let mut set = ReadySet::new().expect("a set");
        set.add(&socket, 42).expect("watched");
        poll_fn(|cx| set.poll(cx)).await.expect("an event");
        assert_eq!((set.found(0), set.found(1)), (Some(42), None));
        let error = socket.send(b"?").expect_err("told");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}
