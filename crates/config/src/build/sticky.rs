//! `sticky` of `[upstreams.NAME]`

use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{Remembered, SameSite, SessionKey, Sticky, StickyCookie};
use crate::read::{Section, Typed};

impl Builder<'_> {
    /// `upstream` is the whole of the upstream.
    pub(super) fn sticky(&mut self, section: &Section, upstream: &Section) -> Option<Sticky> {
        let set: Vec<_> = WAYS
            .iter()
            .filter_map(|way| Some((*way, section.set_at(way)?)))
            .filter(|(way, _)| *way != "client-ip" || section.value("client-ip") != Some(false))
            .collect();
        match set.as_slice() {
            [] => {
                self.findings.push(
                    Diagnostic::error(
                        section.span.clone(),
                        "it is not said by what a client is known again",
                    )
                    .help("set one of `cookie`, `app-cookie`, `header` and `client-ip`; `cookie = \"sluice\"` needs nothing else"),
                );
                return None;
            }
            [_] => {}
            [(first, first_at), rest @ ..] => {
                for (way, at) in rest {
                    self.findings.push(
                        Diagnostic::error(
                            (*at).clone(),
                            format!("`{way}` and `{first}` cannot both say where a session is"),
                        )
                        .related((*first_at).clone(), "the other one")
                        .help("leave one of them out"),
                    );
                }
                return None;
            }
        }
        let store = self.sticky_store(section)?;
        if section.set_at("cookie").is_some() {
            self.nothing_is_remembered(section);
            return self.sticky_cookie(section, upstream).map(Sticky::Cookie);
        }
        let by = if section.set_at("app-cookie").is_some() {
            SessionKey::AppCookie(section.value("app-cookie")?)
        } else if section.set_at("header").is_some() {
            SessionKey::Header(section.value("header")?)
        } else {
            section.value::<bool>("client-ip")?;
            SessionKey::ClientIp
        };
        Some(Sticky::Remembered(Remembered {
            by,
            ttl: section.value("ttl")?,
            max_sessions: section.value("max-sessions")?,
            store,
        }))
    }

    /// A cookie says it all.
    fn nothing_is_remembered(&mut self, section: &Section) {
        for key in ["ttl", "max-sessions"] {
            let Some(at) = section.set_at(key) else {
                continue;
            };
            let what = format!("`{key}` has no effect: with `cookie` nothing is remembered here");
            let report = Diagnostic::warning(at.clone(), what);
            self.findings.push(if key == "ttl" {
                report.help("the cookie has one of its own: `cookie = { ttl = \"1h\" }`")
            } else {
                report
            });
        }
    }

    /// The store that it names; the inner `None` is the memory of this process.
    #[expect(clippy::option_option, reason = "the outer is whether it is right")]
    fn sticky_store(&mut self, section: &Section) -> Option<Option<Arc<str>>> {
        let (name, span) = section.with_span::<Arc<str>>("store")?;
        if &*name == "local" {
            return Some(None);
        }
        let stores = self.stores;
        if !stores.iter().any(|store| *store.name == *name) {
            self.unknown_name("store", &name, span, stores);
            return None;
        }
        // Cookies are good without one, only not elsewhere.
        if self.secret_key.is_none() && section.set_at("cookie").is_none() {
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    "balancers find each other's sessions by the same `secret-key`, and there is none",
                )
                .help("set `secret-key = \"${SLUICE_SECRET_KEY}\"` in `[runtime]`, the same on each"),
            );
            return None;
        }
        Some(Some(name))
    }

    fn sticky_cookie(&mut self, section: &Section, upstream: &Section) -> Option<StickyCookie> {
        let named_after_upstream = || format!("sluice-{}", upstream.name).into();
        let table = match &section.read("cookie")?.typed {
            Typed::Text(name) => {
                return Some(StickyCookie {
                    name: name.as_str().into(),
                    ttl: None,
                    domain: None,
                    path: "/".into(),
                    same_site: SameSite::Lax,
                    secure: None,
                });
            }
            Typed::Table(table) => table,
            _ => return None,
        };
        let name = match table.set_at("name") {
            Some(_) => table.value("name")?,
            None => named_after_upstream(),
        };
        let ttl: Option<Duration> = table.value("ttl");
        let cookie = StickyCookie {
            name,
            ttl,
            domain: table.value("domain"),
            path: table.value("path")?,
            same_site: match table.value("same-site")? {
                "strict" => SameSite::Strict,
                "none" => SameSite::None,
                _ => SameSite::Lax,
            },
            secure: table.value("secure"),
        };
        self.browsers_take(&cookie, table);
        Some(cookie)
    }

    /// What browsers would drop (RFC 6265bis, 5.7).
    fn browsers_take(&mut self, cookie: &StickyCookie, table: &Section) {
        let mut drops = |key: &str, what: &str, help: &str| {
            let span = table.set_at(key).unwrap_or(&table.span);
            let report = Diagnostic::error(span.clone(), what);
            self.findings.push(report.help(help));
        };
        if cookie.same_site == SameSite::None && cookie.secure == Some(false) {
            drops(
                "secure",
                "browsers drop a cookie with `same-site = \"none\"` that is not `secure`",
                "set `secure = true`, or leave `same-site` at `\"lax\"`",
            );
        }
        let begins = |prefix: &str| {
            let start = cookie.name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if (begins("__Secure-") || begins("__Host-")) && cookie.secure != Some(true) {
            drops(
                "name",
                "browsers drop a cookie of this name that is not `secure`",
                "set `secure = true`",
            );
        }
        if begins("__Host-") && (cookie.domain.is_some() || &*cookie.path != "/") {
            drops(
                "name",
                "browsers drop a cookie whose name begins with `__Host-` and that has a `domain` or another `path` than `/`",
                "leave them out, or choose another name",
            );
        }
    }
}

const WAYS: [&str; 4] = ["cookie", "app-cookie", "header", "client-ip"];
