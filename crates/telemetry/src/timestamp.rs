//! Points in time as text, written in place: RFC 3339 with milliseconds, and the form of Apache's logs. Always UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time by the calendar, from 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    millisecond: u16,
}

impl Timestamp {
    /// `2026-11-20T23:39:11.042Z`
    pub(crate) fn write_rfc3339(self, out: &mut Vec<u8>) {
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put_four(&mut text[0..4], self.year);
        put_two(&mut text[5..7], self.month);
        put_two(&mut text[8..10], self.day);
        self.put_clock(&mut text[11..19]);
        put_four(&mut text[19..23], self.millisecond);
        text[19] = b'.'; // where the milliseconds' leading zero was written
        out.extend_from_slice(&text);
    }

    /// `20/Nov/2026:23:39:11 +0000`
    pub(crate) fn write_apache(self, out: &mut Vec<u8>) {
        let mut text = *b"00/Jan/0000:00:00:00 +0000";
        put_two(&mut text[0..2], self.day);
        text[3..6].copy_from_slice(MONTHS[usize::from(self.month) - 1]);
        put_four(&mut text[7..11], self.year);
        self.put_clock(&mut text[12..20]);
        out.extend_from_slice(&text);
    }

    /// `23:39:11`
    fn put_clock(self, at: &mut [u8]) {
        put_two(&mut at[0..2], self.hour);
        put_two(&mut at[3..5], self.minute);
        put_two(&mut at[6..8], self.second);
    }
}

impl From<SystemTime> for Timestamp {
    /// Times outside 1970 to 9999 become the nearest there is.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = if since.as_secs() > LAST_SECOND {
            (LAST_SECOND, 999)
        } else {
            (since.as_secs(), since.subsec_millis())
        };
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let second_of_day = seconds % 86_400;
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the calendar")]
        Self {
            year,
            month,
            day,
            hour: (second_of_day / 3_600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
            millisecond: millis as u16,
        }
    }
}

/// 9999-12-31T23:59:59Z
const LAST_SECOND: u64 = 253_402_300_799;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
fn civil_from_days(days: u64) -> (u16, u8, u8) {
    let from_march_0000 = days + 719_468;
    let era = from_march_0000 / 146_097;
    let day_of_era = from_march_0000 % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "callers stay below the year 10000"
    )]
    (year as u16, month as u8, day as u8)
}

fn put_two(at: &mut [u8], value: u8) {
    at[0] = b'0' + value / 10 % 10;
    at[1] = b'0' + value % 10;
}

fn put_four(at: &mut [u8], value: u16) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below 100, as the value is below 10000"
    )]
    let (upper, lower) = ((value / 100) as u8, (value % 100) as u8);
    put_two(&mut at[0..2], upper);
    put_two(&mut at[2..4], lower);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn texts(seconds: u64, millis: u64) -> (String, String) {
        let stamp = Timestamp::from(
            UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis),
        );
        let (mut rfc3339, mut apache) = (Vec::new(), Vec::new());
        stamp.write_rfc3339(&mut rfc3339);
        stamp.write_apache(&mut apache);
        (
            String::from_utf8(rfc3339).expect("ascii"),
            String::from_utf8(apache).expect("ascii"),
        )
    }

    #[test]
    fn known_times() {
        for (seconds, millis, rfc3339, apache) in [
            (
                0,
                0,
                "1970-01-01T00:00:00.000Z",
                "01/Jan/1970:00:00:00 +0000",
            ),
            (
                951_782_400,
                7,
                "2000-02-29T00:00:00.007Z",
                "29/Feb/2000:00:00:00 +0000",
            ),
            (
                971_211_336,
                999,
                "2000-10-10T20:55:36.999Z",
                "10/Oct/2000:20:55:36 +0000",
            ),
            (
                4_107_542_399,
                10,
                "2100-02-28T23:59:59.010Z",
                "28/Feb/2100:23:59:59 +0000",
            ),
            (
                4_107_542_400,
                100,
                "2100-03-01T00:00:00.100Z",
                "01/Mar/2100:00:00:00 +0000",
            ),
            (
                LAST_SECOND,
                0,
                "9999-12-31T23:59:59.000Z",
                "31/Dec/9999:23:59:59 +0000",
            ),
            (
                LAST_SECOND + 1,
                0,
                "9999-12-31T23:59:59.999Z",
                "31/Dec/9999:23:59:59 +0000",
            ),
        ] {
            assert_eq!(
                texts(seconds, millis),
                (rfc3339.to_owned(), apache.to_owned())
            );
        }
        let before = Timestamp::from(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(before, Timestamp::from(UNIX_EPOCH));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let leap = |year: u16| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut month, mut day) = (1970_u16, 1_u8, 1_u8);
        for days in 0..=LAST_SECOND / 86_400 {
            assert_eq!(civil_from_days(days), (year, month, day), "day {days}");
            let length = match month {
                2 => 28 + u8::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(year, 10_000);
    }
}
