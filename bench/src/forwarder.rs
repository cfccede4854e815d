//! The floor: a proxy that looks at nothing. Every client connection gets one
//! server connection, and bytes go across by one receive and one send.
//!
//! What it costs is what the kernel costs; no proxy that copies can be much below it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::Result;
use slab::Slab;

use crate::load::poll::{EDGES, Event, EventFlags, Poll};
use crate::load::socket::{self, Moved};

/// Forwards from `listen` to `servers` in turn, on `workers` threads, until it is ended from outside.
pub(crate) fn run(listen: SocketAddr, servers: &[SocketAddr], workers: usize) -> Result<()> {
    anyhow::ensure!(!servers.is_empty(), "nowhere to forward to");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| Forwarder::new(listen, servers)?.serve()))
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a worker panicked"))??;
        }
        Ok(())
    })
}

struct Forwarder<'a> {
    poll: Poll,
    listener: OwnedFd,
    servers: &'a [SocketAddr],
    accepted: usize,
    pairs: Slab<Pair>,
    scratch: Vec<u8>,
}

/// The two sockets of a connection; index 0 is the client's.
struct Pair {
    sockets: [OwnedFd; 2],
    /// Bytes that the socket of the same index would not take.
    unsent: [Vec<u8>; 2],
    /// Whether the socket of the same index has sent all it will.
    ended: [bool; 2],
}

impl<'a> Forwarder<'a> {
    fn new(listen: SocketAddr, servers: &'a [SocketAddr]) -> io::Result<Self> {
        let poll = Poll::new()?;
        let listener = socket::listen(listen)?;
        poll.add(&listener, LISTENER, EventFlags::IN)?;
        Ok(Self {
            poll,
            listener,
            servers,
            accepted: 0,
            pairs: Slab::new(),
            scratch: vec![0; SCRATCH],
        })
    }

    fn serve(&mut self) -> Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(512);
        loop {
            self.poll.wait(&mut events, Duration::from_secs(1))?;
            for event in &events {
                let token = event.data.u64();
                if token == LISTENER {
                    self.accept();
                    continue;
                }
                let (index, side) = (usize::try_from(token >> 1)?, usize::from(token & 1 == 1));
                if self
                    .pairs
                    .get_mut(index)
                    .is_some_and(|pair| !pair.ready(side, event.flags, &mut self.scratch))
                {
                    self.pairs.remove(index);
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Some(client) = socket::accept(&self.listener) {
            let server = self.servers[self.accepted % self.servers.len()];
            self.accepted += 1;
            // A server that refuses costs the client its connection: nothing is looked at, nothing is tried again.
            let Ok(server) = socket::connect(server) else {
                continue;
            };
            let entry = self.pairs.vacant_entry();
            let token = (entry.key() as u64) << 1;
            if self.poll.add(&client, token, EDGES).is_ok()
                && self.poll.add(&server, token | 1, EDGES).is_ok()
            {
                entry.insert(Pair {
                    sockets: [client, server],
                    unsent: Default::default(),
                    ended: [false; 2],
                });
            }
        }
    }
}

impl Pair {
    /// False when the pair is done.
    fn ready(&mut self, side: usize, flags: EventFlags, scratch: &mut [u8]) -> bool {
        if flags.intersects(EventFlags::OUT) && !self.unsent[side].is_empty() {
            let Some(stayed) = write(&self.sockets[side], &self.unsent[side]) else {
                return false;
            };
            let left = self.unsent[side].len() - stayed;
            self.unsent[side].drain(..left);
            if stayed == 0 && !self.pump(1 - side, scratch) {
                return false;
            }
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR)
            && !self.pump(side, scratch)
        {
            return false;
        }
        self.ended != [true, true]
    }

    /// Moves what `from` has to the other socket, as long as that takes it.
    fn pump(&mut self, from: usize, scratch: &mut [u8]) -> bool {
        let to = 1 - from;
        while self.unsent[to].is_empty() && !self.ended[from] {
            match socket::receive(&self.sockets[from], scratch) {
                Moved::WouldBlock => return true,
                Moved::Broken => return false,
                Moved::Bytes(0) => {
                    self.ended[from] = true;
                    return rustix::net::shutdown(&self.sockets[to], rustix::net::Shutdown::Write)
                        .is_ok();
                }
                Moved::Bytes(length) => {
                    let Some(stayed) = write(&self.sockets[to], &scratch[..length]) else {
                        return false;
                    };
                    self.unsent[to].extend_from_slice(&scratch[length - stayed..length]);
                    // A short read has emptied the socket, and the next bytes will be told of.
                    if length < scratch.len() {
                        return true;
                    }
                }
            }
        }
        true
    }
}

/// How many of `bytes` the socket would not take; none when it is broken.
fn write(socket: &OwnedFd, bytes: &[u8]) -> Option<usize> {
    match socket::send(socket, bytes) {
        Moved::Bytes(length) => Some(bytes.len() - length),
        Moved::WouldBlock => Some(bytes.len()),
        Moved::Broken => None,
    }
}

const LISTENER: u64 = u64::MAX;
const SCRATCH: usize = 64 * 1024;
