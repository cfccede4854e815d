use std::io::Write as _;
use std::net::SocketAddr;

use sluice_model::BindAddress;
use sluice_net::listen::{Bound, BoundAddress, ListenOptions};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::rig;

const PATIENCE: Duration = Duration::from_secs(20);

/// A listener of `worker` that answers by itself.
fn listen(worker: &Rc<Worker>) -> (Listening, SocketAddr) {
    let plan = rig::plan(
        "[listeners.web]\naddress = '127.0.0.1:0'\n[[routes]]\nrespond = { body = 'here' }\n",
    );
    let (live, _) = rig::live(&plan, &Endpoints::default(), None, &worker.registry);
    let slot = rig::slot(&live, 0, &worker.registry);
    let options = ListenOptions {
        backlog: 16,
        keep_alive: None,
        receive_buffer: None,
        send_buffer: None,
        fast_open: None,
        defer_accept: None,
    };
    let loopback = BindAddress::Ip(([127, 0, 0, 1], 0).into());
    let bound = Bound::new(&loopback, &options, 1, false).expect("bind");
    let BoundAddress::Ip(address) = *bound.address() else {
        panic!("not an IP address")
    };
    let mut sockets = bound.into_sockets();
    let socket = sockets.pop().expect("a socket");
    (worker.listen(socket, slot).expect("a listener"), address)
}

/// Connects while nothing else gets a turn.
fn connect(address: SocketAddr) -> std::net::TcpStream {
    std::net::TcpStream::connect(address).expect("connect")
}

async fn answer(client: std::net::TcpStream) -> String {
    (&client)
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .expect("send");
    client.set_nonblocking(true).expect("non-blocking");
    let mut client = TcpStream::from_std(client).expect("client");
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer))
        .await
        .expect("an answer in time")
        .expect("an answer");
    answer
}

#[test]
fn who_connects_while_a_socket_closes_is_served() {
    rig::run(async {
        let worker = rig::worker();
        let (listening, address) = listen(&worker);
        let before = connect(address);
        listening.stop_accepting(&worker);
        // The socket is still open here, and the kernel still takes connections for it.
        let meanwhile = connect(address);
        for client in [before, meanwhile] {
            assert!(answer(client).await.ends_with("here"));
        }
    });
}

#[test]
fn who_was_taken_from_the_queue_has_a_moment_for_the_request() {
    rig::run(async {
        let worker = rig::worker();
        let (listening, address) = listen(&worker);
        let client = connect(address);
        listening.close(&worker);
        // Time enough to find that nothing has come yet.
        for _ in 0..10 {
            worker.connections.end_idle_of_closed_listeners();
            tokio::task::yield_now().await;
        }
        let answer = answer(client).await;
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("here"), "{answer}");
    });
}
