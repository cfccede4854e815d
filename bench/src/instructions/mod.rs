//! The guard against slow drift: how many instructions each step of the hot
//! path takes, counted by callgrind and compared with `bench/instructions.txt`.
//!
//! Unlike time, instructions come out the same on a busy machine. Each step is
//! run twice, a different number of times; the difference is what the step
//! itself takes, without the start of the process.

mod work;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;

pub(crate) use work::Step;
use work::Work;

/// What callgrind runs: one step, so many times.
pub(crate) fn repeat(step: Step, times: u32) -> Result<()> {
    Work::new()?.repeat(step, times)
}

/// Counts all steps; fails where one takes more than the file allows. With `accept` the file is written anew instead.
pub(crate) fn guard(accept: bool) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
    let counts = Step::value_variants()
        .iter()
        .map(|&step| Ok((name(step), count(step)?)))
        .collect::<Result<Vec<_>>>()?;
    if accept {
        let mut text = HEADING.to_owned();
        for (name, count) in &counts {
            // Writing into memory does not fail.
            let _ = writeln!(text, "{name} {count}");
        }
        return std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()));
    }
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let known = parse(&text)?;
    let mut failed = Vec::new();
    for (name, count) in counts {
        let known = known
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, count)| count);
        let verdict = Verdict::of(count, known);
        crate::say(&verdict.line(&name, count));
        if matches!(verdict, Verdict::More(_) | Verdict::Unknown) {
            failed.push(name);
        }
    }
    ensure!(
        failed.is_empty(),
        "more instructions than {} allows: {}; where that is meant, run this with --accept",
        path.display(),
        failed.join(", ")
    );
    Ok(())
}

/// How a count stands to the accepted one, in percent of it.
#[derive(Debug, PartialEq)]
enum Verdict {
    Within(f64),
    More(f64),
    /// Worth accepting, so that it cannot be lost again unseen.
    Less(f64),
    Unknown,
}

impl Verdict {
    fn of(count: u64, known: Option<u64>) -> Self {
        let Some(known) = known else {
            return Self::Unknown;
        };
        let change = (count as f64 / known as f64 - 1.0) * 100.0;
        match change {
            change if change > TOLERANCE => Self::More(change),
            change if change < -TOLERANCE => Self::Less(change),
            change => Self::Within(change),
        }
    }

    fn line(&self, name: &str, count: u64) -> String {
        match self {
            Self::Within(change) => format!("{name:18} {count:6}  {change:+.1} %"),
            Self::More(change) => format!("{name:18} {count:6}  {change:+.1} %: too many"),
            Self::Less(change) => {
                format!("{name:18} {count:6}  {change:+.1} %: better; keep it with --accept")
            }
            Self::Unknown => format!("{name:18} {count:6}  not in the file"),
        }
    }
}

/// Instructions that one run of `step` takes.
fn count(step: Step) -> Result<u64> {
    let (few, many) = (callgrind(step, FEW)?, callgrind(step, MANY)?);
    Ok(many.saturating_sub(few) / u64::from(MANY - FEW))
}

fn callgrind(step: Step, times: u32) -> Result<u64> {
    let out = scratch_file(step, times);
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["repeat", &name(step), &times.to_string()])
        .output()
        .context("running valgrind, which counts the instructions")?;
    let counted = std::fs::read_to_string(&out);
    // It is only of use until it has been read.
    let _ = std::fs::remove_file(&out);
    if !output.status.success() {
        bail!(
            "{} under valgrind: {}",
            name(step),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let counted = counted.context("reading what callgrind counted")?;
    summary(&counted).context("callgrind's file has no summary")
}

fn scratch_file(step: Step, times: u32) -> PathBuf {
    std::env::temp_dir().join(format!(
        "sluice-bench-{}-{}-{times}.callgrind",
        std::process::id(),
        name(step)
    ))
}

/// The sum over the whole run, in a file that callgrind wrote.
fn summary(counted: &str) -> Option<u64> {
    let line = |name| {
        counted
            .lines()
            .find_map(|line: &str| line.strip_prefix(name))
    };
    line("summary:")
        .or_else(|| line("totals:"))?
        .trim()
        .parse()
        .ok()
}

fn parse(text: &str) -> Result<Vec<(String, u64)>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (name, count) = line
                .split_once(' ')
                .with_context(|| format!("not a name and a count: {line}"))?;
            Ok((
                name.to_owned(),
                count
                    .trim()
                    .parse()
                    .with_context(|| format!("not a count: {line}"))?,
            ))
        })
        .collect()
}

fn name(step: Step) -> String {
    step.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

const FEW: u32 = 100;
const MANY: u32 = 1100;
/// Percent of change that is nobody's fault: another compiler, another C library.
const TOLERANCE: f64 = 5.0;
const HEADING: &str = "\
# Instructions that each step of the hot path takes, on x86-64 with AVX2 and release settings.
# Written by `cargo xtask bench instructions --accept`, compared by `cargo xtask bench instructions`.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_tolerance_is_too_many() {
        assert!(matches!(Verdict::of(1051, Some(1000)), Verdict::More(_)));
        assert!(matches!(Verdict::of(1049, Some(1000)), Verdict::Within(_)));
        assert!(matches!(Verdict::of(949, Some(1000)), Verdict::Less(_)));
        assert_eq!(Verdict::of(1, None), Verdict::Unknown);
    }

    #[test]
    fn the_committed_file_names_every_step() {
        let known = parse(include_str!("../../instructions.txt")).unwrap();
        let named: Vec<String> = known.into_iter().map(|(name, _)| name).collect();
        let steps: Vec<String> = Step::value_variants()
            .iter()
            .map(|&step| name(step))
            .collect();
        assert_eq!(named, steps);
    }

    #[test]
    fn the_sum_is_found_in_callgrinds_file() {
        assert_eq!(
            summary("version: 1\nevents: Ir\nsummary: 4711\n\nfn=(1)\n1 2\ntotals: 4711\n"),
            Some(4711)
        );
        assert_eq!(summary("events: Ir\n"), None);
    }
}
