//! `[[routes]]`, and the one that stands for none.

use std::sync::Arc;

use sluice_route::{Conditions, Location, PathPattern, Template, TemplateError};

use super::access::access;
use super::foreign::variable_meant_by;
use super::matching::conditions;
use super::overload::priority;
use super::{Builder, is_wrong};
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{
    Access, Action, Fallback, Redirect, Respond, Retry, Route, RouteEdits, RoutePriority,
    UpstreamId,
};
use crate::read::{Section, nothing_set};
use crate::schema::keys;
use crate::suggest::closest;

/// A route that no listener knows yet.
pub(crate) struct HalfRoute {
    pub(crate) route: Route,
    pub(crate) conditions: Conditions,
    /// Indices of the http listeners whose requests are tried.
    pub(crate) listeners: Vec<usize>,
    /// The words that tell this route from others.
    pub(crate) span: Span,
    /// Where its name stands, if it has one.
    pub(crate) name_span: Option<Span>,
    /// Where the `to` of its redirect stands, if it has one.
    pub(crate) redirect_span: Option<Span>,
}

impl HalfRoute {
    /// Where the route's requests go.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = UpstreamId> {
        let other = match self.route.fallback {
            Some(Fallback::Upstream(upstream)) => Some(upstream),
            Some(Fallback::Answer(_)) | None => None,
        };
        let mirror = self.route.mirror.map(|mirror| mirror.upstream);
        self.route.action.upstreams().chain(other).chain(mirror)
    }
}

impl Builder<'_> {
    pub(super) fn routes(&mut self, file: &Section) -> Vec<Option<HalfRoute>> {
        let sections = file.tables("routes");
        let http = self.http_listeners();
        if let Some(first) = sections.first() {
            if http.is_empty() && !self.listeners.is_empty() {
                self.findings.push(
                    Diagnostic::error(
                        first.span.clone(),
                        "routes are for http listeners, and there is none",
                    )
                    .help("a tcp listener has an `upstream` of its own"),
                );
            }
            return sections
                .iter()
                .enumerate()
                .map(|(index, section)| self.route(index, section, &http))
                .collect();
        }
        if http.is_empty() || is_wrong(file, "routes") {
            return Vec::new();
        }
        vec![self.route_for_all(file, http)]
    }

    /// With one upstream and no routes, everything goes there.
    fn route_for_all(&mut self, file: &Section, listeners: Vec<usize>) -> Option<HalfRoute> {
        match self.upstreams {
            [_] => {
                let defaults = nothing_set(&keys::ROUTE);
                Some(HalfRoute {
                    route: Route {
                        name: "default".into(),
                        access: Access::default(),
                        action: Action::Forward(UpstreamId(0)),
                        timeout: defaults.value("timeout")?,
                        max_body: None,
                        retry: Retry::default(),
                        fallback: None,
                        priority: RoutePriority::default(),
                        hedge: None,
                        rate_limits: Vec::new(),
                        mirror: None,
                        edits: RouteEdits::default(),
                        auth: None,
                    },
                    conditions: Conditions::default(),
                    listeners,
                    span: 0..0,
                    name_span: None,
                    redirect_span: None,
                })
            }
            [] => {
                if file.set_at("upstreams").is_none() {
                    self.findings.push(
                        Diagnostic::error_without_place(
                            "there are no upstreams and no routes, so every request would get 404",
                        )
                        .help("add `[upstreams.NAME]` with its `servers`"),
                    );
                }
                None
            }
            [first, second, ..] => {
                self.unresolved = true;
                self.findings.push(
                    Diagnostic::error(
                        second.span.clone(),
                        "there are several upstreams but no `[[routes]]` to choose between them",
                    )
                    .related(first.span.clone(), "with this one alone, everything would go there")
                    .help(format!(
                        "for example `[[routes]]` with `match.path = \"/…/*\"` and `upstream = \"{}\"`",
                        second.name
                    )),
                );
                None
            }
        }
    }

    fn route(&mut self, index: usize, section: &Section, http: &[usize]) -> Option<HalfRoute> {
        let name: Arc<str> = match section.set_at("name") {
            Some(_) => section.value("name").unwrap_or_else(|| "".into()),
            None => format!("route-{}", index + 1).into(),
        };
        let conditions = section.table("match").and_then(conditions);
        self.excludes_all(section, conditions.as_ref());
        let captures = captures(section);
        let action = self.action(section, captures.as_deref());
        let edits = self.edits(section, captures.as_deref());
        let rate_limits = self.route_limits(section);
        let listeners = self.listeners_of(section, http);
        let hedge = section
            .table("hedge")
            .map(|table| self.hedge(table, section, action.as_ref()));
        let auth = section.set_at("auth").map(|_| self.route_auth(section));
        let verifiers = self.verifiers(section, auth.as_ref());
        let mirror = section
            .table("mirror")
            .map(|table| self.mirror(table, action.as_ref()));
        let route = Route {
            name,
            access: access(section)?,
            action: action?,
            timeout: section.value("timeout")?,
            max_body: section.value("max-body"),
            retry: match section.table("retry") {
                Some(section) => self.retry(section)?,
                None => Retry::default(),
            },
            fallback: match section.table("fallback") {
                Some(section) => Some(self.fallback(section)?),
                None => None,
            },
            priority: priority(section)?,
            rate_limits: rate_limits?,
            hedge: match hedge {
                Some(hedge) => Some(hedge?),
                None => None,
            },
            mirror: match mirror {
                Some(mirror) => Some(mirror?),
                None => None,
            },
            edits: edits?,
            auth: match auth {
                Some(auth) => Some(auth?),
                None => None,
            },
        };
        Some(HalfRoute {
            route,
            conditions: conditions?.verified_by(&verifiers),
            listeners: listeners?,
            span: telling_words(section),
            name_span: section
                .with_span::<String>("name")
                .map(|(_, span)| span.clone()),
            redirect_span: section
                .table("redirect")
                .and_then(|redirect| redirect.with_span::<String>("to"))
                .map(|(_, span)| span.clone()),
        })
    }

    /// A `not` without conditions would leave nothing to match.
    fn excludes_all(&mut self, section: &Section, conditions: Option<&Conditions>) {
        let excludes = |all: &Conditions| all.not.contains(&Conditions::default());
        if conditions.is_some_and(excludes) {
            let matched = section.table("match");
            let at = matched.and_then(|table| table.set_at("not")).cloned();
            self.findings.push(
                Diagnostic::error(
                    at.unwrap_or_default(),
                    "a `not` without conditions excludes every request",
                )
                .help("say what is excluded: `not = { path = \"/internal/*\" }`"),
            );
        }
    }

    fn http_listeners(&self) -> Vec<usize> {
        self.listeners
            .iter()
            .enumerate()
            .filter(|(_, section)| !matches!(section.value("protocol"), Some("tcp" | "udp")))
            .map(|(index, _)| index)
            .collect()
    }

    fn listeners_of(&mut self, section: &Section, http: &[usize]) -> Option<Vec<usize>> {
        if section.set_at("listeners").is_none() {
            return Some(http.to_vec());
        }
        let mut indices = Vec::new();
        let mut all_found = true;
        for (name, span) in section.items::<String>("listeners")? {
            let index = self
                .listeners
                .iter()
                .position(|listener| listener.name == name);
            match index {
                Some(index) if http.contains(&index) => indices.push(index),
                Some(_) => {
                    all_found = false;
                    let message = format!(
                        "listener `{}` is no http listener, so it has no routes",
                        self.written(&span)
                    );
                    self.findings.error(&span, message);
                }
                None => {
                    all_found = false;
                    self.unknown_name("listener", &name, &span, self.listeners);
                }
            }
        }
        all_found.then_some(indices)
    }

    /// `captures` are those of the path; `None` where the path is wrong.
    fn action(&mut self, section: &Section, captures: Option<&[Box<str>]>) -> Option<Action> {
        let mut set = ACTIONS
            .iter()
            .filter_map(|key| section.set_at(key).map(|span| (*key, span)))
            .collect::<Vec<_>>();
        set.sort_by_key(|(_, span)| span.start);
        let action = match set.as_slice() {
            [] => {
                self.no_action(section);
                None
            }
            [(key, _)] => self.single_action(section, key, captures),
            [(first, first_span), others @ ..] => {
                for (key, span) in others {
                    self.findings.push(
                        Diagnostic::error((*span).clone(), format!("a route has one of `upstream`, `split`, `respond` and `redirect`, but this one has `{first}` and `{key}`"))
                            .related((*first_span).clone(), "the other one"),
                    );
                }
                None
            }
        };
        self.split_by_without_split(section);
        let forwards = ["upstream", "split"].map(|key| section.set_at(key).is_some());
        if forwards == [false, false] && !set.is_empty() {
            self.out_of_place(
                section,
                &[
                    "timeout",
                    "retry",
                    "fallback",
                    "hedge",
                    "mirror",
                    "priority",
                    "request-headers",
                    "rewrite",
                ],
                |key| {
                    Diagnostic::warning(
                        0..0,
                        format!("`{key}` has no effect on a route without `upstream`"),
                    )
                },
            );
        }
        action
    }

    fn no_action(&mut self, section: &Section) {
        self.unresolved = true;
        self.findings.push(
            Diagnostic::error(section.span.clone(), "this route does not say what to do")
                .help("set one of `upstream`, `split`, `respond` and `redirect`"),
        );
    }

    fn single_action(
        &mut self,
        section: &Section,
        key: &str,
        captures: Option<&[Box<str>]>,
    ) -> Option<Action> {
        match key {
            "upstream" => self
                .named_upstream(section, "upstream")
                .map(Action::Forward),
            "split" => self.split(section).map(Action::Split),
            "respond" => self
                .respond(section.table("respond")?, captures)
                .map(Action::Respond),
            _ => self
                .redirect(section.table("redirect")?, captures)
                .map(Action::Redirect),
        }
    }

    fn respond(&mut self, section: &Section, captures: Option<&[Box<str>]>) -> Option<Respond> {
        let body = self.respond_body(section, captures);
        let (status, span) = section.with_span::<u16>("status")?;
        let has_body = ["body", "json", "file"]
            .iter()
            .any(|key| section.set_at(key).is_some());
        if matches!(status, 204 | 304) && has_body {
            self.findings
                .error(span, format!("an answer with status {status} has no body"));
        }
        let (body, content_type) = body?;
        Some(Respond {
            status,
            body,
            content_type,
        })
    }

    fn redirect(&mut self, section: &Section, captures: Option<&[Box<str>]>) -> Option<Redirect> {
        let to = self.template(section, "to", captures);
        if let Some((text, span)) = section.with_span::<String>("to") {
            self.foreign_variables(&text, span);
        }
        Some(Redirect {
            to: Location::new(to?),
            status: section.value("status")?,
        })
    }

    pub(super) fn template(
        &mut self,
        section: &Section,
        key: &str,
        captures: Option<&[Box<str>]>,
    ) -> Option<Template> {
        let (text, span) = section.with_span::<String>(key)?;
        self.template_at(&text, span, captures)
    }

    /// The template of `text`, which stands at `span`.
    pub(super) fn template_at(
        &mut self,
        text: &str,
        span: &Span,
        captures: Option<&[Box<str>]>,
    ) -> Option<Template> {
        let captures = captures?;
        let mut probe = text.to_owned();
        loop {
            match Template::parse(&probe, captures) {
                Ok(template) => {
                    self.note_claims(&template, span);
                    return (probe == text).then_some(template);
                }
                Err(error) => {
                    let at = error.at();
                    self.wrong_template(text, span, &error, captures);
                    // Without its braces it is read over, so that the next mistake is found.
                    if at.is_empty() || probe.get(at.clone()).is_none() {
                        return None;
                    }
                    probe.replace_range(at.clone(), &"-".repeat(at.len()));
                }
            }
        }
    }

    fn wrong_template(
        &mut self,
        text: &str,
        span: &Span,
        error: &TemplateError,
        captures: &[Box<str>],
    ) {
        let words = text.get(error.at()).unwrap_or_default();
        let written = self.source.get(span.clone()).unwrap_or_default();
        // The words of a resolved reference are not in the file; then all of the value is underlined, nothing quoted.
        let Some(at) = written.find(words) else {
            self.findings
                .error(span, "this text has a variable in it that there is not");
            return;
        };
        let span = span.start + at..span.start + at + words.len();
        let diagnostic = match error {
            TemplateError::Unknown { name, .. } => {
                let known = captures
                    .iter()
                    .map(|name| &**name)
                    .chain(Template::VARIABLES.iter().copied());
                // What `/*` stands for is meant, and no word that looks like it.
                let meant = closest(name, known).filter(|_| name != "rest");
                let meant = meant
                    .map(|meant| format!("{{{meant}}}"))
                    .or_else(|| variable_meant_by(name));
                let help = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if captures.is_empty() => format!(
                        "only `match.path` captures, and that of this route captures nothing; if the braces are meant as they are, write `{{{{{name}}}}}`"
                    ),
                    None => format!(
                        "the path captures {}; if the braces are meant as they are, write `{{{{{name}}}}}`",
                        captures
                            .iter()
                            .map(|name| format!("`{{{name}}}`"))
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                };
                Diagnostic::error(span, format!("there is no variable `{words}`")).help(help)
            }
            other => Diagnostic::error(span, other.to_string()),
        };
        self.findings.push(diagnostic);
    }
}

/// What a route can do; one of them is set.
const ACTIONS: &[&str] = &["upstream", "split", "respond", "redirect"];

/// The names that the path of a route captures; `None` where the path is wrong.
fn captures(section: &Section) -> Option<Vec<Box<str>>> {
    let conditions = section.table("match")?;
    match conditions.set_at("path") {
        Some(_) => Some(conditions.value::<PathPattern>("path")?.captures().to_vec()),
        None => Some(Vec::new()),
    }
}

/// The name or the path of a route tell more than its header, which all routes share.
fn telling_words(section: &Section) -> Span {
    let path = || {
        let (_, span) = section.table("match")?.with_span::<PathPattern>("path")?;
        Some(span.clone())
    };
    section
        .with_span::<String>("name")
        .map(|(_, span)| span.clone())
        .or_else(path)
        .unwrap_or_else(|| section.span.clone())
}
