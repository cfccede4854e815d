//! Which core runs what: the proxy on one, load and servers on another.

use std::io;

use rustix::thread::CpuSet;

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
