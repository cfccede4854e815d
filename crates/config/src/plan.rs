//! The checked plan: what the file means, once nothing in it can be wrong.
//!
//! Names have become indices, texts have become matchers and addresses, every default is resolved. The data plane
//! reads only this. Two plans are compared piece by piece on reload: what is equal is not touched.

mod balance;
mod ocsp;
mod server_names;
mod tls;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sluice_model::{BindAddress, ServerAddress, Weight};
use sluice_route::{Router, Template};

pub use balance::{Balance, HashKey, LoadReport, Queue};
pub use ocsp::{Ocsp, OcspFlaw};
pub use server_names::{Refused, ServerName, ServerNames, TcpTarget};
pub use tls::{
    Acme, Authorities, Certificate, Challenge, ClientAuth, Tls, TlsVersion, UpstreamTls,
};

/// Everything a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In the order of the file.
    pub listeners: Vec<Listener>,
    /// In the order of the file, which is the order they are tried in.
    pub routes: Vec<Route>,
    /// In the order of the file.
    pub upstreams: Vec<Upstream>,
    /// `[runtime]`
    pub runtime: Runtime,
    /// `[admin]`; without it there is no admin listener.
    pub admin: Option<Admin>,
    /// `[logs]`
    pub logs: Logs,
}

impl Plan {
    /// The files beside the configuration file that the plan was made from: they are watched.
    pub fn files(&self) -> Vec<PathBuf> {
        let tls = || self.listeners.iter().filter_map(|one| one.tls.as_ref());
        let upstreams = || self.upstreams.iter().filter_map(|one| one.tls.as_ref());
        let shown = upstreams().filter_map(|tls| tls.certificate.as_ref());
        let certificates = tls().flat_map(|tls| &tls.certificates).chain(shown);
        let authorities = upstreams().filter_map(|tls| tls.authorities.as_ref()?.file.clone());
        let clients = tls()
            .filter_map(|tls| tls.client_auth.as_ref())
            .flat_map(|auth| [auth.authorities.file.clone(), auth.revoked_file.clone()]);
        let directories = tls()
            .filter_map(|tls| tls.acme.as_ref()?.authorities.as_ref())
            .filter_map(|authorities| authorities.file.clone());
        let tickets = tls().filter_map(|tls| tls.ticket_keys_file.clone());
        certificates
            .flat_map(|one| {
                let ocsp = one.ocsp.as_ref().map(|ocsp| ocsp.file.clone());
                [Some(one.cert.clone()), Some(one.key.clone()), ocsp]
            })
            .flatten()
            .chain(tickets)
            .chain(directories)
            .chain(authorities)
            .chain(clients.flatten())
            .collect()
    }
}

/// Index into [`Plan::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

/// Index into [`Plan::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub usize);

/// `[listeners.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The name in the file.
    pub name: Arc<str>,
    /// `address`
    pub address: BindAddress,
    /// The socket's settings. Changed ones need the socket bound anew.
    pub socket: SocketOptions,
    /// `proxy-protocol`
    pub proxy_protocol: ProxyProtocol,
    /// `idle-timeout`: how long a connection may be silent: between two requests for http, in both directions for tcp and
    /// udp.
    pub idle_timeout: Duration,
    /// `tls`; without it nothing is ciphered.
    pub tls: Option<Tls>,
    /// `source-address`: from where connections to servers start; `balancer` for http.
    pub source_address: SourceAddress,
    /// `protocol` with what only that protocol has.
    pub protocol: Protocol,
}

/// Whose address servers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceAddress {
    /// One of this machine.
    Balancer,
    /// The client's (transparent proxying).
    Client,
}

/// What a listener speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum Protocol {
    /// `protocol = "http"`, the default.
    Http(HttpListener),
    /// `protocol = "tcp"`
    Tcp(TcpTarget),
    /// `protocol = "udp"`
    Udp(UdpListener),
}

impl Protocol {
    /// Whether the listener's socket is one for datagrams.
    pub fn is_udp(&self) -> bool {
        matches!(self, Self::Udp(_))
    }
}

/// What a udp listener needs beyond its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpListener {
    /// `upstream`, or the only one there is.
    pub upstream: UpstreamId,
    /// `max-sessions`: over all workers.
    pub max_sessions: usize,
    /// `responses`: answers to each datagram, with the last of which a session ends. `None`: it ends by silence only.
    pub responses: Option<u32>,
}

/// What an http listener needs beyond its socket.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpListener {
    /// The routes of this listener, compiled; what it finds is an index into [`Self::routes`].
    pub router: Router,
    /// The routes in the order in which they are tried.
    pub routes: Vec<RouteId>,
    /// `trusted-proxies`: whose `X-Forwarded-*` and `Forwarded` are believed. `X-Request-ID` is not among them: a plain
    /// one is kept from everyone.
    pub trusted_proxies: Vec<IpNet>,
    /// `via`: the name this proxy adds to `Via` in both directions; none by default.
    pub via: Option<Arc<str>>,
    /// `forwarded`: also send `Forwarded` (RFC 7239); `false` by default.
    pub forwarded: bool,
    /// `redirect-to-https`: every request is sent to this port of the same host.
    pub redirect_to_https: Option<u16>,
    /// Whether a listener of the file asks clients for certificates: what clients say of them themselves is removed then, on all
    /// listeners alike.
    pub guards_certificates: bool,
    /// `hsts` of `tls`: the value of `Strict-Transport-Security` in every answer.
    pub hsts: Option<Arc<str>>,
    /// The value of `Alt-Svc` in answers of the versions that `h3` stands beside.
    pub alt_svc: Option<Arc<str>>,
    /// `head-timeout`: from the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// `body-timeout`: how long a body may stand still in either direction.
    pub body_timeout: Duration,
    /// `tunnel-timeout`: how long both directions of a tunnel may be silent.
    pub tunnel_timeout: Duration,
    /// `max-head`: bytes of a request head (start line and fields); 431 above.
    pub max_head: usize,
    /// `max-target`: bytes of a request target; 414 above.
    pub max_target: usize,
    /// `max-fields`: number of header fields; 431 above.
    pub max_fields: usize,
    /// Whether `protocols` has `h1`.
    pub h1: bool,
    /// `h2`, where `protocols` has it.
    pub h2: Option<Http2>,
    /// `h3`, where `protocols` has it.
    pub h3: Option<Http3>,
}

/// `h2 = { max-concurrent-streams, initial-window }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    /// `max-concurrent-streams`: requests under way on one connection.
    pub max_concurrent_streams: u32,
    /// `initial-window`: bytes of a request's body ahead of what was read of it.
    pub initial_window: u32,
}

/// `h3 = { max-concurrent-streams, initial-window }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http3 {
    /// `max-concurrent-streams`: requests under way on one connection.
    pub max_concurrent_streams: u32,
    /// `initial-window`: bytes of a request's body ahead of what was read of it.
    pub initial_window: u32,
}

impl HttpListener {
    /// Whether what `peer` says of the client before it is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// A listener's socket settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// `backlog`: connections the kernel holds until they are accepted.
    pub backlog: u32,
    /// `tcp-keep-alive`: silence before the kernel probes the client; `None` is `"off"`.
    pub keep_alive: Option<Duration>,
    /// `receive-buffer` in bytes; the kernel's own sizing where absent.
    pub receive_buffer: Option<usize>,
    /// `send-buffer` in bytes; the kernel's own sizing where absent.
    pub send_buffer: Option<usize>,
    /// `fast-open`: length of the TCP Fast Open queue; `None` is off.
    pub fast_open: Option<u32>,
    /// `defer-accept`: wake only when the client has sent bytes, waiting this long; `None` is off.
    pub defer_accept: Option<Duration>,
}

/// Whether connections begin with a PROXY protocol header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// No header is looked for.
    Off,
    /// A header is read where there is one.
    Accept,
    /// A connection without a header is closed.
    Require,
}

/// `[[routes]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `name`; `route-N` (counted from 1 in the file) where absent, `default` for the one made when there are no routes.
    pub name: Arc<str>,
    /// What is done with a request that matches.
    pub action: Action,
    /// `timeout`: from the request's last byte sent to the response's head received.
    pub timeout: Duration,
    /// `max-body`: bytes of a request body; 413 above. `None` is no limit.
    pub max_body: Option<u64>,
    /// `retry`
    pub retry: Retry,
}

/// `retry = { attempts, on }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `attempts`: servers tried at most, 1 to 8.
    pub attempts: usize,
    /// `connect-failure` in `on`
    pub connect_failure: bool,
    /// `reset` in `on`
    pub reset: bool,
    /// The statuses in `on`.
    pub statuses: RetryStatuses,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 8,
            connect_failure: true,
            reset: true,
            statuses: RetryStatuses::default(),
        }
    }
}

/// Statuses of answers that are not passed on where another server may do better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryStatuses(u8);

impl RetryStatuses {
    /// Adds a status; others than 429, 500, 502, 503 and 504 are left out.
    pub fn insert(&mut self, status: u16) {
        self.0 |= Self::bit(status);
    }

    /// Whether it is one of them.
    pub fn contains(self, status: u16) -> bool {
        self.0 & Self::bit(status) != 0
    }

    fn bit(status: u16) -> u8 {
        match status {
            429 => 1,
            500 => 1 << 1,
            502 => 1 << 2,
            503 => 1 << 3,
            504 => 1 << 4,
            _ => 0,
        }
    }
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `upstream`
    Forward(UpstreamId),
    /// `respond`
    Respond(Respond),
    /// `redirect`
    Redirect(Redirect),
}

/// `respond = { status, body, content-type }`
#[derive(Clone, Debug, PartialEq)]
pub struct Respond {
    /// 200 to 599
    pub status: u16,
    /// The body; variables are filled in.
    pub body: Template,
    /// `content-type`; `text/plain; charset=utf-8` by default.
    pub content_type: Arc<str>,
}

/// `redirect = { to, status }`
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// The `Location`; captures and variables are filled in.
    pub to: Template,
    /// 301, 302, 303, 307 or 308; 308 by default.
    pub status: u16,
}

/// `[upstreams.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// The name in the file.
    pub name: Arc<str>,
    /// In the order of the file, at least one.
    pub servers: Vec<Server>,
    /// `balance`, with what holds around any policy: `slow-start`, `panic-threshold`, `zone-spill`.
    pub balance: Balance,
    /// `queue`; without it a request for which every server is full is refused at once.
    pub queue: Option<Queue>,
    /// `load-report`
    pub load_report: Option<LoadReport>,
    /// `protocol`
    pub protocol: UpstreamProtocol,
    /// `connect-timeout`
    pub connect_timeout: Duration,
    /// `idle-connections`: kept open for each server and worker.
    pub idle_connections: usize,
    /// `idle-timeout`: how long an unused connection is kept.
    pub idle_timeout: Duration,
    /// `drain-timeout`: how long what runs on a server may go on after the server left the file or the process was
    /// told to stop.
    pub drain_timeout: Duration,
    /// `send-proxy-protocol`
    pub send_proxy_protocol: SendProxyProtocol,
    /// `tls`; without it nothing is ciphered.
    pub tls: Option<UpstreamTls>,
    /// `source-addresses`: local addresses that connections start from, in turn; the kernel's choice where empty.
    pub source_addresses: Vec<IpAddr>,
    /// `tcp-keep-alive`: silence before the kernel probes the server; `None` is `"off"`.
    pub keep_alive: Option<Duration>,
}

/// The version of HTTP that servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2: by ALPN with `tls`, by prior knowledge without.
    Http2,
    /// Whichever of the two a server chooses by ALPN, on each connection anew. Only with `tls`.
    Chosen,
}

/// One of an upstream's `servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `address`
    pub address: ServerAddress,
    /// `weight`
    pub weight: Weight,
    /// `max-connections`: requests (http) or connections (tcp) at a time, over all workers; `None` is no limit.
    pub max_connections: Option<u32>,
    /// `backup`: used only when no other server can be.
    pub backup: bool,
    /// Whether `zone` is the one that `runtime.zone` names.
    pub in_own_zone: bool,
}

/// What a connection to a server begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendProxyProtocol {
    /// Nothing.
    Off,
    /// The text form.
    V1,
    /// The binary form.
    V2,
}

/// `[runtime]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// `workers`; `None` is `"auto"`, one per core.
    pub workers: Option<usize>,
    /// `secret-key`
    pub secret_key: Option<Secret>,
    /// `watch`: reload when the file changes; `true` by default.
    pub watch: bool,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `address`
    pub address: BindAddress,
    /// `token`: required unless the address is loopback.
    pub token: Option<Secret>,
}

/// `[logs]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// `level`
    pub level: LogLevel,
    /// `format` of the process's own log: text or json.
    pub format: LogFormat,
    /// `access`; `None` is off, which is the default.
    pub access: Option<AccessLog>,
}

/// How much the process says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How the process's own log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// `logs.access`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// `format`
    pub format: AccessFormat,
    /// `to`
    pub to: LogTarget,
}

/// The form of an access-log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// A JSON object.
    Json,
    /// The combined format of Apache httpd and nginx.
    Combined,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to; opened again on reload, so that it can be rotated.
    File(PathBuf),
}

/// A text that is never shown, not even in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
