//! A subject's process, from its start to its end.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};

use super::Subject;
use super::probe;
use super::settings::Job;
use crate::procfs::{self, Cpu};
use crate::window;

/// A started subject; dropping it ends it and all it has started.
pub(crate) struct Running {
    child: Child,
    directory: PathBuf,
    started: Instant,
}

impl Running {
    pub(super) fn launch(subject: &Subject, job: &Job) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!(
            "sluice-bench-{}-{}",
            std::process::id(),
            job.listen.port()
        ));
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("making {}", directory.display()))?;
        let said = File::create(directory.join(SAID))?;
        let mut command = job.command(subject, &directory)?;
        command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("running {}", subject.program.display()))?;
        Ok(Self {
            child,
            directory,
            started,
        })
    }

    /// Waits until something asked of it is answered; how long that took since its start.
    pub(crate) fn await_answer(&mut self, job: &Job) -> Result<Duration> {
        while self.started.elapsed() < PATIENCE {
            if probe::answers(job).is_ok() {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", self.said());
            }
            window::pause(BETWEEN_ATTEMPTS);
        }
        bail!("it does not answer: {}", self.said())
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.child.id()).with_context(|| self.said())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it wrote.
    fn said(&self) -> String {
        let text = std::fs::read(self.directory.join(SAID)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Measured and done: nobody waits for connections to drain. The first is the parent, which would else start its
        // workers anew.
        for id in procfs::family(self.child.id()).unwrap_or_default() {
            if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                // It may have ended already.
                let _ = rustix::process::kill_process(id, Signal::KILL);
            }
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

const SAID: &str = "said";
const PATIENCE: Duration = Duration::from_secs(20);
const BETWEEN_ATTEMPTS: Duration = Duration::from_micros(200);
