//! What a worker holds of each `[auth.NAME]`.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::SystemRandom;
use sluice_auth::jwt::Claims;
use sluice_config::plan::Auth;
use sluice_telemetry::metrics::{AuthMetrics, AuthOutcome};

use crate::key_set::KeySet;

/// An `[auth.NAME]` as one worker sees it.
#[derive(Debug)]
pub(crate) struct LiveAuth {
    pub(crate) settings: Auth,
    /// Where its issuer's keys are, where they are fetched.
    pub(crate) key_set: Option<Arc<KeySet>>,
    metrics: Arc<AuthMetrics>,
    remembered: RefCell<Remembered>,
    tokens: RefCell<Tokens>,
}

impl LiveAuth {
    pub(crate) fn new(
        settings: &Auth,
        key_set: Option<Arc<KeySet>>,
        metrics: Arc<AuthMetrics>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            key_set,
            metrics,
            remembered: RefCell::default(),
            tokens: RefCell::default(),
        }
    }

    pub(crate) fn count(&self, outcome: AuthOutcome) {
        self.metrics.outcomes.increment(outcome);
    }

    /// Whether it goes by these settings and this place of keys.
    pub(crate) fn is_of(&self, settings: &Auth, key_set: Option<&Arc<KeySet>>) -> bool {
        self.settings == *settings
            && self.key_set.as_ref().map(Arc::as_ptr) == key_set.map(Arc::as_ptr)
    }

    /// The tokens that were verified by the keys of this number. Those of other keys are forgotten: one of them may be withdrawn.
    pub(crate) fn tokens(&self, keys: u64) -> RefMut<'_, Tokens> {
        let mut tokens = self.tokens.borrow_mut();
        if tokens.keys != keys {
            *tokens = Tokens {
                keys,
                ..Tokens::default()
            };
        }
        tokens
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

/// A token that was verified.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) claims: Claims,
    /// What servers are told of them: field lines.
    pub(crate) lines: Box<[u8]>,
}

/// Tokens that were verified.
///
/// They are found by a hash under a key that nobody knows, and compared only where all its 64 bits are the same: how long that takes
/// tells nothing of them to who does not have one. A digest that needs no comparison takes ten times as many instructions.
#[derive(Default)]
pub(crate) struct Tokens {
    /// By which keys they were verified.
    keys: u64,
    known: HashMap<u64, Known>,
    /// Of all tokens that are known.
    bytes: usize,
    hasher: RandomState,
}

/// A token that is known.
struct Known {
    token: Box<[u8]>,
    verified: Rc<Verified>,
}

impl Tokens {
    /// What was found in a token; `None` where it was not verified, or has expired. `now` is in seconds since 1970.
    pub(crate) fn get(&self, token: &[u8], now: u64) -> Option<Rc<Verified>> {
        let known = self.known.get(&self.hasher.hash_one(token))?;
        let is_it = *known.token == *token && now < known.verified.claims.expires();
        is_it.then(|| Rc::clone(&known.verified))
    }

    /// A token was verified, and is good until it expires.
    pub(crate) fn add(&mut self, token: &[u8], verified: &Rc<Verified>, now: u64) {
        if self.is_full_with(token) {
            self.known
                .retain(|_, known| now < known.verified.claims.expires());
            self.bytes = self.known.values().map(|known| known.token.len()).sum();
        }
        if self.is_full_with(token) {
            // All of them are good: they are verified again when they come.
            self.known.clear();
            self.bytes = 0;
        }
        let known = Known {
            token: token.into(),
            verified: Rc::clone(verified),
        };
        let before = self.known.insert(self.hasher.hash_one(token), known);
        self.bytes += token.len();
        self.bytes -= before.map_or(0, |before| before.token.len());
    }

    fn is_full_with(&self, token: &[u8]) -> bool {
        self.known.len() >= MOST || self.bytes + token.len() > MOST_BYTES
    }
}

/// Tokens are not shown.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} by keys {})", self.known.len(), self.keys)
    }
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
/// Of tokens. What is kept of one takes a few times as many.
const MOST_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use sluice_auth::jwt::{Keys, Rules};
    use sluice_config::plan::{AuthKind, JwtAuth, TokenKeys};

    use super::*;

    /// Verified by a secret, and good until 100.
    fn verified() -> Rc<Verified> {
        let rules = Rules {
            algorithms: Box::default(),
            issuers: Box::default(),
            audiences: Box::default(),
            leeway: 0,
        };
        let keys = Keys::secret(b"a secret that is long enough for HS256");
        Rc::new(Verified {
            claims: rules.verify(TOKEN, &keys, 50).expect("claims"),
            lines: (*b"x: 1").into(),
        })
    }

    /// HS256, `{"exp": 100}`.
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjEwMH0.7xwIw6NyGZkmdhOSZwnj1k1ai9NX3mMDwqRdKAyT8co";

    #[test]
    fn tokens_are_known_until_they_expire() {
        let (mut tokens, verified) = (Tokens::default(), verified());
        tokens.add(b"a", &verified, 50);
        let lines = |found: Option<Rc<Verified>>| found.map(|found| found.lines.to_vec());
        assert_eq!(lines(tokens.get(b"a", 99)), Some(b"x: 1".to_vec()));
        assert_eq!(lines(tokens.get(b"a", 100)), None);
        assert_eq!(lines(tokens.get(b"b", 99)), None);
    }

    #[test]
    fn a_token_is_compared_whole() {
        let (mut tokens, verified) = (Tokens::default(), verified());
        let hash = tokens.hasher.hash_one(&b"mine"[..]);
        let known = Known {
            token: (*b"anothers").into(),
            verified,
        };
        tokens.known.insert(hash, known);
        assert!(
            tokens.get(b"mine", 50).is_none(),
            "though its hash is the same"
        );
    }

    #[test]
    fn tokens_are_not_shown() {
        let (mut tokens, verified) = (Tokens::default(), verified());
        tokens.add(b"mine", &verified, 50);
        assert_eq!(format!("{tokens:?}"), "Tokens(1 by keys 0)");
    }

    #[test]
    fn tokens_are_bounded_by_number_and_by_bytes() {
        let (mut tokens, verified) = (Tokens::default(), verified());
        for number in 0..3 * MOST {
            tokens.add(&number.to_be_bytes(), &verified, 50);
            assert!(tokens.known.len() <= MOST);
        }
        let mut most = 0;
        for number in 0..2 * MOST {
            let mut long = vec![b'a'; 16 << 10];
            long.extend_from_slice(&number.to_be_bytes());
            tokens.add(&long, &verified, 50);
            assert!(tokens.bytes <= MOST_BYTES);
            let held: usize = tokens.known.values().map(|known| known.token.len()).sum();
            assert_eq!(tokens.bytes, held);
            most = most.max(tokens.known.len());
        }
        assert_eq!(most, MOST_BYTES / ((16 << 10) + 8));
        tokens.add(b"a", &verified, 50);
        let before = tokens.bytes;
        tokens.add(b"a", &verified, 50);
        assert_eq!(tokens.bytes, before, "the same one");
    }

    #[test]
    fn tokens_are_forgotten_with_the_keys_that_verified_them() {
        let name = "tokens".into();
        let kind = AuthKind::Jwt(Arc::new(JwtAuth {
            keys: TokenKeys::Known {
                file: None,
                keys: Keys::secret(b"a"),
            },
            rules: Rules {
                algorithms: Box::default(),
                issuers: Box::default(),
                audiences: Box::default(),
                leeway: 0,
            },
            claims: Box::default(),
            strips: false,
        }));
        let auth = LiveAuth::new(&Auth { name, kind }, None, Arc::default());
        auth.tokens(1).add(b"a", &verified(), 50);
        assert!(auth.tokens(1).get(b"a", 99).is_some());
        assert!(auth.tokens(2).get(b"a", 99).is_none());
        assert!(auth.tokens(1).get(b"a", 99).is_none(), "for good");
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
