//! The keys of circuit breakers.

use std::time::Duration;

use sluice_health::{HALF_OPEN_REQUESTS_MAX, MIN_REQUESTS_MAX};

use super::{DAY, HOUR, MILLISECOND, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `circuit-breaker` of `[upstreams.NAME]`
pub(crate) static CIRCUIT_BREAKER: Shape = Shape {
    place: "`circuit-breaker` of `[upstreams.NAME]`",
    doc: "When a server gets no requests for a while because of what became of those that it got. Each server has a breaker of its \
          own, which all workers share.",
    keys: &[
        Key::new(
            "consecutive-failures",
            Kind::Either(&[
                OFF,
                Kind::Number {
                    min: 1,
                    max: 1_000_000,
                },
            ]),
            Default::Is("5"),
            "So many failures in a row open it.",
        )
        .also(&["max-failures", "failures-in-a-row", "consecutive-5xx", "max-fails"]),
        Key::new(
            "failure-rate",
            Kind::Either(&[OFF, Kind::Share { min: 1, max: 100 }]),
            Default::Is("\"50%\""),
            "This share of failures among the requests of the last `window` opens it.",
        )
        .also(&["error-rate", "failure-threshold", "error-threshold"]),
        Key::new(
            "failures",
            Kind::List {
                item: &Kind::Text(Form::Failure),
                min: 1,
            },
            Default::Is("[\"connect-failure\", \"reset\", \"timeout\", \"5xx\"]"),
            "What counts as a failure: `connect-failure` is a server that cannot be connected to, `reset` one that ends the connection \
             before its answer is complete, `timeout` one that does not answer in time; `503` is an answer with that \
             status, `5xx` one with any of them. A client that goes away is none.",
        )
        .also(&["on", "failure-statuses", "errors", "statuses"]),
        Key::new(
            "slow-call",
            duration(MILLISECOND, HOUR),
            Default::Absent("it does not matter how long answers take"),
            "An answer whose head takes longer is slow.",
        )
        .also(&["slow-call-duration", "slow", "slow-after"]),
        Key::new(
            "slow-call-rate",
            Kind::Share { min: 1, max: 100 },
            Default::Is("\"50%\""),
            "With `slow-call`: this share of slow answers among the requests of the last `window` opens it.",
        )
        .also(&["slow-rate", "slow-call-threshold"]),
        Key::new(
            "window",
            duration(Duration::from_millis(100), HOUR),
            Default::Is("\"10s\""),
            "The time that rates are of.",
        )
        .also(&["interval", "sliding-window", "period"]),
        Key::new(
            "min-requests",
            Kind::Number {
                min: 1,
                max: MIN_REQUESTS_MAX as i64,
            },
            Default::Is("20"),
            "With fewer requests in the `window` its rates mean nothing.",
        )
        .also(&["minimum-requests", "request-volume", "min-calls"]),
        Key::new(
            "open-for",
            duration(MILLISECOND, DAY),
            Default::Is("\"30s\""),
            "How long it stays open the first time. Each opening that follows another lasts twice as long.",
        )
        .also(&["open-duration", "ejection-time", "base-ejection-time", "sleep-window"]),
        Key::new(
            "max-open-for",
            duration(MILLISECOND, DAY),
            Default::Depends("10 times `open-for`"),
            "How long it stays open at most. Each such time without an opening takes a step of the doubling back.",
        )
        .also(&["max-ejection-time", "max-open-duration"]),
        Key::new(
            "half-open-requests",
            Kind::Number {
                min: 1,
                max: HALF_OPEN_REQUESTS_MAX as i64,
            },
            Default::Is("3"),
            "When it was open for long enough, so many requests go to the server as trials, and so many must succeed to close it.",
        )
        .also(&["trials", "probes", "half-open-max-requests"]),
        Key::new(
            "max-ejected",
            Kind::Share { min: 1, max: 100 },
            Default::Is("\"50%\""),
            "The share of the upstream's servers, rounded down, that breakers may keep from traffic at a time: if most fail, the rest \
             could not bear it all.",
        )
        .also(&["max-ejection-percent", "max-ejection", "max-open"]),
    ],
};

const OFF: Kind = Kind::Choice(&[Choice::new("off")]);
