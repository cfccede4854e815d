//! What becomes of requests that are too many: `queue` of an upstream, `priority` of a route.

use std::time::Duration;

use sluice_health::{ConcurrencySettings, SojournSettings};
use sluice_model::Priority;

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Queue, RoutePriority};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn queue(&mut self, table: &Section) -> Option<Queue> {
        let timeout = table.value("timeout")?;
        Some(Queue {
            length: table.value("length")?,
            timeout,
            sojourn: self.sojourn(table, timeout)?,
        })
    }

    #[expect(
        clippy::option_option,
        reason = "the outer says whether it is right, the inner whether it is on"
    )]
    fn sojourn(&mut self, table: &Section, timeout: Duration) -> Option<Option<SojournSettings>> {
        let (target, span) = table.with_span::<Option<Duration>>("target")?;
        let (interval, interval_span) = table.with_span("interval")?;
        let Some(target) = target else {
            self.out_of_place(table, &["interval"], |key| {
                Diagnostic::warning(0..0, format!("`{key}` has no effect without `target`"))
                    .help("say how long a request should wait at most: `target = \"20ms\"`")
            });
            return Some(None);
        };
        if interval < target {
            let at = match table.set_at("interval") {
                Some(_) => interval_span,
                None => span,
            };
            self.findings.push(
                Diagnostic::error(
                    at.clone(),
                    "`interval` is shorter than `target`, so every wait would be taken for overload",
                )
                .help("five times `target` or more"),
            );
            return None;
        }
        if target >= timeout {
            self.findings.push(
                Diagnostic::warning(
                    span.clone(),
                    "nobody waits this long: `timeout` is not longer than `target`",
                )
                .help("a shorter `target`, or a longer `timeout`"),
            );
        }
        Some(Some(SojournSettings { target, interval }))
    }
}

impl Builder<'_> {
    pub(super) fn adaptive_concurrency(&mut self, table: &Section) -> Option<ConcurrencySettings> {
        let (min, min_span) = table.with_span::<u32>("min")?;
        let (max, max_span) = table.with_span::<u32>("max")?;
        if min > max {
            let at = match table.set_at("max") {
                Some(_) => max_span,
                None => min_span,
            };
            let message = format!("`max` is {max}, less than `min`, which is {min}");
            self.findings.error(at, message);
            return None;
        }
        let initial = match table.set_at("initial") {
            Some(_) => {
                let (initial, span) = table.with_span::<u32>("initial")?;
                if !(min..=max).contains(&initial) {
                    let message = format!("`initial` is from `min` to `max`, {min} to {max}");
                    self.findings.error(span, message);
                    return None;
                }
                initial
            }
            None => INITIAL.clamp(min, max),
        };
        Some(ConcurrencySettings {
            min,
            max,
            initial,
            tolerance: table.value("tolerance")?,
        })
    }
}

/// `initial` of `adaptive-concurrency`.
const INITIAL: u32 = 100;

/// `"high"`, or `{ header = …, default = … }`
pub(super) fn priority(route: &Section) -> Option<RoutePriority> {
    match &route.read("priority")?.typed {
        Typed::Table(table) => Some(RoutePriority {
            field: Some(table.value("header")?),
            default: of_word(table.value("default")?),
        }),
        _ => Some(RoutePriority {
            field: None,
            default: of_word(route.value("priority")?),
        }),
    }
}

/// The schema lets no other words in.
fn of_word(word: &str) -> Priority {
    Priority::of_word(word.as_bytes()).unwrap_or_default()
}
