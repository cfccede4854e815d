//! Under what conditions a run was made: a figure means little without them.

use serde::Serialize;

use crate::cores;
use crate::window::Timing;

/// The machine and how long it was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Conditions {
    processor: String,
    cores: usize,
    kernel: String,
    rounds: usize,
    window_seconds: f64,
}

impl Conditions {
    pub(crate) fn of(timing: Timing) -> Self {
        let system = rustix::system::uname();
        let release = system.release().to_string_lossy();
        // 6.12.3 of 6.12.3-2-cloud-amd64: what follows names a build, not a kernel.
        let release = release.split('-').next().unwrap_or_default();
        Self {
            processor: processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: cores::available(),
            kernel: format!("{} {release}", system.sysname().to_string_lossy()),
            rounds: timing.rounds,
            window_seconds: timing.window.as_secs_f64(),
        }
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} rounds of {} s; {}, {} cores, {}.",
            self.rounds, self.window_seconds, self.processor, self.cores, self.kernel
        )
    }
}

fn processor(cpuinfo: &str) -> String {
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    name.and_then(|rest| rest.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_called_by_its_name() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: Quick 9000\n"),
            "Quick 9000"
        );
        assert_eq!(processor(""), "unknown processor");
    }
}
