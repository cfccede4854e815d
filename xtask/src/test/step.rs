//! One step of the run: what it calls, and what came of it.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::counts::Counts;
use crate::workspace::cargo;

/// A named check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// Added to the environment of cargo.
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

/// What a step calls.
pub(crate) enum Work {
    /// Cargo with these arguments; passes when cargo does.
    Cargo(&'static [&'static str]),
    /// Cargo running tests under nextest, whose summary is counted.
    Nextest(&'static [&'static str]),
    /// Cargo running documentation tests, whose results are counted.
    Doctests(&'static [&'static str]),
    /// A function of this program; passes with `true`.
    Own(fn() -> Result<bool>),
}

/// What came of a step.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) passed: bool,
    pub(crate) time: Duration,
    pub(crate) counts: Counts,
    /// The line in which nextest sums up.
    pub(crate) summary: Option<String>,
}

impl Step {
    /// Runs it, showing its output as it comes.
    pub(crate) fn carry_out(&self) -> Outcome {
        println!("\n── {}", self.name);
        let start = Instant::now();
        let done = match &self.work {
            Work::Own(check) => check().map(|passed| Outcome {
                passed,
                ..Outcome::default()
            }),
            Work::Cargo(arguments) => self.call(arguments),
            Work::Nextest(arguments) => self.nextest(arguments),
            Work::Doctests(arguments) => self.doctests(arguments),
        };
        let mut outcome = done.unwrap_or_else(|error| {
            println!("error: {error:#}");
            Outcome::default()
        });
        outcome.time = start.elapsed();
        outcome
    }

    fn call(&self, arguments: &[&str]) -> Result<Outcome> {
        let status = cargo(arguments)
            .envs(self.environment.iter().copied())
            .status();
        let passed = status.context("starting cargo")?.success();
        Ok(Outcome {
            passed,
            ..Outcome::default()
        })
    }

    fn nextest(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut summary = None;
        let succeeded = self.watch(arguments, |line| {
            if let Some(counts) = Counts::of_nextest(line) {
                summary = Some((line.trim().to_owned(), counts));
            }
        })?;
        let (summary, counts) = summary.unzip();
        let counts = counts.unwrap_or(Counts::NOTHING_RAN);
        Ok(Outcome {
            passed: succeeded && counts.is_good(),
            counts,
            summary,
            ..Outcome::default()
        })
    }

    fn doctests(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut counts = Counts::default();
        let succeeded = self.watch(arguments, |line| {
            counts = counts.plus(Counts::of_doctests(line).unwrap_or_default());
        })?;
        if !succeeded && counts.is_good() {
            counts = counts.plus(Counts::NOTHING_RAN);
        }
        Ok(Outcome {
            passed: succeeded && counts.is_good(),
            counts,
            ..Outcome::default()
        })
    }

    /// Runs cargo, showing each line and handing it to `see`.
    fn watch(&self, arguments: &[&str], mut see: impl FnMut(&str)) -> Result<bool> {
        // One pipe for both outputs keeps their lines in order.
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        let mut command = cargo(arguments);
        command.envs(self.environment.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command.spawn().context("starting cargo")?;
        // The command holds the writing end, and the reading ends only when all writers are gone.
        drop(command);
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            see(&text);
            line.clear();
        }
        Ok(child.wait()?.success())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.passed { "ok" } else { "FAILED" })?;
        if self.counts != Counts::default() {
            write!(f, "  {}", self.counts)?;
        }
        Ok(())
    }
}
