//! What the kernel says of a process and all it has started: processor time,
//! memory. And how busy a core was, whoever it was with.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Processor time used so far by a process and its descendants.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Cpu {
    /// On a core, exact to the nanosecond.
    pub(crate) running: Duration,
    /// Ready, but waiting for a core.
    pub(crate) waiting: Duration,
    /// In its own code and in the kernel, in ticks of 10 ms: only good as a share.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
}

impl Cpu {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let mut sum = Self::default();
        for id in family(process)? {
            for task in directories(&format!("/proc/{id}/task")) {
                // A thread that ended since the listing has nothing to add.
                let Ok(text) = fs::read_to_string(format!("/proc/{id}/task/{task}/schedstat"))
                else {
                    continue;
                };
                let mut fields = text
                    .split_ascii_whitespace()
                    .filter_map(|field| field.parse().ok());
                sum.running += Duration::from_nanos(fields.next().unwrap_or(0));
                sum.waiting += Duration::from_nanos(fields.next().unwrap_or(0));
            }
            let stat = Stat::of(id).unwrap_or_default();
            sum.user_ticks += stat.user_ticks;
            sum.system_ticks += stat.system_ticks;
        }
        Ok(sum)
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            running: self.running.saturating_sub(earlier.running),
            waiting: self.waiting.saturating_sub(earlier.waiting),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }

    /// The part of the time that was in the program's own code, 0 to 1.
    pub(crate) fn user_share(self) -> f64 {
        let all = self.user_ticks + self.system_ticks;
        if all == 0 {
            0.0
        } else {
            self.user_ticks as f64 / all as f64
        }
    }
}

/// Bytes of memory that a process and its descendants hold, shared pages counted in part (PSS).
pub(crate) fn memory(process: u32) -> Result<u64> {
    let mut sum = 0;
    for id in family(process)? {
        let path = format!("/proc/{id}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        sum += kibibytes(&text, "Pss:").with_context(|| format!("no Pss in {path}"))? * 1024;
    }
    Ok(sum)
}

/// Time that `core` has been idle since the machine started, in ticks of 10 ms.
pub(crate) fn idle_ticks(core: usize) -> Result<u64> {
    let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let name = format!("cpu{core} ");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .context("no such core in /proc/stat")?;
    let fields: Vec<u64> = line
        .split_ascii_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, waiting for devices
    Ok(fields.iter().skip(3).take(2).sum())
}

/// The process and everything started by it, parents before children.
pub(crate) fn family(process: u32) -> Result<Vec<u32>> {
    let parents: Vec<(u32, u32)> = directories("/proc")
        .into_iter()
        .filter_map(|id| Stat::of(id).map(|stat| (id, stat.parent)))
        .collect();
    anyhow::ensure!(
        parents.iter().any(|&(id, _)| id == process),
        "process {process} has ended"
    );
    let mut family = vec![process];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(
            parents
                .iter()
                .filter(|&&(_, of)| of == parent)
                .map(|&(id, _)| id),
        );
        next += 1;
    }
    Ok(family)
}

fn directories(path: &str) -> Vec<u32> {
    fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[derive(Default)]
struct Stat {
    parent: u32,
    user_ticks: u64,
    system_ticks: u64,
}

impl Stat {
    fn of(process: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name stands in brackets and may itself hold brackets and spaces.
        let rest = &text[text.rfind(')')? + 1..];
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            user_ticks: fields.get(11)?.parse().ok()?,
            system_ticks: fields.get(12)?.parse().ok()?,
        })
    }
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let stat =
            Stat::parse("42 (a) b) S 7 42 42 0 -1 4194304 1 0 0 0 150 250 0 0 20 0 1 0 5 6 7")
                .unwrap();
        assert_eq!(
            (stat.parent, stat.user_ticks, stat.system_ticks),
            (7, 150, 250)
        );
    }

    #[test]
    fn pss_is_read_from_its_own_line() {
        let text = "Rss:                1000 kB\nPss:                 420 kB\nPss_Dirty:             7 kB\n";
        assert_eq!(kibibytes(text, "Pss:"), Some(420));
    }

    #[test]
    fn this_process_has_used_some_time_and_memory() {
        let id = std::process::id();
        assert!(Cpu::of(id).unwrap().running > Duration::ZERO);
        assert!(memory(id).unwrap() > 0);
    }
}
