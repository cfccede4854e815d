//! What changes while a simulation runs: antagonists that come and go, servers that restart. Rare beside requests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;

use super::jobs::State;
use super::{Simulation, entry};
use crate::scenario::{Antagonist, Nanos, Scenario, nanos_of, seconds};

/// Something that happens to a server.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// An antagonist that was there before everything began.
    AntagonistIsThere(Antagonist),
    AntagonistComes(Antagonist),
    AntagonistGoes(Antagonist),
    Down,
    /// Is back, and this many times as slow.
    Up(f64),
    Warm,
    /// Balancers hear that it went away, or came back.
    Known {
        down: bool,
    },
}

/// What will change, and when.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// When, and the entry in `changes`.
    due: BinaryHeap<Reverse<(Nanos, usize)>>,
    changes: Vec<(u32, Change)>,
}

impl Calendar {
    /// Enters all that the scenario says.
    pub(super) fn fill(&mut self, scenario: &Scenario, rng: &mut Rng) {
        let groups = scenario.groups.iter();
        let servers = groups.flat_map(|group| (0..group.count).map(move |_| group));
        for (group, server) in servers.zip(0..) {
            if let Some(antagonist) = group.antagonist {
                self.enter_antagonist(server, antagonist, rng.f64());
            }
            for restart in &group.restarts {
                let up = restart.at + restart.down;
                self.add(restart.at, server, Change::Down);
                self.add(up, server, Change::Up(restart.cold_factor));
                self.add(up + restart.cold, server, Change::Warm);
                if let Some(delay) = scenario.balancers.health_delay {
                    self.add(restart.at + delay, server, Change::Known { down: true });
                    self.add(up + delay, server, Change::Known { down: false });
                }
            }
        }
    }

    /// When the next change is due; never, where there is none.
    pub(super) fn next_at(&self) -> Nanos {
        self.due.peek().map_or(Nanos::MAX, |Reverse((at, _))| *at)
    }

    /// An antagonist that is at `phase` of its period, 0 to 1, when everything begins.
    fn enter_antagonist(&mut self, server: u32, antagonist: Antagonist, phase: f64) {
        if phase < antagonist.share {
            self.add(0, server, Change::AntagonistIsThere(antagonist));
            let left = part(antagonist, antagonist.share - phase);
            self.add(left, server, Change::AntagonistGoes(antagonist));
        } else {
            let comes = part(antagonist, 1.0 - phase);
            self.add(comes, server, Change::AntagonistComes(antagonist));
        }
    }

    /// What happens next to which server. What comes and goes is entered again.
    fn take(&mut self) -> Option<(u32, Change)> {
        let Reverse((at, index)) = self.due.pop()?;
        let (server, change) = self.changes[index];
        let (then, after) = match change {
            Change::AntagonistComes(a) => (Change::AntagonistGoes(a), part(a, a.share)),
            Change::AntagonistGoes(a) => (Change::AntagonistComes(a), part(a, 1.0 - a.share)),
            _ => return Some((server, change)),
        };
        self.changes[index].1 = then;
        // A nanosecond at least, so that time goes on.
        self.due.push(Reverse((at + after.max(1), index)));
        Some((server, change))
    }

    fn add(&mut self, at: Nanos, server: u32, change: Change) {
        self.due.push(Reverse((at, self.changes.len())));
        self.changes.push((server, change));
    }
}

impl Simulation {
    /// The next change happens.
    pub(super) fn change(&mut self) {
        let Some((number, change)) = self.calendar.take() else {
            return;
        };
        let server = &mut self.servers[number as usize];
        let before = server.factor();
        match change {
            Change::AntagonistIsThere(antagonist) | Change::AntagonistComes(antagonist) => {
                server.slowdown = antagonist.slowdown;
            }
            Change::AntagonistGoes(_) => server.slowdown = 1.0,
            Change::Down => self.go_down(number),
            Change::Up(cold_factor) => {
                server.is_down = false;
                server.cold_factor = cold_factor;
            }
            Change::Warm => server.cold_factor = 1.0,
            Change::Known { down } => self.make_known(number, down),
        }
        self.stretch(number, before);
    }

    /// What a server is at goes on at its new pace.
    pub(super) fn stretch(&mut self, number: u32, before: f64) {
        let server = &self.servers[number as usize];
        let ratio = server.factor() / before;
        if (ratio - 1.0).abs() < f64::EPSILON {
            return;
        }
        for &index in server.running() {
            let job = &mut self.jobs[index];
            let left = seconds(job.ends - self.now) * 1e9;
            job.ends = self.now + nanos_of(left * ratio);
            self.services_end.push(entry(job.ends, index));
        }
    }

    /// A server goes away, and all it has with it.
    fn go_down(&mut self, number: u32) {
        let server = &mut self.servers[number as usize];
        server.is_down = true;
        let mut lost = server.drop_running(self.now, self.opens);
        while let Some(waiting) = server.next(&mut self.jobs) {
            lost.push(waiting);
        }
        for index in lost {
            self.jobs[index].ends = Nanos::MAX;
            self.reply(index, State::Failed);
        }
    }

    fn make_known(&mut self, number: u32, down: bool) {
        self.known_down[number as usize] = down;
        if !down {
            for balancer in &mut self.balancers {
                balancer.recovered(self.now, number);
            }
        }
    }
}

/// A share of an antagonist's period.
fn part(antagonist: Antagonist, share: f64) -> Nanos {
    nanos_of(share * seconds(antagonist.period) * 1e9)
}
