//! Amounts as they are written: `"250ms"`, `"70%"`, `"1000/s"`.
//!
//! Finer than those of the configuration: services of microseconds are simulated, and means need not be whole.

use serde::Deserialize;

/// A span of virtual time in nanoseconds.
pub(crate) type Nanos = u64;

/// `"250ms"`, `"1.5s"`: `ns`, `us`, `ms`, `s`, `m`, `h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Length(pub(crate) Nanos);

/// `"70%"`, as 0.7.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Share(pub(crate) f64);

/// `"1000/s"`, `"60/m"`, in events a second.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Rate(pub(crate) f64);

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (number, unit) = split(&text, "a duration", "\"250ms\"")?;
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            "" => {
                return Err(format!(
                    "`{text}` lacks its unit: write \"{text}ms\" or \"{text}s\""
                ));
            }
            _ => {
                return Err(format!(
                    "`{unit}` in `{text}` is not a unit of time: those are ns, us, ms, s, m and h"
                ));
            }
        };
        let nanos = number * scale;
        if nanos > LONGEST {
            return Err(format!(
                "`{text}` is longer than a simulation may last: 1000h"
            ));
        }
        Ok(Self(nanos_of(nanos)))
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (number, unit) = split(&text, "a share", "\"70%\"")?;
        if unit == "%" {
            Ok(Self(number / 100.0))
        } else {
            Err(format!(
                "`{text}` is not a share: write it in percent, as \"70%\""
            ))
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (number, unit) = split(&text, "a rate", "\"1000/s\"")?;
        let per_second = match unit {
            "/s" => number,
            "/m" => number / 60.0,
            "/h" => number / 3_600.0,
            _ => {
                return Err(format!(
                    "`{text}` is not a rate: write it as \"1000/s\", \"1000/m\" or \"1000/h\""
                ));
            }
        };
        Ok(Self(per_second))
    }
}

/// A span in seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds of days fit 53 bits"
)]
pub(crate) fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}

/// The nearest whole nanosecond; 0 for what is negative, the greatest for what is endless.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from float saturates, which is what is meant"
)]
pub(crate) fn nanos_of(nanos: f64) -> Nanos {
    (nanos + 0.5) as Nanos
}

/// A thousand hours, in nanoseconds.
const LONGEST: f64 = 3.6e15;

/// The number a text begins with, and what follows.
fn split<'a>(text: &'a str, what: &str, example: &str) -> Result<(f64, &'a str), String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{text}` is not {what}: write it as {example}"))?;
    Ok((number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> Result<Nanos, String> {
        Length::try_from(text.to_owned()).map(|length| length.0)
    }

    #[test]
    fn amounts() {
        assert_eq!(length("250ms"), Ok(250_000_000));
        assert_eq!(length("1.5 us"), Ok(1_500));
        assert_eq!(length("2h"), Ok(7_200_000_000_000));
        assert!(length("10").unwrap_err().contains("lacks its unit"));
        assert!(length("10 parsecs").unwrap_err().contains("parsecs"));
        assert!(length("-1s").unwrap_err().contains("not a duration"));
        assert!(length("9999h").unwrap_err().contains("longer"));
        assert_eq!(Share::try_from("70%".to_owned()), Ok(Share(0.7)));
        assert!(Share::try_from("0.7".to_owned()).is_err());
        assert_eq!(Rate::try_from("1_200/m".to_owned()), Ok(Rate(20.0)));
        assert!(Rate::try_from("12".to_owned()).is_err());
    }
}
