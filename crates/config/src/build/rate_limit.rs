//! `[rate-limits.NAME]`, and those that a route names.

use std::sync::Arc;
use std::time::Duration;

use sluice_limit::{Quota, QuotaError, Rate};

use sluice_model::Share;
use sluice_route::Conditions;

use super::Builder;
use super::matching::{conditions, items};
use crate::diagnostic::Diagnostic;
use crate::plan::{KeyPart, LimitClass, LimitId, LimitKey, Over, RateLimit, SharedLimit};
use crate::read::{Section, Typed};

impl Builder<'_> {
    pub(super) fn rate_limit(&mut self, section: &Section) -> Option<RateLimit> {
        self.limits_nothing(section);
        let quota = section.set_at("rate").map(|_| self.quota(section, section));
        let classes = self.classes(section);
        let over = self.over(section);
        let shared = self.shared_limit(section);
        let parts = section.items::<KeyPart>("key")?.into_iter();
        let key = LimitKey {
            parts: parts.map(|(part, _)| part).collect(),
            ipv4_prefix: section.value("ipv4-prefix")?,
            ipv6_prefix: section.value("ipv6-prefix")?,
        };
        Some(RateLimit {
            name: section.name.as_str().into(),
            key,
            classes: classes?,
            quota: match quota {
                Some(quota) => Some(quota?),
                None => None,
            },
            max_concurrent: section.value("max-concurrent"),
            over: over?,
            dry_run: section.value("dry-run")?,
            allow: items(section, "allow")?,
            fields: section.value("fields")?,
            max_keys: section.value("max-keys")?,
            shared: shared?,
        })
    }

    /// What a route names.
    pub(super) fn route_limits(&mut self, route: &Section) -> Option<Vec<LimitId>> {
        if route.set_at("rate-limits").is_none() {
            return Some(Vec::new());
        }
        let mut limits = Vec::new();
        let mut all_found = true;
        for (name, span) in route.items::<String>("rate-limits")? {
            let mut known = self.rate_limits.iter();
            let Some(index) = known.position(|limit| limit.name == name) else {
                all_found = false;
                self.unknown_name("rate-limit", &name, &span, self.rate_limits);
                continue;
            };
            if limits.contains(&LimitId(index)) {
                let message = format!("rate limit `{}` is named twice", self.written(&span));
                self.findings.error(&span, message);
            }
            limits.push(LimitId(index));
        }
        // Those that go by who the client is come after all that can be counted before that is known.
        let limit_of = |id: &LimitId| self.limits.get(id.0)?.as_ref();
        limits.sort_by_key(|id| limit_of(id).is_some_and(RateLimit::goes_by_identity));
        all_found.then_some(limits)
    }

    /// Those that no route names. Where a name leads nowhere, it may be that of one of them.
    pub(super) fn unused_limits(&mut self, file: &Section) {
        let mut named = Vec::new();
        for route in file.tables("routes") {
            if route.set_at("rate-limits").is_some() {
                named.extend(route.items::<String>("rate-limits").unwrap_or_default());
            }
        }
        let is_known = |name: &str| self.rate_limits.iter().any(|one| one.name == name);
        if !named.iter().all(|(name, _)| is_known(name)) {
            return;
        }
        for section in self.rate_limits {
            if !named.iter().any(|(name, _)| *name == section.name) {
                let message = format!("rate limit `{}` is never used", section.name);
                let report = Diagnostic::warning(section.span.clone(), message);
                let help = format!("a route names it: `rate-limits = [\"{}\"]`", section.name);
                self.findings.push(report.help(help));
            }
        }
    }

    /// The inner `None` is the memory of this process.
    #[expect(clippy::option_option, reason = "the outer is whether it is right")]
    fn shared_limit(&mut self, section: &Section) -> Option<Option<SharedLimit>> {
        let (store, span) = section.with_span::<Arc<str>>("store")?;
        let alone = section.value::<Share>("share-when-alone")?.percent();
        if &*store == "local" {
            self.out_of_place(section, &["share-when-alone"], |key| {
                let message = format!("`{key}` has no effect without a `store`");
                Diagnostic::warning(0..0, message)
            });
            return Some(None);
        }
        let stores = self.stores;
        if !stores.iter().any(|known| *known.name == *store) {
            self.unknown_name("store", &store, span, stores);
            return None;
        }
        if section.value::<&str>("over") == Some("delay") {
            let at = section.set_at("over").cloned().unwrap_or_default();
            let message = "turns are given by one balancer, not by several with a `store`";
            self.findings.error(&at, message);
        }
        if section.value("fields") == Some(true) {
            let at = section.set_at("fields").cloned().unwrap_or_default();
            let message =
                "how clients stand is not known here where the limit is counted in a `store`";
            self.findings.error(&at, message);
        }
        Some(Some(SharedLimit { store, alone }))
    }

    fn limits_nothing(&mut self, section: &Section) {
        let limits = ["rate", "classes", "max-concurrent"];
        if limits.iter().all(|key| section.set_at(key).is_none()) {
            let message = format!("{} does not say what it limits", section.place);
            let report = Diagnostic::error(section.span.clone(), message);
            let help = "set `rate = \"100/m\"`, or `max-concurrent`, or both";
            self.findings.push(report.help(help));
        }
    }

    fn classes(&mut self, limit: &Section) -> Option<Vec<LimitClass>> {
        if limit.set_at("classes").is_none() {
            return Some(Vec::new());
        }
        let Typed::List(classes) = &limit.read("classes")?.typed else {
            return None;
        };
        let class = |read: &crate::read::Read| match &read.typed {
            Typed::Table(class) => self.class(class, limit),
            _ => None,
        };
        let classes: Vec<_> = classes.iter().map(class).collect();
        classes.into_iter().collect()
    }

    fn class(&mut self, class: &Section, limit: &Section) -> Option<LimitClass> {
        let quota = self.quota(class, limit);
        let for_whom = ["match", "auth", "auth-name"];
        if for_whom.iter().all(|key| class.set_at(key).is_none()) {
            let message = "this class does not say for whom it is";
            let report = Diagnostic::error(class.span.clone(), message);
            let help = "set `match`, `auth` or `auth-name`, or several of them";
            self.findings.push(report.help(help));
            return None;
        }
        Some(LimitClass {
            conditions: match class.table("match") {
                Some(table) => conditions(table)?,
                None if class.set_at("match").is_some() => return None,
                None => Conditions::default(),
            },
            auths: self.class_auths(class)?,
            names: items(class, "auth-name")?,
            quota: quota?,
        })
    }

    /// `auth` of a class; `None` where one is not known.
    fn class_auths(&mut self, class: &Section) -> Option<Vec<Box<str>>> {
        if class.set_at("auth").is_none() {
            return Some(Vec::new());
        }
        let auths = class.items::<String>("auth")?;
        let mut all_found = true;
        for (name, span) in &auths {
            if !self.auth_sections.iter().any(|one| one.name == *name) {
                all_found = false;
                self.unknown_name("auth", name, span, self.auth_sections);
            }
        }
        all_found.then(|| auths.into_iter().map(|(name, _)| name.into()).collect())
    }

    /// Of a limit itself or of one of its classes.
    fn quota(&mut self, section: &Section, limit: &Section) -> Option<Quota> {
        let (rate, span) = section.with_span::<Rate>("rate")?;
        let burst = section.value("burst").unwrap_or(rate.count());
        let algorithm = limit.value("algorithm")?;
        let quota = match algorithm {
            "sliding-window" => Quota::sliding_window(rate),
            "fixed-window" => Quota::fixed_window(rate),
            _ => Quota::token_bucket(rate, burst),
        };
        if algorithm != "token-bucket" {
            self.out_of_place(section, &["burst"], |_| {
                let message = format!("`burst` has no effect with `{algorithm}`");
                Diagnostic::warning(0..0, message).help(
                    "a window holds as many as `rate` says; `token-bucket` has a burst of its own",
                )
            });
        }
        let at = match quota {
            Err(QuotaError::SlowBucket) => section.set_at("burst").unwrap_or(span),
            _ => span,
        };
        quota
            .map_err(|error| self.findings.error(at, error.to_string()))
            .ok()
    }

    fn over(&mut self, section: &Section) -> Option<Over> {
        let is_delay = section.value::<&str>("over")? == "delay";
        if !is_delay {
            self.out_of_place(section, &["max-delay", "max-waiting"], |key| {
                let message = format!("`{key}` has no effect without `over = \"delay\"`");
                Diagnostic::warning(0..0, message)
            });
            return Some(Over::Refuse);
        }
        let algorithm = section.value::<&str>("algorithm")?;
        if algorithm != "token-bucket" {
            let at = section.set_at("over").cloned().unwrap_or_default();
            let message = format!("a `{algorithm}` gives nobody a turn to wait for");
            let report = Diagnostic::error(at, message);
            self.findings.push(report.help(
                "with `token-bucket` requests can be delayed, each until there is a token for it",
            ));
            return None;
        }
        Some(Over::Delay {
            longest: section.value::<Duration>("max-delay")?,
            waiting: section.value("max-waiting")?,
        })
    }
}
