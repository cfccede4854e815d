//! What clients notice when one of five servers is killed, hangs or is cut off by the network, and when all are restarted in
//! turn: a steady load at four tenths of what the servers can do, open loop.
//!
//! Each round of each subject has a network of its own, made by `unshare`, in which `round` is a process with everything
//! in it: the subject, the clients, the `servers` (each an `origin`, a process that can be killed), and a `watch` on all
//! that is sent to them. Here the rounds are begun, and what they found is put into tables.

mod origin;
mod round;
mod servers;
mod watch;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;

use super::{P99, Scenario, in_turn};
use crate::report::{Better, Table};
use crate::subjects::{Kind, Subject, install};
use crate::window::Timing;

pub(crate) use origin::serve;
use round::Figures;
use servers::Event;

pub(super) fn run(subjects: &[Subject], timing: Timing) -> Result<Vec<Table>> {
    for (program, package) in [("nft", "nftables"), ("ip", "iproute2")] {
        install::packaged(program, &[package])?;
    }
    // It goes on sending to whom it began with: it has nothing to answer this with.
    let subjects: Vec<Subject> = subjects
        .iter()
        .filter(|subject| subject.kind != Kind::Forwarder)
        .cloned()
        .collect();
    let mut tables = Vec::new();
    for event in Event::ALL {
        for measure in MEASURES {
            if event.sick().is_none() && measure.of_the_sick_one {
                continue;
            }
            let name = format!("{}: {}", event.name(), measure.name);
            let scenario = Scenario::Events.name();
            let table = Table::new(scenario, name, measure.unit, Better::Lower, &subjects);
            tables.push((event, measure, table));
        }
    }
    let (columns, mut tables): (Vec<_>, Vec<_>) = tables
        .into_iter()
        .map(|(event, measure, table)| ((event, measure), table))
        .unzip();
    // Clients have given up by the end of it, whose requests a server has swallowed.
    let hold = timing.window + Duration::from_secs(1);
    in_turn(
        Scenario::Events,
        &subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let found = in_network(subject, hold)?;
            for (table, (event, measure)) in tables.iter_mut().zip(&columns) {
                let figures = found
                    .iter()
                    .find(|figures| figures.event == *event)
                    .context("an event is missing")?;
                let why = figures.first_failure.as_ref();
                let why = why.filter(|_| measure.name == FAILED);
                let first = why.map(|why| format!("the first of the failed: {why}"));
                if let Some(figure) = (measure.of)(figures) {
                    table.add(row, figure, first);
                }
            }
            Ok(())
        },
    );
    Ok(tables)
}

/// One round in a network of its own, in which there is nothing but loopback.
fn in_network(subject: &Subject, hold: Duration) -> Result<Vec<Figures>> {
    let kind = subject.kind.to_possible_value().context("a kind's name")?;
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c"])
        .arg("ip link set lo up && exec \"$0\" \"$@\"")
        .arg(std::env::current_exe()?)
        .args(["events-round", kind.get_name()])
        .arg(&subject.program)
        .arg(hold.as_millis().to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .context("unshare, of util-linux")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the round failed: {}", said.trim());
    serde_json::from_slice(&output.stdout).context("what the round found")
}

/// What a round of `program` finds, for [`in_network`].
pub(crate) fn round(kind: Kind, program: &Path, hold: Duration) -> Result<()> {
    // Whoever began it may be killed.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let subject = Subject::new(kind, program.to_owned())?;
    crate::tell(&round::run(&subject, hold)?)
}

/// What is said of each event.
struct Measure {
    name: &'static str,
    unit: &'static str,
    /// Whether there must be one that is sick.
    of_the_sick_one: bool,
    of: fn(&Figures) -> Option<f64>,
}

const MEASURES: &[Measure] = &[
    measure(FAILED, "requests", |it| Some(it.failed as f64)),
    measure("all", "requests", |it| Some(it.requests as f64)),
    Measure {
        of_the_sick_one: true,
        ..measure(
            "last request to the sick server",
            "ms after the event",
            |it| Some(it.last_sent),
        )
    },
    Measure {
        of_the_sick_one: true,
        ..measure("sent to the sick server", "requests", |it| {
            Some(it.sent as f64)
        })
    },
    measure("p50", "ms", |it| it.p50),
    measure(P99, "ms", |it| it.p99),
    measure("worst", "ms", |it| it.worst),
];

const fn measure(
    name: &'static str,
    unit: &'static str,
    of: fn(&Figures) -> Option<f64>,
) -> Measure {
    Measure {
        name,
        unit,
        of_the_sick_one: false,
        of,
    }
}

pub(super) const FAILED: &str = "failed";
