//! What a worker holds of each `[auth.NAME]`.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest as hash};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::SystemRandom;
use sluice_config::plan::Auth;
use sluice_telemetry::metrics::{AuthMetrics, AuthOutcome};

/// An `[auth.NAME]` as one worker sees it.
#[derive(Debug)]
pub(crate) struct LiveAuth {
    pub(crate) settings: Auth,
    metrics: Arc<AuthMetrics>,
    remembered: RefCell<Remembered>,
    tokens: RefCell<Tokens>,
}

impl LiveAuth {
    pub(crate) fn new(settings: &Auth, metrics: Arc<AuthMetrics>) -> Self {
        Self {
            settings: settings.clone(),
            metrics,
            remembered: RefCell::default(),
            tokens: RefCell::default(),
        }
    }

    pub(crate) fn count(&self, outcome: AuthOutcome) {
        self.metrics.outcomes.increment(outcome);
    }

    /// The tokens that were verified.
    pub(crate) fn tokens(&self) -> RefMut<'_, Tokens> {
        self.tokens.borrow_mut()
    }

    /// Whether what is shown was right a short while ago.
    pub(crate) fn remembers(&self, shown: &[u8], now: Instant) -> bool {
        self.remembered.borrow().knows(shown, now)
    }

    /// Remembers that it is right.
    pub(crate) fn remember(&self, shown: &[u8], now: Instant) {
        self.remembered.borrow_mut().add(shown, now);
    }
}

/// Tokens that were verified, by their SHA-256, with what servers are told of them.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: HashMap<[u8; 32], (u64, Box<[u8]>)>,
}

impl Tokens {
    /// What the server is told; `None` where the token was not verified, or has expired. `now` is in seconds since 1970.
    pub(crate) fn get(&self, token: &[u8], now: u64) -> Option<Vec<u8>> {
        let (expires, lines) = self.known.get(&fingerprint(token)?)?;
        (now < *expires).then(|| lines.to_vec())
    }

    /// A token was verified, and is good until it expires.
    pub(crate) fn add(&mut self, token: &[u8], lines: &[u8], expires: u64, now: u64) {
        if self.known.len() >= MOST {
            self.known.retain(|_, (expires, _)| now < *expires);
        }
        if self.known.len() >= MOST {
            // All of them are good: they are verified again when they come.
            self.known.clear();
        }
        if let Some(fingerprint) = fingerprint(token) {
            self.known.insert(fingerprint, (expires, lines.into()));
        }
    }
}

fn fingerprint(token: &[u8]) -> Option<[u8; 32]> {
    hash(&SHA256, token).as_ref().try_into().ok()
}

/// What was shown and was right: not itself, but by a digest under a key that nobody knows.
#[derive(Debug, Default)]
struct Remembered {
    key: Option<Key>,
    until: HashMap<[u8; 32], Instant>,
}

impl Remembered {
    fn knows(&self, shown: &[u8], now: Instant) -> bool {
        let digest = self.key.as_ref().and_then(|key| digest(key, shown));
        digest.is_some_and(|digest| self.until.get(&digest).is_some_and(|until| now < *until))
    }

    fn add(&mut self, shown: &[u8], now: Instant) {
        if self.key.is_none() {
            self.key = Key::generate(HMAC_SHA256, &SystemRandom::new()).ok();
        }
        let Some(digest) = self.key.as_ref().and_then(|key| digest(key, shown)) else {
            return;
        };
        if self.until.len() >= MOST {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() < MOST {
            self.until.insert(digest, now + LIFETIME);
        }
    }
}

fn digest(key: &Key, shown: &[u8]) -> Option<[u8; 32]> {
    sign(key, shown).as_ref().try_into().ok()
}

/// For so long a password that was changed elsewhere lets in at most; that of the file is changed with the file.
const LIFETIME: Duration = Duration::from_mins(5);
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_until_they_expire() {
        let mut tokens = Tokens::default();
        tokens.add(b"a", b"x: 1", 100, 50);
        assert_eq!(tokens.get(b"a", 99).as_deref(), Some(&b"x: 1"[..]));
        assert_eq!(tokens.get(b"a", 100), None);
        assert_eq!(tokens.get(b"b", 99), None);
        for number in 0..3 * MOST {
            tokens.add(&number.to_be_bytes(), b"", 100, 50);
            assert!(tokens.known.len() <= MOST);
        }
    }

    #[test]
    fn what_was_right_is_known_for_a_while_and_there_is_an_end_of_it() {
        let mut remembered = Remembered::default();
        let now = Instant::now();
        assert!(!remembered.knows(b"a:b", now));
        remembered.add(b"a:b", now);
        assert!(remembered.knows(b"a:b", now + LIFETIME / 2));
        assert!(!remembered.knows(b"a:b", now + LIFETIME));
        assert!(!remembered.knows(b"a:c", now));
        for number in 0..2 * MOST {
            remembered.add(&number.to_be_bytes(), now);
        }
        assert_eq!(remembered.until.len(), MOST);
        assert!(remembered.knows(b"a:b", now), "floods push nobody out");
        remembered.add(b"later", now + LIFETIME);
        assert_eq!(remembered.until.len(), 1, "what is over makes room");
    }
}
