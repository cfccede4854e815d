//! The fifth stage: what can only be seen when the parts stand side by side.

mod acme;

use sluice_model::{BindAddress, ServerAddress};
use sluice_route::{Conditions, PathPattern};

use crate::build::{HalfListener, HalfRoute};
use crate::diagnostic::{Diagnostic, Findings, Span};
use crate::plan::{Action, HashKey, SendProxyProtocol, Server, Upstream};
use crate::read::{Section, Typed};

/// Reports what does not go together. Parts that could not be built are `None`.
pub(crate) fn check(
    file: &Section,
    listeners: &[Option<HalfListener>],
    routes: &[Option<HalfRoute>],
    upstreams: &[Option<Upstream>],
    findings: &mut Findings,
) {
    addresses(file, findings);
    datagrams(file, listeners, upstreams, findings);
    names(routes, findings);
    listeners_without_routes(file, listeners, routes, findings);
    unreachable(routes, findings);
    redirect_loops(routes, findings);
    own_servers(file, listeners, routes, upstreams, findings);
    keys_of_connections(file, listeners, findings);
    acme::orders(file, listeners, findings);
}

/// An address can be bound once, by TCP and by UDP each.
fn addresses(file: &Section, findings: &mut Findings) {
    let mut taken: Vec<Bound<'_>> = Vec::new();
    for section in file.tables("listeners").iter().chain(file.table("admin")) {
        let Some((address, at)) = section.with_span::<BindAddress>("address") else {
            continue;
        };
        let (tcp, udp) = transports(section, at);
        let bound = Bound { address, tcp, udp };
        if let Some(report) = taken.iter().find_map(|first| clash(first, &bound, at)) {
            findings.push(report);
        }
        taken.push(bound);
    }
}

/// What a table binds, and which words of the file ask for it.
struct Bound<'a> {
    address: BindAddress,
    tcp: Option<&'a Span>,
    udp: Option<(Span, bool)>,
}

/// Ports of UDP are others than those of TCP; HTTP/3 takes both. The admin table has no protocol.
fn transports<'a>(section: &Section, at: &'a Span) -> (Option<&'a Span>, Option<(Span, bool)>) {
    let has_protocol = section.shape.key("protocol").is_some();
    if has_protocol && section.value::<&str>("protocol") == Some("udp") {
        return (None, Some((at.clone(), false)));
    }
    let words = has_protocol.then(|| section.items::<&str>("protocols"));
    let mut words = words.flatten().unwrap_or_default().into_iter();
    let h3 = words.find(|(word, _)| *word == "h3");
    (Some(at), h3.map(|(_, span)| (span, true)))
}

fn clash(first: &Bound<'_>, second: &Bound<'_>, at: &Span) -> Option<Diagnostic> {
    if !first.address.conflicts_with(&second.address) {
        return None;
    }
    let by_tcp = first.tcp.filter(|_| second.tcp.is_some());
    if let Some(earlier) = by_tcp {
        let what = match second.address {
            BindAddress::Unix(_) => "this Unix socket",
            _ => "this port",
        };
        let report = Diagnostic::error(at.clone(), format!("{what} is used twice"));
        return Some(report.related(earlier.clone(), "first here"));
    }
    let (Some((earlier, first_is_h3)), Some((span, is_h3))) = (&first.udp, &second.udp) else {
        return None;
    };
    if !first_is_h3 && !is_h3 {
        let report = Diagnostic::error(at.clone(), "this port is used twice");
        return Some(report.related(earlier.clone(), "first here"));
    }
    let label = if *first_is_h3 {
        "`h3` takes it here"
    } else {
        "the udp listener is here"
    };
    let message = if *is_h3 {
        "`h3` needs the udp port that another listener has"
    } else {
        "this udp port is the one that `h3` of another listener needs"
    };
    Some(
        Diagnostic::error(span.clone(), message)
            .related(earlier.clone(), label)
            .help("HTTP/3 comes by UDP to the port of its listener: give the udp listener another port, or leave `h3` out of `protocols`"),
    )
}

/// Datagrams are sent to addresses of the network, with nothing before them.
fn datagrams(
    file: &Section,
    listeners: &[Option<HalfListener>],
    upstreams: &[Option<Upstream>],
    findings: &mut Findings,
) {
    for (section, half) in file.tables("listeners").iter().zip(listeners) {
        let Some(half) = half.as_ref().filter(|half| half.protocol() == "udp") else {
            continue;
        };
        for id in half.upstreams() {
            let (Some(Some(plan)), Some(upstream)) =
                (upstreams.get(id.0), file.tables("upstreams").get(id.0))
            else {
                continue;
            };
            let is_unix = |server: &Server| matches!(server.address, ServerAddress::Unix(_));
            let unix = plan.servers.iter().position(is_unix);
            if let Some(span) = unix.and_then(|server| server_span(upstream, server)) {
                findings.push(
                    Diagnostic::error(span, "datagrams do not go to Unix sockets")
                        .related(section.name_span.clone(), "this udp listener sends here"),
                );
            }
            if plan.send_proxy_protocol != SendProxyProtocol::Off
                && let Some(span) = upstream.set_at("send-proxy-protocol")
            {
                findings.push(
                    Diagnostic::error(
                        span.clone(),
                        "the PROXY protocol is for connections, not for datagrams",
                    )
                    .related(section.name_span.clone(), "this udp listener sends here"),
                );
            }
        }
    }
}

/// Logs and metrics tell routes apart by their names.
fn names(routes: &[Option<HalfRoute>], findings: &mut Findings) {
    for (index, half) in routes.iter().enumerate() {
        let Some(half) = half else { continue };
        let earlier = routes
            .iter()
            .take(index)
            .flatten()
            .find(|other| other.route.name == half.route.name);
        if let Some(other) = earlier {
            let span = half.name_span.as_ref().unwrap_or(&half.span);
            let other = other.name_span.as_ref().unwrap_or(&other.span);
            findings.push(
                Diagnostic::error(span.clone(), "another route has this name already")
                    .related(other.clone(), "first here"),
            );
        }
    }
}

fn listeners_without_routes(
    file: &Section,
    listeners: &[Option<HalfListener>],
    routes: &[Option<HalfRoute>],
    findings: &mut Findings,
) {
    if routes.iter().any(Option::is_none) || routes.is_empty() {
        return;
    }
    for (index, (section, half)) in file.tables("listeners").iter().zip(listeners).enumerate() {
        let is_http = half.as_ref().is_some_and(HalfListener::is_http);
        let has_routes = routes
            .iter()
            .flatten()
            .any(|half| half.listeners.contains(&index));
        if is_http && !has_routes {
            findings.push(Diagnostic::warning(
                section.span.clone(),
                format!(
                    "no route is for listener `{}`, so it answers every request with 404",
                    section.name
                ),
            ));
        }
    }
}

/// A route behind one that takes all its requests, on every listener it is for.
fn unreachable(routes: &[Option<HalfRoute>], findings: &mut Findings) {
    for (index, half) in routes.iter().enumerate() {
        let Some(half) = half else { continue };
        let earlier = || routes.iter().take(index).flatten();
        let mut covering = half.listeners.iter().map(|listener| {
            earlier().find(|other| {
                other.listeners.contains(listener) && other.conditions.covers(&half.conditions)
            })
        });
        // Without listeners the route is wrong for another reason.
        let Some(Some(first)) = covering.next() else {
            continue;
        };
        if covering.all(|other| other.is_some()) {
            findings.push(
                Diagnostic::error(half.span.clone(), "this route is never reached")
                    .related(first.span.clone(), "this route takes all its requests")
                    .help("routes are tried in order: put the narrower one first"),
            );
        }
    }
}

/// A redirect to a path that the same route takes again.
fn redirect_loops(routes: &[Option<HalfRoute>], findings: &mut Findings) {
    for (index, half) in routes.iter().enumerate() {
        let Some(half) = half else { continue };
        let (Action::Redirect(redirect), Some(span)) = (&half.route.action, &half.redirect_span)
        else {
            continue;
        };
        let conditions = &half.conditions;
        // The second request is a GET where the first one was, from the same client and to the same host.
        let again =
            conditions.methods.is_empty() || conditions.methods.iter().any(|m| &**m == "GET");
        if may_change(conditions) || !again {
            continue;
        }
        let takes = |path: &Option<PathPattern>, target: &str| {
            path.as_ref().is_none_or(|pattern| pattern.matches(target))
        };
        let Some(target) = redirect
            .to
            .template()
            .as_literal()
            .filter(|to| to.starts_with('/') && !to.starts_with("//"))
        else {
            continue;
        };
        let target = target.split(['?', '#']).next().unwrap_or(target);
        let taken_before = routes
            .iter()
            .take(index)
            .flatten()
            .any(|other| takes(&other.conditions.path, target));
        if takes(&conditions.path, target) && !taken_before {
            findings.push(
                Diagnostic::error(span.clone(), "this redirect goes round for ever: its target is redirected again by this same route")
                    .help(format!("put a route for `{target}` before it, or narrow its `match.path`")),
            );
        }
    }
}

/// Whether there are conditions on what may be otherwise when a client asks again: it follows `/?old=1` to `/`, or comes with a
/// cookie that it did not have.
fn may_change(conditions: &Conditions) -> bool {
    !(conditions.fields.is_empty()
        && conditions.cookies.is_empty()
        && conditions.parameters.is_empty()
        && conditions.json.is_empty()
        && conditions.not.is_empty()
        && conditions.any.is_empty())
}

/// A server that is the very listener its requests come from.
fn own_servers(
    file: &Section,
    listeners: &[Option<HalfListener>],
    routes: &[Option<HalfRoute>],
    upstreams: &[Option<Upstream>],
    findings: &mut Findings,
) {
    for (index, half) in listeners.iter().enumerate() {
        let Some(half) = half else { continue };
        let by_routes = routes
            .iter()
            .flatten()
            .filter(|route| half.is_http() && route.listeners.contains(&index))
            .flat_map(HalfRoute::upstreams);
        let mut reached: Vec<usize> = by_routes.chain(half.upstreams()).map(|id| id.0).collect();
        reached.sort_unstable();
        reached.dedup();
        for upstream in reached {
            let (Some(Some(plan)), Some(section)) = (
                upstreams.get(upstream),
                file.tables("upstreams").get(upstream),
            ) else {
                continue;
            };
            let itself = plan
                .servers
                .iter()
                .position(|server| is_bound_to(&server.address, half.address()));
            let place = itself.and_then(|server| server_span(section, server));
            let Some(span) = place else { continue };
            let listener = file.tables("listeners").get(index);
            findings.push(
                Diagnostic::error(
                    span,
                    "this server is the listener itself, so its traffic would go round for ever",
                )
                .maybe_related(
                    listener
                        .and_then(|section| section.with_span::<BindAddress>("address"))
                        .map(|(_, span)| span.clone()),
                    "the listener",
                ),
            );
        }
    }
}

/// A tcp connection has an address, and nothing else that could be a key.
fn keys_of_connections(
    file: &Section,
    listeners: &[Option<HalfListener>],
    findings: &mut Findings,
) {
    for (section, half) in file.tables("listeners").iter().zip(listeners) {
        let Some(half) = half else { continue };
        let mut reached = half.upstreams();
        reached.sort_unstable();
        reached.dedup();
        for id in reached {
            let upstream = file.tables("upstreams").get(id.0);
            if let Some(sticky) = upstream.and_then(|upstream| upstream.table("sticky")) {
                sticky_connections(section, half.protocol(), &sticky.span, findings);
            }
            let key = upstream
                .and_then(|upstream| upstream.table("balance"))
                .and_then(|balance| balance.with_span::<HashKey>("key"));
            if let Some((key, span)) = key {
                key_of_connections(section, half.protocol(), &key, span, findings);
            }
        }
    }
}

/// Nothing of a session is known where there are no requests.
fn sticky_connections(listener: &Section, protocol: &str, at: &Span, findings: &mut Findings) {
    let what =
        format!("`sticky` is for http: what a {protocol} listener brings is balanced without it");
    findings.push(
        Diagnostic::warning(at.clone(), what)
            .related(listener.name_span.clone(), "this listener")
            .help("`balance = \"ip-hash\"` keeps the connections of a client on one server"),
    );
}

fn key_of_connections(
    listener: &Section,
    protocol: &str,
    key: &HashKey,
    span: &Span,
    findings: &mut Findings,
) {
    let (noun, sends) = match protocol {
        "udp" => ("datagram", "this udp listener sends datagrams here"),
        _ => ("connection", "this tcp listener sends connections here"),
    };
    let part = match key {
        HashKey::ClientIp => return,
        HashKey::Header(_) => "header",
        HashKey::Cookie(_) => "cookie",
        HashKey::Query(_) => "query",
        HashKey::Claim(_) => "token",
        HashKey::AuthName => "name",
        HashKey::Path => "path",
    };
    findings.push(
        Diagnostic::error(span.clone(), format!("a {protocol} {noun} has no {part}"))
            .related(listener.name_span.clone(), sends)
            .help(format!(
                "`key = \"client-ip\"` is what is known of a {noun}"
            )),
    );
}

/// Whether a connection to `server` from this machine surely reaches what listens on `address`.
fn is_bound_to(server: &ServerAddress, address: &BindAddress) -> bool {
    match (server, address) {
        (ServerAddress::Unix(server), BindAddress::Unix(path)) => server == path,
        (ServerAddress::Ip(server), BindAddress::Ip(bound)) if server.port() == bound.port() => {
            server.ip() == bound.ip()
                || (bound.ip().is_unspecified()
                    && server.ip().is_loopback()
                    && server.is_ipv4() == bound.is_ipv4())
        }
        (ServerAddress::Ip(server), BindAddress::AllInterfaces { port }) => {
            server.ip().is_loopback() && server.port() == *port
        }
        (ServerAddress::Name { host, port }, BindAddress::AllInterfaces { port: bound }) => {
            host == "localhost" && port == bound
        }
        _ => false,
    }
}

fn server_span(section: &Section, index: usize) -> Option<Span> {
    match &section.read("servers")?.typed {
        Typed::List(items) => items.get(index).map(|item| item.span.clone()),
        _ => None,
    }
}
