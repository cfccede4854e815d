//! Listeners: where clients come in, and what is spoken with them.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sluice_model::BindAddress;
use sluice_route::Router;

use super::{RouteId, TcpTarget, Tls, UpstreamId};

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
    /// `max-connections` and `max-connections-per-client`
    pub connection_limits: ConnectionLimits,
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

/// How many connections there may be at a time, over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max-connections`
    pub all: Option<u32>,
    /// `max-connections-per-client`
    pub per_client: Option<u32>,
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
    /// `json-body-limit`: bytes of a body that are collected where a route looks into it.
    pub json_body_limit: usize,
    /// `min-body-rate` and `min-read-rate`
    pub min_rates: MinRates,
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

/// How fast clients have to be, in bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinRates {
    /// `min-body-rate`: in sending a request's body.
    pub body: Option<NonZeroU32>,
    /// `min-read-rate`: in taking an answer.
    pub read: Option<NonZeroU32>,
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
