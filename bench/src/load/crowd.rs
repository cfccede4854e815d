//! The clients: requests come when chance says, whatever became of those before (Poisson, open loop), each on a connection
//! that is free or else on a new one.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use slab::Slab;

use super::answer::{Answer, Progress, Reader};
use super::cluster::BODY;
use super::flow::{Door, Flow};
use super::poll::{EDGES, EventFlags, Poll};
use super::requests;
use super::socket::Moved;

/// Clients that come at `rate` a second.
pub(crate) struct Crowd {
    to: SocketAddr,
    rate: f64,
    patience: Duration,
    heads: [Vec<Vec<u8>>; 2],
    /// The part of the requests that are critical, 0 to 1.
    critical: f64,
    next: Instant,
    connections: Slab<Connection>,
    free: Vec<usize>,
    reader: Reader,
    rng: Rng,
    looked_for_late: Instant,
}

/// A request that has come to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) is_critical: bool,
    /// When it should have been sent, which a stall of ours does not change.
    pub(crate) due: Instant,
    pub(crate) at: Instant,
    /// Why it was not answered well, or not in time.
    pub(crate) failure: Option<&'static str>,
}

struct Connection {
    flow: Flow,
    answer: Answer,
    /// The request it waits for; none while it is free.
    under_way: Option<Request>,
}

#[derive(Clone, Copy)]
struct Request {
    due: Instant,
    is_critical: bool,
}

impl Crowd {
    pub(crate) fn new(to: SocketAddr, rate: f64, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            to,
            rate,
            patience: PATIENCE,
            heads: [
                requests::browser_like("/", HOST),
                requests::browser_like("/critical", HOST),
            ],
            critical: 0.0,
            next: now,
            connections: Slab::new(),
            free: Vec::new(),
            reader: Reader::default(),
            rng: Rng::with_seed(seed),
            looked_for_late: now,
        }
    }

    /// The same where a client waits for `patience`, and this part of the requests asks for `/critical`.
    pub(crate) fn with(self, patience: Duration, critical: f64) -> Self {
        Self {
            patience,
            critical,
            ..self
        }
    }

    pub(crate) fn begin(&mut self) {
        self.next = Instant::now();
    }

    /// When the next request is due.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Since when those who still wait have waited.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Instant> {
        let under_way = self.connections.iter();
        under_way.filter_map(|(_, connection)| Some(connection.under_way?.due))
    }

    /// Acts on readiness; a request that has come to its end, if one has.
    pub(crate) fn ready(&mut self, token: u64, flags: EventFlags) -> Option<Ended> {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return None;
        }
        let connection = self.connections.get_mut(index)?;
        let progress = connection
            .answer
            .advance(&mut connection.flow, &mut self.reader, BODY);
        match (progress, connection.under_way) {
            (Progress::Waiting, _) => None,
            (Progress::Complete, Some(request)) => {
                connection.under_way = None;
                self.free.push(index);
                Some(request.ends(None))
            }
            (Progress::Failed(why), Some(request)) => {
                self.connections.remove(index);
                Some(request.ends(Some(why)))
            }
            // The proxy closes what nobody uses.
            (_, None) => {
                self.connections.remove(index);
                self.free.retain(|&free| free != index);
                None
            }
        }
    }

    /// Sends what is due, and gives up what has waited for too long.
    pub(crate) fn turn(&mut self, poll: &Poll, mut ended: impl FnMut(Ended)) {
        let now = Instant::now();
        while self.next <= now {
            let request = Request {
                due: self.next,
                is_critical: self.critical > 0.0 && self.rng.f64() < self.critical,
            };
            let gap = -(1.0 - self.rng.f64()).ln() / self.rate;
            self.next += Duration::from_secs_f64(gap);
            if let Err(why) = self.send(request, poll) {
                ended(request.ends(Some(why)));
            }
        }
        if now - self.looked_for_late > self.patience / 20 {
            self.looked_for_late = now;
            self.give_up(now, ended);
        }
    }

    fn send(&mut self, request: Request, poll: &Poll) -> Result<(), &'static str> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self
                .open(poll)
                .map_err(|_| "a connection could not be opened")?,
        };
        let connection = &mut self.connections[index];
        connection.under_way = Some(request);
        let heads = &self.heads[usize::from(request.is_critical)];
        let head = &heads[self.rng.usize(..heads.len())];
        if connection.flow.send(head) != Moved::Bytes(head.len()) {
            self.connections.remove(index);
            return Err("a request could not be sent");
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
            under_way: None,
        });
        Ok(index)
    }

    fn give_up(&mut self, now: Instant, mut ended: impl FnMut(Ended)) {
        self.connections.retain(|_, connection| {
            let late = |request: &Request| now - request.due > self.patience;
            let Some(request) = connection.under_way.filter(late) else {
                return true;
            };
            ended(request.ends(Some("an answer took too long")));
            false
        });
    }
}

impl Request {
    fn ends(self, failure: Option<&'static str>) -> Ended {
        Ended {
            is_critical: self.is_critical,
            due: self.due,
            at: Instant::now(),
            failure,
        }
    }
}

impl Ended {
    /// How long its client waited.
    pub(crate) fn took(&self) -> Duration {
        self.at.saturating_duration_since(self.due)
    }
}

const HOST: &str = "shop.example.com";
/// A client waits for so long, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than this many at a time are turned away: a process has 20,000 descriptors.
const CONNECTIONS: usize = 4_000;
