//! `rewrite` of a route: what its server is asked for instead.

use sluice_route::{NewTarget, PathPattern, PathRewrite, Template, Variable};

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::Rewrite;
use crate::read::Section;

impl Builder<'_> {
    /// `route` is the whole of the route, whose path captures these.
    pub(super) fn rewrite(
        &mut self,
        section: &Section,
        route: &Section,
        captures: Option<&[Box<str>]>,
    ) -> Option<Rewrite> {
        let mut set = WAYS
            .iter()
            .filter_map(|key| section.set_at(key).map(|span| (*key, span)))
            .collect::<Vec<_>>();
        set.sort_by_key(|(_, span)| span.start);
        if let [(first, first_span), others @ ..] = set.as_slice() {
            for (key, span) in others {
                let what =
                    format!("a path is rewritten in one way, but here are `{first}` and `{key}`");
                self.findings.push(
                    Diagnostic::error((*span).clone(), what)
                        .related((*first_span).clone(), "the other one"),
                );
            }
        }
        let host = match section.set_at("host") {
            Some(_) => self.new_host(section, captures).map(Some),
            None => Some(None),
        };
        let path = match set.as_slice() {
            [] if section.set_at("host").is_none() => {
                self.findings.push(
                    Diagnostic::error(
                        section.span.clone(),
                        "this rewrite does not say what to change",
                    )
                    .help("set `strip-prefix`, `prefix`, `path`, `regex` or `host`"),
                );
                None
            }
            [] => Some(None),
            [(key, _)] => self.path_rewrite(key, section, route, captures).map(Some),
            _ => None,
        };
        Some(Rewrite {
            path: path?,
            host: host?,
        })
    }

    fn path_rewrite(
        &mut self,
        key: &str,
        section: &Section,
        route: &Section,
        captures: Option<&[Box<str>]>,
    ) -> Option<PathRewrite> {
        let matched = route.table("match");
        let pattern = matched.and_then(|matched| matched.with_span::<PathPattern>("path"));
        match key {
            "strip-prefix" => {
                let (prefix, span) = section.with_span::<Box<str>>("strip-prefix")?;
                self.strips(&prefix, span, pattern)?;
                Some(PathRewrite::StripPrefix(prefix))
            }
            "prefix" => {
                let (prefix, span) = section.with_span::<Box<str>>("prefix")?;
                if matched?.set_at("path").is_some() && pattern.is_none() {
                    // It was reported.
                    return None;
                }
                if pattern
                    .as_ref()
                    .is_none_or(|(pattern, _)| !pattern.captures_the_rest())
                {
                    let what = "this route's `match.path` has no prefix that could become another";
                    let help = "end it with `/*`, or say the whole path with `path`";
                    let report = Diagnostic::error(span.clone(), what).help(help);
                    let report = match pattern {
                        Some((_, at)) => report.related(at.clone(), "the path"),
                        None => report,
                    };
                    self.findings.push(report);
                    return None;
                }
                Some(PathRewrite::Prefix(prefix))
            }
            "path" => self
                .new_target(section, "path", captures)
                .map(PathRewrite::Whole),
            _ => {
                let table = section.table("regex")?;
                let pattern: Option<PathPattern> = table.value("pattern");
                let names = pattern.as_ref().map(PathPattern::captures);
                let to = self.new_target(table, "to", names);
                Some(PathRewrite::Matching {
                    to: to?,
                    pattern: pattern?,
                })
            }
        }
    }

    /// Whether there is something to strip; says so where there never is.
    fn strips(
        &mut self,
        prefix: &str,
        span: &Span,
        pattern: Option<(PathPattern, &Span)>,
    ) -> Option<()> {
        if prefix.is_empty() {
            self.findings
                .error(span, "nothing is left out: every path begins with `/`");
            return None;
        }
        if let Some((pattern, at)) = pattern
            && !pattern.may_be_below(prefix)
        {
            let what = format!("no path of this route begins with `{prefix}`");
            let report = Diagnostic::warning(span.clone(), what);
            self.findings.push(report.related(at.clone(), "the path"));
        }
        Some(())
    }

    fn new_target(
        &mut self,
        section: &Section,
        key: &str,
        captures: Option<&[Box<str>]>,
    ) -> Option<NewTarget> {
        let (text, span) = section.with_span::<String>(key)?;
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text.as_str(), None),
        };
        let path = self.known_before(path, span, captures);
        let query = match query {
            Some(query) => self.known_before(query, span, captures).map(Some),
            None => Some(None),
        };
        Some(NewTarget {
            path: path?,
            query: query?,
        })
    }

    fn new_host(&mut self, section: &Section, captures: Option<&[Box<str>]>) -> Option<Template> {
        let (text, span) = section.with_span::<String>("host")?;
        self.known_before(&text, span, captures)
    }

    /// A template of what is known before there is a server.
    fn known_before(
        &mut self,
        text: &str,
        span: &Span,
        captures: Option<&[Box<str>]>,
    ) -> Option<Template> {
        let template = self.template_at(text, span, captures)?;
        if template.variables().any(|one| *one == Variable::Server) {
            self.server_is_unknown(span);
            return None;
        }
        Some(template)
    }
}

/// One of these says the path.
const WAYS: &[&str] = &["strip-prefix", "prefix", "path", "regex"];
