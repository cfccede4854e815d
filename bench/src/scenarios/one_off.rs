//! What needs no load: time to start, size, time to build.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::requests::SERVERS;
use super::{Scenario, in_turn};
use crate::load::bulk::BulkClients;
use crate::load::origin::{self, Service};
use crate::load::{Load, Placement};
use crate::report::{Better, Table};
use crate::subjects::{Job, Kind, Protocol, Subject, install};
use crate::window::Timing;

/// Milliseconds from the start of the process to the first request answered.
pub(super) fn start(subjects: &[Subject], timing: Timing) -> Result<Vec<Table>> {
    let mut tables = vec![Table::new(
        Scenario::Start.name(),
        "time to the first answer",
        "ms",
        Better::Lower,
        subjects,
    )];
    let servers = origin::addresses(SERVERS)?;
    let placement = Placement {
        core: None,
        spin: false,
    };
    // Only its servers are wanted: the clients are never let begin.
    let clients = BulkClients::new(servers[0], 0);
    let load = Load::start(vec![clients], Service::Http, &servers, placement)?;
    in_turn(
        Scenario::Start,
        subjects,
        timing.rounds * 2,
        &mut tables,
        |subject, row, tables| {
            let job = Job::new(Protocol::Http, &servers, 1, None)?;
            let took = subject.launch(&job)?.await_answer(&job)?;
            tables[0].add(row, took.as_secs_f64() * 1e3, None);
            Ok(())
        },
    );
    load.stop()?;
    Ok(tables)
}

/// The size of the binary as it stands on the disk, without the libraries it loads.
pub(super) fn size(subjects: &[Subject]) -> Result<Vec<Table>> {
    // The forwarder is a part of the harness, whose size says nothing.
    let subjects: Vec<Subject> = subjects
        .iter()
        .filter(|subject| subject.kind != Kind::Forwarder)
        .cloned()
        .collect();
    let mut table = Table::new(
        Scenario::Size.name(),
        "size of the binary",
        "MiB",
        Better::Lower,
        &subjects,
    );
    for (row, subject) in subjects.iter().enumerate() {
        let bytes = std::fs::metadata(&subject.program)
            .with_context(|| subject.program.display().to_string())?
            .len();
        table.add(row, bytes as f64 / 1024.0 / 1024.0, None);
    }
    Ok(vec![table])
}

/// Seconds for a release build of sluice with nothing built before.
pub(super) fn build_time(subjects: &[Subject]) -> Result<Vec<Table>> {
    let sluice: Vec<Subject> = subjects
        .iter()
        .filter(|subject| subject.kind == Kind::Sluice)
        .cloned()
        .collect();
    let mut table = Table::new(
        Scenario::BuildTime.name(),
        "clean release build",
        "s",
        Better::Lower,
        &sluice,
    );
    if sluice.is_empty() {
        return Ok(vec![table]);
    }
    let directory = install::target_directory()?.join("bench/clean-build");
    let clean = || match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    clean()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let began = Instant::now();
    let mut build = Command::new(cargo);
    build
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "sluice",
            "--target-dir",
        ])
        .arg(&directory);
    let output = build.output()?;
    let took = began.elapsed();
    clean()?;
    if !output.status.success() {
        bail!(
            "the build failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    table.add(0, took.as_secs_f64(), None);
    Ok(vec![table])
}
