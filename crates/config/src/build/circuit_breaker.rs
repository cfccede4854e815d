//! `circuit-breaker` of `[upstreams.NAME]`, and `when-all-down`.

use std::time::Duration;

use sluice_health::{BreakerSettings, SlowCalls, WhenAllDown};

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{CircuitBreaker, FailureKind, Failures, Server};
use crate::read::Section;

impl Builder<'_> {
    pub(super) fn circuit_breaker(
        &mut self,
        upstream: &Section,
        servers: &[Server],
    ) -> Option<CircuitBreaker> {
        let section = upstream.table("circuit-breaker")?;
        self.slow_rate_of_nothing(section);
        let mut failures = Failures::default();
        for (kind, _) in section.items::<FailureKind>("failures")? {
            failures.insert(kind);
        }
        let open_for = section.value("open-for")?;
        let breaker = CircuitBreaker {
            settings: BreakerSettings {
                consecutive_failures: section.value("consecutive-failures")?,
                failure_rate: section.value("failure-rate")?,
                slow_calls: slow_calls(section),
                window: section.value("window")?,
                min_requests: section.value("min-requests")?,
                open_for,
                max_open_for: self.max_open_for(section, open_for)?,
                half_open_requests: section.value("half-open-requests")?,
            },
            max_ejected: section.value("max-ejected")?,
            failures,
        };
        self.never_opens(section, &breaker);
        self.ejects_nobody(section, &breaker, servers);
        Some(breaker)
    }

    fn max_open_for(&mut self, section: &Section, open_for: Duration) -> Option<Duration> {
        if section.set_at("max-open-for").is_none() {
            return Some(open_for.saturating_mul(10));
        }
        let (most, span) = section.with_span::<Duration>("max-open-for")?;
        if most < open_for {
            let mut report = Diagnostic::error(
                span.clone(),
                "this is less than `open-for`, which is how long the first opening lasts",
            )
            .help("each opening lasts twice as long as the one before, up to `max-open-for`");
            if section.set_at("open-for").is_some()
                && let Some((_, span)) = section.with_span::<Duration>("open-for")
            {
                report = report.related(span.clone(), "longer than this");
            }
            self.findings.push(report);
            return None;
        }
        Some(most)
    }

    /// A rate of slow answers means nothing where none is slow.
    fn slow_rate_of_nothing(&mut self, section: &Section) {
        let is_missing = section.set_at("slow-call").is_none();
        if let Some(span) = section.set_at("slow-call-rate").filter(|_| is_missing) {
            self.findings.push(
                Diagnostic::warning(
                    span.clone(),
                    "without `slow-call` no answer is slow, so this has no effect",
                )
                .help("say from when on one is: `slow-call = \"3s\"`"),
            );
        }
    }

    fn never_opens(&mut self, section: &Section, breaker: &CircuitBreaker) {
        let settings = &breaker.settings;
        let opens = settings.consecutive_failures.is_some()
            || settings.failure_rate.is_some()
            || settings.slow_calls.is_some();
        if !opens {
            self.findings.push(
                Diagnostic::warning(section.span.clone(), "nothing ever opens this breaker")
                    .help("set one of `consecutive-failures`, `failure-rate` and `slow-call`"),
            );
        }
    }

    /// A share that is less than one server.
    fn ejects_nobody(&mut self, section: &Section, breaker: &CircuitBreaker, servers: &[Server]) {
        if servers.is_empty() || breaker.max_ejected.of(servers.len()) > 0 {
            return;
        }
        let percent = breaker.max_ejected.percent();
        let count = match servers.len() {
            1 => "one server".to_owned(),
            count => format!("{count} servers"),
        };
        let (span, help) = match section.set_at("max-ejected") {
            Some(span) => (span, "a larger share, or no `circuit-breaker`"),
            None => (
                &section.span,
                "`max-ejected = \"100%\"`, and then `when-all-down` says what becomes of requests",
            ),
        };
        self.findings.push(
            Diagnostic::warning(
                span.clone(),
                format!(
                    "this breaker never keeps requests from a server: {percent}% of {count}, rounded down, is none"
                ),
            )
            .help(help),
        );
    }
}

pub(super) fn when_all_down(upstream: &Section) -> Option<WhenAllDown> {
    Some(match upstream.value("when-all-down")? {
        "fail-closed" => WhenAllDown::FailClosed,
        _ => WhenAllDown::FailOpen,
    })
}

fn slow_calls(section: &Section) -> Option<SlowCalls> {
    Some(SlowCalls {
        longer_than: section.value("slow-call")?,
        rate: section.value("slow-call-rate")?,
    })
}
