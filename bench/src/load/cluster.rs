//! Servers with a life of their own: so many requests at a time, the others wait in line, and each takes as long as chance
//! and the server's state say. Timers only, so that twenty of them cost one thread next to nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use fastrand::Rng;
use slab::Slab;

use super::poll::{EDGES, EventFlags, Poll};
use super::socket::{self, Moved};

/// What a server is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Character {
    /// As all should be.
    Steady,
    /// Takes [`SLOWNESS`] times as long.
    Slow,
    /// Refuses everything with 503, at once.
    Failing,
    /// Answers at once.
    Prompt,
    /// Shares its machine: [`PRESSED`] times as long in every other [`SHIFT`].
    Antagonised,
}

/// The servers of one round.
pub(crate) struct Cluster {
    listeners: Vec<OwnedFd>,
    servers: Vec<Server>,
    connections: Slab<Connection>,
    timers: BinaryHeap<Reverse<Timer>>,
    rng: Rng,
    /// When the load began; before that, everything is answered at once.
    begun: Option<Instant>,
    /// Sigma of the logarithm of the service times.
    spread: f64,
    overload: Overload,
    serial: u64,
    scratch: Vec<u8>,
}

/// What servers do with more than they can serve.
#[derive(Clone, Copy)]
enum Overload {
    /// Everyone waits, and who has gone away costs nothing.
    Patient,
    /// Whoever finds so many waiting gets 503, and who has gone away is served all the same.
    Stubborn(usize),
}

struct Server {
    character: Character,
    busy: usize,
    line: VecDeque<Visit>,
    /// Requests that came while it was counted.
    taken: u64,
}

struct Connection {
    socket: OwnedFd,
    server: usize,
    serial: u64,
}

/// A connection, told from a later one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    connection: usize,
    serial: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: Instant,
    server: usize,
    visit: Visit,
}

impl Cluster {
    /// Servers of these characters on `addresses`.
    pub(crate) fn new(
        addresses: &[SocketAddr],
        characters: &[Character],
        spread: f64,
        seed: u64,
    ) -> io::Result<Self> {
        let servers = characters
            .iter()
            .map(|&character| Server {
                character,
                busy: 0,
                line: VecDeque::new(),
                taken: 0,
            })
            .collect();
        Ok(Self {
            listeners: addresses
                .iter()
                .map(|&address| socket::listen(address))
                .collect::<io::Result<_>>()?,
            servers,
            connections: Slab::new(),
            timers: BinaryHeap::new(),
            rng: Rng::with_seed(seed),
            begun: None,
            spread,
            overload: Overload::Patient,
            serial: 0,
            scratch: vec![0; HEAD],
        })
    }

    /// The same, but as most real servers are: they do not notice that a client has given up, and serve what nobody wants any
    /// more. Whoever finds `line` waiting gets 503 at once.
    pub(crate) fn stubborn(self, line: usize) -> Self {
        Self {
            overload: Overload::Stubborn(line),
            ..self
        }
    }

    /// Requests a second that servers of these characters can answer, taken over time.
    pub(crate) fn capacity(characters: &[Character]) -> f64 {
        let each = SLOTS as f64 / SERVICE.as_secs_f64();
        characters
            .iter()
            .map(|character| match character {
                Character::Steady => each,
                Character::Slow => each / SLOWNESS,
                // What a prompt one can do is not known.
                Character::Failing | Character::Prompt => 0.0,
                Character::Antagonised => each * f64::midpoint(1.0, 1.0 / PRESSED),
            })
            .sum()
    }

    /// The time that 99 of 100 requests take at most where they meet a steady server and no line, in milliseconds.
    pub(crate) fn floor(spread: f64) -> f64 {
        let quantile = 2.326;
        1e3 * SERVICE.as_secs_f64() * (spread * quantile - spread * spread / 2.0).exp()
    }

    pub(crate) fn listen(&self, poll: &Poll) -> io::Result<()> {
        for (server, listener) in self.listeners.iter().enumerate() {
            poll.add(listener, SERVER | LISTENER | server as u64, EventFlags::IN)?;
        }
        Ok(())
    }

    /// From now on requests take their time.
    pub(crate) fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// Requests each server has taken since this was last asked.
    pub(crate) fn taken(&mut self) -> Vec<u64> {
        self.servers
            .iter_mut()
            .map(|server| std::mem::take(&mut server.taken))
            .collect()
    }

    /// When the next answer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse(timer)| timer.at)
    }

    /// Takes no connections any more, and closes those on which nothing is under way; false once there are none.
    pub(crate) fn retire(&mut self) -> bool {
        self.listeners.clear();
        let waiting = self.servers.iter().flat_map(|server| &server.line);
        let served = self.timers.iter().map(|Reverse(timer)| &timer.visit);
        let busy: HashSet<u64> = waiting.chain(served).map(|visit| visit.serial).collect();
        self.connections
            .retain(|_, connection| busy.contains(&connection.serial));
        !self.connections.is_empty()
    }

    /// Acts on one event of a token in [`SERVER`].
    pub(crate) fn ready(&mut self, token: u64, poll: &Poll) {
        let index = usize::try_from(token & INDEX).unwrap_or(usize::MAX);
        if token & LISTENER != 0 {
            self.accept(index, poll);
        } else if self.connections.contains(index) && !self.receive(index) {
            self.connections.remove(index);
        }
    }

    /// Answers what is due.
    pub(crate) fn turn(&mut self) {
        let now = Instant::now();
        while let Some(Reverse(timer)) = self.timers.peek()
            && timer.at <= now
        {
            let (server, visit) = (timer.server, timer.visit);
            self.timers.pop();
            self.answer(visit, OK);
            self.servers[server].busy -= 1;
            while let Some(next) = self.servers[server].line.pop_front() {
                let is_served = match self.overload {
                    Overload::Patient => self.is_there(next),
                    Overload::Stubborn(_) => true,
                };
                if is_served {
                    self.serve(server, next);
                    break;
                }
            }
        }
    }

    fn accept(&mut self, server: usize, poll: &Poll) {
        while let Some(socket) = self.listeners.get(server).and_then(socket::accept) {
            let entry = self.connections.vacant_entry();
            if poll
                .add(&socket, SERVER | entry.key() as u64, EDGES)
                .is_ok()
            {
                self.serial += 1;
                entry.insert(Connection {
                    socket,
                    server,
                    serial: self.serial,
                });
            }
        }
    }

    /// False when the connection is to be closed.
    fn receive(&mut self, index: usize) -> bool {
        let Connection {
            ref socket,
            server,
            serial,
        } = self.connections[index];
        let length = match socket::receive(socket, &mut self.scratch) {
            Moved::Bytes(0) | Moved::Broken => return false,
            Moved::WouldBlock => return true,
            Moved::Bytes(length) => length,
        };
        // Heads are far below what a packet holds: they come whole.
        if !self.scratch[..length].ends_with(b"\r\n\r\n") {
            return false;
        }
        let visit = Visit {
            connection: index,
            serial,
        };
        self.servers[server].taken += 1;
        let character = self.servers[server].character;
        let is_full = match self.overload {
            Overload::Patient => false,
            Overload::Stubborn(line) => self.servers[server].line.len() >= line,
        };
        if self.begun.is_none() || character == Character::Prompt {
            self.answer(visit, OK);
        } else if character == Character::Failing || is_full {
            self.answer(visit, REFUSAL);
        } else if self.servers[server].busy < SLOTS {
            self.serve(server, visit);
        } else {
            self.servers[server].line.push_back(visit);
        }
        true
    }

    fn serve(&mut self, server: usize, visit: Visit) {
        let time = self.service_time().mul_f64(self.slowness(server));
        self.servers[server].busy += 1;
        self.timers.push(Reverse(Timer {
            at: Instant::now() + time,
            server,
            visit,
        }));
    }

    /// Log-normal: most take a little less than the mean, a few much longer.
    fn service_time(&mut self) -> Duration {
        let (u, v) = (1.0 - self.rng.f64(), self.rng.f64());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        SERVICE.mul_f64((self.spread * normal - self.spread * self.spread / 2.0).exp())
    }

    fn slowness(&self, server: usize) -> f64 {
        let shift = self
            .begun
            .map_or(0, |begun| begun.elapsed().as_millis() / SHIFT.as_millis());
        match self.servers[server].character {
            Character::Slow => SLOWNESS,
            Character::Antagonised if shift % 2 == 1 => PRESSED,
            _ => 1.0,
        }
    }

    fn is_there(&self, visit: Visit) -> bool {
        self.connections
            .get(visit.connection)
            .is_some_and(|connection| connection.serial == visit.serial)
    }

    fn answer(&self, visit: Visit, answer: &[u8]) {
        if let Some(connection) = self.connections.get(visit.connection)
            && connection.serial == visit.serial
        {
            // Whoever went away meanwhile is told so by the next event.
            socket::send(&connection.socket, answer);
        }
    }
}

/// Token bit of what belongs to the cluster.
pub(crate) const SERVER: u64 = 1 << 60;
const LISTENER: u64 = 1 << 59;
const INDEX: u64 = LISTENER - 1;

/// Requests that a server works on at a time.
const SLOTS: usize = 4;
/// What a request takes on average.
const SERVICE: Duration = Duration::from_millis(12);
const SLOWNESS: f64 = 10.0;
const PRESSED: f64 = 5.0;
const SHIFT: Duration = Duration::from_secs(1);
const HEAD: usize = 16 * 1024;

/// What a good answer's body holds, in bytes.
pub(crate) const BODY: usize = 16;
const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\nit is all right\n";
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nout of order";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_times_have_their_mean_and_their_tail() {
        let mut cluster = Cluster::new(&[], &[], 0.5, 1).unwrap();
        let mut times: Vec<f64> = (0..100_000)
            .map(|_| cluster.service_time().as_secs_f64() / SERVICE.as_secs_f64())
            .collect();
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        assert!((0.99..1.01).contains(&mean), "{mean}");
        times.sort_by(f64::total_cmp);
        let tail = times[99_000];
        let floor = Cluster::floor(0.5) / 1e3 / SERVICE.as_secs_f64();
        assert!((0.97..1.03).contains(&(tail / floor)), "{tail} {floor}");
    }

    #[test]
    fn answers_have_the_length_they_say() {
        for (answer, body) in [(OK, BODY), (REFUSAL, 12)] {
            let head = memchr::memmem::find(answer, b"\r\n\r\n").unwrap();
            assert_eq!(answer.len(), head + 4 + body);
        }
    }

    #[test]
    fn a_server_that_fails_has_no_capacity() {
        let one = Cluster::capacity(&[Character::Steady]);
        let four = Cluster::capacity(&[
            Character::Steady,
            Character::Slow,
            Character::Failing,
            Character::Antagonised,
        ]);
        assert!((four / one - 1.7).abs() < 1e-9, "{four}");
    }
}
