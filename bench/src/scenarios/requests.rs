//! What a request costs, and how many a second there are: the closed loop.

use anyhow::Result;

use super::{CPU, RATE, Scenario, in_turn};
use crate::cores;
use crate::load::exchange::HttpClients;
use crate::load::origin::{self, Service};
use crate::load::{Load, Placement};
use crate::report::{Better, Table};
use crate::subjects::{Job, Protocol, Subject};
use crate::window::{Timing, Window};

/// What is asked for, over how much, from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    path: &'static str,
    body_length: usize,
    connections: usize,
    workers: usize,
    pinned: bool,
}

impl Shape {
    /// One worker on one core, load and servers on the other.
    pub(super) fn pinned(path: &'static str, body_length: usize, connections: usize) -> Self {
        Self {
            path,
            body_length,
            connections,
            workers: 1,
            pinned: true,
        }
    }

    /// Two workers; where all runs is left to the kernel.
    pub(super) fn two_workers(path: &'static str, body_length: usize, connections: usize) -> Self {
        Self {
            path,
            body_length,
            connections,
            workers: 2,
            pinned: false,
        }
    }

    /// One window of this against one subject.
    pub(super) fn window(self, subject: &Subject, timing: Timing) -> Result<Window> {
        let servers = origin::addresses(SERVERS)?;
        let core = self.pinned.then_some(cores::PROXY);
        let job = Job::new(Protocol::Http, &servers, self.workers, core)?;
        let threads = self.workers;
        let clients = (0..threads)
            .map(|_| {
                HttpClients::closed(
                    job.listen,
                    self.connections / threads,
                    self.path,
                    self.body_length,
                )
            })
            .collect();
        let placement = Placement {
            core: self.pinned.then_some(cores::LOAD),
            spin: self.pinned,
        };
        let load = Load::start(clients, Service::Http, &servers, placement)?;
        let running = subject.start(&job)?;
        let window = Window::measure(&running, &load, timing)?;
        load.stop()?;
        Ok(window)
    }
}

pub(super) fn run(
    scenario: Scenario,
    subjects: &[Subject],
    timing: Timing,
    shape: Shape,
) -> Vec<Table> {
    let name = scenario.name();
    let mut tables = vec![
        Table::new(name, CPU, "µs a request", Better::Lower, subjects),
        Table::new(
            name,
            "processor time in its own code",
            "µs a request",
            Better::Lower,
            subjects,
        ),
        Table::new(name, RATE, "requests a second", Better::Higher, subjects),
    ];
    in_turn(
        scenario,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let window = shape.window(subject, timing)?;
            tables[0].add(row, window.micros_each(), None);
            tables[1].add(row, window.micros_each() * window.cpu.user_share(), None);
            tables[2].add(
                row,
                window.rate(),
                if shape.pinned { window.doubt() } else { None },
            );
            Ok(())
        },
    );
    tables
}

/// Servers behind each subject.
pub(super) const SERVERS: usize = 3;
