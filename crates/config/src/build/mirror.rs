//! `mirror` of a route.

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, Mirror};
use crate::read::Section;

impl Builder<'_> {
    /// For a route that does `action`.
    pub(super) fn mirror(&mut self, section: &Section, action: Option<&Action>) -> Option<Mirror> {
        let upstream = self.named_upstream(section, "upstream")?;
        let mut served_by = action.into_iter().flat_map(Action::upstreams);
        if served_by.any(|own| own == upstream) {
            let at = section.set_at("upstream").unwrap_or(&section.span);
            let what = "the copies go where the requests go: each server has them twice";
            self.findings.push(Diagnostic::warning(at.clone(), what));
        }
        Some(Mirror {
            upstream,
            share: section.value("share")?,
            max_body: section.value("max-body")?,
            max_in_flight: section.value("max-in-flight")?,
        })
    }
}
