//! The keys of an issuer of tokens, as it shows them now: put here by the control plane, looked at by all workers without a lock.
//!
//! ```text
//!   issuer ──► control: put ──► KeySet ──► workers: shown
//!                 ▲                │
//!                 └─── wanted ─────┘   a token of a key that is not there
//! ```
//!
//! Keys are replaced while tokens come in that they have signed. So a worker that sees a token which none of the keys verifies asks
//! for them to be fetched, and the request waits for what comes of it. How often that may be is for the control plane to say: while it
//! [rests](Phase::Resting), nobody asks and nobody waits.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use sluice_auth::jwt::Keys;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// The sets of a plan, by `[auth.NAME]`.
pub type KeySets = HashMap<Arc<str>, Arc<KeySet>>;

/// The set of one `[auth.NAME]`: nothing at all until it was fetched once.
#[derive(Debug)]
pub struct KeySet {
    shown: ArcSwapOption<Shown>,
    /// Of what is shown; 0 where nothing is.
    number: AtomicU64,
    phase: AtomicU8,
    wanted: Notify,
    /// How many attempts have come to their end.
    attempts: watch::Sender<u64>,
}

/// Keys that are shown, and which ones in a row they are.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) keys: Keys,
    /// From 1. Another one has other keys.
    pub(crate) number: u64,
}

/// What asking for the set would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// It is being fetched: the end of that can be waited for.
    Fetching,
    /// It would be fetched.
    Idle,
    /// Nothing: it was asked for a short while ago.
    Resting,
}

impl Default for KeySet {
    /// About to be fetched.
    fn default() -> Self {
        Self {
            shown: ArcSwapOption::empty(),
            number: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Fetching as u8),
            wanted: Notify::new(),
            attempts: watch::Sender::new(0),
        }
    }
}

impl KeySet {
    /// Tokens are verified by these from now on. `false` where they were before.
    pub fn put(&self, keys: Keys) -> bool {
        let before = self.shown.load();
        if before.as_ref().is_some_and(|before| before.keys == keys) {
            return false;
        }
        let number = self.number.load(Ordering::Relaxed) + 1;
        self.shown.store(Some(Arc::new(Shown { keys, number })));
        self.number.store(number, Ordering::Release);
        true
    }

    /// Whether it was never fetched.
    pub fn is_empty(&self) -> bool {
        self.number() == 0
    }

    /// An attempt to fetch it begins.
    pub fn begin(&self) {
        self.set_phase(Phase::Fetching);
    }

    /// It has come to its end, with or without new keys: whoever waits goes on.
    pub fn end(&self, next: Phase) {
        self.set_phase(next);
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    /// It may be asked for again.
    pub fn rested(&self) {
        self.set_phase(Phase::Idle);
    }

    /// Ready when somebody wants it.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The keys of the issuer; `None` until they were fetched once.
    pub(crate) fn shown(&self) -> Guard<Option<Arc<Shown>>> {
        self.shown.load()
    }

    /// Of the keys that are shown; 0 where there are none.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Whether there may be others than those of this number, after [`renewed`](Self::renewed).
    pub(crate) fn may_differ_from(&self, number: u64) -> bool {
        self.phase() != Phase::Resting || self.number() != number
    }

    /// Has it fetched, and waits for that, but not for long. `false` at once where too many wait already: whoever makes tokens up
    /// while the issuer is slow must not have requests pile up here.
    pub async fn renewed(&self) -> bool {
        // Before the look at the phase, so that an end between the two is not missed.
        let mut attempts = self.attempts.subscribe();
        if self.attempts.receiver_count() > MOST_WAITING {
            return false;
        }
        match self.phase() {
            Phase::Resting => return true,
            Phase::Idle => self.wanted.notify_one(),
            Phase::Fetching => {}
        }
        // In vain: the request is judged by what there is.
        let _ = timeout(PATIENCE, attempts.changed()).await;
        true
    }

    fn phase(&self) -> Phase {
        let phases = [Phase::Fetching, Phase::Idle];
        let phase = self.phase.load(Ordering::Acquire);
        let mut known = phases.into_iter();
        known
            .find(|known| *known as u8 == phase)
            .unwrap_or(Phase::Resting)
    }

    fn set_phase(&self, phase: Phase) {
        if phase == Phase::Idle {
            // Who asked while it was fetched has got what there was.
            pin!(self.wanted.notified()).enable();
        }
        self.phase.store(phase as u8, Ordering::Release);
    }
}

/// How long a request waits for a set at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many requests wait for one set at most, of all workers together.
const MOST_WAITING: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::task::{JoinSet, yield_now};
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn other_keys_have_another_number() {
        let set = KeySet::default();
        assert!(set.shown().is_none());
        assert_eq!(set.number(), 0);
        assert!(set.put(Keys::secret(b"a")));
        assert!(!set.put(Keys::secret(b"a")), "the same");
        assert_eq!(set.number(), 1);
        assert!(set.put(Keys::secret(b"b")));
        let shown = set.shown();
        let shown = shown.as_ref().expect("keys");
        assert_eq!((shown.number, &shown.keys), (2, &Keys::secret(b"b")));
        assert_eq!(set.number(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_goes_on_when_an_attempt_has_ended() {
        let set = KeySet::default();
        let keeper = async {
            set.end(Phase::Idle);
            set.wanted().await;
            set.begin();
            set.put(Keys::secret(b"a"));
            set.end(Phase::Resting);
        };
        let waiting = async {
            set.renewed().await;
            assert_eq!(set.number(), 0, "the first attempt brought nothing");
            tokio::join!(set.renewed(), set.renewed());
            assert_eq!(set.number(), 1);
        };
        let start = Instant::now();
        tokio::join!(waiting, keeper);
        set.renewed().await;
        assert_eq!(
            start.elapsed(),
            Duration::ZERO,
            "nobody waits while it rests"
        );
        set.rested();
        assert!(
            timeout(PATIENCE, set.wanted()).await.is_err(),
            "both were answered"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long() {
        let set = KeySet::default();
        set.begin();
        let start = Instant::now();
        set.renewed().await;
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_no_more() {
        let set = Arc::new(KeySet::default());
        let mut waiting = JoinSet::new();
        let has_waited = || {
            let set = Arc::clone(&set);
            async move { set.renewed().await }
        };
        for _ in 0..=MOST_WAITING {
            waiting.spawn(has_waited());
        }
        let turned_away = waiting.join_next().await.expect("one of them");
        assert!(!turned_away.expect("its end"), "at once");
        assert_eq!(waiting.len(), MOST_WAITING);
        // A client that goes away makes room.
        waiting.abort_all();
        while waiting.join_next().await.is_some() {}
        waiting.spawn(has_waited());
        yield_now().await;
        set.end(Phase::Idle);
        let waited = waiting.join_next().await.expect("the one");
        assert!(waited.expect("its end"));
    }

    #[test]
    fn what_is_new_is_worth_a_second_look() {
        let set = KeySet::default();
        assert!(set.may_differ_from(0));
        set.end(Phase::Resting);
        assert!(!set.may_differ_from(0));
        set.put(Keys::secret(b"a"));
        assert!(set.may_differ_from(0), "it came meanwhile");
        assert!(!set.may_differ_from(1));
    }
}
