//! Whether the process takes traffic: set by the control plane, shown by the admin listener.

use std::sync::atomic::{AtomicU8, Ordering};

/// The state of the process, shared between who sets it and who shows it.
#[derive(Debug)]
pub struct Readiness(AtomicU8);

/// Whether the process takes traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyState {
    /// Not all listeners are bound yet.
    Starting,
    /// All listeners are bound and accept.
    Ready,
    /// No longer accepting; what is under way may finish.
    Draining,
}

impl Readiness {
    /// Changes the state.
    pub fn set(&self, state: ReadyState) {
        self.0.store(state as u8, Ordering::Release);
    }

    /// The state now.
    pub fn state(&self) -> ReadyState {
        const READY: u8 = ReadyState::Ready as u8;
        const DRAINING: u8 = ReadyState::Draining as u8;
        match self.0.load(Ordering::Acquire) {
            READY => ReadyState::Ready,
            DRAINING => ReadyState::Draining,
            _ => ReadyState::Starting,
        }
    }
}

impl Default for Readiness {
    /// A process begins by starting.
    fn default() -> Self {
        Self(AtomicU8::new(ReadyState::Starting as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_was_set() {
        let readiness = Readiness::default();
        assert_eq!(readiness.state(), ReadyState::Starting);
        for state in [
            ReadyState::Ready,
            ReadyState::Draining,
            ReadyState::Starting,
        ] {
            readiness.set(state);
            assert_eq!(readiness.state(), state);
        }
    }
}
