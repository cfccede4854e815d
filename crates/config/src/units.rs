//! Durations and sizes as they are written: a whole number and its unit, `"250ms"`, `"64KiB"`.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Why a text is not a duration or a size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnitError {
    /// Does not begin with a digit.
    #[error("a number must come first")]
    NoNumber,
    /// A number with a fraction.
    #[error("the number must be whole")]
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
///
/// # Errors
/// [`UnitError`]
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    DURATION.parse(text).map(Duration::from_millis)
}

/// Parses a size in bytes: `B`, decimal `KB`, `MB`, `GB` or binary `KiB`, `MiB`, `GiB`.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    SIZE.parse(text)
}

/// Parses a rate in bytes a second: a size and `/s`.
pub(crate) fn rate(text: &str) -> Result<u64, UnitError> {
    RATE.parse(text)
}

/// Parses a share in whole percent, `"50%"`.
///
/// # Errors
/// [`UnitError`]
pub fn share(text: &str) -> Result<u8, UnitError> {
    let percent = SHARE.parse(text)?;
    u8::try_from(percent).map_err(|_| UnitError::TooLarge)
}

/// Writes a duration with the largest unit that leaves a whole number.
pub struct ShowDuration(pub Duration);

impl fmt::Display for ShowDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        DURATION.show(milliseconds, f)
    }
}

/// Writes a size with the largest unit that leaves a whole number.
pub(crate) struct ShowSize(pub(crate) u64);

impl fmt::Display for ShowSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SIZE.show(self.0, f)
    }
}

/// Writes a rate with the largest unit that leaves a whole number.
pub(crate) struct ShowRate(pub(crate) u64);

impl fmt::Display for ShowRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RATE.show(self.0, f)
    }
}

/// The units of one quantity.
pub(crate) struct Units {
    /// The quantity with its article.
    pub(crate) noun: &'static str,
    /// How it is written.
    pub(crate) form: &'static str,
    /// Names and what they stand for, rising.
    scales: &'static [(&'static str, u64)],
    /// How people write them elsewhere, in lower case.
    slips: &'static [(&'static str, &'static str)],
}

/// In milliseconds.
pub(crate) static DURATION: Units = Units {
    noun: "a duration",
    form: "a whole number and its unit, ms, s, m, h or d, such as \"5s\"",
    scales: &[
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ],
    slips: &[
        ("msec", "ms"),
        ("millis", "ms"),
        ("sec", "s"),
        ("secs", "s"),
        ("second", "s"),
        ("seconds", "s"),
        ("min", "m"),
        ("mins", "m"),
        ("minute", "m"),
        ("minutes", "m"),
        ("hr", "h"),
        ("hour", "h"),
        ("hours", "h"),
        ("day", "d"),
        ("days", "d"),
    ],
};

/// In bytes.
pub(crate) static SIZE: Units = Units {
    noun: "a size",
    form: "a whole number and its unit, B, KiB, MiB, GiB, KB, MB or GB, such as \"64KiB\"",
    scales: &[
        ("B", 1),
        ("KB", 1_000),
        ("KiB", 1_024),
        ("MB", 1_000_000),
        ("MiB", 1_048_576),
        ("GB", 1_000_000_000),
        ("GiB", 1_073_741_824),
    ],
    slips: &[
        ("byte", "B"),
        ("bytes", "B"),
        ("k", "KiB"),
        ("m", "MiB"),
        ("g", "GiB"),
    ],
};

/// In bytes a second.
pub(crate) static RATE: Units = Units {
    noun: "a rate",
    form: "a whole number and its unit, B/s, KiB/s, MiB/s, KB/s or MB/s, such as \"500B/s\"",
    scales: &[
        ("B/s", 1),
        ("KB/s", 1_000),
        ("KiB/s", 1_024),
        ("MB/s", 1_000_000),
        ("MiB/s", 1_048_576),
    ],
    slips: &[],
};

/// In percent.
pub(crate) static SHARE: Units = Units {
    noun: "a share",
    form: "a whole number and `%`, such as \"50%\"",
    scales: &[("%", 1)],
    slips: &[("percent", "%"), ("pct", "%")],
};

impl Units {
    fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let (number, unit) = split_number(text);
        if number.is_empty() {
            return Err(UnitError::NoNumber);
        }
        if unit.starts_with(['.', ',']) {
            return Err(UnitError::Fraction);
        }
        if unit.is_empty() {
            return Err(UnitError::NoUnit);
        }
        let (_, scale) = self
            .scales
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| UnitError::UnknownUnit(unit.trim().to_owned()))?;
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*scale))
            .ok_or(UnitError::TooLarge)
    }

    fn show(&self, value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = self
            .scales
            .iter()
            .rev()
            .find(|(_, scale)| value >= *scale && value.is_multiple_of(*scale))
            .unwrap_or(&("", 1));
        write!(f, "{}{unit}", value / scale)
    }

    /// What a text of another form probably means: `90 sec`, `1m30s`, `1.5s`, `10mb`.
    pub(crate) fn guess(&self, text: &str) -> Option<String> {
        let mut total = 0_u64;
        let mut last_unit = ("", u64::MAX);
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (whole, after) = split_number(rest);
            let (tenths, after) = match after.strip_prefix('.').map(split_number) {
                Some((fraction, after)) if fraction.len() == 1 => {
                    (fraction.parse::<u64>().ok()?, after)
                }
                Some(_) => return None,
                None => (0, after),
            };
            let after = after.trim_start();
            let length = after
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(after.len());
            let (name, after) = after.split_at_checked(length)?;
            let unit = self.meant(name)?;
            let number = whole
                .parse::<u64>()
                .ok()?
                .checked_mul(10)?
                .checked_add(tenths)?;
            total = number
                .checked_mul(unit.1)?
                .checked_div(10)?
                .checked_add(total)?;
            last_unit = unit;
            rest = after.trim_start();
        }
        // In the unit as it was written, where that leaves a whole number.
        let (unit, scale) = if total.is_multiple_of(last_unit.1) {
            last_unit
        } else {
            *self
                .scales
                .iter()
                .rev()
                .find(|(_, scale)| total.is_multiple_of(*scale))?
        };
        (total > 0).then(|| format!("{}{unit}", total / scale))
    }

    fn meant(&self, name: &str) -> Option<(&'static str, u64)> {
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        let name = self
            .slips
            .iter()
            .find(|(slip, _)| same(slip))
            .map(|(_, unit)| *unit)
            .or_else(|| {
                self.scales
                    .iter()
                    .map(|(unit, _)| *unit)
                    .find(|unit| same(unit))
            })?;
        self.scales.iter().find(|(unit, _)| *unit == name).copied()
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(digits).unwrap_or((text, ""))
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
    fn guesses() {
        for (text, meant) in [
            ("90 sec", Some("90s")),
            ("1m30s", Some("90s")),
            ("1.5s", Some("1500ms")),
            ("5S", Some("5s")),
            ("2 hours", Some("2h")),
            ("5", None),
            ("soon", None),
            ("", None),
            ("1.5", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(DURATION.guess(text).as_deref(), meant, "{text}");
        }
        for (text, meant) in [
            ("32k", Some("32KiB")),
            ("10mb", Some("10MB")),
            ("1.5 MiB", Some("1536KiB")),
        ] {
            assert_eq!(SIZE.guess(text).as_deref(), meant, "{text}");
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
