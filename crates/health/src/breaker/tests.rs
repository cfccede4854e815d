use super::*;
use sluice_model::Share;

mod model;

const GOOD: Outcome = Outcome::Succeeded {
    after: Duration::from_millis(10),
};
const SLOW: Outcome = Outcome::Succeeded {
    after: Duration::from_secs(5),
};

fn at(seconds: f64) -> Moment {
    Moment::default() + Duration::from_secs_f64(seconds)
}

fn share(percent: u8) -> Share {
    Share::try_from(percent).expect("a share")
}

/// Five failures in a row, half of at least 20 failed, or half of them slower than 3 s.
fn settings() -> BreakerSettings {
    BreakerSettings {
        consecutive_failures: Some(5),
        failure_rate: Some(share(50)),
        slow_calls: Some(SlowCalls {
            longer_than: Duration::from_secs(3),
            rate: share(50),
        }),
        window: Duration::from_secs(10),
        min_requests: 20,
        open_for: Duration::from_secs(30),
        max_open_for: Duration::from_mins(5),
        half_open_requests: 3,
    }
}

/// A breaker and its settings.
struct Tried {
    breaker: Breaker,
    settings: BreakerSettings,
}

impl Tried {
    fn new(settings: BreakerSettings) -> Self {
        let breaker = Breaker::default();
        Self { breaker, settings }
    }

    fn enter(&self, seconds: f64) -> Option<Pass> {
        self.breaker.try_enter(at(seconds), &self.settings)
    }

    fn tell(&self, seconds: f64, pass: Pass, outcome: Outcome) -> Option<Change> {
        self.breaker
            .record(at(seconds), pass, outcome, &self.settings)
    }

    /// A request that is let in and is answered at once.
    fn one(&self, seconds: f64, outcome: Outcome) -> Option<Change> {
        let pass = self.enter(seconds).expect("let in");
        self.tell(seconds, pass, outcome)
    }

    fn fail_in_a_row(&self, seconds: f64) -> Duration {
        for _ in 0..4 {
            assert_eq!(self.one(seconds, Outcome::Failed), None);
        }
        match self.one(seconds, Outcome::Failed) {
            Some(Change::Opened { lasts, .. }) => lasts,
            other => panic!("{other:?}"),
        }
    }

    fn recover(&self, seconds: f64) {
        assert_eq!(self.one(seconds, GOOD), None);
        assert_eq!(self.one(seconds, GOOD), None);
        assert_eq!(self.one(seconds, GOOD), Some(Change::Closed));
    }

    fn state(&self, seconds: f64) -> BreakerState {
        self.breaker.state(at(seconds), &self.settings)
    }
}

fn cause(change: Option<Change>) -> Option<Cause> {
    match change? {
        Change::Opened { cause, .. } => Some(cause),
        Change::Closed => None,
    }
}

#[test]
fn what_is_reset_is_closed_and_remembers_nothing() {
    let tried = Tried::new(settings());
    assert!(!tried.breaker.reset(), "it is closed");
    tried.fail_in_a_row(1.0);
    let late = tried.enter(32.0).expect("a trial");
    assert!(tried.breaker.reset());
    assert_eq!(tried.tell(32.0, late, Outcome::Failed), None, "too late");
    assert_eq!(tried.fail_in_a_row(33.0), Duration::from_secs(30));
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_does_not_let_them() {
    let tried = Tried::new(settings());
    for _ in 0..4 {
        assert_eq!(tried.one(1.0, Outcome::Failed), None);
    }
    assert_eq!(tried.one(1.0, GOOD), None);
    for _ in 0..4 {
        assert_eq!(tried.one(1.0, Outcome::Failed), None);
    }
    assert_eq!(tried.state(1.0), BreakerState::Closed);
    let change = tried.one(1.0, Outcome::Failed);
    assert_eq!(cause(change), Some(Cause::ConsecutiveFailures));
    assert!(tried.enter(1.0).is_none());
}

#[test]
fn a_rate_counts_from_enough_requests_on() {
    let tried = Tried::new(settings());
    for request in 0..19 {
        let outcome = [Outcome::Failed, GOOD][request % 2];
        assert_eq!(tried.one(1.0, outcome), None);
    }
    // Of 20 requests 10 have failed, but the last has not.
    assert_eq!(tried.one(1.0, GOOD), None);
    assert_eq!(tried.one(1.0, GOOD), None);
    let change = tried.one(1.0, Outcome::Failed);
    assert_eq!(cause(change), Some(Cause::FailureRate), "11 of 22");
}

#[test]
fn every_other_one_failed_or_was_slow() {
    for (outcome, expected) in [
        (Outcome::Failed, Cause::FailureRate),
        (SLOW, Cause::SlowCallRate),
    ] {
        let tried = Tried::new(settings());
        for request in 0..20 {
            let change = tried.one(1.0, [GOOD, outcome][request % 2]);
            assert_eq!(cause(change), (request == 19).then_some(expected));
        }
    }
}

#[test]
fn what_is_long_ago_does_not_count() {
    let tried = Tried::new(settings());
    for request in 0..19 {
        tried.one(1.0, [GOOD, Outcome::Failed][request % 2]);
    }
    for second in 12..30 {
        assert_eq!(tried.one(f64::from(second), Outcome::Failed), None);
        assert_eq!(tried.one(f64::from(second), GOOD), None);
    }
}

#[test]
fn what_is_not_set_does_not_open_it() {
    let tried = Tried::new(BreakerSettings {
        consecutive_failures: None,
        failure_rate: None,
        slow_calls: None,
        ..settings()
    });
    for _ in 0..1_000 {
        assert_eq!(tried.one(1.0, Outcome::Failed), None);
        assert_eq!(tried.one(1.0, SLOW), None);
    }
}

#[test]
fn trials_are_few_and_close_it_when_all_succeed() {
    let tried = Tried::new(settings());
    assert_eq!(tried.fail_in_a_row(0.0).as_secs(), 30);
    assert!(matches!(tried.state(29.9), BreakerState::Open { until } if until >= at(30.0)));
    assert!(tried.enter(29.9).is_none());
    assert_eq!(tried.state(30.1), BreakerState::HalfOpen { free: 3 });
    let trials = [(); 3].map(|()| tried.enter(30.1).expect("a trial"));
    assert_eq!(tried.state(30.1), BreakerState::HalfOpen { free: 0 });
    assert!(tried.enter(30.1).is_none(), "no fourth");
    let [first, second, third] = trials;
    // Nobody knows of the first: its place is another's.
    assert_eq!(tried.tell(30.2, first, Outcome::Unknown), None);
    assert_eq!(tried.tell(30.2, second, GOOD), None);
    assert_eq!(tried.tell(30.2, third, GOOD), None);
    let again = tried.enter(30.3).expect("the place is free again");
    assert!(tried.enter(30.3).is_none());
    assert_eq!(tried.tell(30.4, again, GOOD), Some(Change::Closed));
    assert_eq!(tried.state(30.4), BreakerState::Closed);
    // What was before counts no more.
    assert_eq!(tried.one(30.5, Outcome::Failed), None);
}

#[test]
fn a_trial_that_fails_opens_it_for_twice_as_long_up_to_the_bound() {
    let tried = Tried::new(settings());
    let mut now = 0.0;
    let mut lasts = tried.fail_in_a_row(now).as_secs();
    let mut seen = vec![lasts];
    for _ in 0..5 {
        now += f64::from(u32::try_from(lasts).expect("seconds")) + 0.1;
        let change = tried.one(now, Outcome::Failed);
        let Some(Change::Opened { lasts: next, cause }) = change else {
            panic!("{change:?}");
        };
        assert_eq!(cause, Cause::FailedTrial);
        lasts = next.as_secs();
        seen.push(lasts);
    }
    assert_eq!(seen, [30, 60, 120, 240, 300, 300]);
}

#[test]
fn time_without_an_opening_is_to_its_credit() {
    let tried = Tried::new(settings());
    assert_eq!(tried.fail_in_a_row(0.0).as_secs(), 30);
    tried.recover(31.0);
    assert_eq!(tried.fail_in_a_row(40.0).as_secs(), 60);
    tried.recover(101.0);
    assert_eq!(tried.fail_in_a_row(150.0).as_secs(), 120);
    tried.recover(271.0);
    // One stretch of five minutes, and most of another.
    assert_eq!(tried.fail_in_a_row(860.0).as_secs(), 120);
    tried.recover(981.0);
    assert_eq!(tried.fail_in_a_row(10_000.0).as_secs(), 30);
}

#[test]
fn slow_trials_open_it_as_soon_as_the_rest_cannot_mend_it() {
    let tried = Tried::new(settings());
    tried.fail_in_a_row(0.0);
    assert_eq!(tried.one(31.0, SLOW), None, "one of three");
    assert_eq!(cause(tried.one(31.0, SLOW)), Some(Cause::SlowTrials));
}

#[test]
fn what_comes_late_says_nothing() {
    let tried = Tried::new(settings());
    let late = [(); 3].map(|()| tried.enter(0.0).expect("let in"));
    tried.fail_in_a_row(0.0);
    let [first, second, third] = late;
    assert_eq!(tried.tell(1.0, first, GOOD), None);
    let trial = tried.enter(31.0).expect("a trial");
    assert_eq!(tried.tell(31.0, second, Outcome::Failed), None);
    assert_eq!(tried.tell(31.0, trial, GOOD), None);
    assert_eq!(tried.one(31.0, GOOD), None);
    assert_eq!(tried.one(31.0, GOOD), Some(Change::Closed));
    assert_eq!(tried.tell(31.0, third, Outcome::Failed), None);
    assert_eq!(tried.state(31.0), BreakerState::Closed);
}

#[test]
fn trials_that_are_lost_make_room_in_time_and_count_when_they_come_back() {
    let tried = Tried::new(settings());
    tried.fail_in_a_row(0.0);
    let lost = [(); 3].map(|()| tried.enter(31.0).expect("a trial"));
    assert!(tried.enter(60.0).is_none());
    assert_eq!(tried.state(61.1), BreakerState::HalfOpen { free: 3 });
    let more = tried.enter(61.1).expect("a trial");
    assert_eq!(tried.state(61.1), BreakerState::HalfOpen { free: 2 });
    assert_eq!(tried.tell(61.2, more, GOOD), None);
    let [first, second, _] = lost;
    assert_eq!(tried.tell(61.2, first, GOOD), None);
    assert_eq!(tried.tell(61.2, second, GOOD), Some(Change::Closed));
}
