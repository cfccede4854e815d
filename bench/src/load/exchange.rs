//! HTTP clients on keep-alive connections, closed or open loop.
//!
//! *Closed*: each connection sends its next request when the answer to the
//! last one is whole. *Open*: requests are due at a fixed rate whatever the
//! proxy does; one that finds every connection taken waits, and its latency
//! counts from when it was due, so that a stall is not hidden by the load
//! having stalled too (coordinated omission).

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::answer::{Answer, Progress, Reader};
use super::flow::{Door, Flow};
use super::poll::{EDGES, EventFlags, Poll};
use super::requests::Heads;
use super::socket::Moved;
use super::{Clients, Tally};

/// Clients of one load thread.
pub(crate) struct HttpClients {
    door: Door,
    heads: Heads,
    body_length: usize,
    connections: Vec<Connection>,
    count: usize,
    pace: Option<Pace>,
    reader: Reader,
    completed: u64,
    bytes: u64,
}

struct Connection {
    flow: Flow,
    head: usize,
    answer: Answer,
    due: Instant,
}

/// When requests are due in the open loop, and how long they took.
struct Pace {
    interval: Duration,
    next: Instant,
    free: Vec<usize>,
    waiting: VecDeque<Instant>,
    latencies: Histogram<u64>,
}

impl HttpClients {
    /// `count` connections by `door` that send `heads` as fast as they are answered.
    pub(crate) fn closed(door: Door, count: usize, heads: Heads, body_length: usize) -> Self {
        Self {
            door,
            heads,
            body_length,
            connections: Vec::new(),
            count,
            pace: None,
            reader: Reader::default(),
            completed: 0,
            bytes: 0,
        }
    }

    /// The same at `rate` requests per second.
    pub(crate) fn open(
        door: Door,
        count: usize,
        heads: Heads,
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
            ..Self::closed(door, count, heads, body_length)
        })
    }

    /// Nanoseconds from due to answered, of the open loop.
    pub(crate) fn latencies(&self) -> Option<&Histogram<u64>> {
        self.pace.as_ref().map(|pace| &pace.latencies)
    }

    fn send(&mut self, index: usize, poll: &Poll, tally: &Tally) {
        let connection = &mut self.connections[index];
        connection.head = self.heads.after(connection.head);
        let head = self.heads.get(connection.head);
        if connection.flow.send(head) != Moved::Bytes(head.len()) {
            tally.fail("a request could not be sent");
            self.reopen(index, poll, tally);
        }
    }

    /// From its first answer on, a client brings the cookie that it got with that.
    #[cold]
    fn keep_cookie(&mut self, index: usize, tally: &Tally) {
        let connection = &mut self.connections[index];
        match connection.answer.take_cookie() {
            Some(cookie) => {
                connection.head = self.heads.add_with_cookie(connection.head, &cookie);
            }
            None => tally.fail("the first answer sets no cookie"),
        }
    }

    /// Puts a fresh connection in the place of a failed one and, in the closed loop, goes on with it.
    fn reopen(&mut self, index: usize, poll: &Poll, tally: &Tally) {
        let connection = &mut self.connections[index];
        let fresh = self.door.open().and_then(|flow| {
            poll.add(&flow, index as u64, EDGES)?;
            Ok(flow)
        });
        let Ok(flow) = fresh else {
            tally.fail("a connection could not be opened");
            return;
        };
        connection.flow = flow;
        connection.answer = Answer::default();
        if let Some(pace) = &mut self.pace {
            pace.free.push(index);
            return;
        }
        let head = self.heads.get(connection.head);
        if connection.flow.send(head) != Moved::Bytes(head.len()) {
            tally.fail("a request could not be sent");
        }
    }
}

impl Clients for HttpClients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        let now = Instant::now();
        for index in 0..self.count {
            let flow = self.door.open()?;
            let head = self.heads.first(index);
            let mut connection = Connection {
                flow,
                head,
                answer: if self.heads.keeps_cookie {
                    Answer::with_cookie()
                } else {
                    Answer::default()
                },
                due: now,
            };
            if self.pace.is_none() {
                connection.flow.send(self.heads.get(head));
            }
            poll.add(&connection.flow, index as u64, EDGES)?;
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
            .advance(&mut connection.flow, &mut self.reader, self.body_length)
        {
            Progress::Waiting => {}
            Progress::Complete => {
                self.completed += 1;
                self.bytes += self.body_length as u64;
                if connection.answer.has_to_set_cookie() {
                    self.keep_cookie(index, tally);
                }
                let connection = &mut self.connections[index];
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

impl Pace {
    fn record(&mut self, latency: Duration) {
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(latency);
    }
}

const LONGEST: Duration = Duration::from_mins(1);
