//! Every order in which threads may meet at a limit (`--cfg loom`): what is allowed is allowed once.
#![cfg(loom)]

use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use sluice_limit::{Limiter, Quota, Rate, Verdict};
use sluice_model::Moment;

/// A bucket of so many, which does not fill while anybody looks, with places for two keys.
fn limiter(burst: u32) -> Arc<Limiter> {
    let rate = Rate::new(1, Duration::from_hours(24)).expect("a rate");
    let quota = Quota::token_bucket(rate, burst).expect("a quota");
    Arc::new(Limiter::new(&quota, 2))
}

fn is_let_in(limiter: &Limiter, key: u64) -> bool {
    limiter.take(key, Moment::default(), Duration::ZERO).verdict == Verdict::Now
}

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn of_three_that_are_new_two_are_let_in() {
    explore(|| {
        let limiter = limiter(2);
        let others = [(); 2].map(|()| {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || is_let_in(&limiter, 7))
        });
        let here = is_let_in(&limiter, 7);
        let let_in = others.map(|other| other.join().expect("no panic"));
        let count = let_in.iter().chain(&[here]).filter(|one| **one).count();
        assert_eq!(count, 2);
    });
}

#[test]
fn new_keys_beside_each_other_have_a_place_each() {
    explore(|| {
        let limiter = limiter(1);
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || is_let_in(&limiter, 2) && !is_let_in(&limiter, 2))
        };
        assert!(is_let_in(&limiter, 4) && !is_let_in(&limiter, 4));
        assert!(other.join().expect("no panic"));
    });
}

#[test]
fn who_is_forgotten_takes_one_at_most_from_who_comes_instead() {
    explore(|| {
        let limiter = limiter(3);
        // The set is full: 2 has least, and makes room for 6.
        assert!(is_let_in(&limiter, 2));
        assert!(is_let_in(&limiter, 4) && is_let_in(&limiter, 4));
        let newcomer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || (0..3).filter(|_| is_let_in(&limiter, 6)).count())
        };
        let _ = is_let_in(&limiter, 2);
        let let_in = newcomer.join().expect("no panic");
        assert!(let_in >= 2, "{let_in}");
    });
}
