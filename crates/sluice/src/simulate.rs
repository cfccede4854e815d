//! `sluice simulate`: policies compared on a cluster in virtual time.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluice_simulate::{Comparison, Progress, Scenario, ScenarioError};

use crate::USAGE;
use crate::command_line::SimulateArguments;

pub(crate) fn simulate(arguments: &SimulateArguments) -> ExitCode {
    let mut scenario = match Scenario::load(&arguments.file) {
        Ok(scenario) => scenario,
        Err(ScenarioError::Wrong(mistake)) => {
            eprint!("{}", mistake.render(std::io::stderr().is_terminal()));
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if !arguments.policies.is_empty()
        && let Err(error) = scenario.set_policies(&arguments.policies)
    {
        eprintln!("error: {error}");
        return ExitCode::from(USAGE);
    }
    scenario.set_seeds(arguments.seed, arguments.seeds);
    if let Some(requests) = arguments.requests {
        scenario.shorten(requests);
    }
    let comparison = run(&scenario, arguments.threads);
    print!("{}", comparison.table());
    match write(&comparison, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs it, with a bar on a terminal and a figure of the speed at the end.
fn run(scenario: &Scenario, threads: usize) -> Comparison {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    let started = Instant::now();
    let comparison = sluice_simulate::run(scenario, threads, &|progress: Progress| {
        bar.set_length(progress.expected.max(progress.requests));
        bar.set_position(progress.requests);
    });
    bar.finish_and_clear();
    let took = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    let simulated = comparison.simulated as f64;
    eprintln!(
        "{:.2} M requests simulated in {took:.2} s: {:.2} M requests/s",
        simulated / 1e6,
        simulated / took.max(1e-9) / 1e6
    );
    comparison
}

const BAR: &str = "{wide_bar} {human_pos} of {human_len} requests, {eta} left";

fn write(comparison: &Comparison, arguments: &SimulateArguments) -> anyhow::Result<()> {
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &arguments.csv {
        write(path, comparison.csv())?;
    }
    if let Some(path) = &arguments.json {
        write(path, comparison.json())?;
    }
    if let Some(path) = &arguments.svg {
        write(path, comparison.svg())?;
    }
    Ok(())
}
