//! When a shift goes back: `error-rate > 1%`, `p99 > baseline * 1.5`.

use std::fmt;
use std::str::FromStr;

use sluice_config::ShowDuration;
use sluice_telemetry::metrics::SideTotals;
use thiserror::Error;

/// What must not come to hold of the side that gets more.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    text: String,
    signal: Signal,
    bound: Bound,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Signal {
    /// The share of requests that failed, 0 to 1.
    ErrorRate,
    /// The time within which this share of requests ended, in seconds.
    Quantile(f64),
}

/// What it must not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// This.
    Fixed(f64),
    /// That of the other sides, and this more.
    BaselinePlus(f64),
    /// That of the other sides, so many times.
    BaselineTimes(f64),
}

/// Why a text is no such condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// It is not three parts.
    #[error(
        "a condition is `SIGNAL > BOUND`, for example `error-rate > 1%` or `p99 > baseline * 1.5`"
    )]
    Form,
    /// What is measured is none of those.
    #[error("`{0}` is not measured: it is error-rate, or a percentile from p50 to p99.9")]
    Signal(String),
    /// It is compared otherwise.
    #[error("only `>` compares here, not `{0}`")]
    Comparison(String),
    /// A bound of an error rate.
    #[error(
        "`{0}` is no bound of an error rate: it is a share such as `1%` or `0.5%`, `baseline + 1%` or `baseline * 2`"
    )]
    ShareBound(String),
    /// A bound of a percentile.
    #[error(
        "`{0}` is no bound of a percentile: it is a duration such as `300ms`, `baseline + 50ms` or `baseline * 1.5`"
    )]
    TimeBound(String),
}

impl Condition {
    /// What is to be said if it holds. Without a baseline, what is compared with one does not hold.
    pub(super) fn breach(
        &self,
        canary: &SideTotals,
        baseline: Option<&SideTotals>,
    ) -> Option<String> {
        let found = self.signal.of(canary)?;
        let beside = baseline.and_then(|baseline| self.signal.of(baseline));
        let bound = match self.bound {
            Bound::Fixed(bound) => bound,
            Bound::BaselinePlus(more) => beside? + more,
            Bound::BaselineTimes(times) => beside? * times,
        };
        (found > bound).then(|| {
            let beside = beside.map(|beside| self.signal.shown(beside));
            let beside =
                beside.map_or_else(String::new, |beside| format!(", of the others {beside}"));
            format!(
                "{}: it was {} over {} requests{beside}",
                self.text,
                self.signal.shown(found),
                canary.ended
            )
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Signal {
    fn of(self, totals: &SideTotals) -> Option<f64> {
        match self {
            Self::ErrorRate => totals.error_rate(),
            Self::Quantile(share) => totals.quantile(share),
        }
    }

    fn shown(self, value: f64) -> String {
        match self {
            Self::ErrorRate => format!("{:.1}%", value * 100.0),
            Self::Quantile(_) if value.is_finite() => format!("{:.1}ms", value * 1e3),
            Self::Quantile(_) => "more than a minute".to_owned(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "error-rate" {
            return Some(Self::ErrorRate);
        }
        let number = text.strip_prefix('p')?;
        let is_plain = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 = number.parse().ok().filter(|_| is_plain)?;
        (50.0..=99.9)
            .contains(&percent)
            .then_some(Self::Quantile(percent / 100.0))
    }

    /// A value of this, as it is written.
    fn value(self, text: &str) -> Option<f64> {
        match self {
            Self::ErrorRate => percent(text),
            Self::Quantile(_) => {
                let duration = sluice_config::duration(text).ok()?;
                (!duration.is_zero()).then_some(duration.as_secs_f64())
            }
        }
    }

    fn bound(self, text: &str) -> Option<Bound> {
        let Some(rest) = text.strip_prefix("baseline") else {
            return self.value(text).map(Bound::Fixed);
        };
        let rest = rest.trim_start();
        if let Some(more) = rest.strip_prefix('+') {
            return self.value(more.trim_start()).map(Bound::BaselinePlus);
        }
        let times: f64 = number(rest.strip_prefix('*')?.trim_start())?;
        (1.0..=1_000.0)
            .contains(&times)
            .then_some(Bound::BaselineTimes(times))
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let at = text.find(['<', '>', '=']).ok_or(ConditionError::Form)?;
        let (signal, rest) = text.split_at(at);
        let bound = rest.trim_start_matches(['<', '>', '=']);
        let comparison = rest.strip_suffix(bound).unwrap_or(rest);
        let (signal, bound) = (signal.trim(), bound.trim());
        if comparison != ">" {
            return Err(ConditionError::Comparison(comparison.to_owned()));
        }
        if signal.is_empty() || bound.is_empty() {
            return Err(ConditionError::Form);
        }
        let read =
            Signal::parse(signal).ok_or_else(|| ConditionError::Signal(signal.to_owned()))?;
        let found = read.bound(bound).ok_or_else(|| match read {
            Signal::ErrorRate => ConditionError::ShareBound(bound.to_owned()),
            Signal::Quantile(_) => ConditionError::TimeBound(bound.to_owned()),
        })?;
        Ok(Self {
            text: format!("{signal} > {bound}"),
            signal: read,
            bound: found,
        })
    }
}

/// `1%` or `0.5%`, as 0 to 1.
fn percent(text: &str) -> Option<f64> {
    let percent = number(text.strip_suffix('%')?)?;
    (percent <= 100.0).then_some(percent / 100.0)
}

/// Digits, with or without a point among them.
fn number(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = is_digits(whole) && is_digits(fraction);
    text.parse().ok().filter(|_| fits)
}

/// How a duration is shown.
pub(super) fn shown(duration: std::time::Duration) -> String {
    ShowDuration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_telemetry::Registry;

    use super::*;

    #[test]
    fn what_is_understood() {
        use Bound::{BaselinePlus, BaselineTimes, Fixed};
        let rate = Signal::ErrorRate;
        for (text, signal, bound) in [
            ("error-rate > 1%", rate, Fixed(0.01)),
            (" error-rate>0.5% ", rate, Fixed(0.005)),
            ("error-rate > 0%", rate, Fixed(0.0)),
            ("error-rate > baseline + 1%", rate, BaselinePlus(0.01)),
            ("error-rate > baseline*2", rate, BaselineTimes(2.0)),
            ("p99 > 300ms", Signal::Quantile(0.99), Fixed(0.3)),
            (
                "p50 > baseline + 1s",
                Signal::Quantile(0.5),
                BaselinePlus(1.0),
            ),
            (
                "p99.9 > baseline * 1.5",
                Signal::Quantile(0.999),
                BaselineTimes(1.5),
            ),
        ] {
            let read: Condition = text.parse().expect(text);
            assert_eq!(read.bound, bound, "{text}");
            match (read.signal, signal) {
                (Signal::Quantile(read), Signal::Quantile(meant)) => {
                    assert!((read - meant).abs() < 1e-9, "{text}");
                }
                (read, meant) => assert_eq!(read, meant, "{text}"),
            }
        }
    }

    #[test]
    fn what_is_not() {
        use ConditionError::{Comparison, Form, ShareBound, Signal, TimeBound};
        for (text, error) in [
            ("", Form),
            ("error-rate", Form),
            ("error-rate >", Form),
            ("> 1%", Form),
            ("error-rate < 1%", Comparison("<".into())),
            ("error-rate >= 1%", Comparison(">=".into())),
            ("error-rate == 1%", Comparison("==".into())),
            ("errors > 1%", Signal("errors".into())),
            ("p49 > 1s", Signal("p49".into())),
            ("p100 > 1s", Signal("p100".into())),
            ("p > 1s", Signal("p".into())),
            ("pinf > 1s", Signal("pinf".into())),
            ("error-rate > 1", ShareBound("1".into())),
            ("error-rate > 101%", ShareBound("101%".into())),
            ("error-rate > -1%", ShareBound("-1%".into())),
            ("error-rate > 1e1%", ShareBound("1e1%".into())),
            ("error-rate > 300ms", ShareBound("300ms".into())),
            ("error-rate > 1% or", ShareBound("1% or".into())),
            ("error-rate > baseline", ShareBound("baseline".into())),
            (
                "error-rate > baseline * 0.5",
                ShareBound("baseline * 0.5".into()),
            ),
            (
                "error-rate > baseline - 1%",
                ShareBound("baseline - 1%".into()),
            ),
            ("p99 > 1%", TimeBound("1%".into())),
            ("p99 > 300", TimeBound("300".into())),
            ("p99 > 0s", TimeBound("0s".into())),
            ("p99 > baseline + 1%", TimeBound("baseline + 1%".into())),
        ] {
            assert_eq!(text.parse::<Condition>(), Err(error), "{text}");
        }
    }

    /// A side of which so many requests took 4 ms, and so many failed.
    fn side(ended: u64, failures: u64) -> SideTotals {
        let registry = Registry::new("");
        let side = registry.side(0, "route", "side");
        side.ended.add(ended);
        side.failures.add(failures);
        for _ in 0..ended {
            side.duration.record(Duration::from_millis(4));
        }
        registry.side_totals("route", "side")
    }

    #[test]
    fn when_they_hold() {
        for (text, canary, baseline, reason) in [
            ("error-rate > 1%", side(100, 1), None, None),
            (
                "error-rate > 1%",
                side(100, 2),
                Some(side(1_000, 3)),
                Some("error-rate > 1%: it was 2.0% over 100 requests, of the others 0.3%"),
            ),
            ("error-rate > 1%", side(0, 0), None, None),
            (
                "error-rate > baseline + 1%",
                side(100, 3),
                Some(side(100, 2)),
                None,
            ),
            ("error-rate > baseline + 1%", side(100, 50), None, None),
            (
                "error-rate > baseline * 2",
                side(100, 5),
                Some(side(100, 2)),
                Some(
                    "error-rate > baseline * 2: it was 5.0% over 100 requests, of the others 2.0%",
                ),
            ),
            ("p50 > 5ms", side(100, 0), None, None),
            (
                "p50 > 3ms",
                side(100, 0),
                None,
                Some("p50 > 3ms: it was 3.8ms over 100 requests"),
            ),
        ] {
            let condition: Condition = text.parse().expect(text);
            let found = condition.breach(&canary, baseline.as_ref());
            assert_eq!(found.as_deref(), reason, "{text}");
        }
    }
}
