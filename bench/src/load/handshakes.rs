//! Clients that connect, shake hands, ask once and close, again and again.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustls::ClientConfig;
use rustls::client::Resumption;

use super::answer::{Answer, Progress, Reader};
use super::ciphered::{self, Ciphered};
use super::connects::source;
use super::flow::Flow;
use super::poll::{EDGES, EventFlags, Poll};
use super::socket::{self, Moved};
use super::{Clients, Tally, requests};

/// A fixed number of connections under way at any time.
pub(crate) struct HandshakeClients {
    to: SocketAddr,
    kind: Handshake,
    slots: Vec<Slot>,
    heads: Vec<Vec<u8>>,
    body_length: usize,
    reader: Reader,
    opened: u32,
    completed: u64,
}

/// What handshakes are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// Each a session of its own.
    Full,
    /// Each but the first of a client goes on with the session before, by a ticket.
    Resumed,
}

/// One client, with one connection after the other.
struct Slot {
    offer: Arc<ClientConfig>,
    flow: Option<Flow>,
    asked: bool,
    answer: Answer,
    /// Whether it has been answered before, and so holds a ticket.
    known: bool,
}

impl HandshakeClients {
    /// `count` clients of `to`, which ask for `path`.
    pub(crate) fn new(
        to: SocketAddr,
        kind: Handshake,
        count: usize,
        path: &str,
        body_length: usize,
    ) -> anyhow::Result<Self> {
        let slots = (0..count)
            .map(|_| {
                let mut offer = ciphered::offer(&["http/1.1"])?;
                if kind == Handshake::Resumed {
                    offer.resumption = Resumption::in_memory_sessions(SESSIONS);
                }
                Ok(Slot {
                    offer: Arc::new(offer),
                    flow: None,
                    asked: false,
                    answer: Answer::default(),
                    known: false,
                })
            })
            .collect::<Result<_, rustls::Error>>()?;
        Ok(Self {
            to,
            kind,
            slots,
            heads: requests::browser_like(path, ciphered::HOST),
            body_length,
            reader: Reader::default(),
            opened: 0,
            completed: 0,
        })
    }

    /// Opens the next connection of the client at `index`, whose last one is closed by that.
    fn open(&mut self, index: usize, poll: &Poll) -> io::Result<()> {
        let slot = &mut self.slots[index];
        // Closed before the next one opens, so that the number of descriptors stays the same.
        slot.flow = None;
        let socket = socket::begin_connect(source(self.opened), self.to)?;
        self.opened += 1;
        poll.add(socket.as_fd(), index as u64, EDGES)?;
        let ciphered = Ciphered::new(socket, Arc::clone(&slot.offer))?;
        slot.flow = Some(Flow::Ciphered(Box::new(ciphered)));
        slot.asked = false;
        slot.answer = Answer::default();
        Ok(())
    }

    fn renew(&mut self, index: usize, poll: &Poll, tally: &Tally) {
        if self.open(index, poll).is_err() {
            tally.fail("a connection could not be opened");
        }
    }
}

impl Clients for HandshakeClients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        (0..self.slots.len()).try_for_each(|index| self.open(index, poll))
    }

    fn ready(&mut self, token: u64, _: EventFlags, poll: &Poll, tally: &Tally) {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let head = &self.heads[index % self.heads.len()];
        match slot.advance(self.kind, head, &mut self.reader, self.body_length) {
            Progress::Waiting => {}
            Progress::Complete => {
                self.completed += 1;
                self.renew(index, poll, tally);
            }
            Progress::Failed(why) => {
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
            if self.slots[index].flow.is_none() {
                self.renew(index, poll, tally);
            }
        }
    }
}

impl Slot {
    /// Complete when the handshake is done, the request answered and the connection closed.
    fn advance(
        &mut self,
        kind: Handshake,
        head: &[u8],
        reader: &mut Reader,
        body_length: usize,
    ) -> Progress {
        let Some(flow) = &mut self.flow else {
            return Progress::Waiting;
        };
        if let Some(session) = flow.session().filter(|_| !self.asked) {
            match session.advance() {
                Ok(true) => {}
                Ok(false) => return Progress::Waiting,
                Err(_) => return Progress::Failed("a handshake failed"),
            }
            let resumed = session.resumed() == Some(true);
            if resumed != (kind == Handshake::Resumed && self.known) {
                return Progress::Failed("a handshake was not of the kind that it was to be");
            }
            if session.send(head) != Moved::Bytes(head.len()) {
                return Progress::Failed("a request could not be sent");
            }
            self.asked = true;
        }
        let progress = self.answer.advance(flow, reader, body_length);
        if matches!(progress, Progress::Complete) {
            self.known = true;
            if let Some(session) = flow.session() {
                session.close();
            }
        }
        progress
    }
}

/// Servers whose tickets a client keeps; there is one.
const SESSIONS: usize = 1;
