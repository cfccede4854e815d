//! The one date format that HTTP writes: IMF-fixdate (RFC 9110, section 5.6.7).

use std::io::Write;
use std::time::{Duration, SystemTime};

/// Bytes of a date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_LEN: usize = 29;

/// Writes a date given as whole seconds since the Unix epoch. Dates after the year 9999 become its last second.
pub fn write_date(unix_seconds: u64, out: &mut [u8; DATE_LEN]) {
    const LAST: u64 = 253_402_300_799;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds.min(LAST));
    let written = write!(out.as_mut_slice(), "{}", httpdate::HttpDate::from(time));
    debug_assert!(
        written.is_ok(),
        "every date of four-digit years has 29 bytes"
    );
}

#[cfg(test)]
mod tests {
    use super::{DATE_LEN, write_date};

    #[test]
    fn dates() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (seconds, text) in table {
            let mut out = [0; DATE_LEN];
            write_date(seconds, &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap(), text);
        }
    }
}
