//! A number that is learned from samples and forgets: average, how much it rests on, and when it was last added to, in
//! one atomic word.
//!
//! Writers do not wait for each other. Where two write at the same moment one sample may be lost, which an average of
//! many does not notice; what is read is always whole.

use std::time::Duration;

use sluice_model::Moment;

use crate::atomic::{AtomicU64, Ordering};

/// A learned number, shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Decaying(AtomicU64);

/// How fast something is forgotten: to 1/e in a time. It is asked for each server of a scan, and a [`Duration`] would be
/// divided by each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decay {
    each_second: f32,
}

/// What is known at some moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    /// The number, as it was when last added to. Not negative.
    pub(crate) value: f32,
    /// How many samples it rests on, as of then: at most [`MASS_MAX`].
    pub(crate) mass: f32,
    /// Seconds since then.
    pub(crate) age: f32,
}

/// An average rests on that many samples at most, so that it follows a server that changes.
pub(crate) const MASS_MAX: f32 = 64.0;
/// A latency counts once it rests on so many samples: a cold server's first answers are forgiven.
pub(crate) const EXPLORED: f32 = 3.0;

impl Decaying {
    /// What is known; mass 0 where nothing is.
    pub(crate) fn at(&self, now: Moment) -> Known {
        let bits = self.0.load(Ordering::Relaxed);
        let ticks = ticks(now).wrapping_sub(low_half(bits));
        Known {
            value: f32::from_bits(low_half(bits >> 32) & !MASS_BITS),
            mass: f32::from(u8::try_from(low_half(bits >> 32) & MASS_BITS).unwrap_or(u8::MAX)),
            // A writer may have looked at its clock a little after the reader did.
            age: if ticks > u32::MAX / 2 {
                0.0
            } else {
                seconds(ticks)
            },
        }
    }

    /// Whether the number was less than `limit` when it was last added to: a look that costs next to nothing, and settles
    /// it, as numbers only fade by themselves.
    pub(crate) fn is_below(&self, limit: f32) -> bool {
        f32::from_bits(low_half(self.0.load(Ordering::Relaxed) >> 32) & !MASS_BITS) < limit
    }

    /// Whether nothing was ever added.
    pub(crate) fn is_unknown(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// What is known after forgetting with the time constant `decay`: both value and mass shrink to 1/e in that time.
    pub(crate) fn faded(&self, now: Moment, decay: Decay) -> Known {
        let known = self.at(now);
        let kept = known.kept(decay);
        Known {
            value: known.value * kept,
            mass: known.mass * kept,
            ..known
        }
    }

    /// Remembers `value`, resting on `mass` samples, as of `now`. Precision: 16 bits.
    pub(crate) fn set(&self, now: Moment, value: f32, mass: f32) {
        // Rounded to the nearest, lest a value that is added to in small steps stays where it is.
        let rounded = value.max(0.0).to_bits().saturating_add(MASS_BITS / 2) & !MASS_BITS;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 1 to 64 just before"
        )]
        let mass = mass.round().clamp(1.0, MASS_MAX) as u32;
        let bits = u64::from(rounded | mass) << 32 | u64::from(ticks(now));
        self.0.store(bits, Ordering::Relaxed);
    }

    /// Adds a sample to an average in which the samples of the last `decay` count.
    pub(crate) fn average(&self, now: Moment, decay: Decay, sample: f32) {
        let known = self.at(now);
        let mass = (known.mass * known.kept(decay) + 1.0).min(MASS_MAX);
        self.set(now, known.value + (sample - known.value) / mass, mass);
    }
}

impl Decay {
    /// To 1/e in that time.
    pub(crate) const fn over(time: Duration) -> Self {
        Self {
            each_second: 1.0 / time.as_secs_f32().max(1e-9),
        }
    }
}

impl Known {
    /// The share that is left of it after its age.
    pub(crate) fn kept(&self, decay: Decay) -> f32 {
        let ages = self.age * decay.each_second;
        // Among busy servers nearly always: a scan over many of them would spend most of its time in `exp`.
        if ages < 1.0 / 64.0 {
            1.0 - ages
        } else {
            (-ages).exp()
        }
    }
}

/// The low bits of a value's fraction, where the mass is kept.
const MASS_BITS: u32 = 0xff;

/// Time is kept in steps of 2¹⁷ ns (131 µs): 32 bits of them last for 156 hours.
const TICK_SHIFT: u32 = 17;

fn ticks(now: Moment) -> u32 {
    low_half(now.as_nanos() >> TICK_SHIFT)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
const fn low_half(bits: u64) -> u32 {
    bits as u32
}

#[expect(
    clippy::cast_precision_loss,
    reason = "24 bits of precision are plenty for an age"
)]
fn seconds(ticks: u32) -> f32 {
    ticks as f32 * ((1_u64 << TICK_SHIFT) as f32 / 1e9)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "values that are set, not computed")]
mod tests {
    use super::*;

    const SECOND: Decay = Decay::over(Duration::from_secs(1));

    fn at(seconds: f64) -> Moment {
        Moment::default() + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn nothing_is_known_at_first() {
        let number = Decaying::default();
        assert_eq!(
            (number.at(at(5.0)).value, number.at(at(5.0)).mass),
            (0.0, 0.0)
        );
        number.average(at(5.0), SECOND, 3.0);
        let known = number.at(at(5.0));
        assert!(
            (known.value - 3.0).abs() < 1e-3 && known.mass == 1.0,
            "{known:?}"
        );
    }

    #[test]
    fn a_burst_of_samples_is_averaged_and_none_of_them_rules() {
        let number = Decaying::default();
        for sample in [100.0, 1.0, 1.0, 1.0] {
            number.average(at(1.0), SECOND, sample);
        }
        let known = number.at(at(1.0));
        assert!((known.value - 25.75).abs() < 0.1, "{known:?}");
        for _ in 0..1_000 {
            number.average(at(1.0), SECOND, 1.0);
        }
        assert!((number.at(at(1.0)).value - 1.0).abs() < 0.01);
    }

    #[test]
    fn what_is_old_counts_less() {
        let number = Decaying::default();
        for _ in 0..10 {
            number.average(at(1.0), SECOND, 10.0);
        }
        number.average(at(31.0), SECOND, 1.0);
        assert!((number.at(at(31.0)).value - 1.0).abs() < 0.1);
        let faded = number.faded(at(32.0), SECOND);
        assert!((faded.value - 0.368).abs() < 0.01, "{faded:?}");
    }

    #[test]
    fn a_reader_whose_clock_is_behind_sees_no_age() {
        let number = Decaying::default();
        number.set(at(10.0), 2.0, 1.0);
        assert_eq!(number.at(at(9.9)).age, 0.0);
        assert!((number.at(at(12.0)).age - 2.0).abs() < 0.01);
    }
}
