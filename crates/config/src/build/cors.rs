//! `cors` and `security-headers` of a route.

use std::time::Duration;

use sluice_route::{Pattern, Template};

use super::Builder;
use super::edits::Gathered;
use crate::diagnostic::Diagnostic;
use crate::plan::{Cors, Origins};
use crate::read::{Section, Typed, nothing_set};
use crate::schema::keys;

impl Builder<'_> {
    /// `route` is the whole of the route.
    pub(super) fn cors(&mut self, section: &Section, route: &Section) -> Option<Cors> {
        let origins = section.items::<Pattern>("origins")?;
        let credentials = section.value("credentials")?;
        let any = origins.iter().find(|(origin, _)| origin.as_str() == "*");
        if let Some((_, span)) = any
            && credentials
        {
            let what = "whoever has a page could act for its visitors: `credentials` needs origins that are named";
            let at = section.set_at("credentials").cloned().unwrap_or_default();
            self.findings.push(
                Diagnostic::error(at, what)
                    .related(span.clone(), "everybody's")
                    .help("`origins = [\"https://app.example.com\"]`, for example"),
            );
            return None;
        }
        self.is_never_asked(section, route);
        let origins = match any {
            Some(_) => Origins::Any,
            None => Origins::Of(origins.into_iter().map(|(origin, _)| origin).collect()),
        };
        let max_age: Duration = section.value("max-age")?;
        Some(Cors {
            origins,
            methods: joined(section, "methods")??,
            headers: joined(section, "headers")?,
            expose: joined(section, "expose-headers")?,
            credentials,
            max_age: max_age.as_secs(),
        })
    }

    /// Browsers ask with `OPTIONS`, which the route may not be for.
    fn is_never_asked(&mut self, section: &Section, route: &Section) {
        let matched = route.table("match");
        let methods = matched.filter(|matched| matched.set_at("method").is_some());
        let Some(methods) = methods.and_then(|matched| matched.items::<String>("method")) else {
            return;
        };
        if let [(_, first), ..] = methods.as_slice()
            && !methods.iter().any(|(method, _)| method == "OPTIONS")
        {
            let what = "what browsers ask beforehand never gets here: they ask with `OPTIONS`";
            let help = "add it to `match.method`";
            self.findings.push(
                Diagnostic::warning(section.span.clone(), what)
                    .related(first.clone(), "the methods of this route")
                    .help(help),
            );
        }
    }

    /// Has `gathered` set what the route's `security-headers` say.
    pub(super) fn security_headers(route: &Section, gathered: &mut Gathered) -> Option<()> {
        let usual;
        let section = match &route.read("security-headers")?.typed {
            Typed::Flag(true) => {
                usual = nothing_set(&keys::SECURITY_HEADERS);
                &usual
            }
            Typed::Table(section) => section,
            _ => return Some(()),
        };
        let mut set = |name: &str, value: &str| gathered.set(name, Template::literal(value));
        if section.value("nosniff")? {
            set("x-content-type-options", "nosniff");
        }
        match section.value("frame-options")? {
            "deny" => set("x-frame-options", "DENY"),
            "same-origin" => set("x-frame-options", "SAMEORIGIN"),
            _ => {}
        }
        match section.value("referrer-policy")? {
            "off" => {}
            policy => set("referrer-policy", policy),
        }
        for name in ["content-security-policy", "permissions-policy"] {
            if section.set_at(name).is_some() {
                set(name, &section.value::<String>(name)?);
            }
        }
        Some(())
    }
}

/// The items of a list as a field says them, if it is set or has a default; `None` on the outside where it is wrong.
#[expect(
    clippy::option_option,
    reason = "the outer says whether it is right, the inner whether it is there"
)]
fn joined(section: &Section, key: &str) -> Option<Option<Box<str>>> {
    if section.read(key).is_none() {
        return section.set_at(key).is_none().then_some(None);
    }
    let items = section.items::<String>(key)?;
    let words: Vec<String> = items.into_iter().map(|(item, _)| item).collect();
    Some(Some(words.join(", ").into()))
}
