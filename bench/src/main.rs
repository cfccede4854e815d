//! The harness that compares sluice with its peers in one run.
//!
//! `options` is the command line, `subjects` the programs compared,
//! `load` the clients and servers, `window` one measured stretch of time,
//! `scenarios` what is measured, `picks` what the choice of a server takes, `routes` what finding a route takes, `report` what is said of it; `balance` sets
//! policies against each other, `instructions` counts the hot path's instructions, which is what CI guards.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tables and progress are what this program is for"
)]

mod balance;
mod conditions;
mod cores;
mod forwarder;
mod instructions;
mod load;
mod options;
mod picks;
mod procfs;
mod report;
mod routes;
mod scenarios;
mod statistics;
mod subjects;
mod window;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser as _, ValueEnum as _};

use conditions::Conditions;
use options::{Options, Part, Run};
use report::{Report, Table};
use scenarios::{Scenario, events};
use subjects::{Kind, install};

fn main() -> Result<()> {
    let options = Options::parse();
    match options.part {
        Some(Part::Forwarder {
            listen,
            to,
            workers,
        }) => forwarder::run(listen, &to, workers),
        Some(Part::EventsRound {
            kind,
            program,
            hold_ms,
        }) => events::round(kind, &program, Duration::from_millis(hold_ms)),
        Some(Part::EventsOrigin { address }) => events::serve(address),
        Some(Part::Balance(options)) => balance::run(&options),
        Some(Part::Instructions { accept }) => instructions::guard(accept),
        Some(Part::Repeat { step, times }) => instructions::repeat(step, times),
        Some(Part::Picks { rounds }) => picks::run(usize::from(rounds)),
        Some(Part::Routes { rounds }) => routes::run(usize::from(rounds)),
        None => compare(&options.run),
    }
}

fn compare(run: &Run) -> Result<()> {
    ensure!(
        cores::available() >= 2,
        "the proxy and its load need a core each"
    );
    let kinds = if run.only.is_empty() {
        Kind::value_variants().to_vec()
    } else {
        run.only.clone()
    };
    let subjects = install::subjects(&kinds, &run.named())?;
    let scenarios = if run.scenarios.is_empty() {
        Scenario::usual()
    } else {
        run.scenarios.clone()
    };
    let conditions = Conditions::of(run.timing());
    println!("{}", conditions.line());
    let mut tables: Vec<Table> = Vec::new();
    for scenario in scenarios {
        let measured = scenario.run(&subjects, run.timing())?;
        if measured.iter().all(|table| table.rows.is_empty()) {
            progress(&format!(
                "{}: no subject of this run does that",
                scenario.name()
            ));
            continue;
        }
        for table in measured {
            print!(
                "{}",
                if run.markdown {
                    table.markdown()
                } else {
                    table.text()
                }
            );
            tables.push(table);
        }
    }
    if let Some(path) = &run.json {
        let text = serde_json::to_string_pretty(&Report { conditions, tables })?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Says a line of what was found.
fn say(text: &str) {
    println!("{text}");
}

/// Hands what was found to the process that wants to know.
fn tell(found: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(found)?);
    Ok(())
}

/// Tells what goes on, beside the tables.
fn progress(text: &str) {
    eprintln!("{text}");
}
