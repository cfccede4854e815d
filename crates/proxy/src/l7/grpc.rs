//! What of gRPC concerns a balancer: how long a client waits, and how it is told of errors.
//!
//! Everything else of it is HTTP with trailers, and is passed on as such.

use std::time::Duration;

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
}
