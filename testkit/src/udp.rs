//! A UDP client and a UDP server.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::ports::free_address;
use crate::wait::DEADLINE;

/// A client on a port of its own.
#[derive(Debug)]
pub struct UdpClient {
    socket: UdpSocket,
}

impl UdpClient {
    /// A client that speaks to `address`, and hears whoever answers.
    #[track_caller]
    pub fn new(address: SocketAddr) -> Self {
        let from = if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
        };
        Self::from(from, address)
    }

    /// A client with this address.
    #[track_caller]
    pub fn from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = UdpSocket::bind((source, 0)).expect("a UDP port");
        // Connected, it hears only who it spoke to: an answer from elsewhere never comes.
        socket.connect(address).expect("an address");
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("a read timeout");
        Self { socket }
    }

    /// Sends one datagram.
    #[track_caller]
    pub fn send(&self, datagram: impl AsRef<[u8]>) {
        self.socket.send(datagram.as_ref()).expect("sending");
    }

    /// The next datagram.
    #[track_caller]
    pub fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0; 1 << 16];
        let count = loop {
            match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                answer => break answer.expect("an answer"),
            }
        };
        buffer.truncate(count);
        buffer
    }

    /// Sends one and waits for the next, as text.
    #[track_caller]
    pub fn ask(&self, datagram: impl AsRef<[u8]>) -> String {
        self.send(datagram);
        String::from_utf8(self.receive()).expect("text")
    }

    /// Sends again and again until there is an answer, as clients of UDP do; as text.
    #[track_caller]
    pub fn ask_until_answered(&self, datagram: impl AsRef<[u8]>) -> String {
        let mut buffer = vec![0; 1 << 16];
        self.socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a read timeout");
        let answer = crate::wait_for("an answer", || {
            // A port that closed may be told of here.
            self.socket.send(datagram.as_ref()).ok()?;
            self.socket.recv(&mut buffer).ok()
        });
        self.socket
            .set_read_timeout(Some(DEADLINE))
            .expect("a read timeout");
        buffer.truncate(answer);
        String::from_utf8(buffer).expect("text")
    }

    /// Its own address.
    pub fn local_address(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }
}

/// A server that answers each datagram as a function says.
#[derive(Debug)]
pub struct UdpServer {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl UdpServer {
    /// Starts a server on 127.0.0.1 that answers `NAME FROM: DATAGRAM`, FROM being who it was asked by.
    pub fn start(name: &str) -> Self {
        let name = name.to_owned();
        Self::answering(move |datagram, from| {
            vec![[format!("{name} {from}: ").as_bytes(), datagram].concat()]
        })
    }

    /// Starts a server that sends back each datagram as it is.
    pub fn echo() -> Self {
        Self::answering(|datagram, _| vec![datagram.to_vec()])
    }

    /// Starts a server that answers each datagram with any number of others.
    pub fn answering(answer: impl Fn(&[u8], SocketAddr) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        // No port that another test could get while this server is dead.
        Self::at(free_address(), answer)
    }

    /// The same at an address.
    pub fn at(
        address: SocketAddr,
        answer: impl Fn(&[u8], SocketAddr) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind(address).expect("a UDP port");
        let address = socket.local_addr().expect("an address");
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a read timeout");
        let received = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (received, is_over) = (Arc::clone(&received), Arc::clone(&is_over));
            move || {
                let mut buffer = vec![0; 1 << 16];
                while !is_over.load(Ordering::SeqCst) {
                    let Ok((count, from)) = socket.recv_from(&mut buffer) else {
                        continue;
                    };
                    received.fetch_add(1, Ordering::SeqCst);
                    for one in answer(&buffer[..count], from) {
                        // Whoever asked may be gone.
                        let _ = socket.send_to(&one, from);
                    }
                }
            }
        });
        Self {
            address,
            received,
            is_over,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many datagrams it has received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Closes its port: the kernel tells whoever sends to it from now on.
    pub fn die(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread");
        }
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
