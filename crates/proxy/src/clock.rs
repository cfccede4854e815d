//! The time of day for `Date` fields and logs, written out once a second.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sluice_wire::h1::{DATE_LEN, write_date};

/// Turns moments of the monotonic clock into times of day.
#[derive(Debug)]
pub(crate) struct Clock {
    anchor: Cell<(Instant, SystemTime)>,
    written: Cell<(u64, [u8; DATE_LEN])>,
}

/// The wall clock may be set; this is how long that goes unnoticed.
const ANCHOR_AGE: Duration = Duration::from_secs(10);

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            anchor: Cell::new((Instant::now(), SystemTime::now())),
            written: Cell::new((u64::MAX, [0; DATE_LEN])),
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
        let seconds = self
            .time_of(moment)
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (written_for, text) = self.written.get();
        if written_for == seconds {
            return text;
        }
        let mut text = [0; DATE_LEN];
        write_date(seconds, &mut text);
        self.written.set((seconds, text));
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
