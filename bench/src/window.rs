//! One measured stretch of time: what the load got done in it and what that
//! cost the subject.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cores;
use crate::load::{Clients, Load};
use crate::procfs::{self, Cpu};
use crate::subjects::Running;

/// How long to look, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
    pub(crate) rounds: usize,
}

/// What one window showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) length: Duration,
    pub(crate) completed: u64,
    pub(crate) bytes: u64,
    pub(crate) cpu: Cpu,
    /// The part of the time in which the proxy's core had something to do, whoever for; 0 to 1.
    core_busy: f64,
}

impl Window {
    /// Lets the clients of `load` begin and warm up, then measures.
    pub(crate) fn measure<C: Clients>(
        running: &Running,
        load: &Load<C>,
        timing: Timing,
    ) -> Result<Self> {
        let tally = load.tally();
        load.open();
        sleep(load, timing.warm_up)?;
        tally.measuring.store(true, Relaxed);
        let before = Reading::take(running, load)?;
        sleep(load, timing.window)?;
        let after = Reading::take(running, load)?;
        tally.measuring.store(false, Relaxed);

        let length = after.at - before.at;
        let errors = tally.errors.load(Relaxed);
        let completed = after.completed - before.completed;
        if errors > 0 {
            let first = tally.first_error().unwrap_or_default();
            bail!("{errors} failed beside {completed} that did not; the first: {first}");
        }
        let idle = Duration::from_millis((after.idle_ticks - before.idle_ticks) * 10);
        Ok(Self {
            length,
            completed,
            bytes: after.bytes - before.bytes,
            cpu: after.cpu.since(before.cpu),
            core_busy: 1.0 - (idle.as_secs_f64() / length.as_secs_f64()).min(1.0),
        })
    }

    /// Processor time of the subject for each thing completed, in microseconds.
    pub(crate) fn micros_each(&self) -> f64 {
        self.cpu.running.as_secs_f64() * 1e6 / self.completed as f64
    }

    /// Things completed per second.
    pub(crate) fn rate(&self) -> f64 {
        self.completed as f64 / self.length.as_secs_f64()
    }

    /// The part of the time in which the subject ran, of one core; above 1 where it had several.
    pub(crate) fn busy(&self) -> f64 {
        self.cpu.running.as_secs_f64() / self.length.as_secs_f64()
    }

    /// Why the rate says nothing about the subject, if so: it was not what held things up.
    pub(crate) fn doubt(&self) -> Option<String> {
        let busy = self.busy();
        let wanted = busy + self.cpu.waiting.as_secs_f64() / self.length.as_secs_f64();
        if busy >= SATURATED {
            None
        } else if wanted >= SATURATED {
            Some(format!(
                "others took its core: it ran {:.0} % of the time",
                busy * 100.0
            ))
        } else {
            Some(format!(
                "not saturated: it ran {:.0} % of the time, its core {:.0} %",
                busy * 100.0,
                self.core_busy * 100.0
            ))
        }
    }
}

struct Reading {
    at: Instant,
    completed: u64,
    bytes: u64,
    cpu: Cpu,
    idle_ticks: u64,
}

impl Reading {
    fn take<C: Clients>(running: &Running, load: &Load<C>) -> Result<Self> {
        let cpu = running.cpu()?;
        let tally = load.tally();
        Ok(Self {
            at: Instant::now(),
            completed: tally.completed.load(Relaxed),
            bytes: tally.bytes.load(Relaxed),
            cpu,
            idle_ticks: procfs::idle_ticks(cores::PROXY)?,
        })
    }
}

fn sleep<C: Clients>(load: &Load<C>, time: Duration) -> Result<()> {
    pause(time);
    if load.ended() {
        bail!("the load ended before its time");
    }
    Ok(())
}

/// Lets time pass while others work.
#[expect(
    clippy::disallowed_methods,
    reason = "measuring is waiting, on a thread that does nothing else"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// From this part of a core on, a subject counts as what holds things up.
const SATURATED: f64 = 0.95;
