//! The state that each server is in: asked for when metrics are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::word::words;

words! {
    /// Whether a server takes requests, and if not, why: the first of these that holds, from the last to the first.
    pub enum ServerState {
        /// It takes requests.
        Up = "up",
        /// Its circuit breaker lets trials in.
        HalfOpen = "half-open",
        /// Its circuit breaker is open.
        Open = "open",
        /// It was not checked yet.
        Unknown = "unknown",
        /// Checks call it unhealthy.
        Unhealthy = "unhealthy",
        /// It takes no new sessions, by hand.
        Drain = "drain",
        /// It takes nothing, by hand.
        Down = "down",
    }
}

/// Tells the state of a server when it is asked for.
pub type StateOf = Box<dyn Fn() -> ServerState + Send + Sync>;

/// The servers whose state is shown.
#[derive(Default)]
pub(super) struct ServerStates(Mutex<BTreeMap<[String; 2], StateOf>>);

impl ServerStates {
    pub(super) fn set(&self, all: BTreeMap<[String; 2], StateOf>) {
        *self.lock() = all;
    }

    pub(super) fn retain(&self, keep: impl Fn(&[String; 2]) -> bool) {
        self.lock().retain(|names, _| keep(names));
    }

    pub(super) fn each(&self, mut told: impl FnMut(&[String; 2], ServerState)) {
        for (names, state) in &*self.lock() {
            told(names, state());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[String; 2], StateOf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServerStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStates").finish_non_exhaustive()
    }
}
