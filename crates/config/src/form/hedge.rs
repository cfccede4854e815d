//! After what time a request is hedged: a percentile, or a duration.

use std::time::Duration;

use sluice_health::Percentile;

use super::Misfit;
use crate::plan::HedgeAfter;
use crate::units;

/// `p50` to `p99.9`, or a duration.
pub(super) fn after(text: &str) -> Result<HedgeAfter, Misfit> {
    if let Some(number) = text.strip_prefix('p') {
        let percentile = permille(number).and_then(Percentile::of_permille);
        return percentile
            .map(HedgeAfter::Percentile)
            .ok_or_else(|| Misfit::new("percentiles are from p50 to p99.9"));
    }
    match units::duration(text) {
        Ok(duration) if (SHORTEST..=LONGEST).contains(&duration) => Ok(HedgeAfter::Fixed(duration)),
        Ok(_) => Err(Misfit::new("durations are from 1ms to 1m here")),
        Err(_) => Err(meant(text)),
    }
}

/// The thousandths of a percentile with one digit behind the point at most.
fn permille(number: &str) -> Option<u16> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(tenth) || whole.len() > 2 || tenth.len() > 1 {
        return None;
    }
    let (whole, tenth): (u16, u16) = (whole.parse().ok()?, tenth.parse().ok()?);
    Some(whole * 10 + tenth)
}

fn meant(text: &str) -> Misfit {
    let misfit = Misfit::new("it is a percentile such as p95, or a duration such as 50ms");
    let number = text.trim_end_matches("th").trim_end_matches('%');
    let is_percentile = permille(number).and_then(Percentile::of_permille).is_some();
    if number.len() < text.len() && is_percentile {
        misfit.help(format!("did you mean \"p{number}\"?"))
    } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        misfit.help(format!("did you mean \"{text}ms\" or \"p{text}\"?"))
    } else {
        misfit
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_durations() {
        let percentile = |permille| Percentile::of_permille(permille).map(HedgeAfter::Percentile);
        let fixed = |millis| Some(HedgeAfter::Fixed(Duration::from_millis(millis)));
        for (text, expected) in [
            ("p50", percentile(500)),
            ("p95", percentile(950)),
            ("p99.9", percentile(999)),
            ("p99.0", percentile(990)),
            ("1ms", fixed(1)),
            ("1m", fixed(60_000)),
            ("p49.9", None),
            ("p100", None),
            ("p99.99", None),
            ("p", None),
            ("p.5", None),
            ("p95.", None),
            ("p-95", None),
            ("0ms", None),
            ("61s", None),
            ("95", None),
            ("95%", None),
            ("", None),
        ] {
            assert_eq!(after(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_was_meant() {
        for (text, help) in [
            ("95%", Some("did you mean \"p95\"?")),
            ("99.9%", Some("did you mean \"p99.9\"?")),
            ("95th", Some("did you mean \"p95\"?")),
            ("50", Some("did you mean \"50ms\" or \"p50\"?")),
            ("5%", None),
            ("soon", None),
        ] {
            let misfit = after(text).expect_err("wrong");
            assert_eq!(misfit.help.as_deref(), help, "{text}");
        }
    }
}
