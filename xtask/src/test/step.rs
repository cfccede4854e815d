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
    pub(crate) environment: Option<(&'static str, &'static str)>,
}

/// What a step calls.
pub(crate) enum Work {
    /// Cargo with these arguments, apart by spaces; passes when cargo does.
    Cargo(&'static str),
    /// Cargo running tests under nextest, whose summary is counted.
    Nextest(&'static str),
    /// Cargo running documentation tests, whose results are counted.
    Doctests(&'static str),
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
    pub(crate) const fn new(name: &'static str, work: Work) -> Self {
        Self {
            name,
            work,
            environment: None,
        }
    }

    pub(crate) const fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment = Some((name, value));
        self
    }

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

    fn call(&self, arguments: &str) -> Result<Outcome> {
        let status = cargo(&arguments.split(' ').collect::<Vec<_>>())
            .envs(self.environment)
            .status();
        let passed = status.context("starting cargo")?.success();
        Ok(Outcome {
            passed,
            ..Outcome::default()
        })
    }

    fn nextest(&self, arguments: &str) -> Result<Outcome> {
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

    fn doctests(&self, arguments: &str) -> Result<Outcome> {
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
    fn watch(&self, arguments: &str, mut see: impl FnMut(&str)) -> Result<bool> {
        // One pipe for both outputs keeps their lines in order.
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        let mut command = cargo(&arguments.split(' ').collect::<Vec<_>>());
        command.envs(self.environment);
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
