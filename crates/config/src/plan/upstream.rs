//! Upstreams: groups of servers, and how connections to them are made and kept.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_health::{ConcurrencySettings, WhenAllDown};
use sluice_model::{ServerAddress, Weight};

use super::{Balance, CircuitBreaker, HealthChecks, LoadReport, Queue, Sticky, UpstreamTls};

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
    /// `adaptive-concurrency`; without it only `max-connections` of its servers limit what it gets at a time.
    pub adaptive_concurrency: Option<ConcurrencySettings>,
    /// `circuit-breaker`; without it no server is given a rest for what becomes of its requests.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// `when-all-down`
    pub when_all_down: WhenAllDown,
    /// `load-report`
    pub load_report: Option<LoadReport>,
    /// `sticky`; without it each request is balanced by itself.
    pub sticky: Option<Sticky>,
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
    /// `health`; without it servers are not checked.
    pub health: Option<HealthChecks>,
}

/// The version of HTTP that servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2: by ALPN with `tls`, by prior knowledge without.
    Http2,
    /// HTTP/3. Only with `tls`.
    Http3,
    /// Whichever of the first two a server chooses by ALPN, on each connection anew. Only with `tls`.
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
