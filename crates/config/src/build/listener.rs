//! `[listeners.NAME]`

use std::sync::Arc;
use std::time::Duration;

use sluice_model::BindAddress;
use sluice_route::{Conditions, Router};

use super::Builder;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{
    Acme, ConnectionLimits, Http2, Http3, HttpListener, Listener, MinRates, Protocol,
    ProxyProtocol, RouteId, SocketOptions, SourceAddress, TcpTarget, UdpListener, UpstreamId,
};
use crate::read::Section;
use crate::units::ShowSize;

/// A listener that does not know its routes yet.
pub(crate) struct HalfListener(Listener);

impl HalfListener {
    pub(crate) fn is_http(&self) -> bool {
        matches!(self.0.protocol, Protocol::Http(_))
    }

    pub(crate) fn address(&self) -> &BindAddress {
        &self.0.address
    }

    /// Where the connections of a listener without routes go.
    pub(crate) fn upstreams(&self) -> Vec<UpstreamId> {
        match &self.0.protocol {
            Protocol::Tcp(target) => target.upstreams(),
            Protocol::Udp(udp) => vec![udp.upstream],
            Protocol::Http(_) => Vec::new(),
        }
    }

    /// The certificate that it has issued.
    pub(crate) fn acme(&self) -> Option<&Acme> {
        self.0.tls.as_ref()?.acme.as_ref()
    }

    /// What its protocol is called.
    pub(crate) fn protocol(&self) -> &'static str {
        match &self.0.protocol {
            Protocol::Http(_) => "http",
            Protocol::Tcp(_) => "tcp",
            Protocol::Udp(_) => "udp",
        }
    }

    /// Gives an http listener its routes.
    pub(super) fn with_routes(
        mut self,
        tried: impl Iterator<Item = (RouteId, Conditions)>,
    ) -> Listener {
        if let Protocol::Http(http) = &mut self.0.protocol {
            let (routes, conditions) = tried.unzip();
            http.routes = routes;
            http.router = Router::new(conditions);
        }
        self.0
    }
}

impl Builder<'_> {
    pub(super) fn listener(&mut self, section: &Section) -> Option<HalfListener> {
        let protocol = match section.value("protocol")? {
            "tcp" => self.tcp(section),
            "udp" => self.udp(section),
            _ => self.http(section),
        };
        let idle_timeout = match (section.set_at("idle-timeout"), &protocol) {
            (Some(_), _) => section.value("idle-timeout"),
            (None, Some(Protocol::Tcp(_))) => Some(TCP_IDLE_TIMEOUT),
            (None, _) => Some(HTTP_IDLE_TIMEOUT),
        };
        let address: BindAddress = section.value("address")?;
        if matches!(address, BindAddress::Unix(_)) && section.value("protocol") == Some("udp") {
            let at = section.with_span::<BindAddress>("address")?.1;
            self.findings
                .error(at, "datagrams do not come in by Unix sockets");
        } else if matches!(address, BindAddress::Unix(_)) {
            let keys = ["tcp-keep-alive", "fast-open", "defer-accept"];
            self.out_of_place(section, &keys, |key| {
                Diagnostic::warning(0..0, format!("`{key}` has no effect on a Unix socket"))
            });
        }
        let tls = section.table("tls").map(|tls| self.tls(section, tls));
        let tls_is_wrong = section.set_at("tls").is_some() && !matches!(tls, Some(Some(_)));
        if tls_is_wrong {
            return None;
        }
        if section.value("protocol") != Some("http") {
            self.no_early_data(section);
        }
        Some(HalfListener(Listener {
            name: section.name.as_str().into(),
            address,
            socket: socket(section)?,
            proxy_protocol: match section.value("proxy-protocol")? {
                "accept" => ProxyProtocol::Accept,
                "require" => ProxyProtocol::Require,
                _ => ProxyProtocol::Off,
            },
            connection_limits: self.connection_limits(section),
            idle_timeout: idle_timeout?,
            tls: tls.flatten(),
            source_address: match section.value("source-address")? {
                "client" => SourceAddress::Client,
                _ => SourceAddress::Balancer,
            },
            protocol: protocol?,
        }))
    }

    fn connection_limits(&mut self, section: &Section) -> ConnectionLimits {
        if section.value("protocol") == Some("udp") {
            self.out_of_place(section, CONNECTIONS, |key| {
                Diagnostic::error(0..0, format!("`{key}` is not for udp listeners"))
                    .help("the most clients at a time are `max-sessions`")
            });
        }
        let is_behind_proxy = section.value("proxy-protocol") != Some("off");
        if let Some(span) = section
            .set_at("max-connections-per-client")
            .filter(|_| is_behind_proxy)
        {
            let what = "behind a proxy all connections come from one address";
            self.findings.push(
                Diagnostic::error(span.clone(), what)
                    .help("let the proxy limit them, or leave `proxy-protocol` off"),
            );
        }
        ConnectionLimits {
            all: section.value("max-connections"),
            per_client: section.value("max-connections-per-client"),
        }
    }

    fn tcp(&mut self, section: &Section) -> Option<Protocol> {
        self.out_of_place(section, HTTP_ONLY, |key| {
            Diagnostic::error(0..0, format!("`{key}` is for http listeners only"))
        });
        self.out_of_place(section, UDP_ONLY, |key| {
            Diagnostic::error(0..0, format!("`{key}` is for udp listeners only"))
        });
        if section.set_at("sni").is_some() {
            return self.by_name(section).map(Protocol::Tcp);
        }
        self.out_of_place(section, &["hello-timeout"], |key| {
            Diagnostic::error(
                0..0,
                format!("`{key}` is for tcp listeners with `sni` only"),
            )
        });
        self.only_upstream(section)
            .map(|upstream| Protocol::Tcp(TcpTarget::Upstream(upstream)))
    }

    fn udp(&mut self, section: &Section) -> Option<Protocol> {
        let not_udp = [HTTP_ONLY, TCP_ONLY].concat();
        self.out_of_place(section, &not_udp, |key| {
            Diagnostic::error(0..0, format!("`{key}` is not for udp listeners"))
        });
        let upstream = self.only_upstream(section);
        Some(Protocol::Udp(UdpListener {
            upstream: upstream?,
            max_sessions: section.value("max-sessions")?,
            responses: section.value("responses"),
        }))
    }

    /// `upstream`, or the only one there is.
    fn only_upstream(&mut self, section: &Section) -> Option<UpstreamId> {
        if section.set_at("upstream").is_some() {
            return self.named_upstream(section, "upstream");
        }
        match self.upstreams {
            [_] => Some(UpstreamId(0)),
            [] => self.no_upstream(
                section,
                format!(
                    "{} has no upstream to pass connections on to",
                    section.place
                ),
                "add an `[upstreams.NAME]`",
            ),
            _ => self.no_upstream(
                section,
                format!("`upstream` is missing from {}", section.place),
                "there are several upstreams, so it must be said which one connections go to",
            ),
        }
    }

    fn no_upstream(
        &mut self,
        section: &Section,
        message: String,
        help: &str,
    ) -> Option<UpstreamId> {
        self.unresolved = true;
        self.findings
            .push(Diagnostic::error(section.span.clone(), message).help(help));
        None
    }

    fn http(&mut self, section: &Section) -> Option<Protocol> {
        self.out_of_place(section, UDP_ONLY, |key| {
            Diagnostic::error(0..0, format!("`{key}` is for udp listeners only"))
        });
        self.out_of_place(section, &["sni", "hello-timeout"], |key| {
            Diagnostic::error(0..0, format!("`{key}` is for tcp listeners only"))
        });
        self.out_of_place(section, &["source-address"], |key| {
            Diagnostic::error(0..0, format!("`{key}` is for tcp and udp listeners only"))
                .help("servers of http learn of the client by `X-Forwarded-For`")
        });
        self.out_of_place(section, &["upstream"], |key| {
            Diagnostic::error(0..0, format!("`{key}` is for tcp and udp listeners only")).help(
                "requests are sent on by `[[routes]]`; with one upstream and no routes, all go there",
            )
        });
        let max_head: usize = section.value("max-head")?;
        let max_target = if section.set_at("max-target").is_some() {
            let (max_target, span) = section.with_span::<usize>("max-target")?;
            if max_target >= max_head {
                self.target_above_head(section, max_head, span);
            }
            max_target
        } else {
            DEFAULT_MAX_TARGET.min(max_head / 2)
        };
        let speaks = protocols(section)?;
        let h3 = if speaks.contains(&"h3") {
            self.stands_for_http3(section, &speaks);
            Some(http3(section)?)
        } else {
            None
        };
        Some(Protocol::Http(HttpListener {
            h1: speaks.contains(&"h1"),
            h2: if speaks.contains(&"h2") {
                Some(http2(section)?)
            } else {
                None
            },
            alt_svc: h3.and_then(|_| alt_svc(section)),
            h3,
            router: Router::default(),
            routes: Vec::new(),
            trusted_proxies: section
                .items("trusted-proxies")?
                .into_iter()
                .map(|(net, _)| net)
                .collect(),
            via: section.value("via"),
            forwarded: section.value("forwarded")?,
            redirect_to_https: self.redirect_to_https(section),
            guards_certificates: self.listeners.iter().any(asks_for_certificates),
            hsts: section.table("tls").and_then(hsts),
            head_timeout: section.value("head-timeout")?,
            body_timeout: section.value("body-timeout")?,
            json_body_limit: section.value("json-body-limit")?,
            min_rates: MinRates {
                body: section.value("min-body-rate"),
                read: section.value("min-read-rate"),
            },
            tunnel_timeout: section.value("tunnel-timeout")?,
            max_head,
            max_target,
            max_fields: section.value("max-fields")?,
        }))
    }

    /// The port that requests are sent to: that of the https listener, 443 where there are several and one has it.
    fn redirect_to_https(&mut self, section: &Section) -> Option<u16> {
        let (redirects, span) = section.with_span::<bool>("redirect-to-https")?;
        if !redirects {
            return None;
        }
        if section.set_at("tls").is_some() {
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    format!("{} is an https listener itself", section.place),
                )
                .help("`redirect-to-https` belongs to the listener without `tls`"),
            );
            return None;
        }
        let ports: Vec<u16> = self
            .listeners
            .iter()
            .filter(|other| other.set_at("tls").is_some() && other.value("protocol") != Some("tcp"))
            .filter_map(|other| other.value::<BindAddress>("address")?.port())
            .collect();
        if ports.is_empty() {
            self.findings.push(
                Diagnostic::warning(span.clone(), "no http listener of this file has `tls`")
                    .help("clients are sent to port 443 of this host, whatever listens there"),
            );
        }
        let port = ports.iter().find(|port| **port == HTTPS).or(ports.first());
        Some(port.copied().unwrap_or(HTTPS))
    }

    /// HTTP/3 is ciphered always, comes by UDP, and is found by way of the others.
    fn stands_for_http3(&mut self, section: &Section, speaks: &[&str]) {
        let items = section.items::<&str>("protocols").unwrap_or_default();
        let Some((_, span)) = items.into_iter().find(|(word, _)| *word == "h3") else {
            return;
        };
        let mut wrong = |message: &str, help: &str| {
            self.findings
                .push(Diagnostic::error(span.clone(), message).help(help));
        };
        if section.set_at("tls").is_none() {
            wrong(
                "`h3` needs `tls`",
                "QUIC, which it is spoken over, is always ciphered",
            );
        }
        if speaks.iter().all(|version| *version == "h3") {
            wrong(
                "`h3` needs `h1` or `h2` beside it",
                "clients hear of it in answers of the others, and fall back to them where UDP does not get through",
            );
        }
        if matches!(section.value("address"), Some(BindAddress::Unix(_))) {
            wrong("`h3` is not spoken on Unix sockets", "it comes by UDP");
        }
        if section.value("proxy-protocol") == Some("require") {
            wrong(
                "`h3` cannot begin with a PROXY protocol header",
                "who connects by UDP could go around `proxy-protocol = \"require\"`",
            );
        }
    }

    fn target_above_head(&mut self, section: &Section, max_head: usize, span: &Span) {
        let mut diagnostic = Diagnostic::error(
            span.clone(),
            format!(
                "`max-target` is not less than `max-head`, which is {}",
                ShowSize(max_head as u64)
            ),
        )
        .help("the target is a part of the head");
        if section.set_at("max-head").is_some()
            && let Some((_, head)) = section.with_span::<usize>("max-head")
        {
            diagnostic = diagnostic.related(head.clone(), "`max-head` is set here");
        }
        self.findings.push(diagnostic);
    }
}

/// The versions of HTTP that are spoken. Where there is TLS, clients choose among them by ALPN.
fn protocols(section: &Section) -> Option<Vec<&'static str>> {
    if section.set_at("protocols").is_some() {
        let items = section.items("protocols")?;
        return Some(items.into_iter().map(|(word, _)| word).collect());
    }
    Some(match section.set_at("tls") {
        Some(_) => vec!["h1", "h2"],
        None => vec!["h1"],
    })
}

fn http2(section: &Section) -> Option<Http2> {
    let table = section.table("h2")?;
    let window: usize = table.value("initial-window")?;
    Some(Http2 {
        max_concurrent_streams: table.value("max-concurrent-streams")?,
        initial_window: u32::try_from(window).ok()?,
    })
}

fn asks_for_certificates(listener: &Section) -> bool {
    let tls = listener.table("tls");
    tls.is_some_and(|tls| tls.set_at("client-auth").is_some())
}

fn http3(section: &Section) -> Option<Http3> {
    let table = section.table("h3")?;
    let window: usize = table.value("initial-window")?;
    Some(Http3 {
        max_concurrent_streams: table.value("max-concurrent-streams")?,
        initial_window: u32::try_from(window).ok()?,
    })
}

/// RFC 7838, 3: for a day, at this port of the same host.
fn alt_svc(section: &Section) -> Option<Arc<str>> {
    let port = section.value::<BindAddress>("address")?.port()?;
    Some(format!("h3=\":{port}\"; ma=86400").into())
}

/// RFC 6797, 6.1: seconds.
fn hsts(tls: &Section) -> Option<Arc<str>> {
    let age: Duration = tls.value("hsts")?;
    Some(format!("max-age={}", age.as_secs()).into())
}

fn socket(section: &Section) -> Option<SocketOptions> {
    Some(SocketOptions {
        backlog: section.value("backlog")?,
        keep_alive: section.value("tcp-keep-alive")?,
        receive_buffer: section.value("receive-buffer"),
        send_buffer: section.value("send-buffer"),
        fast_open: section.value("fast-open"),
        defer_accept: section.value("defer-accept"),
    })
}

// The defaults that depend on other keys; the schema states them in words.
const HTTP_IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const TCP_IDLE_TIMEOUT: Duration = Duration::from_mins(10);
/// RFC 9110, 4.2.2
const HTTPS: u16 = 443;
const DEFAULT_MAX_TARGET: usize = 16 << 10;

/// What limits connections.
const CONNECTIONS: &[&str] = &["max-connections", "max-connections-per-client"];
const UDP_ONLY: &[&str] = &["max-sessions", "responses"];

/// What there is only where connections are accepted.
const TCP_ONLY: &[&str] = &[
    "sni",
    "hello-timeout",
    "proxy-protocol",
    "backlog",
    "tcp-keep-alive",
    "fast-open",
    "defer-accept",
];

const HTTP_ONLY: &[&str] = &[
    "protocols",
    "h2",
    "h3",
    "trusted-proxies",
    "via",
    "forwarded",
    "redirect-to-https",
    "head-timeout",
    "body-timeout",
    "min-body-rate",
    "min-read-rate",
    "tunnel-timeout",
    "max-head",
    "max-target",
    "max-fields",
];
