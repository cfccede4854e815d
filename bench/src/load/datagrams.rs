//! Clients that send a datagram and wait for its echo, again and again, with the servers that echo.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;

use super::poll::{EventFlags, Poll};
use super::{Clients, Tally};

/// A fixed number of clients, each with one datagram under way.
pub(crate) struct DatagramClients {
    to: SocketAddr,
    count: usize,
    clients: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    servers: Vec<UdpSocket>,
    completed: u64,
}

impl DatagramClients {
    /// Clients of the proxy at `to`, with servers at `addresses`.
    pub(crate) fn new(to: SocketAddr, addresses: &[SocketAddr], count: usize) -> Self {
        Self {
            to,
            count,
            clients: Vec::new(),
            addresses: addresses.to_vec(),
            servers: Vec::new(),
            completed: 0,
        }
    }

    fn echo(&self, index: usize) {
        let Some(server) = self.servers.get(index) else {
            return;
        };
        let mut datagram = [0; LENGTH];
        while let Ok((length, from)) = server.recv_from(&mut datagram) {
            // What is lost shows as a client that gets no answer.
            let _ = server.send_to(&datagram[..length], from);
        }
    }
}

impl Clients for DatagramClients {
    fn prepare(&mut self, poll: &Poll) -> io::Result<()> {
        for (index, address) in self.addresses.iter().enumerate() {
            let server = UdpSocket::bind(address)?;
            server.set_nonblocking(true)?;
            poll.add(&server, SERVER + index as u64, EventFlags::IN)?;
            self.servers.push(server);
        }
        Ok(())
    }

    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        for index in 0..self.count {
            let client = UdpSocket::bind("127.0.0.1:0")?;
            client.connect(self.to)?;
            client.set_nonblocking(true)?;
            poll.add(&client, index as u64, EventFlags::IN)?;
            client.send(&[b'x'; LENGTH])?;
            self.clients.push(client);
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, _: EventFlags, _: &Poll, tally: &Tally) {
        if let Some(server) = token.checked_sub(SERVER) {
            return self.echo(usize::try_from(server).unwrap_or(usize::MAX));
        }
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(client) = self.clients.get(index) else {
            return;
        };
        match client.recv(&mut [0; LENGTH]) {
            Ok(LENGTH) => self.completed += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) => tally.fail("a datagram came back with another length"),
            Err(_) => tally.fail("a client was refused"),
        }
        if client.send(&[b'x'; LENGTH]).is_err() {
            tally.fail("a datagram could not be sent");
        }
    }

    fn turn(&mut self, _: &Poll, tally: &Tally) {
        let completed = std::mem::take(&mut self.completed);
        tally.completed.fetch_add(completed, Relaxed);
    }
}

/// A voice packet's size, about.
const LENGTH: usize = 128;
/// Tokens of servers begin here.
const SERVER: u64 = 1 << 20;
