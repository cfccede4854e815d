//! The fourth stage: the values of the file become the plan. Names turn into indices, conditions are compiled.

mod access;
mod acme;
mod auth;
mod balance;
mod circuit_breaker;
mod cors;
mod early_data;
mod edits;
mod foreign;
mod health;
mod hedge;
mod listener;
mod matching;
mod mirror;
mod ocsp;
mod overload;
mod process;
mod rate_limit;
mod respond;
mod rewrite;
mod route;
mod server_names;
mod split;
mod sticky;
mod store;
mod tls;
mod tries;
mod upstream;
mod upstream_protocol;

use crate::Surroundings;
use crate::check;
use crate::diagnostic::{Diagnostic, Findings, Span};
use crate::plan::{Auth, Plan, RateLimit, RouteId, Secret, UpstreamId};
use crate::read::Section;
use crate::suggest::{all_of, closest};

pub(crate) use listener::HalfListener;
pub(crate) use route::HalfRoute;

/// Builds the plan; `None` where a part of it could not be built, which is then reported.
pub(crate) fn build(
    file: &Section,
    source: &str,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Option<Plan> {
    let runtime = file.table("runtime");
    let zone: Option<String> = runtime.and_then(|table| table.value("zone"));
    let mut builder = Builder {
        source,
        surroundings,
        findings,
        listeners: file.tables("listeners"),
        upstreams: file.tables("upstreams"),
        stores: file.tables("stores"),
        auth_sections: file.tables("auth"),
        auths: Vec::new(),
        rate_limits: file.tables("rate-limits"),
        limits: Vec::new(),
        claims_in_texts: Vec::new(),
        zone: zone.as_deref(),
        balancer: runtime.and_then(|table| table.table("balancer")),
        secret_key: runtime.and_then(|table| table.value("secret-key")),
        unresolved: false,
    };
    // All before the first `?`, so that each reports what is wrong with it.
    let mut upstreams = builder.each(file.tables("upstreams"), Builder::upstream);
    builder.auth(file, &mut upstreams);
    let stores = builder.each(file.tables("stores"), Builder::store);
    builder.limits = builder.each(file.tables("rate-limits"), Builder::rate_limit);
    let listeners = builder.each(file.tables("listeners"), Builder::listener);
    let routes = builder.routes(file);
    let runtime = builder.runtime(file);
    let admin = builder.admin(file);
    builder.unused_auths(file);
    let logs = builder.logs(file);
    let geo = file.table("geo");
    let countries = geo.map(|section| builder.countries(section));
    if countries.is_none() {
        builder.needs_no_countries(file);
    }
    builder.unused_upstreams(file, &listeners, &routes);
    builder.unused_limits(file);
    builder.idle_classes(&routes);
    let auths = std::mem::take(&mut builder.auths);
    let rate_limits = std::mem::take(&mut builder.limits);
    check::check(file, &listeners, &routes, &upstreams, builder.findings);

    let (conditions, routes): (Vec<_>, Vec<_>) = all(routes)?
        .into_iter()
        .map(|half| ((half.conditions, half.listeners), half.route))
        .unzip();
    let listeners = all(listeners)?
        .into_iter()
        .enumerate()
        .map(|(index, half)| {
            let tried = conditions
                .iter()
                .enumerate()
                .filter(|(_, (_, listeners))| listeners.contains(&index))
                .map(|(route, (conditions, _))| (RouteId(route), conditions.clone()));
            half.with_routes(tried)
        })
        .collect();
    Some(Plan {
        listeners,
        routes,
        upstreams: all(upstreams)?,
        countries: match countries {
            Some(countries) => Some(countries?),
            None => None,
        },
        stores: all(stores)?,
        auths: all(auths)?,
        rate_limits: all(rate_limits)?,
        runtime: runtime?,
        admin,
        logs: logs?,
    })
}

/// What all builders need.
struct Builder<'a> {
    source: &'a str,
    surroundings: &'a dyn Surroundings,
    findings: &'a mut Findings,
    listeners: &'a [Section],
    upstreams: &'a [Section],
    stores: &'a [Section],
    auth_sections: &'a [Section],
    /// What came of them; `None` for a wrong one.
    auths: Vec<Option<Auth>>,
    rate_limits: &'a [Section],
    /// What came of them; `None` for a wrong one.
    limits: Vec<Option<RateLimit>>,
    /// Where texts of the route that is being built speak of claims.
    claims_in_texts: Vec<Span>,
    /// `runtime.zone`
    zone: Option<&'a str>,
    /// `runtime.balancer`
    balancer: Option<&'a Section>,
    /// `runtime.secret-key`
    secret_key: Option<Secret>,
    /// Whether a name of an upstream led nowhere. Which upstreams are unused is then not known.
    unresolved: bool,
}

impl Builder<'_> {
    fn each<T>(
        &mut self,
        sections: &[Section],
        mut build: impl FnMut(&mut Self, &Section) -> Option<T>,
    ) -> Vec<Option<T>> {
        sections
            .iter()
            .map(|section| build(self, section))
            .collect()
    }

    /// The upstream that a key names.
    fn named_upstream(&mut self, section: &Section, key: &str) -> Option<UpstreamId> {
        let Some((name, span)) = section.with_span::<String>(key) else {
            self.unresolved = true;
            return None;
        };
        self.upstream_called(&name, span)
    }

    /// The upstream of a name that stands at `span`.
    fn upstream_called(&mut self, name: &str, span: &Span) -> Option<UpstreamId> {
        let mut known = self.upstreams.iter();
        let index = known.position(|upstream| upstream.name == name);
        if index.is_none() {
            self.unresolved = true;
            self.unknown_name("upstream", name, span, self.upstreams);
        }
        index.map(UpstreamId)
    }

    fn unknown_name(&mut self, noun: &str, name: &str, span: &Span, known: &[Section]) {
        let names = || known.iter().map(|section| section.name.as_str());
        let help = match closest(name, names()) {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None if known.is_empty() && noun == "auth" => {
                Some("there is no `[auth.NAME]` in this file".to_owned())
            }
            None if known.is_empty() => Some(format!("there is no `[{noun}s.NAME]` in this file")),
            None if known.len() <= LISTED_NAMES => Some(format!("there is {}", all_of(names()))),
            None => None,
        };
        let message = format!("there is no {noun} `{}`", self.written(span));
        self.findings
            .push(Diagnostic::error(span.clone(), message).maybe_help(help));
    }

    /// What the file says at `span`, without quotes. Messages quote this, not what references stood for.
    fn written(&self, span: &Span) -> String {
        let written = self.source.get(span.clone()).unwrap_or_default();
        written.trim_matches(['"', '\'']).to_owned()
    }

    /// Reports the keys of `keys` that are set, which mean nothing here.
    fn out_of_place(
        &mut self,
        section: &Section,
        keys: &[&str],
        message: impl Fn(&str) -> Diagnostic,
    ) {
        for key in keys {
            if let Some(span) = section.set_at(key) {
                let mut diagnostic = message(key);
                diagnostic.span = Some(span.clone());
                self.findings.push(diagnostic);
            }
        }
    }

    fn unused_upstreams(
        &mut self,
        file: &Section,
        listeners: &[Option<HalfListener>],
        routes: &[Option<HalfRoute>],
    ) {
        let broken = listeners.iter().any(Option::is_none)
            || routes.iter().any(Option::is_none)
            || listeners.is_empty()
            || self.auths.iter().any(Option::is_none)
            || is_wrong(file, "routes");
        if self.unresolved || broken {
            return;
        }
        for (index, section) in file.tables("upstreams").iter().enumerate() {
            let id = UpstreamId(index);
            let asked = self.auths.iter().flatten();
            let used = asked.clone().any(|auth| auth.upstream() == Some(id))
                || listeners
                    .iter()
                    .flatten()
                    .any(|half| half.upstreams().contains(&id))
                || routes
                    .iter()
                    .flatten()
                    .any(|half| half.upstreams().any(|used| used == id));
            if !used {
                self.findings.push(
                    Diagnostic::warning(
                        section.span.clone(),
                        format!("upstream `{}` is never used", section.name),
                    )
                    .help("a route or a tcp listener sends traffic to it by `upstream`"),
                );
            }
        }
    }
}

const LISTED_NAMES: usize = 6;

/// Whether the key is set to something that was reported.
fn is_wrong(section: &Section, key: &str) -> bool {
    section.set_at(key).is_some() && section.read(key).is_none()
}

fn all<T>(parts: Vec<Option<T>>) -> Option<Vec<T>> {
    parts.into_iter().collect()
}
