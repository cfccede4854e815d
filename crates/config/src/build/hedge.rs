//! `hedge` of a route.

use std::time::Duration;

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, Hedge, HedgeAfter, UpstreamId};
use crate::read::{Section, Typed};
use crate::units::ShowDuration;

impl Builder<'_> {
    /// `route` is the whole of the route, which does `action`.
    pub(super) fn hedge(
        &mut self,
        section: &Section,
        route: &Section,
        action: Option<&Action>,
    ) -> Option<Hedge> {
        for upstream in action.into_iter().flat_map(Action::upstreams) {
            self.has_no_other(section, upstream);
        }
        let hedge = Hedge {
            after: section.value("after")?,
            max: section.value("max")?,
            budget: section.value("budget")?,
            budget_floor: section.value("budget-floor")?,
        };
        self.never_asks(section, route, hedge);
        Some(hedge)
    }

    /// An upstream without a second server.
    fn has_no_other(&mut self, section: &Section, upstream: UpstreamId) {
        let Some(upstream) = self.upstreams.get(upstream.0) else {
            return;
        };
        let servers = upstream.read("servers").map(|read| &read.typed);
        if matches!(servers, Some(Typed::List(servers)) if servers.len() == 1) {
            let what = format!(
                "nothing is hedged: the other request would go to another server, and `{}` has one",
                upstream.name
            );
            let report = Diagnostic::warning(section.span.clone(), what);
            let related = report.related(upstream.span.clone(), "this upstream");
            self.findings.push(related);
        }
    }

    /// What comes too late, or is not allowed at all.
    fn never_asks(&mut self, section: &Section, route: &Section, hedge: Hedge) {
        let timeout: Option<Duration> = route.value("timeout");
        if let (HedgeAfter::Fixed(after), Some(timeout)) = (hedge.after, timeout)
            && after >= timeout
        {
            let span = section.set_at("after").unwrap_or(&section.span);
            let what = format!(
                "nothing is hedged: the route's `timeout` of {} is over by then",
                ShowDuration(timeout)
            );
            self.findings.push(Diagnostic::warning(span.clone(), what));
        }
        if hedge.budget.of(100) == 0 && hedge.budget_floor == 0 {
            let span = section.set_at("budget").unwrap_or(&section.span);
            let what = "nothing is hedged: `budget` and `budget-floor` allow none";
            self.findings.push(Diagnostic::warning(span.clone(), what));
        }
    }
}
