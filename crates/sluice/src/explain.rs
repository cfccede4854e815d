//! `sluice explain`: which route, upstream and server a request would get, and why.

mod access;
mod auth;
mod changes;
mod identity;
mod limits;
mod passthrough;
mod servers;
mod session;
mod split;
mod sticky;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;
use sluice_config::Plan;
use sluice_config::plan::{Action, Fallback, HttpListener, Listener, Mirror, Protocol, Route};
use sluice_control::Source;
use sluice_model::BindAddress;
use sluice_route::{Captures, Facts, NoFields, Scheme, normalise_path};

use crate::command_line::ExplainArguments;
use crate::{USAGE, check};
use identity::Claimed;
use servers::Servers;

pub(crate) fn explain(arguments: &ExplainArguments) -> ExitCode {
    let asked = match Asked::of(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    let loaded = match Source::File(arguments.config.clone()).load() {
        Ok(loaded) => loaded,
        Err(error) => {
            check::tell(&error);
            return ExitCode::FAILURE;
        }
    };
    let mut servers = Servers::of_the_file();
    if arguments.live {
        servers = match Servers::live(&arguments.config) {
            Ok(live) => live,
            Err(code) => return code,
        };
    }
    let answer = match &asked {
        Asked::Request(request) => answer(&loaded.plan, request, arguments, &servers),
        Asked::Connection(connection) => connection.answer(&loaded.plan, arguments, &servers),
        Asked::Session(session) => session.answer(&loaded.plan, arguments, &servers),
    };
    match answer {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

/// What is asked about.
enum Asked {
    Request(Request),
    Connection(passthrough::Connection),
    Session(session::Session),
}

impl Asked {
    fn of(arguments: &ExplainArguments) -> anyhow::Result<Self> {
        if let Some(url) = &arguments.url {
            return Request::of(url, arguments).map(Self::Request);
        }
        let url = &arguments.method;
        match url.split_once("://") {
            Some(("tls", authority)) => {
                passthrough::Connection::of(authority).map(Self::Connection)
            }
            Some(("tcp", authority)) => {
                session::Session::of(session::Transport::Tcp, authority).map(Self::Session)
            }
            Some(("udp", authority)) => {
                session::Session::of(session::Transport::Udp, authority).map(Self::Session)
            }
            _ => bail!(
                "`{url}` is no method with a URL behind it, and no `tcp://HOST:PORT`, `udp://HOST:PORT` or `tls://NAME:PORT`: see `sluice explain --help`"
            ),
        }
    }
}

/// The parts of `NAME:PORT`; either may be left away.
fn name_and_port(authority: &str) -> anyhow::Result<(&str, Option<u16>)> {
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            let number = port.parse();
            let number = number.with_context(|| format!("`{port}` is no port"))?;
            Ok((name, Some(number)))
        }
        _ => Ok((authority, None)),
    }
}

/// What is known of a connection or a session that is no request.
fn no_request(client: IpAddr) -> Facts<'static> {
    Facts {
        host: "",
        path: "",
        query: None,
        method: "",
        fields: &NoFields,
        client,
        scheme: Scheme::Http,
        tls_subject: None,
        countries: None,
        json: None,
        identity: None,
    }
}

/// A request as typed.
struct Request {
    method: String,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
    fields: Vec<(String, String)>,
    scheme: Scheme,
    json: Option<Value>,
    claims: Claimed,
}

impl Request {
    fn of(url: &str, arguments: &ExplainArguments) -> anyhow::Result<Self> {
        let (scheme, rest) = url
            .split_once("://")
            .with_context(|| format!("`{url}` is no URL: write it as http://host/path"))?;
        let (scheme, default_port) = match scheme {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => bail!("`{scheme}` is not http or https"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let port = match authority.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port
                .parse()
                .with_context(|| format!("`{port}` is no port"))?,
            _ => default_port,
        };
        let mut fields = Vec::new();
        for header in &arguments.headers {
            let (name, value) = header.split_once(':').with_context(|| {
                format!("`{header}` is no header field: write it as `name: value`")
            })?;
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let named_host = fields
            .iter()
            .position(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map(|position| fields.remove(position).1);
        Ok(Self {
            method: arguments.method.clone(),
            host: named_host.unwrap_or_else(|| authority.to_owned()),
            port,
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            query,
            fields,
            scheme,
            json: json_of(arguments)?,
            claims: Claimed::of(&arguments.claims)?,
        })
    }
}

/// The body that routes may look into.
fn json_of(arguments: &ExplainArguments) -> anyhow::Result<Option<Value>> {
    let body = arguments.json.as_deref();
    body.map(|body| serde_json::from_str(body).context("the body is not JSON"))
        .transpose()
}

fn answer(
    plan: &Plan,
    request: &Request,
    arguments: &ExplainArguments,
    servers: &Servers,
) -> anyhow::Result<String> {
    let (listener, http) = choose(plan, request, arguments.listener.as_deref())?;
    let mut text = String::new();
    writeln!(text, "listener  {} ({})", listener.name, listener.address)?;
    let trusted = if http.trusts(arguments.client_ip) {
        "trusted: its X-Forwarded-* fields are passed on"
    } else {
        "not trusted: its X-Forwarded-* fields are replaced"
    };
    let country = plan.countries.as_ref().map(|countries| {
        let country = countries.lookup.country_of(arguments.client_ip);
        country.map_or("of no known country".to_owned(), |country| {
            format!("of country {country}")
        })
    });
    let country = country.map_or(String::new(), |country| format!("{country}; "));
    writeln!(
        text,
        "client    {} ({country}{trusted})",
        arguments.client_ip
    )?;
    let mut buffer = String::new();
    let path = match normalise_path(&request.path, &mut buffer) {
        Ok(path) => path,
        Err(error) => {
            writeln!(text, "refused   400: {error}")?;
            return Ok(text);
        }
    };
    if path != request.path {
        writeln!(text, "path      {} is matched as {path}", request.path)?;
    }
    let facts = Facts {
        host: &request.host,
        path,
        query: request.query.as_deref(),
        method: &request.method,
        fields: &request.fields,
        client: arguments.client_ip,
        scheme: request.scheme,
        tls_subject: arguments.tls_subject.as_deref(),
        countries: plan.countries.as_ref().map(|one| &*one.lookup as _),
        json: request.json.as_ref(),
        identity: Some(&request.claims),
    };
    let verdicts = http.router.explain(&facts);
    let mut captures = Captures::new();
    let found = http.router.find(&facts, &mut captures);
    let shown = found.map_or(verdicts.len(), |found| found + 1);
    for (id, verdict) in http.routes.iter().zip(&verdicts).take(shown) {
        let name = plan.routes.get(id.0).map_or("", |route| &*route.name);
        if verdict.matches() {
            writeln!(text, "route     {name}: matches")?;
        }
        for mismatch in &verdict.mismatches {
            writeln!(text, "route     {name}: no, {mismatch}")?;
        }
    }
    let route = found
        .and_then(|found| http.routes.get(found))
        .and_then(|id| plan.routes.get(id.0));
    match route {
        Some(route) => {
            if !access::describe(&route.access, &facts, &mut text)? {
                return Ok(text);
            }
            if !changes::describe_cors(route, &facts, &mut text)? {
                return Ok(text);
            }
            auth::describe(plan, route, &mut text)?;
            let identity = request.claims.let_in(plan, route);
            let facts = Facts {
                identity: Some(&identity),
                ..facts
            };
            limits::describe(plan, route, &facts, &mut text)?;
            changes::describe(route, &facts, &captures, &mut text)?;
            describe(plan, route, &facts, servers, &mut text)?;
        }
        None => writeln!(text, "answer    404: no route matches")?,
    }
    Ok(text)
}

fn choose<'p>(
    plan: &'p Plan,
    request: &Request,
    name: Option<&str>,
) -> anyhow::Result<(&'p Listener, &'p HttpListener)> {
    let http: Vec<_> = plan
        .listeners
        .iter()
        .filter_map(|listener| match &listener.protocol {
            Protocol::Http(http) => Some((listener, http)),
            Protocol::Tcp(_) | Protocol::Udp(_) => None,
        })
        .collect();
    if let Some(name) = name {
        return http
            .into_iter()
            .find(|(listener, _)| &*listener.name == name)
            .with_context(|| format!("there is no http listener `{name}`"));
    }
    http.iter()
        .find(|(listener, _)| has_port(listener, request.port))
        .or(http.first())
        .copied()
        .context("the file has no http listener")
}

fn has_port(listener: &Listener, port: u16) -> bool {
    match &listener.address {
        BindAddress::AllInterfaces { port: bound } => *bound == port,
        BindAddress::Ip(address) => address.port() == port,
        BindAddress::Unix(_) => false,
    }
}

fn describe(
    plan: &Plan,
    route: &Route,
    facts: &Facts<'_>,
    servers: &Servers,
    text: &mut String,
) -> std::fmt::Result {
    let mut upstreams: Vec<_> = route.action.upstreams().collect();
    match &route.action {
        Action::Respond(respond) => {
            return writeln!(text, "answer    {} by sluice itself", respond.status);
        }
        Action::Redirect(redirect) => {
            return writeln!(text, "answer    {}, a redirect", redirect.status);
        }
        Action::Forward(_) => {}
        Action::Split(split) => {
            if let Some(side) = split::describe(split, servers.split(&route.name), facts, text)? {
                upstreams = upstreams.into_iter().skip(side).take(1).collect();
            }
        }
    }
    for upstream in upstreams.iter().filter_map(|id| plan.upstreams.get(id.0)) {
        servers.describe(upstream, "requests", text)?;
        let secret = plan.runtime.secret_key.as_ref();
        if !sticky::describe(upstream, secret, facts, servers, text)? {
            servers.describe_choice(upstream, facts, text)?;
        }
    }
    describe_fallback(plan, route, text)?;
    describe_mirror(plan, route, text)
}

fn describe_mirror(plan: &Plan, route: &Route, text: &mut String) -> std::fmt::Result {
    let upstream = |mirror: Mirror| plan.upstreams.get(mirror.upstream.0);
    match route
        .mirror
        .and_then(|mirror| Some((mirror, upstream(mirror)?)))
    {
        Some((mirror, upstream)) => writeln!(
            text,
            "mirror    {}% of the requests to upstream {}, whose answers nobody sees",
            mirror.share.percent(),
            upstream.name
        ),
        None => Ok(()),
    }
}

fn describe_fallback(plan: &Plan, route: &Route, text: &mut String) -> std::fmt::Result {
    match &route.fallback {
        Some(Fallback::Upstream(id)) => match plan.upstreams.get(id.0) {
            Some(upstream) => writeln!(text, "fallback  upstream {}", upstream.name),
            None => Ok(()),
        },
        Some(Fallback::Answer(answer)) => {
            writeln!(text, "fallback  {} by sluice itself", answer.status)
        }
        None => Ok(()),
    }
}
