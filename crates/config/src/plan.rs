//! The checked plan: what the file means, once nothing in it can be wrong.
//!
//! Names have become indices, texts have become matchers and addresses, every default is resolved. The data plane
//! reads only this. Two plans are compared piece by piece on reload: what is equal is not touched.

mod auth;
mod balance;
mod circuit_breaker;
mod edits;
mod health;
mod hedge;
mod listener;
mod mirror;
mod ocsp;
mod origin;
mod process;
mod rate_limit;
mod route;
mod server_names;
mod split;
mod sticky;
mod store;
mod tls;
mod upstream;

use std::path::{Path, PathBuf};

pub use auth::{
    ApiKeyAuth, Auth, AuthKind, BasicAuth, ForwardAuth, JwtAuth, KeyPlace, KeySource, RouteAuth,
    TokenKeys, ToldClaims,
};
pub use balance::{Balance, HashKey, LoadReport, Queue};
pub use circuit_breaker::{CircuitBreaker, FailureKind, Failures};
pub use edits::{Cors, FieldLine, HeadEdits, Origins, Rewrite, RouteEdits};
pub use health::{CheckKind, HealthChecks, HttpCheck, JsonCondition, JsonTest, UdpCheck};
pub use hedge::{Hedge, HedgeAfter};
pub use listener::{
    ConnectionLimits, Http2, Http3, HttpListener, Listener, MinRates, Protocol, ProxyProtocol,
    SocketOptions, SourceAddress, UdpListener,
};
pub use mirror::Mirror;
pub use ocsp::{Ocsp, OcspFlaw};
pub use origin::{Access, Countries};
pub use process::{
    AccessFormat, AccessLog, Admin, LogFormat, LogLevel, LogTarget, Logs, MaxMemory, Runtime,
    Secret,
};
pub use rate_limit::{KeyPart, LimitClass, LimitKey, Over, RateLimit, SharedLimit};
pub use route::{
    Action, Fallback, FixedAnswer, Redirect, Respond, RespondBody, Retry, RetryStatuses, Route,
    RoutePriority,
};
pub use server_names::{Refused, ServerName, ServerNames, TcpTarget};
pub use split::{Assignment, Placed, Side, Split, SplitBy};
pub use sticky::{Remembered, SameSite, SessionKey, Sticky, StickyCookie};
pub use store::{RedisAddress, Store};
pub use tls::{
    Acme, Authorities, Certificate, Challenge, ClientAuth, Tls, TlsVersion, UpstreamTls,
};
pub use upstream::{SendProxyProtocol, Server, Upstream, UpstreamProtocol};

/// Everything a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In the order of the file.
    pub listeners: Vec<Listener>,
    /// In the order of the file, which is the order they are tried in.
    pub routes: Vec<Route>,
    /// In the order of the file; behind them those that stand for the services of `auth`.
    pub upstreams: Vec<Upstream>,
    /// `[geo]`: who knows of countries.
    pub countries: Option<Countries>,
    /// In the order of the file.
    pub stores: Vec<Store>,
    /// `[auth.NAME]`, in the order of the file.
    pub auths: Vec<Auth>,
    /// In the order of the file.
    pub rate_limits: Vec<RateLimit>,
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
        let countries = self.countries.iter().map(|one| one.file.clone());
        let bodies = self.routes.iter().filter_map(|route| match &route.action {
            Action::Respond(Respond {
                body: RespondBody::File { file, .. },
                ..
            }) => Some(file.clone()),
            _ => None,
        });
        let tickets = tls().filter_map(|tls| tls.ticket_keys_file.clone());
        certificates
            .flat_map(|one| {
                let ocsp = one.ocsp.as_ref().map(|ocsp| ocsp.file.clone());
                [Some(one.cert.clone()), Some(one.key.clone()), ocsp]
            })
            .flatten()
            .chain(tickets)
            .chain(directories)
            .chain(countries)
            .chain(bodies)
            .chain(authorities)
            .chain(clients.flatten())
            .chain(
                self.auths
                    .iter()
                    .filter_map(|auth| auth.file().map(Path::to_owned)),
            )
            .collect()
    }
}

/// Index into [`Plan::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

/// Index into [`Plan::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub usize);

/// Index into [`Plan::stores`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub usize);

/// Index into [`Plan::auths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthId(pub usize);
/// Index into [`Plan::rate_limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitId(pub usize);
