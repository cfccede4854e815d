//! TLS: what a handshake costs, full or resumed.

use anyhow::Result;

use super::requests::SERVERS;
use super::{CPU, RATE, Scenario, in_turn};
use crate::cores;
use crate::load::handshakes::{Handshake, HandshakeClients};
use crate::load::origin::{self, Service};
use crate::load::{Load, Placement};
use crate::report::{Better, Table};
use crate::subjects::{Job, Protocol, Subject};
use crate::window::{Timing, Window};

pub(super) fn run(
    scenario: Scenario,
    subjects: &[Subject],
    timing: Timing,
    kind: Handshake,
) -> Vec<Table> {
    let subjects = &Subject::able(subjects, Protocol::Tls);
    let name = scenario.name();
    let mut tables = vec![
        Table::new(name, CPU, "µs a handshake", Better::Lower, subjects),
        Table::new(name, RATE, "handshakes a second", Better::Higher, subjects),
    ];
    in_turn(
        scenario,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let window = window(subject, timing, kind)?;
            tables[0].add(row, window.micros_each(), None);
            tables[1].add(row, window.rate(), window.doubt());
            Ok(())
        },
    );
    tables
}

fn window(subject: &Subject, timing: Timing, kind: Handshake) -> Result<Window> {
    let servers = origin::addresses(SERVERS)?;
    let job = Job::new(Protocol::Tls, &servers, 1, Some(cores::PROXY))?;
    let clients = HandshakeClients::new(job.listen, kind, UNDER_WAY, "/128", 128)?;
    let placement = Placement {
        core: Some(cores::LOAD),
        spin: true,
    };
    let load = Load::start(vec![clients], Service::Http, &servers, placement)?;
    let running = subject.start(&job)?;
    let window = Window::measure(&running, &load, timing)?;
    load.stop()?;
    Ok(window)
}

/// Connections at the same time.
const UNDER_WAY: usize = 32;
