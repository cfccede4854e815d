//! What is wanted of a shift, as it is asked for, and checked.

use std::time::Duration;

use sluice_config::UnitError;
use thiserror::Error;

use super::condition::{Condition, ConditionError};

/// A shift, as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The side that is to get all requests in the end.
    pub to: String,
    /// How much more with each step, `10%`; all at once where absent.
    pub step: Option<String>,
    /// How long a step is watched, `1m`.
    pub every: Option<String>,
    /// What has it go back, `error-rate > 1%`: any of these.
    pub abort_if: Vec<String>,
    /// How many requests the side must have had in a step before it is judged.
    pub min_requests: Option<u64>,
}

/// Why a shift cannot be what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    /// A step without the time for it.
    #[error("`step` needs `every`: how long a step is watched, for example 1m")]
    NoEvery,
    /// What is for steps, without one.
    #[error("`{0}` is for a shift by steps: it needs `step`, for example 10%")]
    NoStep(&'static str),
    /// No share.
    #[error("`step`: `{0}` is no share from 1% to 100%: {1}")]
    Step(String, UnitError),
    /// A share out of range.
    #[error("`step` is from 1% to 100%, not {0}%")]
    StepRange(u8),
    /// No duration.
    #[error("`every`: `{0}` is no duration such as 1m: {1}")]
    Every(String, UnitError),
    /// A duration out of range.
    #[error("`every` is from 100ms to 7d")]
    EveryRange,
    /// None would be judged.
    #[error("`min-requests` is 1 at least")]
    MinRequests,
    /// No condition.
    #[error("`abort-if`: {0}")]
    AbortIf(#[from] ConditionError),
}

/// A shift step by step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stepwise {
    /// In percent, 1 to 100.
    pub(super) step: u8,
    pub(super) every: Duration,
    pub(super) abort_if: Vec<Condition>,
    pub(super) min_requests: u64,
}

impl Wanted {
    /// The steps; `None` where all is to be done at once.
    pub(super) fn steps(&self) -> Result<Option<Stepwise>, OrderError> {
        let Some(step) = &self.step else {
            return match self {
                Self { every: Some(_), .. } => Err(OrderError::NoStep("every")),
                Self {
                    min_requests: Some(_),
                    ..
                } => Err(OrderError::NoStep("min-requests")),
                _ if !self.abort_if.is_empty() => Err(OrderError::NoStep("abort-if")),
                _ => Ok(None),
            };
        };
        let percent =
            sluice_config::share(step).map_err(|error| OrderError::Step(step.clone(), error))?;
        if !(1..=100).contains(&percent) {
            return Err(OrderError::StepRange(percent));
        }
        let every = self.every.as_ref().ok_or(OrderError::NoEvery)?;
        let every = sluice_config::duration(every)
            .map_err(|error| OrderError::Every(every.clone(), error))?;
        if !(SHORTEST..=LONGEST).contains(&every) {
            return Err(OrderError::EveryRange);
        }
        let min_requests = self.min_requests.unwrap_or(MIN_REQUESTS);
        if min_requests == 0 {
            return Err(OrderError::MinRequests);
        }
        let abort_if = self.abort_if.iter().map(|text| text.parse());
        Ok(Some(Stepwise {
            step: percent,
            every,
            abort_if: abort_if.collect::<Result<_, _>>()?,
            min_requests,
        }))
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// Below it a single failure is a rate of 2%.
const MIN_REQUESTS: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(step: Option<&str>, every: Option<&str>, abort_if: &[&str]) -> Wanted {
        Wanted {
            to: "v2".to_owned(),
            step: step.map(str::to_owned),
            every: every.map(str::to_owned),
            abort_if: abort_if.iter().map(|text| (*text).to_owned()).collect(),
            min_requests: None,
        }
    }

    #[test]
    fn all_at_once_or_by_steps() {
        assert_eq!(wanted(None, None, &[]).steps(), Ok(None));
        let all = ["error-rate > 1%", "p99 > 1s"];
        let steps = wanted(Some("10%"), Some("1m"), &all).steps();
        let steps = steps.expect("right").expect("steps");
        assert_eq!((steps.step, steps.every), (10, Duration::from_mins(1)));
        assert_eq!((steps.abort_if.len(), steps.min_requests), (2, 50));
    }

    #[test]
    fn what_is_said_of_wrong_ones() {
        for (wanted, said) in [
            (
                wanted(Some("10%"), None, &[]),
                "`step` needs `every`: how long a step is watched, for example 1m",
            ),
            (
                wanted(None, Some("1m"), &[]),
                "`every` is for a shift by steps: it needs `step`, for example 10%",
            ),
            (
                wanted(None, None, &["error-rate > 1%"]),
                "`abort-if` is for a shift by steps: it needs `step`, for example 10%",
            ),
            (
                wanted(Some("10"), Some("1m"), &[]),
                "`step`: `10` is no share from 1% to 100%: the unit is missing",
            ),
            (
                wanted(Some("0%"), Some("1m"), &[]),
                "`step` is from 1% to 100%, not 0%",
            ),
            (
                wanted(Some("101%"), Some("1m"), &[]),
                "`step` is from 1% to 100%, not 101%",
            ),
            (
                wanted(Some("5%"), Some("1 min"), &[]),
                "`every`: `1 min` is no duration such as 1m: `min` is not a unit",
            ),
            (
                wanted(Some("5%"), Some("1ms"), &[]),
                "`every` is from 100ms to 7d",
            ),
            (
                wanted(Some("5%"), Some("1m"), &["error-rate > 1%", "latency > 1s"]),
                "`abort-if`: `latency` is not measured: it is error-rate, or a percentile from p50 to p99.9",
            ),
        ] {
            let error = wanted.steps().expect_err(said);
            assert_eq!(error.to_string(), said);
        }
        let none = Wanted {
            min_requests: Some(0),
            ..wanted(Some("5%"), Some("1m"), &[])
        };
        assert_eq!(none.steps(), Err(OrderError::MinRequests));
    }
}
