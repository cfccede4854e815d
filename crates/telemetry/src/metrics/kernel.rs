//! What the kernel knows of the process, read when metrics are scraped.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// A reading of `/proc`. What cannot be read is absent from the metrics rather than 0.
#[derive(Debug, Default)]
pub(crate) struct KernelView {
    pub(crate) start_seconds: Option<f64>,
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
}

impl KernelView {
    pub(crate) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self {
            start_seconds: start_seconds(&stat),
            cpu_seconds: cpu_seconds(&stat),
            resident_bytes: field(&stat, RSS)
                .map(|pages| pages * rustix::param::page_size() as u64),
            open_fds: open_fds(),
            max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        }
    }
}

// Fields of proc_pid_stat(5), counted from 1.
const UTIME: usize = 14;
const STIME: usize = 15;
const START_TIME: usize = 22;
const RSS: usize = 24;

/// A numeric field of `stat`. The second field is the program's name in parentheses and may hold anything.
fn field(stat: &str, number: usize) -> Option<u64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name
        .split_ascii_whitespace()
        .nth(number.checked_sub(3)?)?
        .parse()
        .ok()
}

fn ticks_to_seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some(ticks_to_seconds(field(stat, UTIME)? + field(stat, STIME)?))
}

fn start_seconds(stat: &str) -> Option<f64> {
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = system
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Some(boot as f64 + ticks_to_seconds(field(stat, START_TIME)?))
}

fn open_fds() -> Option<u64> {
    // Since Linux 6.2 the size of the directory is the number of open descriptors; before, it is 0.
    let size = fs::metadata("/proc/self/fd").ok()?.size();
    if size > 0 {
        return Some(size);
    }
    // One of those counted is the directory being read.
    Some(
        fs::read_dir("/proc/self/fd")
            .ok()?
            .count()
            .saturating_sub(1) as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let view = KernelView::read();
        assert!(view.start_seconds.is_some_and(|seconds| seconds > 1.6e9));
        assert!(view.cpu_seconds.is_some_and(|seconds| seconds >= 0.0));
        assert!(view.resident_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(
            view.open_fds
                .is_some_and(|count| (3..100_000).contains(&count))
        );
        assert!(view.max_fds.is_some_and(|limit| limit >= 3));
    }

    #[test]
    fn odd_program_names_do_not_shift_the_fields() {
        let rest: Vec<_> = (4..=30).map(|number| number.to_string()).collect();
        let stat = format!("7 (a) b (c) S {}", rest.join(" "));
        assert_eq!(field(&stat, UTIME), Some(14));
        assert_eq!(field(&stat, RSS), Some(24));
        assert_eq!(field("7 (a", UTIME), None);
        assert_eq!(field("", UTIME), None);
    }
}
