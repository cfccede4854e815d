//! Clients that open a connection, have 64 bytes echoed and close it, again
//! and again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;

use super::poll::{EDGES, EventFlags, Poll};
use super::socket::{self, Moved};
use super::{Clients, Tally};

/// A fixed number of connections under way at any time.
pub(crate) struct ConnectClients {
    to: SocketAddr,
    slots: Vec<Slot>,
    count: usize,
    opened: u32,
    completed: u64,
}

struct Slot {
    socket: Option<OwnedFd>,
    sent: bool,
    received: usize,
}

impl ConnectClients {
    pub(crate) fn new(to: SocketAddr, count: usize) -> Self {
        Self {
            to,
            slots: Vec::new(),
            count,
            opened: 0,
            completed: 0,
        }
    }

    fn open(&mut self, index: usize, poll: &Poll) -> io::Result<()> {
        let socket = socket::begin_connect(source(self.opened), self.to)?;
        self.opened += 1;
        poll.add(&socket, index as u64, EDGES)?;
        self.slots[index] = Slot {
            socket: Some(socket),
            sent: false,
            received: 0,
        };
        self.slots[index]
            .advance(EventFlags::OUT)
            .map(drop)
            .map_err(io::Error::other)
    }

    fn renew(&mut self, index: usize, poll: &Poll, tally: &Tally) {
        // Closed before the next one opens, so that the number of descriptors stays the same.
        self.slots[index].socket = None;
        if self.open(index, poll).is_err() {
            tally.fail("a connection could not be opened");
        }
    }
}

impl Clients for ConnectClients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        for index in 0..self.count {
            self.slots.push(Slot {
                socket: None,
                sent: false,
                received: 0,
            });
            self.open(index, poll)?;
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, flags: EventFlags, poll: &Poll, tally: &Tally) {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        match slot.advance(flags) {
            Ok(false) => {}
            Ok(true) => {
                self.completed += 1;
                self.renew(index, poll, tally);
            }
            Err(why) => {
                tally.fail(why);
                self.renew(index, poll, tally);
            }
        }
    }

    fn turn(&mut self, poll: &Poll, tally: &Tally) {
        tally
            .completed
            .fetch_add(std::mem::take(&mut self.completed), Relaxed);
        for index in 0..self.slots.len() {
            if self.slots[index].socket.is_none() {
                self.renew(index, poll, tally);
            }
        }
    }
}

impl Slot {
    /// True when everything sent has come back.
    fn advance(&mut self, flags: EventFlags) -> Result<bool, &'static str> {
        let Some(socket) = &self.socket else {
            return Ok(false);
        };
        if !self.sent && flags.intersects(EventFlags::OUT) {
            match socket::send(socket, &MESSAGE) {
                Moved::Bytes(length) if length == MESSAGE.len() => self.sent = true,
                Moved::WouldBlock => return Ok(false),
                Moved::Bytes(_) | Moved::Broken => {
                    return Err("a connection broke before its first byte");
                }
            }
        }
        if self.sent && flags.intersects(EventFlags::IN) {
            match socket::receive(socket, &mut [0; MESSAGE.len()]) {
                Moved::WouldBlock => {}
                Moved::Bytes(length) if length > 0 => self.received += length,
                Moved::Bytes(_) | Moved::Broken => {
                    return Err("a connection ended before its echo");
                }
            }
        }
        Ok(self.received >= MESSAGE.len())
    }
}

/// The source of the connection with this number: an address and port that was last used millions of connections ago.
pub(super) fn source(number: u32) -> SocketAddr {
    let [_, high, low, address] = (number % (PORTS << 8)).to_be_bytes();
    let port = FIRST_PORT + u16::from_be_bytes([high, low]);
    SocketAddr::from((Ipv4Addr::new(127, 1, 0, address), port))
}

/// Below the ports that the kernel gives out by itself.
const FIRST_PORT: u16 = 12_000;
const PORTS: u32 = 20_000;
const MESSAGE: [u8; 64] = [b'm'; 64];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_all_different_and_below_the_kernels_own() {
        let mut sources: Vec<SocketAddr> = (0..PORTS << 8).step_by(7).map(source).collect();
        let count = sources.len();
        sources.sort();
        sources.dedup();
        assert_eq!(sources.len(), count);
        assert!(
            sources.iter().all(
                |source| (12_000..32_768).contains(&source.port()) && source.ip().is_loopback()
            )
        );
    }
}
