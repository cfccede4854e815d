//! UDP: clients that send and wait for the echo, again and again, with the servers that echo.
//!
//! `single` is a datagram at a time, `burst` several by one system call; what is the same for both stands here.

mod burst;
mod single;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;

use super::poll::{EventFlags, Poll};
use super::{Clients, Tally};

pub(crate) use burst::Burst;
pub(crate) use single::Single;

/// A fixed number of clients, each with one volley under way.
pub(crate) struct EchoClients<V: Volley> {
    to: SocketAddr,
    count: usize,
    clients: Vec<V>,
    addresses: Vec<SocketAddr>,
    servers: Vec<V>,
    space: V::Space,
    completed: u64,
}

/// A socket, and what a client sends by it at once.
pub(crate) trait Volley: AsFd + Sized + Send + 'static {
    /// What is received into.
    type Space: Default + Send;

    /// A socket of a client of `to`.
    fn client(to: SocketAddr) -> io::Result<Self>;
    /// A server's socket.
    fn server(at: SocketAddr) -> io::Result<Self>;
    /// Sends a volley, of which nothing has come back then.
    fn send(&mut self) -> io::Result<()>;
    /// Takes what has come back: how many datagrams that are. `InvalidData` where one is not what was sent.
    fn receive(&mut self, space: &mut Self::Space) -> io::Result<usize>;
    /// Whether all of the last volley has come back.
    fn is_whole(&self) -> bool;
    /// Sends back whatever has come to a server.
    fn echo(&self, space: &mut Self::Space);
}

impl<V: Volley> EchoClients<V> {
    /// Clients of the proxy at `to`, with servers at `addresses`.
    pub(crate) fn new(to: SocketAddr, addresses: &[SocketAddr], count: usize) -> Self {
        Self {
            to,
            count,
            clients: Vec::new(),
            addresses: addresses.to_vec(),
            servers: Vec::new(),
            space: V::Space::default(),
            completed: 0,
        }
    }
}

impl<V: Volley> Clients for EchoClients<V> {
    fn prepare(&mut self, poll: &Poll) -> io::Result<()> {
        for (index, address) in self.addresses.iter().enumerate() {
            let server = V::server(*address)?;
            poll.add(&server, SERVER + index as u64, EventFlags::IN)?;
            self.servers.push(server);
        }
        Ok(())
    }

    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        for index in 0..self.count {
            let mut client = V::client(self.to)?;
            poll.add(&client, index as u64, EventFlags::IN)?;
            client.send()?;
            self.clients.push(client);
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, _: EventFlags, _: &Poll, tally: &Tally) {
        let index = |token| usize::try_from(token).unwrap_or(usize::MAX);
        if let Some(server) = token.checked_sub(SERVER) {
            if let Some(server) = self.servers.get(index(server)) {
                server.echo(&mut self.space);
            }
            return;
        }
        let Some(client) = self.clients.get_mut(index(token)) else {
            return;
        };
        match client.receive(&mut self.space) {
            Ok(count) => {
                self.completed += count as u64;
                if !client.is_whole() {
                    return;
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return,
                io::ErrorKind::InvalidData => {
                    tally.fail("a datagram came back with another length");
                }
                _ => tally.fail("a client was refused"),
            },
        }
        if client.send().is_err() {
            tally.fail("a datagram could not be sent");
        }
    }

    fn turn(&mut self, _: &Poll, tally: &Tally) {
        let completed = std::mem::take(&mut self.completed);
        tally.completed.fetch_add(completed, Relaxed);
    }
}

/// Tokens of servers begin here.
const SERVER: u64 = 1 << 20;
