//! How much is allowed, as it is written down.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
}

impl Rate {
    /// `count` in `per`; `None` for none, for no time, and for more than ten million a second.
    pub fn new(count: u32, per: Duration) -> Option<Self> {
        let fits = count > 0 && !per.is_zero() && per <= LONGEST;
        let least = Duration::from_nanos(100).checked_mul(count);
        (fits && least.is_some_and(|least| least <= per)).then_some(Self { count, per })
    }

    /// How many.
    pub fn count(self) -> u32 {
        self.count
    }

    /// In which time.
    pub fn per(self) -> Duration {
        self.per
    }

    /// A part of it, in percent; at least one.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        Self {
            count: part(self.count, percent),
            per: self.per,
        }
    }
}

impl fmt::Display for Rate {
    /// As it is written: `100/m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            3_600 => "h",
            86_400 => "d",
            _ => return write!(f, "{}/{:?}", self.count, self.per),
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// How requests are held against a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Tokens come back one by one at the rate; a bucket holds so many of them.
    TokenBucket,
    /// Those of this window count, and those of the last one by the share of it that the last `per` still reaches into.
    SlidingWindow,
    /// Those of this window count; all are forgotten when the next one begins.
    FixedWindow,
}

/// What a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    algorithm: Algorithm,
    rate: Rate,
    burst: u32,
}

/// Why a quota cannot be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QuotaError {
    /// A bucket for nothing.
    #[error("a bucket holds at least one")]
    NoBurst,
    /// Beyond what a bucket is counted in.
    #[error("it would take more than ten years to fill the bucket")]
    SlowBucket,
    /// Beyond what windows are counted in.
    #[error("a window counts to 4000000 at most")]
    WideWindow,
}

impl Quota {
    /// A bucket that holds `burst`, filled at `rate`.
    pub fn token_bucket(rate: Rate, burst: u32) -> Result<Self, QuotaError> {
        let of_one = rate.per.as_nanos() / u128::from(rate.count);
        match of_one.saturating_mul(u128::from(burst)) {
            0 => Err(QuotaError::NoBurst),
            fills if fills > SLOWEST.as_nanos() => Err(QuotaError::SlowBucket),
            _ => Ok(Self {
                algorithm: Algorithm::TokenBucket,
                rate,
                burst,
            }),
        }
    }

    /// A window that slides.
    pub fn sliding_window(rate: Rate) -> Result<Self, QuotaError> {
        Self::window(Algorithm::SlidingWindow, rate)
    }

    /// A window after the other.
    pub fn fixed_window(rate: Rate) -> Result<Self, QuotaError> {
        Self::window(Algorithm::FixedWindow, rate)
    }

    fn window(algorithm: Algorithm, rate: Rate) -> Result<Self, QuotaError> {
        let burst = rate.count;
        if burst > WIDEST {
            return Err(QuotaError::WideWindow);
        }
        Ok(Self {
            algorithm,
            rate,
            burst,
        })
    }

    /// A part of it, in percent; at least one.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        Self {
            rate: self.rate.percent(percent),
            burst: part(self.burst, percent),
            ..self
        }
    }

    /// How it is held.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How many at once, after a long silence; of a window the count of its rate.
    pub fn burst(&self) -> u32 {
        self.burst
    }
}

fn part(count: u32, percent: u8) -> u32 {
    let part = u64::from(count) * u64::from(percent.min(100)) / 100;
    u32::try_from(part).unwrap_or(count).max(1)
}

const LONGEST: Duration = Duration::from_hours(24 * 366);
/// Buckets are counted in sixteenths of nanoseconds, which last for 36 years.
const SLOWEST: Duration = Duration::from_hours(24 * 3650);
/// Windows are counted in 22 bits.
pub(crate) const WIDEST: u32 = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn what_can_be_held() {
        let second = Duration::from_secs(1);
        assert_eq!(Rate::new(0, second), None);
        assert_eq!(Rate::new(1, Duration::ZERO), None);
        assert_eq!(Rate::new(10_000_001, second), None);
        let fast = Rate::new(10_000_000, second).expect("a rate");
        let slow = Rate::new(1, DAY).expect("a rate");
        assert_eq!(Quota::token_bucket(slow, 0), Err(QuotaError::NoBurst));
        assert_eq!(
            Quota::token_bucket(slow, 5_000),
            Err(QuotaError::SlowBucket)
        );
        assert!(Quota::token_bucket(slow, 3_000).is_ok());
        assert!(Quota::token_bucket(fast, u32::MAX).is_ok());
        assert_eq!(Quota::fixed_window(fast), Err(QuotaError::WideWindow));
        assert!(Quota::sliding_window(slow).is_ok());
    }

    #[test]
    fn a_part_is_never_nothing() {
        let rate = Rate::new(100, DAY).expect("a rate");
        let quota = Quota::token_bucket(rate, 20).expect("a quota");
        let half = quota.percent(50);
        assert_eq!((half.rate().count(), half.burst()), (50, 10));
        let least = quota.percent(1);
        assert_eq!((least.rate().count(), least.burst()), (1, 1));
        assert_eq!(rate.to_string(), "100/d");
    }
}
