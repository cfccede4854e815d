//! `cargo xtask test`: every check and test, in an order that tells of cheap mistakes first.
//!
//! All steps run, whatever failed before, so that one run tells everything. What comes last is what a caller looks for:
//! a table of the steps, nextest's own summary, and `N passed, N failed` alone on a line.

mod counts;
mod install;
mod step;

use anyhow::Result;

use counts::Counts;
use step::{Outcome, Step, Work};

/// The steps in order. A new check is a new entry.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        work: Work::Cargo(&["fmt", "--all", "--check"]),
        environment: &[],
    },
    Step {
        name: "floors",
        work: Work::Own(crate::floors::run),
        environment: &[],
    },
    Step {
        // Advisories are left out: they need a database from the network, and change without a commit.
        name: "licences and sources",
        work: Work::Cargo(&[
            "deny",
            "--locked",
            "--log-level",
            "error",
            "check",
            "bans",
            "licenses",
            "sources",
        ]),
        environment: &[],
    },
    Step {
        name: "lints",
        work: Work::Cargo(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
        environment: &[],
    },
    Step {
        name: "tests",
        work: Work::Nextest(&[
            "nextest",
            "run",
            "--locked",
            "--workspace",
            "--no-fail-fast",
            "--color",
            "never",
        ]),
        environment: &[],
    },
    Step {
        name: "documentation tests",
        work: Work::Doctests(&[
            "test",
            "--locked",
            "--workspace",
            "--doc",
            "--no-fail-fast",
            "--quiet",
        ]),
        environment: &[],
    },
    Step {
        name: "documentation",
        work: Work::Cargo(&["doc", "--locked", "--workspace", "--no-deps", "--quiet"]),
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
];

/// `false` when a step failed.
pub(crate) fn run(may_install: bool) -> Result<bool> {
    install::prepare(may_install)?;
    let outcomes: Vec<Outcome> = STEPS.iter().map(Step::carry_out).collect();
    let total = outcomes
        .iter()
        .fold(Counts::default(), |sum, outcome| sum.plus(outcome.counts));

    println!("\n{:<24}{:>9}  result", "step", "time");
    for (step, outcome) in STEPS.iter().zip(&outcomes) {
        println!(
            "{:<24}{:>8.1}s  {outcome}",
            step.name,
            outcome.time.as_secs_f64()
        );
    }
    let passed = outcomes.iter().all(|outcome| outcome.passed);
    let summary = outcomes
        .iter()
        .find_map(|outcome| outcome.summary.as_deref());
    println!(
        "\n{}",
        summary.unwrap_or("no summary: the tests did not run")
    );
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(passed)
}
