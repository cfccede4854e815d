//! The circuit breaker of a server, shared by all workers.
//!
//! ```text
//!             consecutive failures, failure rate,
//!             or slow-call rate is reached
//!   closed ──────────────────────────────────────► open
//!     ▲                                           │   ▲
//!     │ as many trials have succeeded             │   │ a trial has failed, or
//!     │ as half-open-requests                     ▼   │ too many were slow
//!     └───────────────────────────────────── half-open
//!                                    after open-for
//! ```
//!
//! (The pattern: Nygard, *Release It!*.) Closed, all requests may go to the server, and what becomes of them is counted.
//! Open, none may. Half-open, a few may go as trials. Each opening that follows another lasts twice as long as the one
//! before, up to a bound; each `max-open-for` without one takes a step of that back.
//!
//! The state is one atomic word, so a change of it is whole, and made by exactly one of those who see reason for it. A
//! request costs a look at it when it is sent, and where rates are looked at one more atomic step when its outcome is known.

mod settings;
#[cfg(test)]
mod tests;
mod window;
mod word;

use std::time::Duration;

use sluice_model::Moment;

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use window::Window;
use word::{Phase, Word, ticks};

pub use settings::{BreakerSettings, HALF_OPEN_REQUESTS_MAX, MIN_REQUESTS_MAX, SlowCalls};

/// A server's circuit breaker. On cache lines of its own, as every worker writes to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Breaker {
    word: AtomicU64,
    failures_in_a_row: AtomicU32,
    window: Window,
}

/// How a breaker stands at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All requests may go to the server.
    Closed,
    /// None may.
    Open {
        /// Then trials begin. The same for as long as it is open.
        until: Moment,
    },
    /// A few may, as trials.
    HalfOpen {
        /// So many more now. Another one may be faster: only [`Breaker::try_enter`] knows.
        free: u8,
    },
}

/// Leave for one request to go to the server. What became of it is told to [`Breaker::record`]; of a trial that is not, the
/// place is free again after `open-for`.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what became of the request is to be recorded"]
pub struct Pass {
    /// The stage of the breaker that it is of.
    generation: u8,
}

/// What became of a request. What counts as a failure is the caller's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server did what was asked.
    Succeeded {
        /// From the request's being sent to its answer.
        after: Duration,
    },
    /// It did not.
    Failed,
    /// Nobody knows: the client went away before there was an answer.
    Unknown,
}

/// A change of state that the caller has made, to be told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has opened.
    Opened {
        /// For so long.
        lasts: Duration,
        /// Why.
        cause: Cause,
    },
    /// It has closed: the trials have succeeded.
    Closed,
}

/// Why a breaker has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// `consecutive-failures`
    ConsecutiveFailures,
    /// `failure-rate`
    FailureRate,
    /// `slow-call-rate`
    SlowCallRate,
    /// Half-open, a trial has failed.
    FailedTrial,
    /// Half-open, so many trials were slow that the rest cannot mend it.
    SlowTrials,
}

impl Breaker {
    /// How it stands.
    pub fn state(&self, now: Moment, settings: &BreakerSettings) -> BreakerState {
        let word = self.load();
        let (limit, elapsed) = (settings.trials(), word.elapsed(now));
        match word.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open => {
                let lasts = settings.lasts(word.openings);
                if elapsed >= ticks(lasts) {
                    BreakerState::HalfOpen { free: limit }
                } else {
                    let until = word::end(now, elapsed, lasts);
                    BreakerState::Open { until }
                }
            }
            Phase::HalfOpen if elapsed >= ticks(settings.open_for) => {
                BreakerState::HalfOpen { free: limit }
            }
            Phase::HalfOpen => BreakerState::HalfOpen {
                free: limit.saturating_sub(word.taken),
            },
        }
    }

    /// Leave for a request; `None` where it may not go to the server now. What is open for long enough becomes half-open by
    /// that.
    pub fn try_enter(&self, now: Moment, settings: &BreakerSettings) -> Option<Pass> {
        loop {
            let word = self.load();
            let elapsed = word.elapsed(now);
            let next = match word.phase {
                Phase::Closed => return Some(word.pass()),
                Phase::Open if elapsed >= ticks(settings.lasts(word.openings)) => {
                    word.next(Phase::HalfOpen, elapsed).with_taken(1)
                }
                Phase::HalfOpen if word.taken < settings.trials() => {
                    word.with_taken(word.taken + 1)
                }
                // Trials of which nothing is heard do not keep others waiting for ever.
                Phase::HalfOpen if elapsed >= ticks(settings.open_for) => {
                    word.later(elapsed).with_taken(1)
                }
                Phase::Open | Phase::HalfOpen => return None,
            };
            if self.replace(word, next) {
                return Some(next.pass());
            }
        }
    }

    /// What became of a request that was let in. A change that it makes is returned, so that it is told once.
    ///
    /// What comes late, of a request from before the last change, says nothing any more.
    #[expect(clippy::needless_pass_by_value, reason = "a pass is for one request")]
    pub fn record(
        &self,
        now: Moment,
        pass: Pass,
        outcome: Outcome,
        settings: &BreakerSettings,
    ) -> Option<Change> {
        let word = self.load();
        if word.generation != pass.generation {
            return None;
        }
        match word.phase {
            Phase::Closed => self.record_closed(word, now, outcome, settings),
            Phase::Open => None,
            Phase::HalfOpen => self.record_trial(&pass, now, outcome, settings),
        }
    }

    /// Closes it, and forgets what was learned; whether it was not closed before. What is recorded of requests from before
    /// that says nothing then.
    pub fn reset(&self) -> bool {
        loop {
            let word = self.load();
            if word.phase == Phase::Closed {
                return false;
            }
            self.window.clear();
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            let next = Word {
                openings: 0,
                ..word.next(Phase::Closed, 0)
            };
            if self.replace(word, next) {
                return true;
            }
        }
    }

    fn record_closed(
        &self,
        word: Word,
        now: Moment,
        outcome: Outcome,
        settings: &BreakerSettings,
    ) -> Option<Change> {
        let (is_failed, is_slow) = match outcome {
            Outcome::Unknown => return None,
            Outcome::Failed => (true, false),
            Outcome::Succeeded { after } => (false, settings.is_slow(after)),
        };
        if settings.looks_at_rates() {
            self.window.add(now, settings.window, is_failed, is_slow);
        }
        if is_failed {
            let before = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
            let limit = settings.consecutive_failures;
            if limit.is_some_and(|limit| before.saturating_add(1) >= limit) {
                return self.open(word, now, Cause::ConsecutiveFailures, settings);
            }
        } else if self.failures_in_a_row.load(Ordering::Relaxed) != 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
        // A good answer is no reason to open, though it may be the one that makes requests enough.
        let cause = match (is_failed, is_slow) {
            (true, _) => Cause::FailureRate,
            (_, true) => Cause::SlowCallRate,
            _ => return None,
        };
        if self.is_rate_reached(now, cause, settings) {
            return self.open(word, now, cause, settings);
        }
        None
    }

    fn is_rate_reached(&self, now: Moment, cause: Cause, settings: &BreakerSettings) -> bool {
        let slow_rate = settings.slow_calls.map(|slow| slow.rate);
        let rate = match cause {
            Cause::FailureRate => settings.failure_rate,
            _ => slow_rate,
        };
        let Some(rate) = rate else {
            return false;
        };
        let seen = self.window.counts(now, settings.window);
        let part = match cause {
            Cause::FailureRate => seen.failures,
            _ => seen.slow,
        };
        seen.requests >= u64::from(settings.min_requests) && rate.is_reached(part, seen.requests)
    }

    fn record_trial(
        &self,
        pass: &Pass,
        now: Moment,
        outcome: Outcome,
        settings: &BreakerSettings,
    ) -> Option<Change> {
        loop {
            let word = self.load();
            if word.generation != pass.generation {
                return None;
            }
            let after = match outcome {
                Outcome::Unknown => word.with_taken(word.taken.saturating_sub(1)),
                Outcome::Failed => word,
                Outcome::Succeeded { after } => word.answered(settings.is_slow(after)),
            };
            let trials = settings.trials();
            let is_too_slow = |slow: SlowCalls| {
                after.slow > 0 && slow.rate.is_reached(after.slow.into(), trials.into())
            };
            let (next, change) = if outcome == Outcome::Failed {
                opened(word, now, Cause::FailedTrial, settings)
            } else if settings.slow_calls.is_some_and(is_too_slow) {
                opened(word, now, Cause::SlowTrials, settings)
            } else if after.answered >= trials {
                // Nobody counts as long as it is not closed: what comes then begins anew.
                self.window.clear();
                self.failures_in_a_row.store(0, Ordering::Relaxed);
                let closed = word.next(Phase::Closed, word.elapsed(now));
                (closed, Some(Change::Closed))
            } else {
                (after, None)
            };
            if self.replace(word, next) {
                return change;
            }
        }
    }

    /// Opens what is closed, which stands as `word` says. Nothing happens where somebody was faster: of several who see
    /// reason for it, one opens it.
    fn open(
        &self,
        word: Word,
        now: Moment,
        cause: Cause,
        settings: &BreakerSettings,
    ) -> Option<Change> {
        let (next, change) = opened(word, now, cause, settings);
        self.replace(word, next).then_some(change).flatten()
    }

    fn load(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Acquire))
    }

    fn replace(&self, word: Word, next: Word) -> bool {
        let (order, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let replaced = self
            .word
            .compare_exchange(word.pack(), next.pack(), order, failure);
        replaced.is_ok()
    }
}

/// What becomes of `word` when it opens.
fn opened(
    word: Word,
    now: Moment,
    cause: Cause,
    settings: &BreakerSettings,
) -> (Word, Option<Change>) {
    let elapsed = word.elapsed(now);
    let before = match word.phase {
        Phase::Closed => settings.forgiven(word.openings, elapsed),
        Phase::Open | Phase::HalfOpen => word.openings,
    };
    let openings = before.saturating_add(1).min(settings.openings_max());
    let next = Word {
        openings,
        ..word.next(Phase::Open, elapsed)
    };
    let lasts = settings.lasts(openings);
    (next, Some(Change::Opened { lasts, cause }))
}
