//! Limiters beside naive models, under a flood of keys, and with threads that meet.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::quota::Rate;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn rate(count: u32, per: Duration) -> Rate {
    Rate::new(count, per).expect("a rate")
}

fn bucket(count: u32, per: Duration, burst: u32) -> Quota {
    Quota::token_bucket(rate(count, per), burst).expect("a quota")
}

fn at(duration: Duration) -> Moment {
    Moment::default() + duration
}

fn is_let_in(limiter: &Limiter, key: u64, now: Moment) -> bool {
    limiter.take(key, now, Duration::ZERO).verdict == Verdict::Now
}

/// A bucket as one would draw it, in nanosecond-tokens.
struct NaiveBucket {
    level: u128,
    all: u128,
    of_one: u128,
    count: u128,
    last: u64,
}

impl NaiveBucket {
    fn new(count: u32, per: Duration, burst: u32) -> Self {
        let all = per.as_nanos() * u128::from(burst);
        Self {
            level: all,
            all,
            of_one: per.as_nanos(),
            count: count.into(),
            last: 0,
        }
    }

    fn take(&mut self, now: u64) -> bool {
        let come = u128::from(now - self.last) * self.count;
        self.last = now;
        self.level = (self.level + come).min(self.all);
        let has_one = self.level >= self.of_one;
        if has_one {
            self.level -= self.of_one;
        }
        has_one
    }
}

/// Windows from the times of all that was let in.
struct NaiveWindow {
    taken: Vec<u64>,
    most: u128,
    length: u64,
    slides: bool,
}

impl NaiveWindow {
    fn take(&mut self, now: u64) -> bool {
        let begin = now - now % self.length;
        let count = |from: u64, to: u64| {
            let taken = self.taken.iter().filter(|at| (from..to).contains(at));
            taken.count() as u128
        };
        let here = count(begin, u64::MAX);
        let before = match begin.checked_sub(self.length) {
            Some(earlier) if self.slides => count(earlier, begin),
            _ => 0,
        };
        let length = u128::from(self.length);
        let reaches = u128::from(self.length - now % self.length);
        let fits = (here + 1) * length + before * reaches <= self.most * length;
        if fits {
            self.taken.push(now);
        }
        fits
    }
}

proptest! {
    #[test]
    fn buckets_are_as_one_would_draw_them(
        count in prop::sample::select(vec![1_u32, 2, 5, 10, 100, 1000]),
        burst in 1_u32..30,
        pauses in prop::collection::vec(0_u64..3_000_000_000, 1..200),
        keys in prop::collection::vec(0_u64..3, 200),
    ) {
        let limiter = Limiter::new(&bucket(count, SECOND, burst), 1024);
        let mut models = HashMap::new();
        let mut now = 0;
        for (pause, key) in pauses.iter().zip(keys) {
            // Most come soon after each other.
            now += if pause % 3 == 0 { *pause } else { pause / u64::from(count) / 100 };
            let model = models.entry(key).or_insert_with(|| NaiveBucket::new(count, SECOND, burst));
            let expected = model.take(now);
            // Other keys than 0, which stands for 1.
            let before = limiter.look(key + 10, Moment::from_nanos(now));
            prop_assert_eq!(before.retry_after.is_zero(), expected);
            prop_assert_eq!(is_let_in(&limiter, key + 10, Moment::from_nanos(now)), expected);
        }
    }

    #[test]
    fn windows_are_as_their_times_say(
        most in 1_u32..20,
        slides: bool,
        pauses in prop::collection::vec(0_u64..2_500_000_000, 1..200),
    ) {
        let quota = if slides {
            Quota::sliding_window(rate(most, SECOND))
        } else {
            Quota::fixed_window(rate(most, SECOND))
        };
        let limiter = Limiter::new(&quota.expect("a quota"), 64);
        let mut model = NaiveWindow {
            taken: Vec::new(),
            most: most.into(),
            length: 1_000_000_000,
            slides,
        };
        let mut now = 0;
        for pause in pauses {
            now += if pause % 5 == 0 { pause } else { pause / 50 };
            let expected = model.take(now);
            let before = limiter.look(7, Moment::from_nanos(now));
            prop_assert_eq!(before.retry_after.is_zero(), expected);
            prop_assert_eq!(before.remaining > 0, expected);
            prop_assert_eq!(is_let_in(&limiter, 7, Moment::from_nanos(now)), expected);
        }
    }

    /// Whoever comes when told to is let in, and not a moment before.
    #[test]
    fn when_to_come_again(
        which in 0..3,
        count in 1_u32..50,
        pauses in prop::collection::vec(0_u64..400_000_000, 1..100),
    ) {
        let quota = match which {
            0 => bucket(count, SECOND, count.div_ceil(3)),
            1 => Quota::sliding_window(rate(count, SECOND)).expect("a quota"),
            _ => Quota::fixed_window(rate(count, SECOND)).expect("a quota"),
        };
        let limiter = Limiter::new(&quota, 64);
        let mut now = Moment::default();
        for pause in pauses {
            now = now + Duration::from_nanos(pause);
            let taken = limiter.take(9, now, Duration::ZERO);
            let wait = limiter.look(9, now).retry_after;
            prop_assert_eq!(taken.standing.retry_after, wait);
            if taken.verdict == Verdict::Refused {
                prop_assert!(wait > Duration::ZERO && wait <= SECOND * 2);
                prop_assert!(limiter.look(9, now + wait).retry_after.is_zero());
                let early = wait.saturating_sub(Duration::from_nanos(2));
                prop_assert!(!limiter.look(9, now + early).retry_after.is_zero());
                now = now + wait;
                prop_assert!(is_let_in(&limiter, 9, now));
            }
        }
    }

    #[test]
    fn what_is_given_back_was_never_taken(
        which in 0..3,
        count in 1_u32..50,
        taken_after in 0_u64..3_000_000_000,
        given_after in 0_u64..900_000_000,
    ) {
        let quota = match which {
            0 => bucket(count, SECOND, count),
            1 => Quota::sliding_window(rate(count, SECOND)).expect("a quota"),
            _ => Quota::fixed_window(rate(count, SECOND)).expect("a quota"),
        };
        let limiter = Limiter::new(&quota, 64);
        let other = Limiter::new(&quota, 64);
        let taken = Moment::from_nanos(taken_after);
        let given = taken + Duration::from_nanos(given_after);
        for _ in 1..count {
            assert!(is_let_in(&limiter, 5, taken) && is_let_in(&other, 5, taken));
        }
        assert!(is_let_in(&limiter, 5, taken));
        // A bucket fills between: only at once is it the same to the last part.
        let given = if which == 0 { taken } else { given };
        limiter.give_back(5, taken);
        prop_assert_eq!(limiter.look(5, given), other.look(5, given));
    }
}

#[test]
fn any_rate_is_held_within_a_hundredth() {
    for (count, per) in [
        (3, SECOND),
        (7, MINUTE),
        (333, SECOND),
        (100_000, SECOND),
        (3_000_000, SECOND),
    ] {
        let quota = bucket(count, per, 2);
        let limiter = Limiter::new(&quota, 8);
        let of_one = per / count;
        let steps = 20_000_u32;
        // Five times as often as may be.
        let step = of_one / 5;
        let let_in = (0..steps)
            .filter(|turn| is_let_in(&limiter, 3, at(step * *turn)))
            .count();
        let expected = f64::from(steps) * step.as_secs_f64() / per.as_secs_f64() * f64::from(count);
        let share = let_in as f64 / expected;
        assert!(
            (0.99..1.01).contains(&share),
            "{count}: {let_in} of {expected}"
        );
    }
}

#[test]
fn who_waits_comes_one_after_the_other() {
    let limiter = Limiter::new(&bucket(10, SECOND, 2), 8);
    let patience = Duration::from_millis(300);
    let mut waits = VecDeque::new();
    loop {
        match limiter.take(1, at(SECOND), patience).verdict {
            Verdict::Now => waits.push_back(Duration::ZERO),
            Verdict::After(wait) => waits.push_back(wait),
            Verdict::Refused => break,
        }
    }
    let milliseconds: Vec<_> = waits.iter().map(Duration::as_millis).collect();
    assert_eq!(milliseconds, [0, 0, 100, 200, 300]);
    // One of them leaves: there is a turn again.
    limiter.give_back(1, at(SECOND));
    let verdict = limiter.take(1, at(SECOND), patience).verdict;
    assert_eq!(verdict, Verdict::After(patience));
}

#[test]
fn a_flood_of_keys_does_not_free_who_is_limited() {
    for quota in [
        bucket(20, MINUTE, 20),
        Quota::sliding_window(rate(20, MINUTE)).expect("a quota"),
    ] {
        let limiter = Limiter::new(&quota, 1 << 14);
        let mut random = fastrand::Rng::with_seed(1);
        let limited: Vec<_> = (0..100).map(|_| random.u64(..)).collect();
        let now = at(MINUTE);
        for key in &limited {
            assert_eq!(
                (0..30).filter(|_| is_let_in(&limiter, *key, now)).count(),
                20
            );
        }
        let mut forgot = 0_u32;
        for _ in 0..1_000_000 {
            forgot += u32::from(limiter.take(random.u64(..), now, Duration::ZERO).forgot);
        }
        assert!(forgot > 900_000, "{forgot}: there is no room for so many");
        let free = limited
            .iter()
            .filter(|key| is_let_in(&limiter, **key, now))
            .count();
        assert_eq!(free, 0, "of those that had used all up");
    }
}

#[test]
fn threads_that_meet_let_in_exactly_the_burst_and_the_rate() {
    // A thousand steps of a millisecond, in each of which a hundred come.
    let (steps, threads) = (1_000_u64, 8_u64);
    let limiter = Limiter::new(&bucket(1_000, SECOND, 50), 64);
    let let_in = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for step in 0..steps {
                    let now = Moment::from_nanos(step * 1_000_000);
                    let taken = (0..100).filter(|_| is_let_in(&limiter, 77, now)).count();
                    let_in.fetch_add(taken as u64, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(let_in.into_inner(), 50 + steps - 1);
}

#[test]
fn threads_that_meet_in_a_window_let_in_what_it_holds() {
    for quota in [
        Quota::fixed_window(rate(1_000, MINUTE)),
        Quota::sliding_window(rate(1_000, MINUTE)),
    ] {
        let limiter = Limiter::new(&quota.expect("a quota"), 64);
        let let_in = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let taken = (0..1_000).filter(|_| is_let_in(&limiter, 77, at(SECOND)));
                    let_in.fetch_add(taken.count() as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(let_in.into_inner(), 1_000);
    }
}

#[test]
fn who_looked_at_the_clock_a_moment_before_is_no_other_window() {
    let limiter = Limiter::new(&Quota::fixed_window(rate(2, SECOND)).expect("a quota"), 8);
    let (before, after) = (Duration::from_millis(1_999), Duration::from_millis(2_001));
    assert!(is_let_in(&limiter, 3, at(after)));
    assert!(is_let_in(&limiter, 3, at(before)));
    assert!(!is_let_in(&limiter, 3, at(before)));
    assert!(!is_let_in(&limiter, 3, at(after)));
}
