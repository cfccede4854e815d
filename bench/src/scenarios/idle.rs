//! What an idle keep-alive connection holds of the subject's memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::requests::SERVERS;
use super::{MEMORY, Scenario, in_turn};
use crate::cores;
use crate::load::flow::Door;
use crate::load::idle::IdleClients;
use crate::load::origin::{self, Service};
use crate::load::{Load, Placement, ciphered};
use crate::procfs;
use crate::report::{Better, Table};
use crate::subjects::{Job, Protocol, Subject};
use crate::window::{self, Timing};

/// With connections in the clear, or over TLS.
pub(super) fn run(
    scenario: Scenario,
    subjects: &[Subject],
    timing: Timing,
    protocol: Protocol,
) -> Vec<Table> {
    let subjects = &Subject::able(subjects, protocol);
    let name = scenario.name();
    let mut tables = vec![
        Table::new(name, MEMORY, "KiB a connection", Better::Lower, subjects),
        Table::new(name, "memory at start", "MiB", Better::Lower, subjects),
    ];
    in_turn(
        scenario,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let (few, many) = growth(subject, protocol)?;
            tables[0].add(
                row,
                many.saturating_sub(few) as f64 / 1024.0 / IDLE as f64,
                None,
            );
            tables[1].add(row, few as f64 / 1024.0 / 1024.0, None);
            Ok(())
        },
    );
    tables
}

/// Bytes held with a few connections and with [`IDLE`] more.
fn growth(subject: &Subject, protocol: Protocol) -> Result<(u64, u64)> {
    let servers = origin::addresses(SERVERS)?;
    let job = Job::new(protocol, &servers, 1, Some(cores::PROXY))?;
    let door = if protocol == Protocol::Tls {
        let offer = ciphered::offer(&["http/1.1"])?;
        Door::ciphered(job.listen, Arc::new(offer))
    } else {
        Door::plain(job.listen)
    };
    let placement = Placement {
        core: Some(cores::LOAD),
        spin: false,
    };
    let load = Load::start(
        vec![IdleClients::new(door)],
        Service::Http,
        &servers,
        placement,
    )?;
    let running = subject.start(&job)?;
    load.open();
    hold(&load, FEW)?;
    let few = procfs::memory(running.process())?;
    hold(&load, FEW + IDLE)?;
    let many = procfs::memory(running.process())?;
    hold(&load, FEW + IDLE)?;
    load.stop()?;
    Ok((few, many))
}

/// Waits until `count` connections have been answered and lets them rest a moment; fails if any was closed.
fn hold(load: &Load<IdleClients>, count: u64) -> Result<()> {
    let tally = load.tally();
    tally.goal.store(count, Relaxed);
    let began = Instant::now();
    while tally.completed.load(Relaxed) < count {
        if tally.errors.load(Relaxed) > 0 {
            break;
        }
        if load.ended() || began.elapsed() > PATIENCE {
            bail!(
                "only {} of {count} connections came about",
                tally.completed.load(Relaxed)
            );
        }
        window::pause(Duration::from_millis(5));
    }
    window::pause(REST);
    if let Some(first) = tally.first_error() {
        bail!(
            "{} of {count} connections failed; the first: {first}",
            tally.errors.load(Relaxed)
        );
    }
    Ok(())
}

/// Connections open when the first look is taken, so that what is made once is there.
const FEW: u64 = 100;
/// Connections whose memory is counted.
const IDLE: u64 = 5_000;
/// Handshakes come one after the other, and a busy machine takes its time for them.
const PATIENCE: Duration = Duration::from_mins(2);
const REST: Duration = Duration::from_millis(300);
