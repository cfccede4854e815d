//! HTTP clients on keep-alive connections, closed or open loop.
//!
//! *Closed*: each connection sends its next request when the answer to the
//! last one is whole. *Open*: requests are due at a fixed rate whatever the
//! proxy does; one that finds every connection taken waits, and its latency
//! counts from when it was due, so that a stall is not hidden by the load
//! having stalled too (coordinated omission).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use memchr::memmem::Finder;

use super::poll::{EDGES, EventFlags, Poll};
use super::socket::{self, Moved};
use super::{Clients, Tally, requests};

/// Clients of one load thread.
pub(crate) struct HttpClients {
    to: SocketAddr,
    heads: Vec<Vec<u8>>,
    body_length: usize,
    connections: Vec<Connection>,
    count: usize,
    pace: Option<Pace>,
    reader: Reader,
    completed: u64,
    bytes: u64,
}

struct Connection {
    socket: OwnedFd,
    head: usize,
    answer: Answer,
    due: Instant,
}

/// How far the answer a connection waits for has come.
#[derive(Default)]
struct Answer {
    /// A head that is not yet whole.
    partial: Vec<u8>,
    /// Bytes of the body still to come, once the head is there.
    remaining: usize,
}

struct Reader {
    scratch: Vec<u8>,
    head_end: Finder<'static>,
}

/// When requests are due in the open loop, and how long they took.
struct Pace {
    interval: Duration,
    next: Instant,
    free: Vec<usize>,
    waiting: VecDeque<Instant>,
    latencies: Histogram<u64>,
}

enum Progress {
    Waiting,
    Complete,
    Failed(&'static str),
}

impl HttpClients {
    /// `count` connections to `to` that ask for `path` as fast as they are answered.
    pub(crate) fn closed(to: SocketAddr, count: usize, path: &str, body_length: usize) -> Self {
        Self {
            to,
            heads: requests::browser_like(path, "shop.example.com"),
            body_length,
            connections: Vec::new(),
            count,
            pace: None,
            reader: Reader {
                scratch: vec![0; SCRATCH],
                head_end: Finder::new(b"\r\n\r\n"),
            },
            completed: 0,
            bytes: 0,
        }
    }

    /// The same at `rate` requests per second.
    pub(crate) fn open(
        to: SocketAddr,
        count: usize,
        path: &str,
        body_length: usize,
        rate: f64,
    ) -> anyhow::Result<Self> {
        let pace = Pace {
            interval: Duration::from_secs_f64(1.0 / rate),
            next: Instant::now(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            latencies: Histogram::new_with_bounds(1, LONGEST.as_nanos().try_into()?, 3)?,
        };
        Ok(Self {
            pace: Some(pace),
            ..Self::closed(to, count, path, body_length)
        })
    }

    /// Nanoseconds from due to answered, of the open loop.
    pub(crate) fn latencies(&self) -> Option<&Histogram<u64>> {
        self.pace.as_ref().map(|pace| &pace.latencies)
    }

    fn send(&mut self, index: usize, poll: &Poll, tally: &Tally) {
        let connection = &mut self.connections[index];
        let head = &self.heads[connection.head];
        if socket::send(&connection.socket, head) != Moved::Bytes(head.len()) {
            tally.fail("a request could not be sent");
            self.reopen(index, poll, tally);
        }
    }

    /// Puts a fresh connection in the place of a failed one and, in the closed loop, goes on with it.
    fn reopen(&mut self, index: usize, poll: &Poll, tally: &Tally) {
        let connection = &mut self.connections[index];
        let fresh = socket::connect(self.to).and_then(|socket| {
            poll.add(&socket, index as u64, EDGES)?;
            Ok(socket)
        });
        let Ok(socket) = fresh else {
            tally.fail("a connection could not be opened");
            return;
        };
        connection.socket = socket;
        connection.answer = Answer::default();
        if let Some(pace) = &mut self.pace {
            pace.free.push(index);
            return;
        }
        let head = &self.heads[connection.head];
        if socket::send(&connection.socket, head) != Moved::Bytes(head.len()) {
            tally.fail("a request could not be sent");
        }
    }
}

impl Clients for HttpClients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        let now = Instant::now();
        for index in 0..self.count {
            let socket = socket::connect(self.to)?;
            let head = index % self.heads.len();
            let connection = Connection {
                socket,
                head,
                answer: Answer::default(),
                due: now,
            };
            if self.pace.is_none() {
                socket::send(&connection.socket, &self.heads[head]);
            }
            poll.add(&connection.socket, index as u64, EDGES)?;
            self.connections.push(connection);
        }
        if let Some(pace) = &mut self.pace {
            pace.free = (0..self.count).collect();
            pace.next = Instant::now();
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, flags: EventFlags, poll: &Poll, tally: &Tally) {
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return;
        }
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        match connection
            .answer
            .advance(&connection.socket, &mut self.reader, self.body_length)
        {
            Progress::Waiting => {}
            Progress::Complete => {
                self.completed += 1;
                self.bytes += self.body_length as u64;
                let Some(pace) = &mut self.pace else {
                    return self.send(index, poll, tally);
                };
                if tally.measuring.load(Relaxed) {
                    pace.record(connection.due.elapsed());
                }
                if let Some(due) = pace.waiting.pop_front() {
                    connection.due = due;
                    self.send(index, poll, tally);
                } else {
                    pace.free.push(index);
                }
            }
            Progress::Failed(why) => {
                tally.fail(why);
                self.reopen(index, poll, tally);
            }
        }
    }

    fn turn(&mut self, poll: &Poll, tally: &Tally) {
        tally
            .bytes
            .fetch_add(std::mem::take(&mut self.bytes), Relaxed);
        tally
            .completed
            .fetch_add(std::mem::take(&mut self.completed), Relaxed);
        let Some(pace) = &mut self.pace else { return };
        let now = Instant::now();
        let mut send = Vec::new();
        while pace.next <= now {
            let due = pace.next;
            pace.next += pace.interval;
            match pace.free.pop() {
                Some(index) => {
                    self.connections[index].due = due;
                    send.push(index);
                }
                None => pace.waiting.push_back(due),
            }
        }
        for index in send {
            self.send(index, poll, tally);
        }
    }
}

impl Answer {
    fn advance(&mut self, socket: &OwnedFd, reader: &mut Reader, body_length: usize) -> Progress {
        loop {
            if self.remaining > 0 {
                match socket::discard(socket, &mut reader.scratch[..self.remaining.min(SCRATCH)]) {
                    Moved::Bytes(0) | Moved::Broken => {
                        return Progress::Failed("the answer's body was cut short");
                    }
                    Moved::WouldBlock => return Progress::Waiting,
                    Moved::Bytes(length) => self.remaining -= length,
                }
                if self.remaining == 0 {
                    return Progress::Complete;
                }
                continue;
            }
            let length = match socket::receive(socket, &mut reader.scratch[..HEAD_READ]) {
                Moved::Bytes(0) => return Progress::Failed("the connection was closed"),
                Moved::Broken => return Progress::Failed("the connection was reset"),
                Moved::WouldBlock => return Progress::Waiting,
                Moved::Bytes(length) => length,
            };
            let mut received = &reader.scratch[..length];
            if !self.partial.is_empty() {
                self.partial.extend_from_slice(received);
                received = &self.partial;
            }
            let Some(end) = reader.head_end.find(received) else {
                if received.len() > HEAD_LIMIT {
                    return Progress::Failed("the answer's head has no end");
                }
                if self.partial.is_empty() {
                    self.partial = received.to_vec();
                }
                return Progress::Waiting;
            };
            if !received.starts_with(b"HTTP/1.1 200 ") {
                return Progress::Failed("the answer is not 200");
            }
            let body = received.len() - end - 4;
            self.partial = Vec::new();
            if body > body_length {
                return Progress::Failed("the answer is longer than it should be");
            }
            self.remaining = body_length - body;
            if self.remaining == 0 {
                return Progress::Complete;
            }
        }
    }
}

impl Pace {
    fn record(&mut self, latency: Duration) {
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(latency);
    }
}

/// What a head is read into; what comes beyond it is body and is not looked at.
const HEAD_READ: usize = 4 * 1024;
const HEAD_LIMIT: usize = 16 * 1024;
const SCRATCH: usize = 256 * 1024;
const LONGEST: Duration = Duration::from_mins(1);
