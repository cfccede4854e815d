//! A server: slots in which requests are served, and a queue before them.

use std::time::Duration;

use fastrand::Rng;
use sluice_balance::{Load, Report};
use sluice_model::Moment;

use super::jobs::{Jobs, NOBODY};
use crate::scenario::{FailFast, Group, Nanos, Scenario, seconds};

/// A server at work.
#[derive(Debug)]
pub(super) struct Server {
    /// Of the scenario's groups.
    pub(super) group: usize,
    pub(super) is_down: bool,
    /// Measured requests that came to it.
    pub(super) taken: u64,
    pub(super) reports_load: bool,
    /// What it knows of itself, where balancers ask for it.
    pub(super) load: Load,
    capacity: u32,
    /// What it works on.
    running: Vec<u32>,
    first: u32,
    last: u32,
    waiting: u32,
    queue_limit: u32,
    fail_fast: Option<FailFast>,
    slow_factor: f64,
    /// Of the antagonist, while there is one.
    pub(super) slowdown: f64,
    /// Of being cold, while it is.
    pub(super) cold_factor: f64,
    /// Slots × time that were used up to `since`.
    busy: f64,
    since: Nanos,
    /// The share of slots in use, of late.
    use_of_late: f64,
}

/// The servers of a scenario, group by group.
pub(super) fn all(scenario: &Scenario) -> Box<[Server]> {
    let groups = scenario.groups.iter().enumerate();
    groups
        .flat_map(|(index, group)| (0..group.count).map(move |_| Server::new(index, group)))
        .collect()
}

impl Server {
    fn new(index: usize, group: &Group) -> Self {
        Self {
            group: index,
            is_down: false,
            taken: 0,
            reports_load: group.reports_load,
            load: Load::default(),
            capacity: group.capacity,
            running: Vec::new(),
            first: NOBODY,
            last: NOBODY,
            waiting: 0,
            queue_limit: group.queue_limit,
            fail_fast: group.fail_fast,
            slow_factor: group.slow_factor,
            slowdown: 1.0,
            cold_factor: 1.0,
            busy: 0.0,
            since: 0,
            use_of_late: 0.0,
        }
    }

    /// How many times as long everything takes now.
    pub(super) fn factor(&self) -> f64 {
        self.slow_factor * self.slowdown * self.cold_factor
    }

    /// Requests waiting or being served.
    pub(super) fn in_flight(&self) -> u32 {
        self.served() + self.waiting
    }

    pub(super) fn has_slot(&self) -> bool {
        self.served() < self.capacity
    }

    /// After how long the request of that lot is answered with an error; `None` where it is served.
    pub(super) fn fails(&self, lot: u64, attempts: u8) -> Option<Nanos> {
        let fail_fast = self.fail_fast?;
        // Not by the numbers that the lot's service time comes from.
        let mut chance = Rng::with_seed(!lot ^ u64::from(attempts));
        (chance.f64() < fail_fast.share).then_some(fail_fast.after)
    }

    /// Takes a slot, of which the place is returned.
    pub(super) fn occupy(&mut self, job: u32, now: Nanos, opens: Nanos) -> u32 {
        self.settle(now, opens);
        self.running.push(job);
        self.served() - 1
    }

    /// Gives a slot back.
    pub(super) fn release(&mut self, job: u32, now: Nanos, opens: Nanos, jobs: &mut Jobs) {
        self.settle(now, opens);
        let slot = jobs[job].slot;
        self.running.swap_remove(slot as usize);
        if let Some(&moved) = self.running.get(slot as usize) {
            jobs[moved].slot = slot;
        }
    }

    /// Whether no more may wait.
    pub(super) fn is_full(&self) -> bool {
        !self.has_slot() && self.waiting >= self.queue_limit
    }

    /// Lets a request wait.
    pub(super) fn wait(&mut self, job: u32, jobs: &mut Jobs) {
        jobs[job].next = NOBODY;
        if self.last == NOBODY {
            self.first = job;
        } else {
            jobs[self.last].next = job;
        }
        self.last = job;
        self.waiting += 1;
    }

    /// The one that has waited longest, which waits no more.
    pub(super) fn next(&mut self, jobs: &mut Jobs) -> Option<u32> {
        let job = self.first;
        if job == NOBODY {
            return None;
        }
        self.first = jobs[job].next;
        if self.first == NOBODY {
            self.last = NOBODY;
        }
        self.waiting -= 1;
        Some(job)
    }

    /// A request that came at `reached` leaves it, `done` or with an error.
    pub(super) fn remember(&mut self, now: Nanos, reached: Nanos, done: bool, decay: Duration) {
        if done {
            let took = Duration::from_nanos(now - reached);
            self.load.answered(Moment::from_nanos(now), took, decay);
        }
        self.load.leave();
    }

    /// What it works on.
    pub(super) fn running(&self) -> &[u32] {
        &self.running
    }

    /// Everything it works on falls from its hands.
    pub(super) fn drop_running(&mut self, now: Nanos, opens: Nanos) -> Vec<u32> {
        self.settle(now, opens);
        std::mem::take(&mut self.running)
    }

    /// Adds up the use of slots until `now`, as far as it is measured.
    pub(super) fn settle(&mut self, now: Nanos, opens: Nanos) {
        let measured = now.saturating_sub(self.since.max(opens));
        self.busy += f64::from(self.served()) * seconds(measured);
        if self.reports_load {
            let kept = (-seconds(now - self.since)).exp();
            let share = f64::from(self.served()) / f64::from(self.capacity);
            self.use_of_late = self.use_of_late * kept + share * (1.0 - kept);
        }
        self.since = now;
    }

    /// The share of its slots that were in use, over a `span` of which all is settled.
    pub(super) fn utilization(&self, span: Nanos) -> f64 {
        if span == 0 {
            return 0.0;
        }
        self.busy / (f64::from(self.capacity) * seconds(span))
    }

    /// What its answers say of its load: the share of slots in use in the last second or so, and the requests it has.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "an estimate"
    )]
    pub(super) fn report(&self, now: Nanos) -> Report {
        let kept = (-seconds(now - self.since)).exp();
        let share = f64::from(self.served()) / f64::from(self.capacity);
        Report {
            utilization: Some((self.use_of_late * kept + share * (1.0 - kept)) as f32),
            in_flight: Some(self.in_flight() as f32),
        }
    }

    fn served(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
    }
}
