//! The life of one set of keys: it is fetched, kept, and fetched again in time, or when a token needs another key.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sluice_config::plan::KeySource;
use sluice_proxy::{KeySet, Phase};
use sluice_telemetry::metrics::Registry;
use tokio::time::{Instant, sleep_until};

use super::fetching::{Fetches, KeySetError};
use super::schedule;

/// What keys are kept, and all that is needed for it.
pub(super) struct Keeper<F> {
    pub(super) auth: Arc<str>,
    pub(super) source: KeySource,
    pub(super) key_set: Arc<KeySet>,
    pub(super) registry: Arc<Registry>,
    pub(super) fetches: F,
}

impl<F: Fetches> Keeper<F> {
    /// Goes on until it is aborted. The keys that are known stay in use whatever becomes of the next ones.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let mut rests_until = None;
        loop {
            self.key_set.begin();
            let came = self.attempt(failures).await;
            failures = match came {
                Some(_) => 0,
                None => failures.saturating_add(1),
            };
            let refresh = self.source.refresh;
            let pause = match &came {
                Some(came) => came.good_for,
                None => schedule::pause(failures, refresh, fastrand::f64()),
            };
            let now = Instant::now();
            if came.is_some_and(|came| came.are_new) {
                rests_until = rests_until.map(|until: Instant| until.min(now + SHORT_REST));
            }
            rests_until = rests_until.filter(|until| *until > now);
            self.key_set.end(match rests_until {
                Some(_) => Phase::Resting,
                None => Phase::Idle,
            });
            if self.was_asked_for(now + pause, rests_until).await {
                rests_until = Some(Instant::now() + REST);
            }
        }
    }

    /// Fetches once; `None` where no keys came.
    async fn attempt(&mut self, failures: u32) -> Option<Came> {
        let fetched = self.fetches.fetch().await;
        let metrics = self.registry.key_sets();
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                metrics.failed(&self.auth, error.to_string());
                self.tell(&error, failures);
                return None;
            }
        };
        let count = fetched.keys.len();
        let are_new = self.key_set.put(fetched.keys);
        metrics.came(&self.auth, count, SystemTime::now());
        if are_new {
            tracing::info!(
                auth = %self.auth,
                url = %self.source.url,
                keys = count,
                "tokens are verified by keys that were fetched"
            );
        } else if failures > 0 {
            tracing::info!(auth = %self.auth, url = %self.source.url, "keys can be fetched again");
        }
        let told = fetched.cache_control.as_deref();
        Some(Came {
            are_new,
            good_for: schedule::refresh(self.source.refresh, told, fastrand::f64()),
        })
    }

    /// Waits until `due`, or until somebody asks for the keys, which nobody may before `rests_until`.
    async fn was_asked_for(&self, due: Instant, rests_until: Option<Instant>) -> bool {
        if let Some(until) = rests_until {
            sleep_until(until.min(due)).await;
            if due <= until {
                return false;
            }
            self.key_set.rested();
        }
        tokio::select! {
            () = sleep_until(due) => false,
            () = self.key_set.wanted() => true,
        }
    }

    /// The first of several failures in a row is worth a warning; metrics count all of them.
    fn tell(&self, error: &KeySetError, failures: u32) {
        let (auth, url) = (&self.auth, &self.source.url);
        if failures > 0 {
            tracing::debug!(%auth, %url, %error, failures, "keys of tokens still cannot be fetched");
        } else if self.key_set.is_empty() {
            tracing::warn!(
                %auth, %url, %error,
                "keys of tokens cannot be fetched: until they are, requests with tokens are answered by 503"
            );
        } else {
            tracing::warn!(
                %auth, %url, %error,
                "keys of tokens cannot be fetched: those that are known stay in use"
            );
        }
    }
}

/// Keys that were fetched.
struct Came {
    /// Whether they are others than before.
    are_new: bool,
    /// How long until they are fetched again.
    good_for: Duration,
}

/// How long nobody can ask for keys after somebody has in vain: made-up tokens must not make us a burden to the issuer.
const REST: Duration = Duration::from_secs(10);
/// The same after keys that were new: the token was not made up, and while an issuer changes its keys, the next may follow soon.
const SHORT_REST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
