//! `[auth.NAME]`, and `auth` of routes.

mod claims;
mod forward;
mod jwt;
mod shown;
mod token_keys;

use super::{Builder, is_wrong};
use crate::diagnostic::Diagnostic;
use crate::plan::{Auth, AuthId, AuthKind, RouteAuth, Upstream};
use crate::read::Section;
use crate::suggest::either_of;

impl Builder<'_> {
    /// Builds all of them. Services that are no upstreams of the file become some.
    pub(super) fn auth(&mut self, file: &Section, upstreams: &mut Vec<Option<Upstream>>) {
        for section in file.tables("auth") {
            let kind = self.auth_kind(section, upstreams);
            self.auths.push(kind.map(|kind| Auth {
                name: section.name.as_str().into(),
                kind,
            }));
        }
    }

    fn auth_kind(
        &mut self,
        section: &Section,
        upstreams: &mut Vec<Option<Upstream>>,
    ) -> Option<AuthKind> {
        let set: Vec<_> = section
            .shape
            .built()
            .filter_map(|key| Some((key.name, section.set_at(key.name)?.clone())))
            .collect();
        match set.as_slice() {
            [] => {
                let kinds = either_of(section.shape.built().map(|key| key.name));
                self.findings.push(
                    Diagnostic::error(
                        section.span.clone(),
                        format!("{} does not say what clients show", section.place),
                    )
                    .help(format!("set {kinds}")),
                );
                None
            }
            [("basic", _)] => self
                .basic_auth(section, section.table("basic")?)
                .map(AuthKind::Basic),
            [("api-key", _)] => self
                .api_key_auth(section.table("api-key")?)
                .map(AuthKind::ApiKey),
            [("jwt", _)] => self.jwt_auth(section.table("jwt")?).map(AuthKind::Jwt),
            [_] => self
                .forward_auth(section, section.table("forward")?, upstreams)
                .map(AuthKind::Forward),
            [(first, span), others @ ..] => {
                for (key, other) in others {
                    self.findings.push(
                        Diagnostic::error(
                            other.clone(),
                            format!("{} is one thing, but this one is `{first}` and `{key}`", section.place),
                        )
                        .related(span.clone(), "the other one")
                        .help("give each a table of its own: a route's `auth` may name several, and any one of them lets in"),
                    );
                }
                None
            }
        }
    }

    /// `auth` of a route, which has it; `None` where it is wrong.
    pub(super) fn route_auth(&mut self, section: &Section) -> Option<Box<RouteAuth>> {
        let mut ids: Option<Vec<AuthId>> = Some(Vec::new());
        for (name, span) in section.items::<String>("auth")? {
            let index = self.auth_sections.iter().position(|one| one.name == name);
            match (index, &mut ids) {
                (Some(index), Some(ids)) if !ids.contains(&AuthId(index)) => {
                    ids.push(AuthId(index));
                }
                (Some(_), _) => {}
                (None, _) => {
                    self.unknown_name("auth", &name, &span, self.auth_sections);
                    ids = None;
                }
            }
        }
        // What of the list was reported is missing from it.
        let any = ids.filter(|ids| !ids.is_empty())?;
        let built = any
            .iter()
            .map(|id| self.auths.get(id.0)?.as_ref())
            .collect::<Option<Vec<_>>>()?;
        let mut dropped: Vec<Box<str>> = built.iter().flat_map(|auth| auth.own_fields()).collect();
        dropped.sort_unstable();
        dropped.dedup();
        Some(Box::new(RouteAuth {
            any: any.into(),
            dropped: dropped.into(),
        }))
    }

    pub(super) fn unused_auths(&mut self, file: &Section) {
        let routes = file.tables("routes");
        if is_wrong(file, "routes") || routes.iter().any(|route| is_wrong(route, "auth")) {
            return;
        }
        for section in file.tables("auth") {
            let names = |route: &Section| {
                let names = route
                    .set_at("auth")
                    .and_then(|_| route.items::<String>("auth"));
                names.is_some_and(|names| names.iter().any(|(name, _)| *name == section.name))
            };
            if !routes.iter().any(names) {
                self.findings.push(
                    Diagnostic::warning(
                        section.span.clone(),
                        format!("no route asks for `{}`: it keeps nobody out", section.name),
                    )
                    .help(format!(
                        "a route asks for it by `auth = [\"{}\"]`",
                        section.name
                    )),
                );
            }
        }
    }
}
