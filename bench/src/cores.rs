//! Which core runs what, the proxy on one, load and servers on another, and how long a thread has worked on its own.

use std::io;
use std::time::Duration;

use rustix::thread::CpuSet;
use rustix::time::{ClockId, clock_gettime};

/// The core the proxy stays on where it is given one.
pub(crate) const PROXY: usize = 0;
/// The core load and servers stay on then.
pub(crate) const LOAD: usize = 1;

/// Keeps the calling thread on `core`.
pub(crate) fn stay_on(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &cores)?)
}

/// How many cores this process may use.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How long this thread has worked: waiting for others on its core does not count.
pub(crate) fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
