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

#[derive(Debug, Default)]
struct Fetches {
    succeeded: u64,
    failed: u64,
    last: Option<SystemTime>,
}

impl KeySetMetrics {
    /// Keys are fetched from now on: counted from nothing, where they were not before.
    pub fn begin(&self, auth: &str) {
        self.lock().entry(auth.to_owned()).or_default();
    }

    /// They were fetched at this time, or could not be.
    pub fn fetched(&self, auth: &str, at: Option<SystemTime>) {
        let mut all = self.lock();
        // Of what was forgotten the last attempt may just have come to its end.
        let Some(fetches) = all.get_mut(auth) else {
            return;
        };
        if at.is_some() {
            fetches.succeeded += 1;
            fetches.last = at;
        } else {
            fetches.failed += 1;
        }
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
                .last
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
