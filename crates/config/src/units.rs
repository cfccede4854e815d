//! Durations and sizes as they are written: a whole number and its unit, `"250ms"`, `"64KiB"`.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Why a text is not a duration or a size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum UnitError {
    /// Does not begin with a digit.
    #[error("it begins with a whole number")]
    NoNumber,
    /// A number with a fraction.
    #[error("the number is whole")]
    Fraction,
    /// A number alone.
    #[error("the unit is missing")]
    NoUnit,
    /// Something behind the number that is no unit.
    #[error("`{0}` is not a unit")]
    UnknownUnit(String),
    /// Beyond what a `u64` of milliseconds or bytes holds.
    #[error("the number is too large")]
    TooLarge,
}

/// Parses a duration: `ms`, `s`, `m`, `h` or `d`.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    scaled(text, DURATION_UNITS).map(Duration::from_millis)
}

/// Parses a size in bytes: `B`, decimal `KB`, `MB`, `GB` or binary `KiB`, `MiB`, `GiB`.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    scaled(text, SIZE_UNITS)
}

/// Writes a duration with the largest unit that leaves a whole number.
pub(crate) struct ShowDuration(pub(crate) Duration);

impl fmt::Display for ShowDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        show(f, milliseconds, DURATION_UNITS)
    }
}

/// Writes a size with the largest unit that leaves a whole number.
pub(crate) struct ShowSize(pub(crate) u64);

impl fmt::Display for ShowSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, SIZE_UNITS)
    }
}

/// How to write a duration, for messages.
pub(crate) const DURATION_FORM: &str =
    "a whole number and its unit, ms, s, m, h or d, such as \"5s\"";
/// How to write a size, for messages.
pub(crate) const SIZE_FORM: &str =
    "a whole number and its unit, B, KiB, MiB, GiB, KB, MB or GB, such as \"64KiB\"";

type Units = &'static [(&'static str, u64)];

/// In milliseconds, rising.
const DURATION_UNITS: Units = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// In bytes, rising.
const SIZE_UNITS: Units = &[
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1_024),
    ("MB", 1_000_000),
    ("MiB", 1_048_576),
    ("GB", 1_000_000_000),
    ("GiB", 1_073_741_824),
];

fn scaled(text: &str, units: Units) -> Result<u64, UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    if number.is_empty() {
        return Err(UnitError::NoNumber);
    }
    if unit.starts_with(['.', ',']) {
        return Err(UnitError::Fraction);
    }
    if unit.is_empty() {
        return Err(UnitError::NoUnit);
    }
    let (_, scale) = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| UnitError::UnknownUnit(unit.trim().to_owned()))?;
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*scale))
        .ok_or(UnitError::TooLarge)
}

fn show(f: &mut fmt::Formatter<'_>, value: u64, units: Units) -> fmt::Result {
    let (unit, scale) = units
        .iter()
        .rev()
        .find(|(_, scale)| value >= *scale && value.is_multiple_of(*scale))
        .unwrap_or(&("", 1));
    write!(f, "{}{unit}", value / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("1m", 60_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for (text, error) in [
            ("", UnitError::NoNumber),
            ("s", UnitError::NoNumber),
            ("-5s", UnitError::NoNumber),
            ("5", UnitError::NoUnit),
            ("1.5s", UnitError::Fraction),
            ("5 s", UnitError::UnknownUnit("s".into())),
            ("5sec", UnitError::UnknownUnit("sec".into())),
            ("1m30s", UnitError::UnknownUnit("m30s".into())),
            ("5S", UnitError::UnknownUnit("S".into())),
            ("99999999999999999999s", UnitError::TooLarge),
            ("18446744073709551615d", UnitError::TooLarge),
        ] {
            assert_eq!(duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1B", 1),
            ("64KiB", 65_536),
            ("10MB", 10_000_000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, error) in [
            ("64", UnitError::NoUnit),
            ("64k", UnitError::UnknownUnit("k".into())),
            ("64kib", UnitError::UnknownUnit("kib".into())),
            ("99999999999GiB", UnitError::TooLarge),
        ] {
            assert_eq!(size(text), Err(error), "{text}");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["1ms", "1500ms", "5s", "90s", "10m", "1d"] {
            let shown = duration(text).map(|d| ShowDuration(d).to_string());
            assert_eq!(shown, Ok(text.to_owned()));
        }
        for text in ["1B", "1KiB", "64KiB", "10MB", "1GiB"] {
            let shown = size(text).map(|s| ShowSize(s).to_string());
            assert_eq!(shown, Ok(text.to_owned()));
        }
    }
}
