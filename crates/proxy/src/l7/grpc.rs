//! What of gRPC concerns a balancer: how long a client waits, and how it is told of errors.
//!
//! Everything else of it is HTTP with trailers, and is passed on as such.

use std::time::{Duration, Instant};

/// What an error of ours says that it is.
pub(super) const MEDIA_TYPE: &str = "application/grpc";

/// Whether a `Content-Type` is that of gRPC: with or without `+proto` and the like, but not gRPC-Web, whose clients read
/// HTTP statuses.
pub(super) fn is_media_type(value: &[u8]) -> bool {
    let length = MEDIA_TYPE.len();
    let is_prefix = value
        .get(..length)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(MEDIA_TYPE.as_bytes()));
    is_prefix && matches!(value.get(length), None | Some(b'+' | b';' | b' '))
}

/// The value of `grpc-timeout`: up to eight digits and a unit; `None` where it is none.
pub(super) fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What is left of the time that a client gives a call, as it stands in the head for the server.
///
/// Every try is told what is left when it begins. So the field is of a fixed width and stands at a known place, where it is
/// written over.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallDeadline {
    by: Instant,
    /// Where in the head its value is.
    at: usize,
}

impl CallDeadline {
    /// The field to compose a head with, first of all.
    pub(super) const FIELD: (&'static str, &'static [u8]) = (TIMEOUT, b"00000000n");

    /// Of a head that was composed with [`Self::FIELD`].
    pub(super) fn of(head: &[u8], by: Instant) -> Self {
        let line = head.iter().position(|byte| *byte == b'\n');
        let at = line.map_or(head.len(), |end| end + 1 + TIMEOUT.len() + 2);
        Self { by, at }
    }

    /// Writes into the head what is left at `now`.
    pub(super) fn tell(self, now: Instant, head: &mut [u8]) {
        if let Some(value) = head.get_mut(self.at..self.at + VALUE) {
            let left = self.by.saturating_duration_since(now);
            value.copy_from_slice(&written(left));
        }
    }
}

/// As precise as eight digits are, rounded down but never to nothing: that is no deadline.
fn written(left: Duration) -> [u8; VALUE] {
    let units = [
        (left.as_nanos(), b'n'),
        (left.as_micros(), b'u'),
        (left.as_millis(), b'm'),
        (u128::from(left.as_secs()), b'S'),
        (u128::from(left.as_secs() / 3600), b'H'),
    ];
    let fitting = units.into_iter().find(|(number, _)| *number <= MOST);
    let (number, unit) = fitting.unwrap_or((MOST, b'H'));
    let mut rest = number.max(1);
    let mut text = [unit; VALUE];
    for digit in text.iter_mut().rev().skip(1) {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    text
}

/// The code that says what a status of ours says.
pub(super) fn code_of(status: u16) -> u8 {
    match status {
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 | 405 => UNIMPLEMENTED,
        408 | 504 => DEADLINE_EXCEEDED,
        413 | 414 | 429 | 431 => RESOURCE_EXHAUSTED,
        400 | 417 | 500 => INTERNAL,
        502 | 503 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// The field that says how long the client waits.
pub(super) const TIMEOUT: &str = "grpc-timeout";
/// Eight digits and a unit.
const VALUE: usize = 9;
const MOST: u128 = 99_999_999;
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for value in [
            "application/grpc",
            "Application/gRPC",
            "application/grpc+proto",
            "application/grpc; x",
        ] {
            assert!(is_media_type(value.as_bytes()), "{value}");
        }
        for value in ["", "application/grpc-web", "application/json", "grpc"] {
            assert!(!is_media_type(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn timeouts() {
        let table = [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("10S", Some(Duration::from_secs(10))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("123456789S", None),
            ("-1S", None),
            ("1.5S", None),
        ];
        for (value, expected) in table {
            assert_eq!(timeout(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_is_left_is_written_as_precisely_as_it_fits() {
        let table = [
            (Duration::ZERO, "00000001n"),
            (Duration::from_nanos(1), "00000001n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "00100000u"),
            (Duration::from_secs(99), "99000000u"),
            (Duration::from_secs(100), "00100000m"),
            (Duration::from_hours(28), "00100800S"),
            (Duration::from_hours(99_999), "00099999H"),
            (Duration::MAX, "99999999H"),
        ];
        for (left, expected) in table {
            let value = written(left);
            assert_eq!(std::str::from_utf8(&value), Ok(expected));
            // Read again it is not more than it was.
            let read = timeout(&value).expect("a timeout");
            assert!(read <= left.max(Duration::from_nanos(1)), "{left:?}");
        }
    }

    #[test]
    fn each_try_is_told_what_is_left() {
        let (name, value) = CallDeadline::FIELD;
        let mut head = format!("POST /s/m HTTP/1.1\r\n{name}: ").into_bytes();
        head.extend(value);
        head.extend(b"\r\nHost: a\r\n\r\n");
        let begun = Instant::now();
        let deadline = CallDeadline::of(&head, begun + Duration::from_millis(1500));
        for (after, expected) in [(0, "01500000u"), (1_450, "50000000n"), (2_000, "00000001n")] {
            deadline.tell(begun + Duration::from_millis(after), &mut head);
            let expected =
                format!("POST /s/m HTTP/1.1\r\ngrpc-timeout: {expected}\r\nHost: a\r\n\r\n");
            assert_eq!(String::from_utf8_lossy(&head), expected);
        }
    }
}
