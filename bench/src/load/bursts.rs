//! Clients that send several datagrams at once and wait for all their echoes, again and again, with the servers that echo: both as
//! QUIC does it, a burst by one system call (`UDP_SEGMENT`, `UDP_GRO`).

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};

use super::poll::{EventFlags, Poll};
use super::{Clients, Tally};

/// A fixed number of clients, each with one burst under way.
pub(crate) struct BurstClients {
    to: SocketAddr,
    count: usize,
    clients: Vec<Client>,
    addresses: Vec<SocketAddr>,
    servers: Vec<Socket>,
    received: Received,
    completed: u64,
}

struct Client {
    socket: Socket,
    /// Datagrams of which no echo has come.
    missing: usize,
}

struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Places for what one system call receives.
struct Received {
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl BurstClients {
    /// Clients of the proxy at `to`, with servers at `addresses`.
    pub(crate) fn new(to: SocketAddr, addresses: &[SocketAddr], count: usize) -> Self {
        Self {
            to,
            count,
            clients: Vec::new(),
            addresses: addresses.to_vec(),
            servers: Vec::new(),
            received: Received {
                buffer: vec![0; BATCH_SIZE * PLACE],
                metas: [RecvMeta::default(); BATCH_SIZE],
            },
            completed: 0,
        }
    }

    fn echo(&mut self, index: usize) {
        let Some(server) = self.servers.get(index) else {
            return;
        };
        while let Ok(arrivals) = server.receive(&mut self.received) {
            for (meta, bytes) in arrivals {
                // What is lost shows as a client that gets no answer.
                let _ = server.send(meta.addr, bytes, meta.stride);
            }
        }
    }
}

impl Clients for BurstClients {
    fn prepare(&mut self, poll: &Poll) -> io::Result<()> {
        for (index, address) in self.addresses.iter().enumerate() {
            let server = Socket::at(*address)?;
            poll.add(&server.socket, SERVER + index as u64, EventFlags::IN)?;
            self.servers.push(server);
        }
        Ok(())
    }

    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        for index in 0..self.count {
            let socket = Socket::at((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
            poll.add(&socket.socket, index as u64, EventFlags::IN)?;
            let mut client = Client { socket, missing: 0 };
            client.send(self.to)?;
            self.clients.push(client);
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, _: EventFlags, _: &Poll, tally: &Tally) {
        if let Some(server) = token.checked_sub(SERVER) {
            return self.echo(usize::try_from(server).unwrap_or(usize::MAX));
        }
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        match client.socket.receive(&mut self.received) {
            Ok(arrivals) => {
                for (meta, bytes) in arrivals {
                    if !bytes.len().is_multiple_of(LENGTH) || meta.stride != LENGTH {
                        tally.fail("a datagram came back with another length");
                    }
                    let count = bytes.len() / LENGTH;
                    self.completed += count as u64;
                    client.missing = client.missing.saturating_sub(count);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => tally.fail("a client was refused"),
        }
        if client.missing == 0 && client.send(self.to).is_err() {
            tally.fail("a burst could not be sent");
        }
    }

    fn turn(&mut self, _: &Poll, tally: &Tally) {
        let completed = std::mem::take(&mut self.completed);
        tally.completed.fetch_add(completed, Relaxed);
    }
}

impl Client {
    fn send(&mut self, to: SocketAddr) -> io::Result<()> {
        self.missing = BURST;
        self.socket.send(to, &[b'x'; BURST * LENGTH], LENGTH)
    }
}

impl Socket {
    fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket, state })
    }

    /// Datagrams of `length`, as one; the last may be shorter.
    fn send(&self, to: SocketAddr, bytes: &[u8], length: usize) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: Some(length),
            src_ip: None,
        };
        self.state.try_send((&self.socket).into(), &transmit)
    }

    fn receive<'a>(
        &self,
        received: &'a mut Received,
    ) -> io::Result<impl Iterator<Item = (&'a RecvMeta, &'a [u8])>> {
        let mut places = received.buffer.chunks_mut(PLACE).map(IoSliceMut::new);
        let mut places: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| places.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let socket = (&self.socket).into();
        let count = self.state.recv(socket, &mut places, &mut received.metas)?;
        let metas = received.metas.iter().take(count);
        let arrivals = metas.zip(received.buffer.chunks(PLACE));
        Ok(arrivals.map(|(meta, place)| (meta, place.get(..meta.len).unwrap_or(place))))
    }
}

/// What a client sends at once.
const BURST: usize = 8;
/// A full packet of QUIC or video.
const LENGTH: usize = 1_200;
/// As long as what is merged gets; not a power of two, so that places do not share the same lines of caches.
const PLACE: usize = (1 << 16) + 320;
/// Tokens of servers begin here.
const SERVER: u64 = 1 << 20;
