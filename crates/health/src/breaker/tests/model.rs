//! The breaker does what a naive one does, which keeps every request in a list.

use proptest::prelude::*;

use super::super::{Breaker, BreakerSettings, BreakerState, Cause, Change, Outcome, SlowCalls};
use super::share;
use sluice_model::Moment;
use std::time::Duration;

/// The step in which the breaker keeps time: in whole ones, both are to agree exactly.
const TICK: u64 = 1 << 24;

fn time(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * TICK)
}

struct Naive {
    settings: BreakerSettings,
    stage: Stage,
    /// Ticks.
    since: u64,
    openings: u32,
    /// Counts the stages.
    number: u32,
}

enum Stage {
    /// Each outcome: when, and what.
    Closed(Vec<(u64, Told)>),
    Open(Duration),
    HalfOpen {
        taken: u8,
        good: u8,
        slow: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Good,
    Slow,
    Failed,
    Unknown,
}

impl Told {
    fn outcome(self) -> Outcome {
        match self {
            Self::Good => Outcome::Succeeded { after: time(2) },
            Self::Slow => Outcome::Succeeded {
                after: time(2) + Duration::from_nanos(1),
            },
            Self::Failed => Outcome::Failed,
            Self::Unknown => Outcome::Unknown,
        }
    }
}

impl Naive {
    fn is_over(&self, now: u64, lasts: Duration) -> bool {
        time(now - self.since) >= lasts
    }

    /// The number of the stage in which a request was let in.
    fn enter(&mut self, now: u64) -> Option<u32> {
        let open_for = self.settings.open_for;
        let is_half_open = matches!(self.stage, Stage::HalfOpen { .. });
        let has_waited = is_half_open && self.is_over(now, open_for);
        if matches!(self.stage, Stage::Open(lasts) if self.is_over(now, lasts)) {
            self.turn(
                now,
                Stage::HalfOpen {
                    taken: 0,
                    good: 0,
                    slow: 0,
                },
            );
        }
        match &mut self.stage {
            Stage::Closed(_) => {}
            Stage::Open(_) => return None,
            Stage::HalfOpen { taken, .. } => {
                if *taken >= self.settings.half_open_requests {
                    if !has_waited {
                        return None;
                    }
                    *taken = 0;
                    self.since = now;
                }
                *taken += 1;
            }
        }
        Some(self.number)
    }

    fn turn(&mut self, now: u64, stage: Stage) {
        self.stage = stage;
        self.since = now;
        self.number += 1;
    }

    fn open(&mut self, now: u64, cause: Cause) -> Change {
        let most = self.settings.max_open_for;
        if matches!(self.stage, Stage::Closed(_)) {
            let mut calm = time(now - self.since);
            while calm >= most && self.openings > 0 {
                self.openings -= 1;
                calm -= most;
            }
        }
        // Without end, it would be forgiven later than it makes a difference.
        if self.openings == 0 || self.lasts() < most {
            self.openings += 1;
        }
        let lasts = self.lasts();
        self.turn(now, Stage::Open(lasts));
        Change::Opened { lasts, cause }
    }

    fn lasts(&self) -> Duration {
        let doubled = (1..self.openings).fold(self.settings.open_for, |lasts, _| lasts * 2);
        doubled.min(self.settings.max_open_for)
    }

    fn record(&mut self, now: u64, entered: u32, told: Told) -> Option<Change> {
        if entered != self.number {
            return None;
        }
        let trials = self.settings.half_open_requests;
        let slow_rate = self.settings.slow_calls.map(|slow| slow.rate.percent());
        match &mut self.stage {
            Stage::Closed(seen) => {
                if told != Told::Unknown {
                    seen.push((now, told));
                }
                self.reason(now, told).map(|cause| self.open(now, cause))
            }
            Stage::Open(_) => None,
            Stage::HalfOpen { taken, good, slow } => {
                match told {
                    Told::Unknown => *taken = taken.saturating_sub(1),
                    Told::Failed => return Some(self.open(now, Cause::FailedTrial)),
                    Told::Good => *good += 1,
                    Told::Slow => {
                        *good += 1;
                        let Some(rate) = slow_rate else {
                            return self.close(now);
                        };
                        *slow += 1;
                        if u32::from(*slow) * 100 >= u32::from(rate) * u32::from(trials) {
                            return Some(self.open(now, Cause::SlowTrials));
                        }
                    }
                }
                self.close(now)
            }
        }
    }

    /// Where trials enough have succeeded.
    fn close(&mut self, now: u64) -> Option<Change> {
        let trials = self.settings.half_open_requests;
        if !matches!(self.stage, Stage::HalfOpen { good, .. } if good >= trials) {
            return None;
        }
        self.turn(now, Stage::Closed(Vec::new()));
        Some(Change::Closed)
    }

    fn reason(&self, now: u64, told: Told) -> Option<Cause> {
        let Stage::Closed(seen) = &self.stage else {
            return None;
        };
        let settings = &self.settings;
        let failures = seen.iter().rev();
        let failures = failures.take_while(|(_, told)| *told == Told::Failed);
        let row = u32::try_from(failures.count()).expect("few");
        if told == Told::Failed
            && settings
                .consecutive_failures
                .is_some_and(|limit| row >= limit)
        {
            return Some(Cause::ConsecutiveFailures);
        }
        let slice = |ticks: u64| {
            ticks * TICK / (u64::try_from(settings.window.as_nanos()).expect("short") / 10)
        };
        let in_window: Vec<_> = seen
            .iter()
            .filter(|(when, _)| slice(*when) + 10 > slice(now))
            .map(|(_, told)| *told)
            .collect();
        if in_window.len() < usize::try_from(settings.min_requests).expect("small") {
            return None;
        }
        let is_reached = |kind: Told, rate: u8| {
            let part = in_window.iter().filter(|told| **told == kind).count();
            told == kind && part * 100 >= usize::from(rate) * in_window.len()
        };
        if settings
            .failure_rate
            .is_some_and(|rate| is_reached(Told::Failed, rate.percent()))
        {
            return Some(Cause::FailureRate);
        }
        let slow_rate = settings.slow_calls.map(|slow| slow.rate.percent());
        slow_rate
            .is_some_and(|rate| is_reached(Told::Slow, rate))
            .then_some(Cause::SlowCallRate)
    }

    fn state(&self, now: u64) -> BreakerState {
        let trials = self.settings.half_open_requests;
        match self.stage {
            Stage::Closed(_) => BreakerState::Closed,
            Stage::Open(lasts) if self.is_over(now, lasts) => {
                BreakerState::HalfOpen { free: trials }
            }
            Stage::Open(lasts) => BreakerState::Open {
                until: Moment::default() + time(self.since) + lasts,
            },
            Stage::HalfOpen { .. } if self.is_over(now, self.settings.open_for) => {
                BreakerState::HalfOpen { free: trials }
            }
            Stage::HalfOpen { taken, .. } => BreakerState::HalfOpen {
                free: trials - taken,
            },
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    /// One of the requests under way.
    Tell(usize, Told),
    Wait(u64),
}

fn a_step() -> impl Strategy<Value = Step> {
    let told = prop_oneof![
        4 => Just(Told::Good),
        2 => Just(Told::Slow),
        4 => Just(Told::Failed),
        1 => Just(Told::Unknown),
    ];
    prop_oneof![
        10 => Just(Step::Enter),
        10 => (any::<usize>(), told).prop_map(|(which, told)| Step::Tell(which, told)),
        2 => (1..8_u64).prop_map(Step::Wait),
        1 => (8..200_u64).prop_map(Step::Wait),
    ]
}

fn some_settings() -> impl Strategy<Value = BreakerSettings> {
    let rate = || proptest::option::of((1..=100_u8).prop_map(share));
    (
        proptest::option::of(1..6_u32),
        rate(),
        rate(),
        1..10_u32,
        1..60_u64,
        1..12_u64,
        1..9_u64,
        1..5_u8,
    )
        .prop_map(
            |(consecutive, failure_rate, slow_rate, min_requests, window, open, times, trials)| {
                BreakerSettings {
                    consecutive_failures: consecutive,
                    failure_rate,
                    slow_calls: slow_rate.map(|rate| SlowCalls {
                        longer_than: time(2),
                        rate,
                    }),
                    window: time(window),
                    min_requests,
                    open_for: time(open),
                    max_open_for: time(open * times),
                    half_open_requests: trials,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_do_the_same(
        settings in some_settings(),
        // Also where the breaker's time begins anew.
        start in prop_oneof![Just(0), Just((1_u64 << 32) - 50), Just((7_u64 << 32) - 50), 0..1_000_000_u64],
        steps in proptest::collection::vec(a_step(), 1..200),
    ) {
        let mut now = start;
        let moment = |ticks| Moment::default() + time(ticks);
        // Closed since then, lest the first step is one over years.
        let since = (start % (1 << 32)) << 32;
        let breaker = Breaker { word: since.into(), ..Breaker::default() };
        let mut naive = Naive { settings, stage: Stage::Closed(Vec::new()), since: start, openings: 0, number: 0 };
        let mut under_way = Vec::new();
        for step in steps {
            match step {
                Step::Enter => {
                    let pass = breaker.try_enter(moment(now), &settings);
                    let number = naive.enter(now);
                    prop_assert_eq!(pass.is_some(), number.is_some());
                    under_way.extend(pass.zip(number));
                }
                Step::Tell(..) if under_way.is_empty() => {}
                Step::Tell(which, told) => {
                    let (pass, number) = under_way.swap_remove(which % under_way.len());
                    let change = breaker.record(moment(now), pass, told.outcome(), &settings);
                    prop_assert_eq!(change, naive.record(now, number, told));
                }
                Step::Wait(ticks) => now += ticks,
            }
            prop_assert_eq!(breaker.state(moment(now), &settings), naive.state(now));
        }
    }
}
