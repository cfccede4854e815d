//! When keys are fetched again. Pure: chance is handed in.

use std::time::Duration;

/// How long after keys came they are fetched again: `refresh` of the file, else what the issuer says by `Cache-Control` (RFC 9111,
/// 5.2.2.1), within bounds. Up to a tenth earlier by `chance`, from 0 to 1, so that balancers that began together do not ask together.
pub(super) fn refresh(set: Option<Duration>, cache_control: Option<&str>, chance: f64) -> Duration {
    let told = || {
        let age = cache_control.and_then(max_age)?;
        Some(age.clamp(SHORTEST, LONGEST))
    };
    let whole = set.or_else(told).unwrap_or(UNTOLD);
    whole.saturating_sub((whole / 10).mul_f64(chance.clamp(0.0, 1.0)))
}

/// How long to wait after so many failures in a row, at least one: twice as long each time, half of it by `chance`, and never longer than
/// keys that came would have been kept.
pub(super) fn pause(failures: u32, refresh: Option<Duration>, chance: f64) -> Duration {
    let longest = refresh.unwrap_or(UNTOLD);
    let factor = 1_u32.checked_shl(failures.saturating_sub(1));
    let factor = factor.filter(|_| failures <= 16).unwrap_or(u32::MAX);
    let whole = FIRST.saturating_mul(factor).min(longest);
    whole / 2 + (whole / 2).mul_f64(chance.clamp(0.0, 1.0))
}

fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',');
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("max-age");
        is_it.then(|| value.trim().trim_matches('"'))
    })?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// The first pause after a failure.
const FIRST: Duration = Duration::from_secs(2);
/// What an issuer may say. Beyond it, a key that was withdrawn would let in for too long.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(1);
/// Where it says nothing.
const UNTOLD: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_as_long_as_their_issuer_says_within_bounds() {
        let kept = |told| refresh(None, told, 0.0).as_secs();
        for (told, seconds) in [
            (None, 600),
            (Some("no-store"), 600),
            (Some("max-age=x"), 600),
            (Some("max-age=300"), 300),
            (Some("public, Max-Age=\"300\" , must-revalidate"), 300),
            (Some("s-maxage=5, max-age=0"), 60),
            (Some("max-age=86400"), 3600),
        ] {
            assert_eq!(kept(told), seconds, "{told:?}");
        }
        let set = Some(Duration::from_secs(5));
        assert_eq!(refresh(set, Some("max-age=300"), 0.0).as_secs(), 5);
        assert_eq!(refresh(None, None, 1.0).as_secs(), 540);
    }

    #[test]
    fn pauses_double_up_to_the_age_that_keys_may_have() {
        let longest = |failures| pause(failures, None, 1.0).as_secs();
        let pauses: Vec<u64> = (1..11).map(longest).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]);
        assert_eq!(longest(u32::MAX), 600);
        assert_eq!(pause(1, None, 0.0), Duration::from_secs(1));
        let set = Some(Duration::from_secs(10));
        assert_eq!(pause(9, set, 1.0), Duration::from_secs(10));
    }
}
