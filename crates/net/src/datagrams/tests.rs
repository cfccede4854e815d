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
    at("127.0.0.1:0")
}

fn at(address: &str) -> StdSocket {
    let socket = StdSocket::bind(address).expect("bind");
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
        for (flow, run) in arrivals.iter() {
            all.extend(run.iter().map(|one| (flow, one.to_vec())));
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
        send_as_one(&client, at, &numbered(&[1_000, 1_000, 500]));
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
        let (mut answers, offload) = (Answers::default(), Offload::new().expect("a state"));
        for length in lengths {
            server.send_to(&vec![1; *length], asker).expect("sent");
            assert!(!answers.is_full());
            let received = answers.receive(flow, &near, 1, &offload);
            assert_eq!(received.expect("received").bytes, *length);
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

/// Datagrams of these lengths, each of other bytes, one behind the other.
fn numbered(lengths: &[usize]) -> Vec<Vec<u8>> {
    let numbers = 1..=u8::MAX;
    let all = lengths.iter().zip(numbers);
    all.map(|(length, number)| vec![number; *length]).collect()
}

fn received(socket: &StdSocket, count: usize) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut next = || {
        let length = socket.recv(&mut buffer).expect("received");
        buffer[..length].to_vec()
    };
    (0..count).map(|_| next()).collect()
}

/// Sends all as one.
fn send_as_one(socket: &StdSocket, to: SocketAddr, datagrams: &[Vec<u8>]) {
    let state = UdpSocketState::new(socket.into()).expect("a state");
    let transmit = Transmit {
        destination: to,
        ecn: None,
        contents: &datagrams.concat(),
        segment_size: Some(datagrams[0].len()),
        src_ip: None,
    };
    state.try_send(socket.into(), &transmit).expect("sent");
}

#[test]
fn what_a_client_sends_in_a_row_is_joined() {
    let joined = |lengths: &[usize]| {
        run(async {
            let (datagrams, at) = listener("127.0.0.1:0");
            let client = client();
            let sent = numbered(lengths);
            for one in &sent {
                client.send_to(one, at).expect("sent");
            }
            let (mut arrivals, offload) = (Arrivals::default(), Offload::new().expect("a state"));
            let (mut all, mut runs) = (Vec::new(), Vec::new());
            while all.len() < sent.len() {
                poll_fn(|cx| datagrams.poll_receive(cx, &mut arrivals))
                    .await
                    .expect("received");
                arrivals.join(&offload);
                for (flow, run) in arrivals.iter() {
                    assert_eq!(Some(flow.client()), client.local_addr().ok());
                    runs.push(run.len());
                    all.extend(run.iter().map(<[u8]>::to_vec));
                }
            }
            assert!(all == sent, "{lengths:?}: other bytes, or in another order");
            runs
        })
    };
    assert_eq!(joined(&[1_200; 8]), [8]);
    assert_eq!(joined(&[1_200, 1_200, 300, 300, 1_200]), [3, 1, 1]);
    assert_eq!(joined(&[3, 0, 0, 3, 3]), [1, 1, 1, 2]);
    assert_eq!(joined(&[2_000, 2_000]), [1, 1], "too long for a frame");
}

#[test]
fn what_two_clients_send_stays_apart() {
    run(async {
        let (datagrams, at) = listener("127.0.0.1:0");
        let clients = [client(), client()];
        for (number, client) in [0, 0, 1, 1, 0].map(|index| (index, &clients[index])) {
            let byte = u8::try_from(number).expect("few");
            client.send_to(&[byte; 100], at).expect("sent");
        }
        let mut arrivals = Arrivals::default();
        poll_fn(|cx| datagrams.poll_receive(cx, &mut arrivals))
            .await
            .expect("received");
        arrivals.join(&Offload::new().expect("a state"));
        let all: Vec<_> = arrivals
            .iter()
            .map(|(flow, run)| (Some(flow.client()), run.len(), run.bytes()[0]))
            .collect();
        let [first, second] = clients.map(|client| client.local_addr().ok());
        assert_eq!(all, [(first, 2, 0), (second, 2, 1), (first, 1, 0)]);
    });
}

/// How many went with each system call that a server was sent these by.
fn sent_to_server(address: &str, lengths: &[usize]) -> Vec<usize> {
    let server = at(address);
    let near = ServerSocket::connect(server.local_addr().expect("an address"), Source::Any)
        .expect("connect");
    let offload = Offload::new().expect("a state");
    let sent = numbered(lengths);
    let bytes = sent.concat();
    let mut run = Run::new(&bytes, lengths[0]);
    let mut calls = Vec::new();
    while !run.is_empty() {
        let count = near.send_run(&run, &offload).expect("sent");
        assert_eq!(run.take_first(count).len(), count);
        calls.push(count);
    }
    assert!(received(&server, sent.len()) == sent, "{address}");
    calls
}

#[test]
fn a_run_goes_to_a_server_by_one_call() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        assert_eq!(sent_to_server(address, &[1_200; 8]), [8]);
        assert_eq!(sent_to_server(address, &[1_200, 1_200, 7]), [3]);
        assert_eq!(sent_to_server(address, &[0]), [1]);
        assert_eq!(sent_to_server(address, &[9; 70]), [64, 6]);
        assert_eq!(sent_to_server(address, &[2_000; 3]), [1, 1, 1]);
    }
}

#[test]
fn a_run_that_meets_nobody_is_not_sent() {
    let deaf = client();
    let gone = deaf.local_addr().expect("an address");
    deaf.connect(gone).expect("connect");
    run(async {
        let near = ServerSocket::connect(gone, Source::Any).expect("connecting asks nobody");
        let offload = Offload::new().expect("a state");
        let run = Run::new(&[1; 300], 100);
        assert_eq!(near.send_run(&run, &offload).expect("sent"), 3);
        let mut set = ReadySet::new().expect("a set");
        set.add(&near, 42).expect("watched");
        poll_fn(|cx| set.poll(cx)).await.expect("an event");
        let error = near.send_run(&run, &offload).expect_err("told");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn what_a_server_sends_at_once_is_received_at_once() {
    for (address, client) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        run(async {
            let (datagrams, asked) = listener(address);
            let client = at(client);
            client.send_to(b"?", asked).expect("sent");
            let flow = receive(&datagrams, 1).await[0].0;
            let server = at(address);
            let near = ServerSocket::connect(server.local_addr().expect("an address"), Source::Any)
                .expect("connect");
            near.send(b"?").expect("sent");
            let (_, asker) = server.recv_from(&mut [0; 9]).expect("asked");
            let (mut answers, offload) = (Answers::default(), Offload::new().expect("a state"));

            // One by one, by one call.
            let sent = numbered(&[900, 900, 900, 20, 0, 1_400, 60_000, 5]);
            for one in &sent {
                server.send_to(one, asker).expect("sent");
            }
            let expected = Received {
                arrivals: sent.len(),
                datagrams: sent.len(),
                bytes: sent.iter().map(Vec::len).sum(),
                is_full: false,
            };
            let got = answers.receive(flow, &near, 9, &offload);
            assert_eq!(got.expect("received"), expected);
            assert_eq!(datagrams.send(&mut answers), 0);
            assert!(received(&client, sent.len()) == sent);

            // As one: since there were several before, it is received as one.
            let sent = numbered(&[1_000, 1_000, 1_000, 1_000, 1_000, 30]);
            send_as_one(&server, asker, &sent);
            let got = answers.receive(flow, &near, 1, &offload);
            let expected = Received {
                arrivals: 1,
                datagrams: sent.len(),
                bytes: 5_030,
                is_full: true,
            };
            assert_eq!(got.expect("received"), expected);
            assert_eq!(datagrams.send(&mut answers), 0);
            assert!(received(&client, sent.len()) == sent);
            let nothing = answers.receive(flow, &near, 1, &offload);
            let error = nothing.expect_err("nothing");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        });
    }
}
