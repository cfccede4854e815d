//! Whether somebody keeps up a pace: moves so many bytes a second, on the whole.
//!
//! Time counts only while they are the one that is waited for. What they move buys them more of it, up to a bound: who was fast
//! before may pause for a moment, and not for an hour.
//!
//! | | |
//! |---|---|
//! | at the beginning | [`GRACE`] |
//! | a byte is moved | `1 / rate` s more, up to `GRACE` and the time of [`SLACK`] bytes |
//! | they are waited for | less by the time that passes |
//! | nothing is left | too slow |

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How somebody keeps up a pace.
#[derive(Clone, Debug)]
pub struct Pace {
    /// In bytes a second.
    rate: NonZeroU32,
    /// How long they may be waited for.
    left: Duration,
    /// Since when they are waited for and that was not counted.
    waiting_since: Option<Instant>,
    /// Bytes that were moved when it was last looked at.
    moved: u64,
}

impl Pace {
    /// Of somebody who has moved so many bytes before it counts.
    #[must_use]
    pub fn new(rate: NonZeroU32, moved: u64) -> Self {
        Self {
            rate,
            left: GRACE,
            waiting_since: None,
            moved,
        }
    }

    /// At `now` so many bytes were moved in all; `waits` tells whether they are waited for from now on.
    pub fn look(&mut self, now: Instant, moved: u64, waits: bool) {
        let waited = self
            .waiting_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let earned = self.time_of(moved.saturating_sub(self.moved));
        let most = GRACE.saturating_add(self.time_of(SLACK));
        self.left = self
            .left
            .saturating_add(earned)
            .saturating_sub(waited)
            .min(most);
        self.moved = self.moved.max(moved);
        self.waiting_since = waits.then_some(now);
    }

    /// Whether they are waited for.
    pub fn is_waited_for(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Bytes that were moved when it was last looked at.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// When they will have been too slow, unless something is moved before; `None` while nobody waits for them.
    pub fn too_slow_at(&self) -> Option<Instant> {
        self.waiting_since?.checked_add(self.left)
    }

    /// Whether they were too slow when it was last looked at.
    pub fn is_too_slow(&self) -> bool {
        self.is_waited_for() && self.left.is_zero()
    }

    /// How long so many bytes may take.
    fn time_of(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How long somebody may be waited for who moves nothing at all.
pub const GRACE: Duration = Duration::from_secs(5);
/// Bytes that may be moved ahead of time: about what is under way in one go, in windows and buffers of others.
pub const SLACK: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(rate: u32) -> Pace {
        Pace::new(NonZeroU32::new(rate).expect("a rate"), 0)
    }

    #[test]
    fn who_moves_nothing_has_the_grace() {
        let start = Instant::now();
        let mut pace = pace(1000);
        pace.look(start, 0, true);
        assert_eq!(pace.too_slow_at(), Some(start + GRACE));
        pace.look(start + GRACE / 2, 0, true);
        assert!(!pace.is_too_slow());
        pace.look(start + GRACE, 0, true);
        assert!(pace.is_too_slow());
    }

    #[test]
    fn what_was_moved_before_does_not_last_for_ever() {
        let start = Instant::now();
        let mut pace = pace(1024);
        pace.look(start, 1 << 40, true);
        // 64 KiB at 1 KiB/s, and the grace.
        assert_eq!(pace.too_slow_at(), Some(start + Duration::from_secs(69)));
    }

    /// A moment: how long after the last one, how many bytes in it, and who is waited for after it.
    fn moments() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
        prop::collection::vec((0..20_000_u64, 0..100_000_u64, any::<bool>()), 0..50)
    }

    proptest! {
        #[test]
        fn time_in_which_nobody_waits_for_them_is_not_counted(rate in 1..10_000_000_u32, moments in moments()) {
            let (mut pace, mut now, mut moved) = (pace(rate), Instant::now(), 0);
            for (millis, bytes, _) in moments {
                now += Duration::from_millis(millis);
                moved += bytes;
                pace.look(now, moved, false);
                prop_assert!(!pace.is_too_slow());
                prop_assert_eq!(pace.too_slow_at(), None);
                prop_assert!(pace.left >= GRACE);
            }
        }

        #[test]
        fn who_keeps_the_pace_is_never_too_slow(rate in 1..1_000_000_u32, moments in moments()) {
            let (mut pace, mut now, mut moved) = (pace(rate), Instant::now(), 0);
            let mut waits = false;
            for (millis, bytes, waits_next) in moments {
                // Looked at often enough, they move what they have to, and some more.
                let millis = millis.min(4_000);
                now += Duration::from_millis(millis);
                if waits {
                    moved += (u64::from(rate) * millis).div_ceil(1000);
                }
                moved += bytes;
                waits = waits_next;
                pace.look(now, moved, waits);
                prop_assert!(!pace.is_too_slow());
            }
        }

        #[test]
        fn who_is_slower_is_too_slow_in_the_end(rate in 2..1_000_000_u32, ahead in 0..1_000_000_u64) {
            let (mut pace, start) = (pace(rate), Instant::now());
            pace.look(start, ahead, true);
            // Half of what they have to move: what is left of the time is gone after twice as long.
            let seconds = 2 * (GRACE.as_secs() + SLACK / u64::from(rate) + 2);
            let step = (seconds / 1000).max(1);
            let mut second = 0;
            while second < seconds && !pace.is_too_slow() {
                second += step;
                let moved = ahead + u64::from(rate / 2) * second;
                pace.look(start + Duration::from_secs(second), moved, true);
            }
            prop_assert!(pace.is_too_slow());
        }

        #[test]
        fn it_is_too_slow_when_it_was_said_to_be(rate in 1..1_000_000_u32, moments in moments()) {
            let (mut pace, mut now, mut moved) = (pace(rate), Instant::now(), 0);
            for (millis, bytes, waits) in moments {
                now += Duration::from_millis(millis);
                moved += bytes;
                pace.look(now, moved, waits);
                if let Some(at) = pace.too_slow_at() {
                    let mut later = pace.clone();
                    later.look(at, moved, true);
                    prop_assert!(later.is_too_slow());
                }
            }
        }
    }
}
