//! Workers that share a server's breaker, in every order in which they may meet (up to three preemptions): trials are as few
//! as they should be, and each change is made and told once.
//!
//! Only in a build with `RUSTFLAGS="--cfg loom"`, in which the atomics are those of the model.
#![cfg(loom)]

use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use sluice_health::{Breaker, BreakerSettings, BreakerState, Cause, Change, Outcome, Pass};
use sluice_model::{Moment, Share};

const START: Moment = Moment::from_nanos(1_000_000_000);
const OPEN_FOR: Duration = Duration::from_secs(30);
const GOOD: Outcome = Outcome::Succeeded {
    after: Duration::ZERO,
};

fn settings() -> BreakerSettings {
    BreakerSettings {
        consecutive_failures: Some(2),
        failure_rate: None,
        slow_calls: None,
        window: Duration::from_secs(10),
        min_requests: 1,
        open_for: OPEN_FOR,
        max_open_for: OPEN_FOR * 10,
        half_open_requests: 2,
    }
}

fn half_open() -> Moment {
    START + OPEN_FOR * 2
}

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn enter(breaker: &Breaker, now: Moment) -> Option<Pass> {
    breaker.try_enter(now, &settings())
}

/// A breaker whose trials may begin.
fn opened() -> Arc<Breaker> {
    let breaker = Breaker::default();
    for _ in 0..2 {
        let pass = enter(&breaker, START).expect("let in");
        let _ = breaker.record(START, pass, Outcome::Failed, &settings());
    }
    assert!(enter(&breaker, START).is_none());
    Arc::new(breaker)
}

/// What becomes of requests that are told of at the same time.
fn tell(breaker: &Arc<Breaker>, now: Moment, outcomes: &[Outcome]) -> Vec<Change> {
    let passes = outcomes
        .iter()
        .map(|outcome| (enter(breaker, now).expect("let in"), *outcome));
    let passes: Vec<_> = passes.collect();
    let workers: Vec<_> = passes
        .into_iter()
        .map(|(pass, outcome)| {
            let breaker = Arc::clone(breaker);
            thread::spawn(move || breaker.record(now, pass, outcome, &settings()))
        })
        .collect();
    let told = workers.into_iter().map(|worker| worker.join());
    told.filter_map(|change| change.expect("a worker"))
        .collect()
}

#[test]
fn of_two_who_see_the_last_failure_one_opens_it() {
    explore(|| {
        let breaker = Arc::new(Breaker::default());
        let first = enter(&breaker, START).expect("let in");
        assert_eq!(
            breaker.record(START, first, Outcome::Failed, &settings()),
            None
        );
        let changes = tell(&breaker, START, &[Outcome::Failed, Outcome::Failed]);
        let cause = Cause::ConsecutiveFailures;
        let opened = Change::Opened {
            lasts: OPEN_FOR,
            cause,
        };
        assert_eq!(changes, [opened]);
        assert!(enter(&breaker, START).is_none());
    });
}

#[test]
fn no_outcome_is_lost() {
    let settings = BreakerSettings {
        consecutive_failures: None,
        failure_rate: Some(Share::ALL),
        min_requests: 3,
        ..settings()
    };
    explore(move || {
        let breaker = Arc::new(Breaker::default());
        let fail = move |breaker: &Breaker| {
            let pass = breaker.try_enter(START, &settings).expect("let in");
            breaker.record(START, pass, Outcome::Failed, &settings)
        };
        let workers = [(); 2].map(|()| {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || fail(&breaker))
        });
        for worker in workers {
            assert_eq!(worker.join().expect("a worker"), None);
        }
        assert!(fail(&breaker).is_some(), "the third of three");
    });
}

#[test]
fn no_more_trials_than_places() {
    explore(|| {
        let breaker = opened();
        let workers = [(); 3].map(|()| {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || enter(&breaker, half_open()))
        });
        let entered = workers.map(|worker| worker.join().expect("a worker"));
        assert_eq!(entered.iter().flatten().count(), 2);
    });
}

#[test]
fn the_last_of_the_trials_closes_it_once() {
    explore(|| {
        let breaker = opened();
        let changes = tell(&breaker, half_open(), &[GOOD, GOOD]);
        assert_eq!(changes, [Change::Closed]);
        let state = breaker.state(half_open(), &settings());
        assert_eq!(state, BreakerState::Closed);
    });
}

#[test]
fn a_trial_that_fails_beside_one_that_succeeds_opens_it() {
    explore(|| {
        let breaker = opened();
        let changes = tell(&breaker, half_open(), &[GOOD, Outcome::Failed]);
        let cause = Cause::FailedTrial;
        let opened = Change::Opened {
            lasts: OPEN_FOR * 2,
            cause,
        };
        assert_eq!(changes, [opened]);
        assert!(enter(&breaker, half_open()).is_none());
    });
}

#[test]
fn a_place_that_was_given_back_is_anothers() {
    explore(|| {
        let breaker = opened();
        let changes = tell(&breaker, half_open(), &[GOOD, Outcome::Unknown]);
        assert_eq!(changes, []);
        let pass = enter(&breaker, half_open()).expect("one more");
        assert!(enter(&breaker, half_open()).is_none(), "but no other");
        let change = breaker.record(half_open(), pass, GOOD, &settings());
        assert_eq!(change, Some(Change::Closed));
    });
}
