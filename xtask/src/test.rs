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
    Step::new("format", Work::Cargo("fmt --all --check")),
    Step::new("floors", Work::Own(crate::floors::run)),
    // Advisories are left out: they need a database from the network, and change without a commit.
    Step::new(
        "licences and sources",
        Work::Cargo("deny --locked --log-level error check bans licenses sources"),
    ),
    Step::new(
        "lints",
        Work::Cargo("clippy --locked --workspace --all-targets --quiet -- -D warnings"),
    ),
    Step::new(
        "tests",
        Work::Nextest("nextest run --locked --workspace --no-fail-fast --color never"),
    ),
    Step::new(
        "documentation tests",
        Work::Doctests("test --locked --workspace --doc --no-fail-fast --quiet"),
    ),
    // Atomics that try every order in which threads may meet are another build of the same code.
    Step::new(
        "interleavings",
        Work::Nextest("nextest run --locked --package sluice-balance --package sluice-health --package sluice-limit --test interleavings --no-fail-fast --color never"),
    )
    .with("RUSTFLAGS", "--cfg loom"),
    // A workspace of their own, as fuzzing needs a compiler of its own. That they build is seen with this one, without
    // the fuzzer itself: naming another keeps it from being compiled, and a check links nothing.
    Step::new(
        "fuzz targets",
        Work::Cargo("check --locked --manifest-path fuzz/Cargo.toml --quiet"),
    )
    .with("CUSTOM_LIBFUZZER_PATH", "/none/libfuzzer.a"),
    // Instructions come out alike on a busy machine; time does not, so none is judged here.
    Step::new(
        "instruction counts",
        Work::Cargo("run --locked --quiet --release --package sluice-bench -- instructions"),
    ),
    // Whoever reads these pages works on the house, so private items are shown and may be linked.
    Step::new(
        "documentation",
        Work::Cargo("doc --locked --workspace --no-deps --document-private-items --quiet"),
    )
    .with(
        "RUSTDOCFLAGS",
        "-D warnings -A rustdoc::private-intra-doc-links",
    ),
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
