//! The clients: requests come when chance says, whatever became of those before (Poisson, open loop), each on a connection
//! that is free or else on a new one.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use hdrhistogram::Histogram;
use slab::Slab;

use super::cluster::BODY;
use super::answer::{Answer, Progress, Reader};
use super::flow::{Door, Flow};
use super::poll::{EDGES, EventFlags, Poll};
use super::requests;
use super::socket::Moved;

/// Clients that come at `rate` a second.
pub(crate) struct Crowd {
    to: SocketAddr,
    rate: f64,
    heads: Vec<Vec<u8>>,
    next: Instant,
    connections: Slab<Connection>,
    free: Vec<usize>,
    reader: Reader,
    rng: Rng,
    looked_for_late: Instant,
    tally: Count,
}

/// What became of the requests.
pub(crate) struct Count {
    /// Nanoseconds from due to answered, of good answers.
    pub(crate) latencies: Histogram<u64>,
    /// Not answered well, or not in time.
    pub(crate) errors: u64,
    /// What the first error was.
    pub(crate) first_error: Option<&'static str>,
}

struct Connection {
    flow: Flow,
    answer: Answer,
    /// When the request it waits for was due; none while it is free.
    due: Option<Instant>,
}

impl Crowd {
    pub(crate) fn new(to: SocketAddr, rate: f64, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            to,
            rate,
            heads: requests::browser_like("/", "shop.example.com"),
            next: now,
            connections: Slab::new(),
            free: Vec::new(),
            reader: Reader::default(),
            rng: Rng::with_seed(seed),
            looked_for_late: now,
            tally: Count::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.next = Instant::now();
    }

    /// What was counted since this was last asked. Those who still wait have waited as long as they have by now, at least.
    pub(crate) fn count(&mut self) -> Count {
        let now = Instant::now();
        for (_, connection) in &self.connections {
            if let Some(due) = connection.due {
                self.tally.waited(now.saturating_duration_since(due));
            }
        }
        std::mem::replace(&mut self.tally, Count::new())
    }

    /// Acts on readiness; true when a request has come to its end.
    pub(crate) fn ready(&mut self, token: u64, flags: EventFlags) -> bool {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return false;
        }
        let Some(connection) = self.connections.get_mut(index) else {
            return false;
        };
        let progress = connection
            .answer
            .advance(&mut connection.flow, &mut self.reader, BODY);
        match (progress, connection.due) {
            (Progress::Waiting, _) => false,
            (Progress::Complete, Some(due)) => {
                connection.due = None;
                self.free.push(index);
                self.tally.waited(due.elapsed());
                true
            }
            (Progress::Failed(why), Some(_)) => {
                self.connections.remove(index);
                self.tally.failed(why);
                true
            }
            // The proxy closes what nobody uses.
            (_, None) => {
                self.connections.remove(index);
                self.free.retain(|&free| free != index);
                false
            }
        }
    }

    /// Sends what is due, and gives up what has waited for too long.
    pub(crate) fn turn(&mut self, poll: &Poll) {
        let now = Instant::now();
        while self.next <= now {
            let due = self.next;
            let gap = -(1.0 - self.rng.f64()).ln() / self.rate;
            self.next += Duration::from_secs_f64(gap);
            if self.send(due, poll).is_err() {
                self.tally.failed("a connection could not be opened");
            }
        }
        if now - self.looked_for_late > PATIENCE / 20 {
            self.looked_for_late = now;
            self.give_up(now);
        }
    }

    fn send(&mut self, due: Instant, poll: &Poll) -> io::Result<()> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.open(poll)?,
        };
        let connection = &mut self.connections[index];
        connection.due = Some(due);
        let head = &self.heads[self.rng.usize(..self.heads.len())];
        if connection.flow.send(head) != Moved::Bytes(head.len()) {
            self.connections.remove(index);
            self.tally.failed("a request could not be sent");
        }
        Ok(())
    }

    fn open(&mut self, poll: &Poll) -> io::Result<usize> {
        if self.connections.len() >= CONNECTIONS {
            return Err(io::Error::other("too many wait"));
        }
        let flow = Door::plain(self.to).open()?;
        let entry = self.connections.vacant_entry();
        poll.add(&flow, entry.key() as u64, EDGES)?;
        let index = entry.key();
        entry.insert(Connection {
            flow,
            answer: Answer::default(),
            due: None,
        });
        Ok(index)
    }

    fn give_up(&mut self, now: Instant) {
        let tally = &mut self.tally;
        self.connections.retain(|_, connection| {
            let late = connection.due.is_some_and(|due| now - due > PATIENCE);
            if late {
                tally.failed("an answer took too long");
            }
            !late
        });
    }
}

impl Count {
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    fn new() -> Self {
        Self {
            latencies: Histogram::new_with_bounds(1_000, LONGEST, 3).expect("good bounds"),
            errors: 0,
            first_error: None,
        }
    }

    fn waited(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(nanoseconds);
    }

    fn failed(&mut self, why: &'static str) {
        self.errors += 1;
        self.first_error.get_or_insert(why);
    }
}

/// A client waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Nanoseconds that a latency is told from longer ones: a minute.
const LONGEST: u64 = 60_000_000_000;
/// More than this many at a time are turned away: a process has 20,000 descriptors.
const CONNECTIONS: usize = 4_000;
