use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A server in a few letters: `drain:` or `down:` where it is not up, then `?` unknown or `x` unhealthy where it is not
/// healthy, then how its breaker stands: `w` closed, `t` half-open, `T` half-open with all trials under way, a number for
/// open until that second.
fn signs(text: &str) -> Signs {
    let (by_hand, rest) = match text.split_once(':') {
        Some(("drain", rest)) => (ByHand::Drain, rest),
        Some(("down", rest)) => (ByHand::Down, rest),
        Some(_) => panic!("{text}"),
        None => (ByHand::Up, text),
    };
    let (verdict, rest) = match rest.split_at(1) {
        ("?", rest) => (Verdict::Unknown, rest),
        ("x", rest) => (Verdict::Unhealthy, rest),
        _ => (Verdict::Healthy, rest),
    };
    let breaker = match rest {
        "" | "w" => BreakerState::Closed,
        "t" => BreakerState::HalfOpen { free: 1 },
        "T" => BreakerState::HalfOpen { free: 0 },
        seconds => BreakerState::Open {
            until: Moment::default() + Duration::from_secs(seconds.parse().expect("a number")),
        },
    };
    Signs {
        by_hand,
        verdict,
        breaker,
    }
}

fn bounds(percent: u8, when_all_down: WhenAllDown) -> Bounds {
    Bounds {
        max_ejected: Share::try_from(percent).expect("a share"),
        when_all_down,
    }
}

fn admissions(servers: &[Signs], bounds: Bounds) -> Vec<Admission> {
    let census = Census::of(servers, bounds);
    let all = servers.iter().enumerate();
    all.map(|(index, signs)| census.admission(index, signs))
        .collect()
}

/// What servers take in a few letters: `all`, `trials`, `sessions`, `-` for nothing; of last resorts what they are.
fn written(admissions: &[Admission]) -> String {
    let words = admissions.iter().map(|admission| match admission {
        Admission::All => "all",
        Admission::Trials => "trials",
        Admission::Sessions => "sessions",
        Admission::Nothing => "-",
        Admission::LastResort(LastResort::HalfOpen) => "half-open",
        Admission::LastResort(LastResort::Unknown) => "unknown",
        Admission::LastResort(LastResort::Ejected) => "ejected",
        Admission::LastResort(LastResort::Unhealthy) => "unhealthy",
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_servers_take() {
    for (max_ejected, servers, open, closed) in [
        // Alone.
        (100, "w", "all", "all"),
        (100, "t", "trials", "trials"),
        (100, "T", "half-open", "-"),
        (100, "9", "ejected", "-"),
        (100, "?", "all", "all"),
        (100, "?9", "ejected", "-"),
        (100, "?t", "trials", "trials"),
        (100, "x", "unhealthy", "-"),
        (100, "x9", "unhealthy", "-"),
        (100, "drain:w", "sessions", "sessions"),
        (100, "drain:t", "sessions", "sessions"),
        (100, "drain:9", "-", "-"),
        (100, "drain:x", "-", "-"),
        (100, "down:w", "-", "-"),
        (100, "", "", ""),
        // Beside one that is well.
        (100, "w t", "all trials", "all trials"),
        (100, "w T", "all -", "all -"),
        (100, "w 9", "all -", "all -"),
        (100, "w ?", "all -", "all -"),
        (100, "w x", "all -", "all -"),
        (100, "w drain:w", "all sessions", "all sessions"),
        (100, "w down:w", "all -", "all -"),
        // None is well.
        (
            100,
            "T ? 9 x",
            "half-open unknown ejected unhealthy",
            "- - - -",
        ),
        (100, "t 9 x", "trials - -", "trials - -"),
        (100, "x drain:w", "unhealthy sessions", "- sessions"),
        (100, "x down:w", "unhealthy -", "- -"),
        (100, "drain:w down:w", "sessions -", "sessions -"),
        // Unknown is no reason where it is so of all that are up.
        (100, "? ? ?", "all all all", "all all all"),
        (100, "? ?9 ?t", "all - trials", "all - trials"),
        (100, "? drain:w down:x", "all sessions -", "all sessions -"),
        (100, "? x", "unknown unhealthy", "- -"),
        // Those with the longest way to go are ejected, as many as may be.
        (50, "5 w", "- all", "- all"),
        (50, "5", "all", "all"),
        (50, "5 9 w w", "- - all all", "- - all all"),
        (50, "5 9 7 w", "all - - all", "all - - all"),
        (50, "5 9 7 8", "all - all -", "all - all -"),
        (50, "5 5 5 5", "all all - -", "all all - -"),
        (50, "9 t 9 w", "- all - all", "- all - all"),
        (50, "9 T 9 w", "- all - all", "- all - all"),
        (50, "9 t w w", "- trials all all", "- trials all all"),
        (0, "9 t T", "all all all", "all all all"),
        (30, "9 8 w", "all all all", "all all all"),
        (34, "9 8 w", "- all all", "- all all"),
        // Who is unhealthy uses it up, and is not spared.
        (50, "9 x w w", "- - all all", "- - all all"),
        (50, "9 x x w", "all - - all", "all - - all"),
        (0, "9 x9 w", "all - all", "all - all"),
        // Who is not up neither counts nor is spared.
        (
            50,
            "9 8 drain:w down:w",
            "- all sessions -",
            "- all sessions -",
        ),
        (50, "9 drain:1 w", "- - all", "- - all"),
        (0, "drain:9 w", "- all", "- all"),
        (0, "9 drain:1 w", "all - all", "all - all"),
    ] {
        let signs: Vec<_> = servers.split_whitespace().map(signs).collect();
        for (when_all_down, expected) in [
            (WhenAllDown::FailOpen, open),
            (WhenAllDown::FailClosed, closed),
        ] {
            let bounds = bounds(max_ejected, when_all_down);
            let taken = written(&admissions(&signs, bounds));
            assert_eq!(
                taken, expected,
                "{max_ejected} % of {servers}, {when_all_down:?}"
            );
        }
    }
}

#[test]
fn the_healthiest_come_first() {
    use LastResort::{Ejected, HalfOpen, Unhealthy, Unknown};
    assert!([HalfOpen, Unknown, Ejected, Unhealthy].is_sorted());
}

#[test]
fn signs_that_are_newer_than_the_census_are_judged_by_it() {
    let before = [signs("w"), signs("9")];
    let census = Census::of(&before, bounds(50, WhenAllDown::FailOpen));
    assert!(!census.is_all_down());
    assert_eq!(census.admission(0, &signs("9")), Admission::Nothing);
    assert_eq!(census.admission(1, &signs("t")), Admission::Trials);
    assert_eq!(census.admission(1, &signs("w")), Admission::All);
}

fn some_signs() -> impl Strategy<Value = Signs> {
    let by_hand = prop_oneof![
        6 => Just(ByHand::Up),
        1 => Just(ByHand::Drain),
        1 => Just(ByHand::Down),
    ];
    let verdict = prop_oneof![
        4 => Just(Verdict::Healthy),
        1 => Just(Verdict::Unknown),
        1 => Just(Verdict::Unhealthy),
    ];
    let breaker = prop_oneof![
        Just(BreakerState::Closed),
        (0..20_u64).prop_map(|seconds| BreakerState::Open {
            until: Moment::default() + Duration::from_secs(seconds)
        }),
        (0..3_u8).prop_map(|free| BreakerState::HalfOpen { free }),
    ];
    (by_hand, verdict, breaker).prop_map(|(by_hand, verdict, breaker)| Signs {
        by_hand,
        verdict,
        breaker,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_bounds_hold(
        servers in proptest::collection::vec(some_signs(), 0..12),
        percent in 0..=100_u8,
        fails_open in any::<bool>(),
    ) {
        let when_all_down = if fails_open { WhenAllDown::FailOpen } else { WhenAllDown::FailClosed };
        let bounds = bounds(percent, when_all_down);
        let admissions = admissions(&servers, bounds);
        let is_all_down = Census::of(&servers, bounds).is_all_down();
        let up: Vec<_> = servers
            .iter()
            .zip(&admissions)
            .filter(|(signs, _)| signs.by_hand == ByHand::Up)
            .collect();
        let count = |wanted: &dyn Fn(&Signs, Admission) -> bool| {
            up.iter().filter(|(signs, admission)| wanted(signs, **admission)).count()
        };

        // By hand is by hand.
        for (signs, admission) in servers.iter().zip(&admissions) {
            match signs.by_hand {
                ByHand::Up => prop_assert_ne!(*admission, Admission::Sessions),
                ByHand::Drain => {
                    prop_assert!(matches!(admission, Admission::Sessions | Admission::Nothing));
                }
                ByHand::Down => prop_assert_eq!(*admission, Admission::Nothing),
            }
        }

        // Last resorts are for the worst case, and then no server that is up is left out.
        let regular = count(&|_, takes| matches!(takes, Admission::All | Admission::Trials));
        let resorts = count(&|_, takes| matches!(takes, Admission::LastResort(_)));
        prop_assert_eq!(is_all_down, regular == 0);
        prop_assert_eq!(resorts, if is_all_down && fails_open { up.len() } else { 0 });

        // Checks are believed.
        let misled = count(&|signs, takes| {
            signs.verdict == Verdict::Unhealthy && matches!(takes, Admission::All | Admission::Trials)
        });
        prop_assert_eq!(misled, 0);

        // Breakers eject as many as they may, those that are open for the longest.
        let all_unknown = up.iter().all(|(signs, _)| signs.verdict == Verdict::Unknown);
        let is_judged = |signs: &Signs| match signs.verdict {
            Verdict::Healthy => true,
            Verdict::Unknown => all_unknown,
            Verdict::Unhealthy => false,
        };
        let is_broken = |signs: &Signs| is_judged(signs) && signs.breaker != BreakerState::Closed;
        let broken = count(&|signs, _| is_broken(signs));
        let held = count(&|signs, takes| is_broken(signs) && takes != Admission::All);
        let unhealthy = count(&|signs, _| signs.verdict == Verdict::Unhealthy);
        let allowed = (up.len() * usize::from(percent) / 100).saturating_sub(unhealthy);
        prop_assert_eq!(held, broken.min(allowed));
        let until = |signs: &Signs| match signs.breaker {
            BreakerState::Open { until } => until,
            BreakerState::Closed | BreakerState::HalfOpen { .. } => Moment::default(),
        };
        let broken = || up.iter().filter(|(signs, _)| is_broken(signs));
        let spared = broken().filter(|(_, takes)| **takes == Admission::All);
        let longest_spared = spared.map(|(signs, _)| until(signs)).max();
        let held = broken().filter(|(_, takes)| **takes != Admission::All);
        let shortest_held = held.map(|(signs, _)| until(signs)).min();
        prop_assert!(longest_spared.zip(shortest_held).is_none_or(|(spared, held)| spared <= held));

        // Without reason nobody is left out.
        let wronged = count(&|signs, takes| {
            is_judged(signs) && signs.breaker == BreakerState::Closed && takes != Admission::All
        });
        prop_assert_eq!(wronged, 0);
    }
}
