//! Clients of HTTP/3, closed loop: each stream's end is the beginning of the next request.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{ClientConfig, Endpoint, EndpointConfig};

use super::connection::{Connection, Space};
use super::messages;
use crate::load::ciphered::{self, HOST};
use crate::load::poll::{EventFlags, Poll};
use crate::load::{Clients, Tally, requests};

/// Connections with as many requests under way on each, always.
pub(crate) struct H3Clients {
    to: SocketAddr,
    config: ClientConfig,
    requests: Vec<Vec<u8>>,
    body_length: usize,
    count: usize,
    streams: usize,
    endpoint: Endpoint,
    connections: Vec<Connection>,
    space: Space,
    completed: u64,
}

impl H3Clients {
    /// `count` connections to `to` that ask for `path`, with `streams` requests under way on each.
    pub(crate) fn new(
        to: SocketAddr,
        path: &str,
        body_length: usize,
        count: usize,
        streams: usize,
    ) -> anyhow::Result<Self> {
        let crypto = QuicClientConfig::try_from(ciphered::offer(&["h3"])?)?;
        Ok(Self {
            to,
            config: ClientConfig::new(Arc::new(crypto)),
            requests: requests::browser_fields()
                .map(|fields| messages::get(HOST, path, fields))
                .collect(),
            body_length,
            count,
            streams,
            endpoint: Endpoint::new(Arc::new(EndpointConfig::default()), None, true, None),
            connections: Vec::new(),
            space: Space::default(),
            completed: 0,
        })
    }

    fn open(&mut self, index: usize, poll: &Poll) -> io::Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(self.to)?;
        socket.set_nonblocking(true)?;
        poll.add(&socket, index as u64, EventFlags::IN)?;
        let now = Instant::now();
        let quic = self
            .endpoint
            .connect(now, self.config.clone(), self.to, HOST)
            .map_err(io::Error::other)?;
        let request = self.requests[index % self.requests.len()].clone();
        let mut connection = Connection::new(socket, quic, request, self.body_length, self.streams);
        connection
            .drive(now, &mut self.endpoint, &mut self.space)
            .map_err(io::Error::other)?;
        self.connections.push(connection);
        Ok(())
    }

    /// Has the connection at `index` do something, if it still can.
    fn with(
        &mut self,
        index: usize,
        tally: &Tally,
        act: impl FnOnce(&mut Connection, &mut Endpoint, &mut Space) -> Result<u64, &'static str>,
    ) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        if connection.failed {
            return;
        }
        match act(connection, &mut self.endpoint, &mut self.space) {
            Ok(completed) => self.completed += completed,
            Err(why) => {
                // The round does not count any more, so nothing takes its place.
                connection.failed = true;
                tally.fail(why);
            }
        }
    }
}

impl Clients for H3Clients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        (0..self.count).try_for_each(|index| self.open(index, poll))
    }

    fn ready(&mut self, token: u64, _: EventFlags, _: &Poll, tally: &Tally) {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        self.with(index, tally, Connection::receive);
    }

    fn turn(&mut self, _: &Poll, tally: &Tally) {
        let now = Instant::now();
        for index in 0..self.connections.len() {
            if self.connections[index].due.is_some_and(|due| due <= now) {
                self.with(index, tally, |connection, endpoint, space| {
                    connection.wake(now, endpoint, space)
                });
            }
        }
        let completed = std::mem::take(&mut self.completed);
        tally.completed.fetch_add(completed, Relaxed);
    }
}
