//! What becomes of fetching the keys of tokens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::catalogue;
use super::text::Exposition;

/// Keys of tokens that are fetched, by `[auth.NAME]`. The control plane writes; no request does.
#[derive(Debug, Default)]
pub struct KeySetMetrics {
    all: Mutex<BTreeMap<String, Fetches>>,
}

/// How the keys of an `[auth.NAME]` are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySetState {
    /// Where they are fetched from.
    pub url: String,
    /// How many are known.
    pub keys: usize,
    /// When they were last fetched with success; `None` until they were.
    pub fetched: Option<SystemTime>,
    /// Why they could not be the last time, where they could not.
    pub failure: Option<String>,
}

#[derive(Debug, Default)]
struct Fetches {
    succeeded: u64,
    failed: u64,
    state: KeySetState,
}

impl KeySetMetrics {
    /// Keys are fetched from here from now on: none are known yet.
    pub fn begin(&self, auth: &str, url: &str) {
        let mut all = self.lock();
        all.entry(auth.to_owned()).or_default().state = KeySetState {
            url: url.to_owned(),
            ..KeySetState::default()
        };
    }

    /// So many came at this time.
    pub fn came(&self, auth: &str, keys: usize, at: SystemTime) {
        // Of what was forgotten the last attempt may just have come to its end.
        if let Some(fetches) = self.lock().get_mut(auth) {
            fetches.succeeded += 1;
            let state = &mut fetches.state;
            (state.keys, state.fetched, state.failure) = (keys, Some(at), None);
        }
    }

    /// None came, and why.
    pub fn failed(&self, auth: &str, why: String) {
        if let Some(fetches) = self.lock().get_mut(auth) {
            fetches.failed += 1;
            fetches.state.failure = Some(why);
        }
    }

    /// How all of them are, each with its `[auth.NAME]`.
    pub fn all(&self) -> Vec<(String, KeySetState)> {
        let all = self.lock();
        let states = all.iter();
        states
            .map(|(auth, fetches)| (auth.clone(), fetches.state.clone()))
            .collect()
    }

    /// Forgets the others.
    pub fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        self.lock().retain(|auth, _| is_kept(auth));
    }

    pub(super) fn render(&self, text: &mut Exposition<'_>) {
        let all = self.lock();
        let mut samples = text.family(&catalogue::AUTH_KEY_FETCHES);
        for (auth, fetches) in all.iter() {
            samples.sample(&[auth, "failure"], fetches.failed);
            samples.sample(&[auth, "success"], fetches.succeeded);
        }
        let mut samples = text.family(&catalogue::AUTH_KEYS_FETCHED);
        for (auth, fetches) in all.iter() {
            let since = fetches
                .state
                .fetched
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            if let Some(since) = since {
                samples.sample(&[auth], since.as_secs());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Fetches>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
