//! `retry` and `fallback` of routes: what becomes of requests that a server has failed.

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Fallback, FixedAnswer, Retry, RetryStatuses};
use crate::read::Section;

impl Builder<'_> {
    pub(super) fn fallback(&mut self, section: &Section) -> Option<Fallback> {
        match (section.set_at("upstream"), section.set_at("status")) {
            (Some(_), None) => {
                self.out_of_place(section, &["body", "content-type"], |key| {
                    Diagnostic::warning(0..0, format!("`{key}` has no effect without `status`"))
                });
                self.named_upstream(section, "upstream")
                    .map(Fallback::Upstream)
            }
            (None, Some(_)) => Some(Fallback::Answer(FixedAnswer {
                status: section.value("status")?,
                body: section.value("body")?,
                content_type: section.value("content-type")?,
            })),
            (Some(upstream), Some(status)) => {
                let what = "a fallback has one of `upstream` and `status`, but this one has both";
                self.findings.push(
                    Diagnostic::error(status.clone(), what)
                        .related(upstream.clone(), "the other one"),
                );
                None
            }
            (None, None) => {
                self.findings.push(
                    Diagnostic::error(
                        section.span.clone(),
                        "this fallback does not say what to do",
                    )
                    .help("set `upstream`, or `status` and `body`"),
                );
                None
            }
        }
    }

    pub(super) fn retry(&mut self, section: &Section) -> Option<Retry> {
        let words = section.items::<&'static str>("on")?;
        let has = |sought| words.iter().any(|(word, _)| *word == sought);
        let mut statuses = RetryStatuses::default();
        for status in words.iter().filter_map(|(word, _)| word.parse().ok()) {
            statuses.insert(status);
        }
        self.timeout_of_a_try(section, has("timeout"));
        Some(Retry {
            attempts: section.value("attempts")?,
            connect_failure: has("connect-failure"),
            reset: has("reset"),
            statuses,
            per_try_timeout: section.value("per-try-timeout").filter(|_| has("timeout")),
            backoff: section.value("backoff")?,
            budget: section.value("budget")?,
            budget_floor: section.value("budget-floor")?,
            buffer: section.value("buffer")?,
            any_method: section.value("retry-unsafe")?,
        })
    }

    /// Either says nothing without the other.
    fn timeout_of_a_try(&mut self, section: &Section, is_retried: bool) {
        match section.set_at("per-try-timeout") {
            Some(span) if !is_retried => {
                let what = "what takes longer is not tried again: `on` has no `timeout`";
                let help = "add it: `on = [\"connect-failure\", \"reset\", \"timeout\"]`";
                self.findings
                    .push(Diagnostic::error(span.clone(), what).help(help));
            }
            None if is_retried => {
                let what = "`timeout` here needs `per-try-timeout`: the route's own `timeout` is of all tries together";
                let help = "add it: `per-try-timeout = \"2s\"`";
                let at = section.set_at("on").cloned().unwrap_or_default();
                self.findings.push(Diagnostic::error(at, what).help(help));
            }
            _ => {}
        }
    }
}
