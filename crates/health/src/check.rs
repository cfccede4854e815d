//! What active checks of a server have shown, and when the next one is due.
//!
//! One for each server of an upstream, held by whoever does the checks. How a check is done, and whether it passed, is not
//! known here.

use std::time::Duration;

use sluice_model::{Moment, Share};

/// How checks lead to a verdict, and how often they are done. It may be another with each call: a reload changes it, and
/// the state stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSettings {
    /// `interval`: from one check to the next.
    pub interval: Duration,
    /// `fast-interval`: the same while a server is changing: nothing is known of it, or the last check spoke against the
    /// verdict.
    pub fast_interval: Duration,
    /// `slow-interval`: the same for a server that was healthy, and of which no check failed, for [`Self::slow_after`].
    pub slow_interval: Duration,
    /// `slow-after`
    pub slow_after: Duration,
    /// `jitter`: by so much of itself each interval is longer or shorter, so that checks that fell together do not stay so.
    pub jitter: Share,
    /// `healthy-after`: so many good checks in a row make an unhealthy server healthy; from 1.
    pub healthy_after: u32,
    /// `unhealthy-after`: so many bad checks in a row make a healthy server unhealthy; from 1.
    pub unhealthy_after: u32,
}

/// What checks say of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// There was no check yet.
    #[default]
    Unknown,
    /// It does what it is there for.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// What the checks of a server have shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    verdict: Verdict,
    /// The last checks in a row that spoke against the verdict.
    against: u32,
    /// Since when none has.
    steady_since: Moment,
}

impl Check {
    /// Of a server that has not been checked. What is said of it until then is `initial`: where that is
    /// [`Verdict::Unknown`], the first check decides alone.
    pub fn new(initial: Verdict, now: Moment) -> Self {
        Self {
            verdict: initial,
            against: 0,
            steady_since: now,
        }
    }

    /// What checks say of the server.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// A check was done. The verdict is returned where it is another one by that.
    pub fn record(
        &mut self,
        now: Moment,
        has_passed: bool,
        settings: &CheckSettings,
    ) -> Option<Verdict> {
        let (said, needed) = match (has_passed, self.verdict) {
            (true, Verdict::Unknown) => (Verdict::Healthy, 1),
            (false, Verdict::Unknown) => (Verdict::Unhealthy, 1),
            (true, _) => (Verdict::Healthy, settings.healthy_after),
            (false, _) => (Verdict::Unhealthy, settings.unhealthy_after),
        };
        if said == self.verdict {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        self.steady_since = now;
        if self.against < needed {
            return None;
        }
        self.verdict = said;
        self.against = 0;
        Some(said)
    }

    /// How long to wait for the next check. `chance` is any number, each as probable as the others.
    pub fn next_in(&self, now: Moment, chance: u32, settings: &CheckSettings) -> Duration {
        let steady = now.since(self.steady_since);
        let interval = match self.verdict {
            _ if self.against > 0 => settings.fast_interval,
            Verdict::Unknown => settings.fast_interval,
            Verdict::Healthy if steady >= settings.slow_after => settings.slow_interval,
            Verdict::Healthy | Verdict::Unhealthy => settings.interval,
        };
        let jitter = u32::from(settings.jitter.percent());
        let least = scaled(interval, u64::from(100 - jitter) << 32);
        least.saturating_add(scaled(interval, u64::from(2 * jitter) * u64::from(chance)))
    }
}

impl CheckSettings {
    /// How long to wait for the first check of a server, `chance` being any number, each as probable as the others: checks
    /// that begin together are spread out over `fast-interval`.
    pub fn first_in(&self, chance: u32) -> Duration {
        scaled(self.fast_interval, 100 * u64::from(chance))
    }
}

/// `time` times `hundredths`, which come in units of 2⁻³².
fn scaled(time: Duration, hundredths: u64) -> Duration {
    let nanos = time.as_nanos().saturating_mul(u128::from(hundredths)) / (100 << 32);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    fn settings() -> CheckSettings {
        CheckSettings {
            interval: Duration::from_secs(5),
            fast_interval: Duration::from_secs(1),
            slow_interval: Duration::from_secs(20),
            slow_after: Duration::from_mins(10),
            jitter: Share::try_from(10).expect("a share"),
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }

    /// Checks, and the verdict after each: `H`, `x` or `?`.
    fn verdicts(initial: Verdict, checks: &str) -> String {
        let mut check = Check::new(initial, at(0));
        let verdict = |check: &Check| match check.verdict() {
            Verdict::Unknown => '?',
            Verdict::Healthy => 'H',
            Verdict::Unhealthy => 'x',
        };
        let after = checks.chars().map(|passed| {
            let before = check.verdict();
            let change = check.record(at(1), passed == '+', &settings());
            assert_eq!(change, Some(check.verdict()).filter(|now| *now != before));
            verdict(&check)
        });
        after.collect()
    }

    #[test]
    fn so_many_in_a_row_change_the_verdict() {
        for (initial, checks, expected) in [
            (Verdict::Unknown, "+", "H"),
            (Verdict::Unknown, "-", "x"),
            (Verdict::Unknown, "-+-++", "xxxxH"),
            (Verdict::Unknown, "+--+---+", "HHHHHHxx"),
            (Verdict::Healthy, "--+---", "HHHHHx"),
            (Verdict::Unhealthy, "+-++--", "xxxHHH"),
            (Verdict::Unhealthy, "---++", "xxxxH"),
        ] {
            assert_eq!(verdicts(initial, checks), expected, "{initial:?} {checks}");
        }
    }

    #[test]
    fn checks_come_faster_in_doubt_and_slower_when_all_is_well() {
        let settings = CheckSettings {
            jitter: Share::NONE,
            ..settings()
        };
        let mut check = Check::new(Verdict::Unknown, at(0));
        let next = |check: &Check, now| check.next_in(at(now), 7, &settings).as_secs();
        assert_eq!(next(&check, 0), 1, "nothing is known");
        check.record(at(1), true, &settings);
        assert_eq!(next(&check, 1), 5);
        assert_eq!(next(&check, 600), 5);
        assert_eq!(next(&check, 601), 20, "healthy for ten minutes");
        check.record(at(602), false, &settings);
        assert_eq!(next(&check, 602), 1, "in doubt");
        check.record(at(603), true, &settings);
        assert_eq!(next(&check, 603), 5, "healthy, but not for long");
        assert_eq!(next(&check, 1_202), 20);
        for _ in 0..3 {
            check.record(at(2_000), false, &settings);
        }
        assert_eq!(next(&check, 2_000), 5);
        assert_eq!(next(&check, 9_000), 5, "whoever is sick may recover");
        check.record(at(9_000), true, &settings);
        assert_eq!(next(&check, 9_000), 1, "it does");
    }

    #[test]
    fn first_checks_are_spread_out() {
        let first = |chance| settings().first_in(chance).as_millis();
        assert_eq!(
            [0, 1 << 30, 1 << 31, u32::MAX].map(first),
            [0, 250, 500, 999]
        );
    }

    #[test]
    fn times_without_end_do_not_panic() {
        let settings = CheckSettings {
            interval: Duration::MAX,
            fast_interval: Duration::MAX,
            jitter: Share::ALL,
            ..settings()
        };
        let check = Check::new(Verdict::Healthy, at(0));
        assert!(check.next_in(at(0), u32::MAX, &settings) > Duration::from_secs(1 << 33));
        assert!(settings.first_in(u32::MAX) > Duration::from_secs(1 << 33));
    }

    fn some_settings() -> impl Strategy<Value = CheckSettings> {
        let share = (0..=100_u8).prop_map(|percent| Share::try_from(percent).expect("a share"));
        (1..5_u32, 1..5_u32, share, 1..100_u64).prop_map(|(healthy, unhealthy, jitter, scale)| {
            let millis = |count: u64| Duration::from_millis(count * scale);
            CheckSettings {
                interval: millis(50),
                fast_interval: millis(10),
                slow_interval: millis(200),
                slow_after: millis(1_000),
                jitter,
                healthy_after: healthy,
                unhealthy_after: unhealthy,
            }
        })
    }

    proptest! {
        #[test]
        fn the_last_checks_decide(
            settings in some_settings(),
            initial in prop_oneof![Just(Verdict::Unknown), Just(Verdict::Healthy), Just(Verdict::Unhealthy)],
            checks in proptest::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut check = Check::new(initial, at(0));
            let mut expected = initial;
            for done in 1..=checks.len() {
                let seen = &checks[..done];
                let last_are = |passed: bool, needed: u32| {
                    let row = seen.iter().rev().take_while(|check| **check == passed);
                    row.count() >= usize::try_from(needed).expect("few")
                };
                expected = match expected {
                    Verdict::Unknown if seen == [true] => Verdict::Healthy,
                    Verdict::Unknown => Verdict::Unhealthy,
                    Verdict::Unhealthy if last_are(true, settings.healthy_after) => Verdict::Healthy,
                    Verdict::Healthy if last_are(false, settings.unhealthy_after) => {
                        Verdict::Unhealthy
                    }
                    same => same,
                };
                check.record(at(done as u64), checks[done - 1], &settings);
                prop_assert_eq!(check.verdict(), expected);
            }
        }

        #[test]
        fn the_next_check_is_as_far_as_the_jitter_lets_it_be(
            settings in some_settings(),
            checks in proptest::collection::vec(any::<bool>(), 0..10),
            now in 0..1_000_u64,
            chances in (any::<u32>(), any::<u32>()),
        ) {
            let mut check = Check::new(Verdict::Unknown, at(0));
            for passed in checks {
                check.record(at(0), passed, &settings);
            }
            let next = |chance| check.next_in(at(now), chance, &settings);
            let (least, most) = (next(0), next(u32::MAX));
            let (low, high) = (chances.0.min(chances.1), chances.0.max(chances.1));
            prop_assert!(least <= next(low) && next(low) <= next(high) && next(high) <= most);
            let of_interval = |interval: Duration, percent: u32| interval * percent / 100;
            let jitter = u32::from(settings.jitter.percent());
            let fits = [settings.interval, settings.fast_interval, settings.slow_interval]
                .into_iter()
                .any(|interval| {
                    let highest = of_interval(interval, 100 + jitter);
                    least == of_interval(interval, 100 - jitter)
                        && most <= highest
                        && most + Duration::from_micros(1) >= highest
                });
            prop_assert!(fits, "{:?} to {:?}", least, most);
        }
    }
}
