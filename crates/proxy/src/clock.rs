//! The time of day for `Date` fields and logs, written out once a second.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sluice_wire::h1::{DATE_LEN, write_date};

/// Turns moments of the monotonic clock into times of day.
#[derive(Debug)]
pub(crate) struct Clock {
    anchor: Cell<(Instant, SystemTime)>,
    date: Cell<Date>,
}

/// A date, and the second in which it is right.
#[derive(Clone, Copy, Debug)]
struct Date {
    from: Instant,
    until: Instant,
    text: [u8; DATE_LEN],
}

/// The wall clock may be set; this is how long that goes unnoticed.
const ANCHOR_AGE: Duration = Duration::from_secs(10);

impl Clock {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            anchor: Cell::new((now, SystemTime::now())),
            date: Cell::new(Date {
                from: now,
                until: now,
                text: [0; DATE_LEN],
            }),
        }
    }

    /// The time of day at `moment`.
    pub(crate) fn time_of(&self, moment: Instant) -> SystemTime {
        let (at, time) = self.anchor.get();
        if moment.saturating_duration_since(at) > ANCHOR_AGE {
            self.anchor.set((Instant::now(), SystemTime::now()));
            let (at, time) = self.anchor.get();
            return time - at.saturating_duration_since(moment);
        }
        match moment.checked_duration_since(at) {
            Some(since) => time + since,
            None => time - at.saturating_duration_since(moment),
        }
    }

    /// `moment` as an IMF-fixdate (RFC 9110, 5.6.7).
    pub(crate) fn date_of(&self, moment: Instant) -> [u8; DATE_LEN] {
        let date = self.date.get();
        if (date.from..date.until).contains(&moment) {
            return date.text;
        }
        let since = self.time_of(moment).duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default();
        let into_second = Duration::from_nanos(since.subsec_nanos().into());
        let from = moment.checked_sub(into_second).unwrap_or(moment);
        let mut text = [0; DATE_LEN];
        write_date(since.as_secs(), &mut text);
        self.date.set(Date {
            from,
            until: from + Duration::from_secs(1),
            text,
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_the_anchor() {
        let clock = Clock::new();
        let (at, time) = clock.anchor.get();
        let second = Duration::from_secs(1);
        assert_eq!(clock.time_of(at + second), time + second);
        if let Some(before) = at.checked_sub(second) {
            assert_eq!(clock.time_of(before), time - second);
        }
    }

    #[test]
    fn a_date_is_right_for_its_second_and_no_longer() {
        let clock = Clock::new();
        let (at, time) = clock.anchor.get();
        let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
        let next = at + Duration::from_nanos(1_000_000_000 - u64::from(since.subsec_nanos()));
        let last = next + Duration::from_nanos(999_999_999);
        let date = clock.date_of(next);
        assert_eq!(clock.date_of(last), date);
        assert_ne!(clock.date_of(next + Duration::from_secs(1)), date);
        assert_eq!(clock.date_of(last), date, "back again");
    }

    #[test]
    fn the_date_moves_on() {
        let clock = Clock::new();
        let now = Instant::now();
        assert_ne!(
            clock.date_of(now),
            clock.date_of(now + Duration::from_secs(2))
        );
        assert!(clock.date_of(now).ends_with(b" GMT"));
    }
}
