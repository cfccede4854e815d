//! When to renew, and when to try again. Pure: the time and chance are handed in.

use std::time::{Duration, SystemTime};

/// When a certificate is renewed: when two thirds of its life are over, or up to a thirtieth of it earlier. `chance` is from 0 to 1; it
/// keeps machines that began together from asking together.
pub(crate) fn renewal(not_before: SystemTime, not_after: SystemTime, chance: f64) -> SystemTime {
    let life = not_after.duration_since(not_before).unwrap_or_default();
    let earlier = (life / 30).mul_f64(chance.clamp(0.0, 1.0));
    let age = life / 3 * 2;
    not_before
        .checked_add(age.saturating_sub(earlier))
        .unwrap_or(not_after)
}

/// How long to wait after so many failures in a row, at least one: twice as long each time, half of it by `chance`.
pub(crate) fn pause(failures: u32, is_passing: bool, chance: f64) -> Duration {
    let (first, longest) = if is_passing { SOON } else { LATER };
    let doubled = 1_u32
        .checked_shl(failures.saturating_sub(1))
        .filter(|_| failures <= 16)
        .and_then(|factor| first.checked_mul(factor))
        .unwrap_or(longest);
    let whole = doubled.min(longest);
    whole / 2 + (whole / 2).mul_f64(chance.clamp(0.0, 1.0))
}

/// The first and the longest pause where nobody was asked to judge anything.
const SOON: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(10));
/// And where the authority has said no: it counts how often that happens, Let's Encrypt to five an hour.
const LATER: (Duration, Duration) = (Duration::from_mins(2), Duration::from_hours(6));

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
        let day = |day| UNIX_EPOCH + Duration::from_secs(day * DAY);
        assert_eq!(renewal(day(100), day(190), 0.0), day(160));
        assert_eq!(renewal(day(100), day(190), 1.0), day(157));
        assert_eq!(renewal(day(100), day(106), 0.0), day(104));
        let seconds = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(renewal(seconds(30), seconds(60), 0.0), seconds(50));
        assert_eq!(
            renewal(seconds(60), seconds(30), 0.5),
            seconds(60),
            "no life"
        );
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let longest = |failures, passing| pause(failures, passing, 1.0).as_secs();
        let passing: Vec<u64> = (1..10).map(|failures| longest(failures, true)).collect();
        assert_eq!(passing, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        let refused: Vec<u64> = (1..10).map(|failures| longest(failures, false)).collect();
        assert_eq!(
            refused,
            [120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600]
        );
        assert_eq!(pause(u32::MAX, false, 1.0), Duration::from_hours(6));
        assert_eq!(pause(1, false, 0.0), Duration::from_mins(1));
        assert_eq!(pause(1, true, 0.5), Duration::from_millis(3750));
    }
}
