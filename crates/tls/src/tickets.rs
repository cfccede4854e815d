//! Session tickets: what a client brings along to go on with an earlier session, ciphered with keys of ours (RFC 8446, 4.6.1;
//! RFC 5077).
//!
//! A key is for a period of [`PERIOD`]. It is made of a text that several balancers share, so that each takes the tickets of
//! the others; without such a text it is made at random, and forgotten with the period after.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;
use sluice_config::plan::Secret;

/// The tickets of one listener, shared by all workers.
pub struct Tickets {
    /// What keys are made of; the first for new tickets, all for those that come back. At random where empty.
    texts: Vec<Secret>,
    /// What sessions may not be carried over from one to another: the listener, and whom it lets in.
    purpose: Vec<u8>,
    keys: RwLock<Keys>,
    clock: fn() -> SystemTime,
}

/// The keys that are in use: those of a period, the one before and, as clocks differ, the one after.
#[derive(Default)]
struct Keys {
    period: Option<u64>,
    /// The first ciphers.
    keys: Vec<Arc<Key>>,
}

/// A key, and the name by which it is found.
struct Key {
    period: u64,
    name: [u8; NAME],
    cipher: RandomizedNonceKey,
}

impl Tickets {
    /// Tickets by keys made of `texts`, of which the first is for new ones; of random keys where there are none. `purpose`
    /// says what they are for: those for another are not taken.
    pub fn new(texts: Vec<Secret>, purpose: &[u8]) -> Self {
        Self {
            texts,
            purpose: purpose.to_vec(),
            keys: RwLock::default(),
            clock: SystemTime::now,
        }
    }

    /// The keys as of now. The lock is for the change of periods: a handshake waits for nobody.
    fn with_keys<R>(&self, with: impl FnOnce(&[Arc<Key>]) -> R) -> R {
        let now = (self.clock)();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let period = since.as_secs() / PERIOD.as_secs();
        {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            if keys.period == Some(period) {
                return with(&keys.keys);
            }
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.period != Some(period) {
            self.change(&mut keys, period);
        }
        with(&keys.keys)
    }

    fn change(&self, keys: &mut Keys, period: u64) {
        if self.texts.is_empty() {
            keys.keys.retain(|key| key.period.abs_diff(period) <= 1);
            keys.keys.splice(0..0, Key::at_random(period).map(Arc::new));
        } else {
            let periods = [Some(period), period.checked_sub(1), Some(period + 1)];
            keys.keys = self
                .texts
                .iter()
                .flat_map(|text| periods.iter().flatten().map(move |period| (text, *period)))
                .filter_map(|(text, period)| Key::of(text, &self.purpose, period))
                .map(Arc::new)
                .collect();
        }
        keys.period = Some(period);
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.with_keys(|keys| {
            let key = keys.first()?;
            let mut ciphered = plain.to_vec();
            let nonce = key
                .cipher
                .seal_in_place_append_tag(Aad::from(&self.purpose), &mut ciphered)
                .ok()?;
            Some([&key.name[..], nonce.as_ref(), &ciphered].concat())
        })
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, ciphered) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.with_keys(|keys| {
            let key = keys.iter().find(|key| key.name == name)?;
            let mut bytes = ciphered.to_vec();
            let aad = Aad::from(&self.purpose);
            let length = key.cipher.open_in_place(nonce, aad, &mut bytes).ok()?.len();
            bytes.truncate(length);
            Some(bytes)
        })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// For so long a ticket is taken, whenever in a period it was made.
    fn lifetime(&self) -> u32 {
        u32::try_from(PERIOD.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher)
    }
}

/// Without the keys.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets")
            .field("texts", &self.texts)
            .finish_non_exhaustive()
    }
}

impl Key {
    fn of(text: &Secret, purpose: &[u8], period: u64) -> Option<Self> {
        let salt = Salt::new(HKDF_SHA256, b"sluice session tickets");
        let made_of = salt.extract(text.reveal().as_bytes());
        let mut bytes = [0; NAME + CIPHER];
        made_of
            .expand(&[&period.to_be_bytes(), purpose], Length)
            .and_then(|out| out.fill(&mut bytes))
            .ok()?;
        Self::from_bytes(period, &bytes)
    }

    fn at_random(period: u64) -> Option<Self> {
        let mut bytes = [0; NAME + CIPHER];
        rand::fill(&mut bytes).ok()?;
        Self::from_bytes(period, &bytes)
    }

    fn from_bytes(period: u64, bytes: &[u8; NAME + CIPHER]) -> Option<Self> {
        let (name, cipher) = bytes.split_first_chunk()?;
        Some(Self {
            period,
            name: *name,
            cipher: RandomizedNonceKey::new(&AES_256_GCM, cipher).ok()?,
        })
    }
}

/// How many bytes a key is made of.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        NAME + CIPHER
    }
}

/// For how long a key is used for new tickets; for as long again those are taken.
const PERIOD: Duration = Duration::from_hours(6);
const NAME: usize = 16;
const CIPHER: usize = 32;

#[cfg(test)]
mod tests;
