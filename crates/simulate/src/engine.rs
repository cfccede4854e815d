//! A run: one policy, one seed, event after event in virtual time.
//!
//! A request has four events: it arrives at a balancer, reaches a server, has been served, and its answer is back. The way
//! between balancer and server takes always the same time, so what travels stands in a queue ([`Lane`]) and only what is
//! being served needs a heap. No event allocates.

mod balancer;
mod changes;
mod jobs;
mod lane;
mod outcome;
mod probes;
mod server;
mod source;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;
use sluice_balance::Signals;

pub use outcome::{GroupOutcome, Outcome};

use crate::scenario::{Balancers, NamedPolicy, Nanos, Scenario, Service};
use balancer::Balancer;
use changes::Calendar;
use jobs::{Job, Jobs, State};
use lane::Lane;
use outcome::{End, Measured, Tally};
use probes::Asking;
use server::Server;
use source::Source;

/// A cluster at work under one policy.
#[derive(Debug)]
pub struct Simulation {
    now: Nanos,
    /// What arrives from here on is measured.
    opens: Nanos,
    source: Source,
    jobs: Jobs,
    balancers: Box<[Balancer]>,
    settings: Balancers,
    signals: Signals,
    servers: Box<[Server]>,
    services: Box<[Service]>,
    /// Whether balancers know that the server is away.
    known_down: Box<[bool]>,
    /// On their way to a server.
    outbound: Lane<u32>,
    /// On their way back.
    inbound: Lane<u32>,
    /// When each request is given up, with its generation.
    deadlines: Lane<(u32, u32)>,
    asking: Asking,
    /// When each service ends, with the request in the low bits. An entry of which the request knows nothing any more
    /// does not count.
    services_end: BinaryHeap<Reverse<u128>>,
    calendar: Calendar,
    tally: Tally,
}

impl Simulation {
    /// A cluster in which nothing has happened yet. With the same seed every policy meets the same requests.
    pub fn new(scenario: &Scenario, policy: &NamedPolicy, seed: u64) -> Self {
        let mut chance = Rng::with_seed(seed ^ SEED_SALT);
        let source = Source::new(scenario, chance.u64(..));
        let mut calendar = Calendar::default();
        let servers: Box<[Server]> = server::all(scenario);
        calendar.fill(scenario, &mut Rng::with_seed(chance.u64(..)));
        let balancers = balancer::all(scenario, policy, &mut chance);
        Self {
            now: 0,
            opens: scenario.warm_up,
            source,
            jobs: Jobs::default(),
            balancers,
            settings: scenario.balancers.clone(),
            signals: policy.settings.kind.signals(),
            known_down: vec![false; servers.len()].into(),
            servers,
            services: scenario
                .groups
                .iter()
                .map(|group| group.service.clone())
                .collect(),
            outbound: Lane::default(),
            inbound: Lane::default(),
            deadlines: Lane::default(),
            asking: Asking::new(policy),
            services_end: BinaryHeap::new(),
            calendar,
            tally: Tally::default(),
        }
    }

    /// Goes on until so many requests have arrived since the beginning, or until the end.
    ///
    /// Returns whether there is more to come.
    pub fn advance(&mut self, arrivals: u64) -> bool {
        while self.source.arrived() < arrivals {
            if !self.step() {
                return false;
            }
        }
        true
    }

    /// Requests that arrived so far.
    pub fn arrived(&self) -> u64 {
        self.source.arrived()
    }

    /// Requests at each server now, waiting or being served.
    pub fn requests_at_servers(&self) -> impl Iterator<Item = u32> {
        self.servers.iter().map(Server::in_flight)
    }

    /// Goes on until the last request has ended, and says how it went.
    pub fn finish(mut self) -> Outcome {
        while self.step() {}
        self.tally.outcome(self.source.arrived(), self.now)
    }

    /// The next event; `false` when there is none that matters.
    fn step(&mut self) -> bool {
        let arrival = self.source.next_at();
        if arrival == Nanos::MAX {
            if !self.tally.is_closed() {
                self.close();
            }
            if self.jobs.is_empty() {
                return false;
            }
        }
        let served = self
            .services_end
            .peek()
            .map_or(Nanos::MAX, |Reverse(entry)| time_of(*entry));
        let travels = self.outbound.next_at().min(self.inbound.next_at());
        let asked = self.asking.next_at();
        let rare = self.deadlines.next_at().min(self.calendar.next_at());
        let next = arrival.min(served).min(travels).min(asked).min(rare);
        if next == Nanos::MAX {
            return false;
        }
        debug_assert!(next >= self.now, "time goes forward");
        self.now = next;
        // What is under way comes before what is new.
        if next == self.inbound.next_at() {
            self.inbound
                .take()
                .into_iter()
                .for_each(|job| self.answered(job));
        } else if next == served {
            self.served();
        } else if next == self.outbound.next_at() {
            self.outbound
                .take()
                .into_iter()
                .for_each(|job| self.reached(job));
        } else if next == asked {
            self.asked();
        } else if next == arrival {
            self.arrive();
        } else if next == self.deadlines.next_at() {
            self.late();
        } else {
            self.change();
        }
        true
    }

    /// A request comes to a balancer.
    fn arrive(&mut self) {
        let request = self.source.take();
        let measured = self.now >= self.opens;
        let job = self.jobs.insert(Job {
            arrived: self.now,
            lot: request.lot,
            key: request.key,
            bytes: request.bytes,
            balancer: request.balancer,
            measured,
            ..Job::default()
        });
        if measured {
            self.tally.begun();
        }
        if let Some(timeout) = self.settings.timeout {
            let generation = self.jobs[job].generation;
            self.deadlines.put(self.now + timeout, (job, generation));
        }
        self.dispatch(job);
    }

    /// A balancer sends a request to a server.
    fn dispatch(&mut self, index: u32) {
        let job = &mut self.jobs[index];
        let balancer = &mut self.balancers[job.balancer as usize];
        let limit = self.settings.max_connections;
        let picked = balancer.pick(self.now, job.key, job.tried(), &self.known_down, limit);
        let Some(server) = picked else {
            self.end(index, End::Unserved);
            return;
        };
        job.server = server;
        job.attempts += 1;
        job.sent = self.now;
        job.state = State::Travels;
        self.outbound.put(self.now + self.settings.one_way, index);
        if self.asking.wanted {
            let balancer = job.balancer;
            self.ask(balancer);
        }
    }

    /// A request comes to its server.
    fn reached(&mut self, index: u32) {
        let job = &mut self.jobs[index];
        let server = &mut self.servers[job.server as usize];
        server.taken += u64::from(job.measured);
        let fails = server.fails(job.lot, job.attempts);
        if server.is_down || (fails.is_none() && server.is_full()) {
            self.reply(index, State::Refused);
            return;
        }
        if self.asking.wanted {
            job.reached = self.now;
            server.load.try_enter(None);
        }
        if let Some(after) = fails {
            job.state = State::Fails;
            job.ends = self.now + after;
            self.services_end.push(entry(job.ends, index));
        } else if server.has_slot() {
            self.start(index);
        } else {
            job.state = State::Waits;
            server.wait(index, &mut self.jobs);
        }
    }

    /// A server begins to work on a request.
    fn start(&mut self, index: u32) {
        let job = &mut self.jobs[index];
        let server = &mut self.servers[job.server as usize];
        let work = self.services[server.group].draw(job.lot).min(SERVICE_MAX);
        if job.bytes == 0 {
            // A byte for each microsecond of work, where nothing better is known.
            job.bytes = crate::scenario::nanos_of(work / 1e3).max(1);
        }
        job.state = State::Served;
        job.ends = self.now + crate::scenario::nanos_of(work * server.factor());
        self.services_end.push(entry(job.ends, index));
        job.slot = server.occupy(index, self.now, self.opens);
    }

    /// A service has ended.
    fn served(&mut self) {
        let Some(Reverse(entry)) = self.services_end.pop() else {
            return;
        };
        let index = job_of(entry);
        if self.jobs[index].ends != time_of(entry) {
            return;
        }
        self.jobs[index].ends = Nanos::MAX;
        if self.jobs[index].state == State::Fails {
            self.reply(index, State::Failed);
            return;
        }
        let number = self.jobs[index].server as usize;
        self.servers[number].release(index, self.now, self.opens, &mut self.jobs);
        self.reply(index, State::Done);
        while let Some(next) = self.servers[number].next(&mut self.jobs) {
            if self.jobs[next].abandoned {
                // Its client has gone away while it waited.
                if self.asking.wanted {
                    self.servers[number].load.leave();
                }
                self.jobs.remove(next);
            } else {
                self.start(next);
                break;
            }
        }
    }

    /// A server answers.
    fn reply(&mut self, index: u32, state: State) {
        let job = &mut self.jobs[index];
        job.state = state;
        let server = &mut self.servers[job.server as usize];
        if server.reports_load {
            job.report = server.report(self.now);
        }
        if self.asking.wanted && matches!(state, State::Done | State::Failed) {
            server.remember(
                self.now,
                job.reached,
                state == State::Done,
                self.asking.decay,
            );
        }
        self.inbound.put(self.now + self.settings.one_way, index);
    }

    /// An answer is back at the balancer.
    fn answered(&mut self, index: u32) {
        let job = &self.jobs[index];
        if job.abandoned {
            self.jobs.remove(index);
            return;
        }
        let done = job.state == State::Done;
        self.balancers[job.balancer as usize].answered(self.now, job, done, self.signals);
        let again = job.state == State::Refused && job.attempts < self.settings.attempts;
        match job.state {
            _ if again => {
                self.jobs[index].remember_tried();
                self.dispatch(index);
            }
            State::Done => self.end(index, End::Done),
            State::Refused => self.end(index, End::Refused),
            _ => self.end(index, End::Failed),
        }
    }

    /// A request has taken too long: the client does not wait any more. A server that is at it goes on in vain.
    fn late(&mut self) {
        let Some((index, generation)) = self.deadlines.take() else {
            return;
        };
        let Some(job) = self.jobs.find(index, generation) else {
            return;
        };
        job.abandoned = true;
        let (arrived, measured) = (job.arrived, job.measured);
        self.balancers[job.balancer as usize].gave_up(self.now, job, self.signals);
        if measured {
            self.tally.ended(End::Late, self.now - arrived);
        }
    }

    /// A request is over.
    fn end(&mut self, index: u32, end: End) {
        let job = &self.jobs[index];
        if job.measured {
            self.tally.ended(end, self.now - job.arrived);
        }
        self.jobs.remove(index);
    }

    /// The last request has arrived: what servers do from now on is not measured.
    fn close(&mut self) {
        let span = self.now.saturating_sub(self.opens);
        let settled = self.servers.iter_mut().map(|server| {
            server.settle(self.now, self.opens);
            server.utilization(span)
        });
        let utilizations: Vec<f64> = settled.collect();
        let mut groups = vec![GroupOutcome::default(); self.services.len()];
        let mut sizes = vec![0.0; self.services.len()];
        let all: u64 = self.servers.iter().map(|server| server.taken).sum();
        for (server, utilization) in self.servers.iter().zip(&utilizations) {
            let group = &mut groups[server.group];
            group.share += server.taken as f64 / (all as f64).max(1.0);
            group.utilization += utilization;
            sizes[server.group] += 1.0;
        }
        for (group, size) in groups.iter_mut().zip(sizes) {
            group.utilization /= size;
        }
        self.tally.close(Measured {
            span,
            utilizations,
            groups,
        });
    }
}

/// Servers and clients draw from other numbers than policies.
const SEED_SALT: u64 = 0x9e37_79b9_7f4a_7c15;
/// A service takes a day at most, however heavy the tail.
const SERVICE_MAX: f64 = 8.64e13;

fn entry(at: Nanos, job: u32) -> Reverse<u128> {
    Reverse(u128::from(at) << 32 | u128::from(job))
}

#[expect(clippy::cast_possible_truncation, reason = "64 bits are left")]
fn time_of(entry: u128) -> Nanos {
    (entry >> 32) as Nanos
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are asked for"
)]
fn job_of(entry: u128) -> u32 {
    entry as u32
}

#[cfg(test)]
mod tests;
