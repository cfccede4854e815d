//! The state of a breaker in one atomic word.

use std::time::Duration;

use sluice_model::Moment;

use super::Pass;

/// What the word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Since when, in ticks; half-open, since when places for trials are given out.
    pub(super) since: u32,
    pub(super) phase: Phase,
    /// Openings in a row, those taken back not counted; up to [`OPENINGS_MAX`].
    pub(super) openings: u8,
    /// Another with each change of the phase, so that what is late is known by it. It comes again after 128 changes, which
    /// no request lives to see.
    pub(super) generation: u8,
    /// Half-open: places for trials that were given out, up to [`TRIALS_MAX`] as the two that follow.
    pub(super) taken: u8,
    /// Half-open: trials that have succeeded.
    pub(super) answered: u8,
    /// Half-open: those of them that were slow.
    pub(super) slow: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    Open,
    HalfOpen,
}

/// What the bits for trials can hold.
pub(super) const TRIALS_MAX: u8 = (1 << TRIAL_BITS) - 1;
/// What the bits for openings can hold.
pub(super) const OPENINGS_MAX: u8 = (1 << OPENING_BITS) - 1;

impl Word {
    pub(super) fn unpack(bits: u64) -> Self {
        let mut bits = Bits(bits);
        let [taken, answered, slow] = [(); 3].map(|()| bits.take(TRIAL_BITS));
        let generation = bits.take(GENERATION_BITS);
        let openings = bits.take(OPENING_BITS);
        let phase = match bits.take(PHASE_BITS) {
            0 => Phase::Closed,
            1 => Phase::Open,
            _ => Phase::HalfOpen,
        };
        let since = low_half(bits.0);
        Self {
            since,
            phase,
            openings,
            generation,
            taken,
            answered,
            slow,
        }
    }

    pub(super) fn pack(self) -> u64 {
        let phase = match self.phase {
            Phase::Closed => 0,
            Phase::Open => 1,
            Phase::HalfOpen => 2,
        };
        let mut bits = u64::from(self.since);
        for (value, width) in [
            (phase, PHASE_BITS),
            (self.openings, OPENING_BITS),
            (self.generation, GENERATION_BITS),
            (self.slow, TRIAL_BITS),
            (self.answered, TRIAL_BITS),
            (self.taken, TRIAL_BITS),
        ] {
            debug_assert!(value < 1 << width, "{self:?} does not fit");
            bits = bits << width | u64::from(value);
        }
        bits
    }

    /// Leave that is of this stage.
    pub(super) fn pass(self) -> Pass {
        Pass {
            generation: self.generation,
        }
    }

    /// Ticks since this began. Whose clock was looked at a little before the one that set it sees none.
    pub(super) fn elapsed(self, now: Moment) -> u32 {
        let elapsed = low_half(now.as_nanos() >> TICK_SHIFT).wrapping_sub(self.since);
        if elapsed > u32::MAX - TICKS_BEHIND {
            0
        } else {
            elapsed
        }
    }

    /// The phase that begins `elapsed` ticks after this one.
    pub(super) fn next(self, phase: Phase, elapsed: u32) -> Self {
        Self {
            since: self.since.wrapping_add(elapsed),
            phase,
            openings: self.openings,
            generation: (self.generation + 1) % (1 << GENERATION_BITS),
            taken: 0,
            answered: 0,
            slow: 0,
        }
    }

    /// The same phase, as if it had begun `elapsed` ticks later.
    pub(super) fn later(self, elapsed: u32) -> Self {
        let since = self.since.wrapping_add(elapsed);
        Self { since, ..self }
    }

    pub(super) fn with_taken(self, taken: u8) -> Self {
        Self { taken, ..self }
    }

    /// After another trial that has succeeded.
    pub(super) fn answered(self, is_slow: bool) -> Self {
        Self {
            answered: TRIALS_MAX.min(self.answered + 1),
            slow: TRIALS_MAX.min(self.slow + u8::from(is_slow)),
            ..self
        }
    }
}

/// So many ticks, rounded up; at least one, so that each phase but the first begins later than the one before.
pub(super) fn ticks(time: Duration) -> u32 {
    let ticks = time.as_nanos().div_ceil(1 << TICK_SHIFT);
    u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
}

/// When what began `elapsed` ticks ago and lasts so long is over.
pub(super) fn end(now: Moment, elapsed: u32, lasts: Duration) -> Moment {
    let began = (now.as_nanos() >> TICK_SHIFT).saturating_sub(elapsed.into());
    let end = began.saturating_add(ticks(lasts).into());
    Moment::from_nanos(end.saturating_mul(1 << TICK_SHIFT))
}

/// Time is kept in steps of 2²⁴ ns (17 ms): 32 bits of them last for 2.3 years, after which the next opening may forget that
/// the last one was long ago.
const TICK_SHIFT: u32 = 24;
/// Clocks that are looked at one after the other differ by less than that (17 s).
const TICKS_BEHIND: u32 = 1 << 10;

const PHASE_BITS: u32 = 2;
const OPENING_BITS: u32 = 5;
const GENERATION_BITS: u32 = 7;
const TRIAL_BITS: u32 = 6;

/// Bits that are taken from the low end.
struct Bits(u64);

impl Bits {
    fn take(&mut self, width: u32) -> u8 {
        let taken = self.0 & ((1 << width) - 1);
        self.0 >>= width;
        u8::try_from(taken).unwrap_or(u8::MAX)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
const fn low_half(bits: u64) -> u32 {
    bits as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        assert_eq!(Word::unpack(0).phase, Phase::Closed);
        for phase in [Phase::Closed, Phase::Open, Phase::HalfOpen] {
            let least = Word {
                phase,
                ..Word::unpack(0)
            };
            let most = Word {
                since: u32::MAX,
                phase,
                openings: OPENINGS_MAX,
                generation: 127,
                taken: TRIALS_MAX,
                answered: TRIALS_MAX,
                slow: TRIALS_MAX,
            };
            let other = Word {
                since: 7,
                openings: 1,
                generation: 2,
                taken: 3,
                answered: 4,
                slow: 5,
                phase,
            };
            for word in [least, most, other] {
                assert_eq!(Word::unpack(word.pack()), word);
            }
        }
    }

    #[test]
    fn years_without_a_change_do_no_harm() {
        let tick = |count: u64| Moment::from_nanos(count << TICK_SHIFT);
        for years in [1, 2, 3, 10, 100] {
            let now = tick(years * 1_880_000_000);
            let word = Word::unpack(0);
            let word = word.next(Phase::Open, word.elapsed(now));
            assert!(word.elapsed(now) == 0 && word.elapsed(tick(years * 1_880_000_000 + 5)) == 5);
            let (lasts, later) = (Duration::from_secs(1), Duration::from_millis(500));
            let until = end(now, 0, lasts);
            assert_eq!(until, end(now + later, word.elapsed(now + later), lasts));
            assert!(until.since(now) >= lasts && until.since(now) < lasts * 2);
        }
    }

    #[test]
    fn a_clock_that_is_behind_sees_no_time_pass() {
        let word = Word {
            since: 10,
            ..Word::unpack(0)
        };
        assert_eq!(word.elapsed(Moment::from_nanos(9 << TICK_SHIFT)), 0);
        assert_eq!(word.elapsed(Moment::from_nanos(12 << TICK_SHIFT)), 2);
    }
}
