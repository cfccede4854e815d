//! `sluice check`: everything that is wrong with a file.

use std::io::IsTerminal;
use std::process::ExitCode;

use sluice_config::Report;
use sluice_control::{LoadError, Source};

use crate::command_line::CheckArguments;

pub(crate) fn check(arguments: &CheckArguments) -> ExitCode {
    match Source::File(arguments.file.clone()).load() {
        Ok(loaded) => {
            show(&loaded.warnings);
            let plan = &loaded.plan;
            println!(
                "{}: good ({}, {}, {})",
                arguments.file.display(),
                count(plan.listeners.len(), "listener"),
                count(plan.routes.len(), "route"),
                count(plan.upstreams.len(), "upstream"),
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

/// Shows why a configuration cannot be used.
pub(crate) fn tell(error: &LoadError) {
    match error {
        LoadError::Wrong(report) => show(report),
        LoadError::Unreadable { .. } => eprintln!("error: {error}"),
    }
}

/// Shows a report, unless there is nothing in it.
pub(crate) fn show(report: &Report) {
    if !report.is_empty() {
        eprint!("{}", report.render(std::io::stderr().is_terminal()));
    }
}

fn count(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}
