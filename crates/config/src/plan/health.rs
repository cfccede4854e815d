//! Active health checks: what is asked of servers, how often, and what is a good answer.

use std::time::Duration;

use sluice_health::CheckSettings;
use sluice_route::Pattern;

use super::{SendProxyProtocol, UpstreamProtocol};

/// `[upstreams.NAME.health]`
#[derive(Clone, Debug, PartialEq)]
pub struct HealthChecks {
    /// What is checked.
    pub kind: CheckKind,
    /// `port`: another port of the servers' hosts. Then no server is a Unix socket.
    pub port: Option<u16>,
    /// `protocol`, or the upstream's.
    pub protocol: UpstreamProtocol,
    /// `tls`: whether checks are ciphered, as the upstream's `tls` says. Only where that has one.
    pub is_ciphered: bool,
    /// `send-proxy-protocol`, or the upstream's.
    pub send_proxy_protocol: SendProxyProtocol,
    /// `timeout`: of a whole check; at most the interval.
    pub timeout: Duration,
    /// How often, and how checks lead to a verdict.
    pub settings: CheckSettings,
}

/// What is checked.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    /// `tcp`
    Tcp,
    /// `http`
    Http(HttpCheck),
    /// `grpc`
    Grpc {
        /// `service`; empty for the server as a whole.
        service: Box<str>,
    },
    /// `udp`. No server is a Unix socket.
    Udp(UdpCheck),
}

/// A request, and the answer that is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// `path`: a path, a query where there is one.
    pub target: Box<str>,
    /// `method`
    pub method: Box<str>,
    /// `host`; the server's address where it is not set.
    pub host: Option<Box<str>>,
    /// `headers`: names in lower case, and values. None that frames the message, and no `host`.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// `status`: ranges from the first to the last of each; at least one.
    pub statuses: Vec<(u16, u16)>,
    /// `body`
    pub body: Option<Pattern>,
    /// `json`: all have to hold.
    pub json: Vec<JsonCondition>,
}

/// What a value of a JSON text must be.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonCondition {
    /// The names, or positions in lists, that lead to the value. At least one.
    pub path: Vec<Box<str>>,
    /// What it must be.
    pub test: JsonTest,
}

/// What a value must be. A text is compared as it is, anything else as JSON writes it.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTest {
    /// Like this.
    Is(Pattern),
    /// Not like this.
    IsNot(Pattern),
    /// `<`
    Below(f64),
    /// `<=`
    AtMost(f64),
    /// `>`
    Above(f64),
    /// `>=`
    AtLeast(f64),
}

/// A datagram, and the answer that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpCheck {
    /// `send`; not empty.
    pub send: Vec<u8>,
    /// `expect`; any answer where it is not set.
    pub expect: Option<Pattern>,
}
