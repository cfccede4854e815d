//! What of a route goes by who its clients are, and whether its `auth` can know.

use sluice_route::{Template, Variable};

use crate::build::matching::places_of;
use crate::build::{Builder, HalfRoute};
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Auth, AuthKind, HashKey, KeyPart, LimitId, RouteAuth};
use crate::read::{Section, Typed};

impl Builder<'_> {
    /// Remembers where the text at `span` speaks of claims.
    pub(in crate::build) fn note_claims(&mut self, template: &Template, span: &Span) {
        let is_claim = |variable: &Variable| matches!(variable, Variable::Claim(_));
        if template.variables().any(is_claim) {
            let written = self.source.get(span.clone()).unwrap_or_default();
            let words = written.find("{claim:").and_then(|at| {
                let length = written.get(at..)?.find('}')? + 1;
                Some(span.start + at..span.start + at + length)
            });
            self.claims_in_texts
                .push(words.unwrap_or_else(|| span.clone()));
        }
    }

    /// Those of a route's `auth` that verify tokens. Reports what needs one where there is none. `auth` is what came of the route's
    /// key, `None` where it is not set.
    pub(in crate::build) fn verifiers(
        &mut self,
        route: &Section,
        auth: Option<&Option<Box<RouteAuth>>>,
    ) -> Vec<usize> {
        let texts = std::mem::take(&mut self.claims_in_texts);
        let any: &[_] = match auth {
            Some(Some(auth)) => &auth.any,
            // It was reported.
            Some(None) => return Vec::new(),
            None => &[],
        };
        let kinds: Vec<(usize, &AuthKind)> = any
            .iter()
            .filter_map(|id| Some((id.0, &self.auths.get(id.0)?.as_ref()?.kind)))
            .collect();
        let is_named = |kind: &AuthKind| !matches!(kind, AuthKind::Forward(_));
        let has_names = kinds.iter().any(|(_, kind)| is_named(kind));
        let verifies =
            |(id, kind): &(usize, &AuthKind)| matches!(kind, AuthKind::Jwt(_)).then_some(*id);
        let verifiers: Vec<usize> = kinds.iter().filter_map(verifies).collect();
        if verifiers.is_empty() {
            self.no_tokens(route, texts);
        }
        let known = Known {
            tokens: !verifiers.is_empty(),
            names: has_names,
        };
        self.keys_of_nobody(route, known);
        verifiers
    }

    /// Reports conditions and texts that go by claims.
    fn no_tokens(&mut self, route: &Section, texts: Vec<Span>) {
        let help = self.help_with_tokens();
        let mut conditions = Vec::new();
        if let Some(table) = route.table("match") {
            places_of(table, "claims", &mut conditions);
        }
        for span in conditions {
            let message =
                "no `auth` of this route verifies tokens, so there are no claims to go by";
            self.findings
                .push(Diagnostic::error(span, message).help(help.as_str()));
        }
        for span in texts {
            let message = format!(
                "`{}` is always empty here: no `auth` of this route verifies tokens",
                self.written(&span)
            );
            self.findings
                .push(Diagnostic::error(span, message).help(help.as_str()));
        }
    }

    /// Reports what of a route goes by keys that its `auth` does not know: limits, and a split.
    fn keys_of_nobody(&mut self, route: &Section, known: Known) {
        if route.set_at("rate-limits").is_some() {
            for (name, span) in route.items::<String>("rate-limits").unwrap_or_default() {
                let mut sections = self.rate_limits.iter();
                let section = sections.find(|section| section.name == name);
                let parts = section.and_then(|section| section.items::<KeyPart>("key"));
                for (part, at) in parts.unwrap_or_default() {
                    let (lacks, help) = match part {
                        KeyPart::Claim(_) if !known.tokens => self.lacks_tokens(),
                        KeyPart::AuthName if !known.names => lacks_names(),
                        _ => continue,
                    };
                    let message =
                        format!("`{}` goes by `{part}`, but {lacks}", self.written(&span));
                    self.findings.push(
                        Diagnostic::error(span.clone(), message)
                            .related(at, "the key")
                            .help(help),
                    );
                }
            }
        }
        let key = route
            .set_at("split-by")
            .and_then(|_| route.read("split-by"));
        if let Some(read) = key
            && let Typed::HashKey(key) = &read.typed
        {
            let (lacks, help) = match key {
                HashKey::Claim(_) if !known.tokens => self.lacks_tokens(),
                HashKey::AuthName if !known.names => lacks_names(),
                _ => return,
            };
            let message = format!("this split goes by `{key}`, but {lacks}");
            self.findings
                .push(Diagnostic::error(read.span.clone(), message).help(help));
        }
    }

    fn lacks_tokens(&self) -> (&'static str, String) {
        let lacks = "no `auth` of this route verifies tokens";
        (lacks, self.help_with_tokens())
    }

    /// Classes of limits that go by who the client is, where no route that names the limit knows.
    pub(in crate::build) fn idle_classes(&mut self, routes: &[Option<HalfRoute>]) {
        let Some(routes) = routes
            .iter()
            .map(Option::as_ref)
            .collect::<Option<Vec<_>>>()
        else {
            return;
        };
        for (index, section) in self.rate_limits.iter().enumerate() {
            let uses = |half: &&&HalfRoute| half.route.rate_limits.contains(&LimitId(index));
            let users: Vec<_> = routes.iter().filter(uses).collect();
            if users.is_empty() {
                continue;
            }
            let knows = |known: fn(&AuthKind) -> bool| {
                let mut kinds = users.iter().flat_map(|half| self.kinds_of(half));
                kinds.any(known)
            };
            let (has_tokens, has_names) = (knows(verifies_tokens), knows(has_names));
            let (claims, names) = places_in_classes(section);
            for span in claims.into_iter().filter(|_| !has_tokens) {
                let message = format!(
                    "no route that names `{}` has an `auth` that verifies tokens, so there are no claims to go by",
                    section.name
                );
                let help = self.help_with_tokens();
                self.findings
                    .push(Diagnostic::error(span, message).help(help));
            }
            for span in names.into_iter().filter(|_| !has_names) {
                let message = format!(
                    "no route that names `{}` has an `auth` that lets in under a name",
                    section.name
                );
                self.findings
                    .push(Diagnostic::error(span, message).help(HELP_WITH_NAMES));
            }
            self.auths_of_nobody(section, &users);
        }
    }

    /// Classes for those whom an `[auth.NAME]` has let in that none of the routes asks.
    fn auths_of_nobody(&mut self, limit: &Section, users: &[&&HalfRoute]) {
        for class in classes_of(limit).filter(|class| class.set_at("auth").is_some()) {
            for (name, span) in class.items::<String>("auth").unwrap_or_default() {
                let is_it = |auth: &Auth| *auth.name == *name;
                if users.iter().any(|half| self.auths_of(half).any(is_it)) {
                    continue;
                }
                let message = format!(
                    "no route that names `{}` has `{name}` in its `auth`",
                    limit.name
                );
                let help = "a class is for clients whom `auth` of the route has let in";
                self.findings
                    .push(Diagnostic::error(span, message).help(help));
            }
        }
    }

    fn kinds_of(&self, half: &HalfRoute) -> impl Iterator<Item = &AuthKind> {
        self.auths_of(half).map(|auth| &auth.kind)
    }

    fn auths_of(&self, half: &HalfRoute) -> impl Iterator<Item = &Auth> {
        let ids = half.route.auth.iter().flat_map(|auth| auth.any.to_vec());
        ids.filter_map(|id| self.auths.get(id.0)?.as_ref())
    }

    fn help_with_tokens(&self) -> String {
        let mut auths = self.auths.iter().flatten();
        let known = auths.find(|auth| verifies_tokens(&auth.kind));
        match known {
            Some(auth) => format!("`auth = \"{}\"` of the route has them verified", auth.name),
            None => "a table `[auth.NAME]` with `jwt` verifies them, and `auth = \"NAME\"` of the route names it".to_owned(),
        }
    }
}

/// What a route's `auth` knows of clients.
#[derive(Clone, Copy)]
struct Known {
    /// The claims of their tokens.
    tokens: bool,
    /// Their names.
    names: bool,
}

fn lacks_names() -> (&'static str, String) {
    let lacks = "no `auth` of this route lets in under a name";
    (lacks, HELP_WITH_NAMES.to_owned())
}

fn verifies_tokens(kind: &AuthKind) -> bool {
    matches!(kind, AuthKind::Jwt(_))
}

fn has_names(kind: &AuthKind) -> bool {
    !matches!(kind, AuthKind::Forward(_))
}

/// Where the classes of a limit speak of claims, and where of names.
fn places_in_classes(limit: &Section) -> (Vec<Span>, Vec<Span>) {
    let (mut claims, mut names) = (Vec::new(), Vec::new());
    for class in classes_of(limit) {
        if let Some(conditions) = class.table("match") {
            places_of(conditions, "claims", &mut claims);
        }
        names.extend(class.set_at("auth-name").cloned());
    }
    (claims, names)
}

fn classes_of(limit: &Section) -> impl Iterator<Item = &Section> {
    let classes = limit.set_at("classes").and_then(|_| limit.read("classes"));
    let classes: &[_] = match classes.map(|read| &read.typed) {
        Some(Typed::List(classes)) => classes,
        _ => &[],
    };
    classes.iter().filter_map(|class| match &class.typed {
        Typed::Table(class) => Some(class),
        _ => None,
    })
}

const HELP_WITH_NAMES: &str = "`basic`, `api-key` and `jwt` do: name one in `auth`";
