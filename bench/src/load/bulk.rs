//! Clients that receive without end, to see what moving bytes costs.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;

use super::poll::{EventFlags, Poll};
use super::socket::{self, Moved};
use super::{Clients, Tally};

/// A few connections, each receiving as fast as it can.
pub(crate) struct BulkClients {
    to: SocketAddr,
    count: usize,
    connections: Vec<OwnedFd>,
    scratch: Vec<u8>,
    bytes: u64,
}

impl BulkClients {
    pub(crate) fn new(to: SocketAddr, count: usize) -> Self {
        Self {
            to,
            count,
            connections: Vec::new(),
            scratch: vec![0; SCRATCH],
            bytes: 0,
        }
    }
}

impl Clients for BulkClients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        for index in 0..self.count {
            let socket = socket::connect(self.to)?;
            socket::send(&socket, b"go\n");
            poll.add(&socket, index as u64, EventFlags::IN)?;
            self.connections.push(socket);
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, _: EventFlags, poll: &Poll, tally: &Tally) {
        let Some(connection) = usize::try_from(token)
            .ok()
            .and_then(|index| self.connections.get(index))
        else {
            return;
        };
        match socket::discard(connection, &mut self.scratch) {
            Moved::WouldBlock => {}
            Moved::Bytes(length) if length > 0 => self.bytes += length as u64,
            Moved::Bytes(_) | Moved::Broken => {
                tally.fail("a stream ended before its time");
                // Left open but no longer listened to: a level-triggered end would be told for ever.
                let _ = poll.modify(connection, token, EventFlags::empty());
            }
        }
    }

    fn turn(&mut self, _: &Poll, tally: &Tally) {
        tally
            .bytes
            .fetch_add(std::mem::take(&mut self.bytes), Relaxed);
    }
}

const SCRATCH: usize = 1 << 20;
