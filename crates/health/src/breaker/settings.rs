//! What has to happen for a breaker to open and close.

use std::time::Duration;

use sluice_model::Share;

use super::{window, word};

/// What has to happen for a breaker to open and close. It may be another with each call: a reload changes it, and the state
/// stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// `consecutive-failures`: so many of them open it; from 1. `None`: they do not count.
    pub consecutive_failures: Option<u32>,
    /// `failure-rate`: failures among the requests of the window that open it; from 1 %. `None`: it does not count.
    pub failure_rate: Option<Share>,
    /// `slow-call` and `slow-call-rate`. `None`: it does not matter how long requests take.
    pub slow_calls: Option<SlowCalls>,
    /// `window`: the time that rates are of. It moves on in steps of a tenth, so what is looked at is between nine tenths
    /// and all of it.
    pub window: Duration,
    /// `min-requests`: with fewer in the window, rates mean nothing; 1 to [`MIN_REQUESTS_MAX`].
    pub min_requests: u32,
    /// `open-for`: how long it stays open the first time. It is kept to 17 ms.
    pub open_for: Duration,
    /// `max-open-for`: how long it stays open at most, however often it has opened; not less than `open_for`.
    pub max_open_for: Duration,
    /// `half-open-requests`: trials at a time, and how many have to succeed; 1 to [`HALF_OPEN_REQUESTS_MAX`].
    pub half_open_requests: u8,
}

/// Answers that come, but too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowCalls {
    /// `slow-call`: what takes longer is slow.
    pub longer_than: Duration,
    /// `slow-call-rate`: slow ones among the requests of the window, or among the trials, that open it; from 1 %.
    pub rate: Share,
}

/// The most that `half-open-requests` may be.
pub const HALF_OPEN_REQUESTS_MAX: u8 = word::TRIALS_MAX;
/// The most that `min-requests` may be: as many as a busy server's window remembers for sure.
pub const MIN_REQUESTS_MAX: u32 = window::REMEMBERED;

impl BreakerSettings {
    pub(super) fn trials(&self) -> u8 {
        self.half_open_requests.clamp(1, HALF_OPEN_REQUESTS_MAX)
    }

    pub(super) fn looks_at_rates(&self) -> bool {
        self.failure_rate.is_some() || self.slow_calls.is_some()
    }

    /// Whether an answer that took so long is a slow one.
    pub fn is_slow(&self, after: Duration) -> bool {
        self.slow_calls.is_some_and(|slow| after > slow.longer_than)
    }

    /// How long it stays open after so many openings, from 1.
    pub(super) fn lasts(&self, openings: u8) -> Duration {
        let doubled = 1_u32
            .checked_shl(u32::from(openings.saturating_sub(1)))
            .and_then(|times| self.open_for.checked_mul(times));
        let most = self.max_open_for.max(self.open_for);
        doubled.map_or(most, |lasts| lasts.min(most))
    }

    /// With so many openings it stays open for the longest time; more would have to be forgiven for nothing.
    pub(super) fn openings_max(&self) -> u8 {
        let first = self.open_for.as_nanos().max(1);
        let times = self.max_open_for.as_nanos().div_ceil(first);
        let doublings = times
            .checked_next_power_of_two()
            .map_or(u32::MAX, u128::trailing_zeros);
        let openings = u8::try_from(doublings).unwrap_or(u8::MAX).saturating_add(1);
        openings.min(word::OPENINGS_MAX)
    }

    /// What is left of so many openings after it was closed for so many ticks.
    pub(super) fn forgiven(&self, openings: u8, ticks: u32) -> u8 {
        let steps = ticks / word::ticks(self.max_open_for.max(self.open_for));
        openings.saturating_sub(u8::try_from(steps).unwrap_or(u8::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(open_for: u64, max_open_for: u64) -> BreakerSettings {
        BreakerSettings {
            consecutive_failures: None,
            failure_rate: None,
            slow_calls: None,
            window: Duration::from_secs(10),
            min_requests: 1,
            open_for: Duration::from_secs(open_for),
            max_open_for: Duration::from_secs(max_open_for),
            half_open_requests: 1,
        }
    }

    #[test]
    fn each_opening_lasts_twice_as_long_up_to_the_bound() {
        let settings = settings(30, 300);
        let lasts = |openings| settings.lasts(openings).as_secs();
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 31].map(lasts),
            [30, 60, 120, 240, 300, 300, 300]
        );
        assert_eq!(settings.openings_max(), 5);
    }

    #[test]
    fn bounds_of_all_sizes() {
        for (open_for, max_open_for, openings) in [
            (1, 1, 1),
            (1, 2, 2),
            (1, 3, 3),
            (1, 4, 3),
            (5, 1, 1),
            (0, 0, 1),
            (0, 1, 31),
            (1, u64::MAX, 31),
            (u64::MAX, u64::MAX, 1),
        ] {
            let settings = settings(open_for, max_open_for);
            assert_eq!(
                settings.openings_max(),
                openings,
                "{open_for} {max_open_for}"
            );
            let most = settings.lasts(openings);
            assert!(most <= Duration::from_secs(max_open_for.max(open_for)));
            assert!(most >= settings.lasts(1));
        }
    }

    #[test]
    fn openings_are_forgiven_by_time() {
        let settings = settings(30, 300);
        let stretch = word::ticks(Duration::from_mins(5));
        for (openings, ticks, left) in [
            (3, 0, 3),
            (3, stretch - 1, 3),
            (3, stretch, 2),
            (3, stretch * 3, 0),
            (3, u32::MAX, 0),
        ] {
            assert_eq!(settings.forgiven(openings, ticks), left, "after {ticks}");
        }
    }
}
