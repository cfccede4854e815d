//! Waiting for something to become true, always with an end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails. Generous, since it only passes when something is broken.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Polls until `condition` holds.
///
/// Panics with `what` when it does not within [`DEADLINE`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Polls until `attempt` gives a value.
///
/// Panics with `what` when it does not within [`DEADLINE`].
#[track_caller]
pub fn wait_for<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    match poll(DEADLINE, attempt) {
        Some(value) => value,
        None => panic!("waited {DEADLINE:?} in vain: {what}"),
    }
}

pub(crate) fn poll<T>(deadline: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if start.elapsed() >= deadline {
            return None;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where tests poll, with a deadline"
        )]
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Holds a scripted server back until the test says so: order by cause instead of by sleeping.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through, from now on.
    pub fn open(&self) {
        let (open, changed) = &*self.0;
        *open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Waits until the gate is open; `false` when it was not opened within [`DEADLINE`].
    pub fn wait(&self) -> bool {
        let (open, changed) = &*self.0;
        let guard = open.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, DEADLINE, |open| !*open)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

const POLL_INTERVAL: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_is_returned() {
        let mut attempts = 0;
        let value = wait_for("the third attempt", || {
            attempts += 1;
            (attempts == 3).then_some("here")
        });
        assert_eq!((value, attempts), ("here", 3));
    }

    #[test]
    fn what_never_comes_ends() {
        assert_eq!(poll(Duration::from_millis(5), || None::<()>), None);
    }

    #[test]
    fn a_gate_holds_until_it_is_opened() {
        let gate = Gate::new();
        let other = gate.clone();
        let waiting = std::thread::spawn(move || other.wait());
        gate.open();
        assert!(waiting.join().expect("the waiting thread"));
        assert!(gate.wait(), "an open gate stays open");
    }
}
