//! `split` and `split-by` of a route.

use std::time::Duration;

use sluice_balance::key_hash;
use sluice_route::side_id;

use super::{Builder, is_wrong};
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Assignment, HashKey, Side, Split, SplitBy};
use crate::read::{Section, Typed};

impl Builder<'_> {
    /// `route` is the whole of the route, which has a `split`.
    pub(super) fn split(&mut self, route: &Section) -> Option<Split> {
        if is_wrong(route, "split") {
            self.unresolved = true;
            return None;
        }
        let sections = route.tables("split");
        // The first mistake is not to hide those of other sides.
        let sides: Vec<_> = sections.iter().map(|side| self.side(side)).collect();
        let by = self.split_by(route);
        let sides = sides.into_iter().collect::<Option<Vec<_>>>()?;
        let at = route.set_at("split").cloned().unwrap_or_default();
        let is_right = self.sides_are_right(sections, &sides, &at);
        Some(Split { sides, by: by? }).filter(|_| is_right)
    }

    pub(super) fn split_by_without_split(&mut self, route: &Section) {
        if route.set_at("split").is_none() {
            self.out_of_place(route, &["split-by"], |key| {
                Diagnostic::error(0..0, format!("`{key}` has no effect without `split`"))
            });
        }
    }

    fn side(&mut self, section: &Section) -> Option<Side> {
        let upstream = self.named_upstream(section, "upstream");
        let name = &self.upstreams.get(upstream?.0)?.name;
        Some(Side {
            upstream: upstream?,
            name: name.as_str().into(),
            id: side_id(key_hash(name.as_bytes())),
            weight: section.value("weight")?,
        })
    }

    fn sides_are_right(&mut self, sections: &[Section], sides: &[Side], at: &Span) -> bool {
        if let [one] = sides {
            self.findings.push(
                Diagnostic::warning(at.clone(), "a split with one side is none")
                    .help(format!("write `upstream = \"{}\"`", one.name)),
            );
        }
        if sides.iter().all(|side| side.weight == 0) {
            let (what, help) = if sides.is_empty() {
                (
                    "this split has no sides",
                    "for example `split = [{ upstream = \"v1\", weight = 90 }, { upstream = \"v2\", weight = 10 }]`",
                )
            } else {
                (
                    "no side of this split gets any requests: each `weight` is 0",
                    "give one of them a weight",
                )
            };
            self.findings
                .push(Diagnostic::error(at.clone(), what).help(help));
            return false;
        }
        let mut is_right = true;
        for (index, (section, side)) in sections.iter().zip(sides).enumerate() {
            let earlier = sides.iter().take(index);
            let first = earlier
                .zip(sections)
                .find(|(other, _)| other.upstream == side.upstream);
            let Some((_, first)) = first else { continue };
            is_right = false;
            let what = format!("upstream `{}` has a side of this split already", side.name);
            let at = |section: &Section| {
                let named = section.with_span::<String>("upstream");
                named.map_or_else(|| section.span.clone(), |(_, span)| span.clone())
            };
            self.findings
                .push(Diagnostic::error(at(section), what).related(at(first), "first here"));
        }
        is_right
    }

    fn split_by(&mut self, route: &Section) -> Option<SplitBy> {
        if route.set_at("split-by").is_none() {
            return Some(SplitBy::Request);
        }
        if let Typed::Table(table) = &route.read("split-by")?.typed {
            return self.assignment(table).map(SplitBy::Assigned);
        }
        route.value::<HashKey>("split-by").map(SplitBy::Key)
    }

    fn assignment(&mut self, section: &Section) -> Option<Assignment> {
        let (same_site, secure) = (section.value("same-site")?, section.value("secure"));
        let same_site = match same_site {
            "strict" => "Strict",
            "none" => "None",
            _ => "Lax",
        };
        if same_site == "None" && secure != Some(true) {
            let at = section.set_at("same-site").cloned().unwrap_or_default();
            let what = "browsers refuse a cookie with `same-site = \"none\"` that is not secure";
            self.findings
                .push(Diagnostic::error(at, what).help("add `secure = true`"));
            return None;
        }
        Some(Assignment {
            name: section.value("assign")?,
            ttl: section.value::<Duration>("ttl")?,
            domain: section.value("domain"),
            same_site,
            secure,
        })
    }
}
