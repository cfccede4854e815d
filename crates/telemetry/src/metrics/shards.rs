//! What a worker counts: one struct for each kind of thing that is counted, one instance for each worker and name.
//!
//! Every instance is an allocation of its own on cache lines of its own, and only its worker writes to it.

use super::bad_request::BadRequest;
use super::cell::{Counter, CounterBy, Gauge};
use super::histogram::Histogram;
use super::refusal::Refusals;
use crate::end::End;
use crate::word::words;

/// A route's requests, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct RouteMetrics {
    /// Requests that got an answer, by the class of its final status.
    pub requests: CounterBy<StatusClass, { StatusClass::COUNT }>,
    /// Requests by why they ended, those without an answer too.
    pub ends: CounterBy<End, { End::COUNT }>,
    /// From the first byte of the request until the end of its answer.
    pub duration: Histogram,
}

/// An upstream's requests, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct UpstreamMetrics {
    /// From choosing a server until the head of its answer, of the last attempt.
    pub response: Histogram,
    /// From starting to connect until the connection stands.
    pub connect: Histogram,
    /// Attempts after the first.
    pub retries: Counter,
    /// Requests that came here as another upstream had failed them.
    pub fallbacks: Counter,
    /// Retries that the budget did not allow.
    pub retries_denied: Counter,
    /// Requests sent to one more server as the answer was late.
    pub hedges: Counter,
    /// Hedges that answered first.
    pub hedges_won: Counter,
    /// Hedges that the budget did not allow.
    pub hedges_denied: Counter,
    /// Sessions that were given a server which they keep.
    pub sessions_started: Counter,
    /// Sessions whose server does not take them any more, and that were given another one.
    pub sessions_moved: Counter,
    /// Sessions that were forgotten before their time as there was no room.
    pub sessions_pushed_out: Counter,
    /// Requests and sessions for which no server was there to be chosen.
    pub no_server: Counter,
    /// Requests and sessions refused because no server was well.
    pub all_down: Counter,
    /// Requests and sessions that wait in the queue now.
    pub queue_waiting: Gauge,
    /// Requests and sessions that waited in the queue.
    pub queue_waits: Counter,
    /// What this worker has added to the limit of requests at a time; the sum over all workers is the limit.
    pub concurrency_limit: Gauge,
    /// Requests under way that count for it.
    pub concurrency_in_flight: Gauge,
    /// Requests and sessions refused because there were too many.
    pub refused: Refusals,
}

/// A server's requests and connections, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ServerMetrics {
    /// Answers, by the class of their final status.
    pub requests: CounterBy<StatusClass, { StatusClass::COUNT }>,
    /// Requests (TCP: sessions) at the server now.
    pub in_flight: Gauge,
    /// TCP sessions taken to the server.
    pub sessions: Counter,
    /// Connections that were opened.
    pub connections_opened: Counter,
    /// Requests sent on a connection that had served one before.
    pub connections_reused: Counter,
    /// Idle connections that turned out closed when a request was sent on them.
    pub connections_stale: Counter,
    /// Connections closed after use because enough idle ones were kept.
    pub idle_dropped: Counter,
    /// Connections waiting for their next request now.
    pub connections_idle: Gauge,
    /// Connections that could not be opened, by why.
    pub connect_failures: CounterBy<ConnectFailure, { ConnectFailure::COUNT }>,
    /// Exchanges that failed after connecting, by why.
    pub response_failures: CounterBy<ResponseFailure, { ResponseFailure::COUNT }>,
    /// Requests that passed the server by because it had its `max-connections`.
    pub limit_reached: Counter,
    /// Openings of its circuit breaker, by why.
    pub breaker_openings: CounterBy<BreakerCause, { BreakerCause::COUNT }>,
    /// Requests and sessions sent to it though it was not well, as no other server was.
    pub last_resorts: Counter,
    /// Bytes sent to the server.
    pub bytes_sent: Counter,
    /// Bytes received from the server.
    pub bytes_received: Counter,
}

/// A listener's connections, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ListenerMetrics {
    /// Connections accepted.
    pub connections_accepted: Counter,
    /// Connections closed at once because a limit was reached, by which.
    pub connections_refused: CounterBy<Crowded, { Crowded::COUNT }>,
    /// Connections open now, idle ones among them.
    pub connections_active: Gauge,
    /// Connections that wait for their next request now.
    pub connections_idle: Gauge,
    /// `accept` calls that failed, other than for want of descriptors.
    pub accept_errors: Counter,
    /// Requests refused before they had a route, by why.
    pub bad_requests: CounterBy<BadRequest, { BadRequest::COUNT }>,
    /// Requests of clients who may not come in.
    pub denied: Counter,
    /// Requests that no route matched.
    pub unrouted: Counter,
    /// First messages of TLS clients, by what came of them.
    pub hellos: CounterBy<Hello, { Hello::COUNT }>,
    /// TCP sessions, by why they ended.
    pub sessions: CounterBy<End, { End::COUNT }>,
    /// TLS handshakes that were completed, by version.
    pub tls_handshakes: CounterBy<TlsVersion, { TlsVersion::COUNT }>,
    /// TLS handshakes that failed, by why.
    pub tls_failures: CounterBy<TlsFailure, { TlsFailure::COUNT }>,
    /// TLS handshakes that resumed an earlier session.
    pub tls_resumptions: Counter,
    /// Clients that wished to send before the handshake was done, by what came of it.
    pub tls_early_data: CounterBy<EarlyData, { EarlyData::COUNT }>,
    /// UDP sessions, by why they ended.
    pub udp_sessions: CounterBy<End, { End::COUNT }>,
    /// Datagrams received from clients.
    pub datagrams_received: Counter,
    /// Datagrams sent to clients.
    pub datagrams_sent: Counter,
    /// Datagrams that were not passed on, by why.
    pub datagrams_dropped: CounterBy<DatagramDrop, { DatagramDrop::COUNT }>,
    /// Bytes received from clients.
    pub bytes_received: Counter,
    /// Bytes sent to clients.
    pub bytes_sent: Counter,
}

/// A name in a listener's `sni`, as one worker saw it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ServerNameMetrics {
    /// Connections that were passed on by it.
    pub connections: Counter,
}

/// One of the `[auth.NAME]`, as one worker saw it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct AuthMetrics {
    /// Requests that it was asked about, by what came of it.
    pub outcomes: CounterBy<AuthOutcome, { AuthOutcome::COUNT }>,
}

words! {
    /// What came of looking at who a client is.
    pub enum AuthOutcome {
        /// It is let in.
        Allowed = "allowed",
        /// It has shown nothing of the kind.
        Missing = "missing",
        /// What it has shown does not let it in.
        Refused = "refused",
        /// It could not be found out.
        Failed = "failed",
    }
}

/// A worker's own condition.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerMetrics {
    /// Nanoseconds the worker spent working and not waiting.
    pub busy_nanos: Counter,
    /// Connections the worker accepted.
    pub connections_accepted: Counter,
}

words! {
    /// The class of a status.
    pub enum StatusClass {
        /// 100 to 199; a final one is 101, switching protocols.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        ClientError = "4xx",
        /// 500 and above.
        ServerError = "5xx",
    }
}

impl From<u16> for StatusClass {
    #[inline]
    fn from(status: u16) -> Self {
        match status {
            0..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

words! {
    /// What came of the first message of a TLS client where connections go by server name.
    pub enum Hello {
        /// It names a server that is known here.
        Named = "named",
        /// It names none, and `"*"` is there for it.
        Unnamed = "unnamed",
        /// It names none, and there is no `"*"`.
        NoName = "no-name",
        /// It names a server that nothing is for.
        UnknownName = "unknown-name",
        /// It offers none of the protocols that the name is for.
        NoProtocol = "no-protocol",
        /// The client does not speak TLS.
        NotTls = "not-tls",
        /// It breaks the rules of TLS.
        Malformed = "malformed",
        /// It is longer than 16 KiB.
        TooLong = "too-long",
        /// It was not whole within `hello-timeout`.
        Timeout = "timeout",
        /// The client went away before it was whole.
        Closed = "closed",
    }
}

words! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// TLS 1.2
        V1_2 = "1.2",
        /// TLS 1.3
        V1_3 = "1.3",
    }
}

words! {
    /// Which limit of connections is reached.
    pub enum Crowded {
        /// `max-connections` of the listener.
        Listener = "max-connections",
        /// `max-connections-per-client`.
        Client = "max-connections-per-client",
        /// `max-connections` of `[runtime]`.
        Process = "runtime.max-connections",
        /// Memory is short.
        Memory = "memory",
    }
}

words! {
    /// What came of data before the handshake was done (0-RTT).
    pub enum EarlyData {
        /// It was taken.
        Accepted = "accepted",
        /// It was not; the client sends it again. Not counted over QUIC, which does not tell.
        Rejected = "rejected",
    }
}

words! {
    /// Why a client's TLS handshake failed.
    pub enum TlsFailure {
        /// The client went away.
        Closed = "closed",
        /// It was not done within `handshake-timeout`.
        Timeout = "timeout",
        /// What the client said is no TLS.
        NotTls = "not-tls",
        /// No version of TLS is spoken by both.
        Version = "version",
        /// No cipher, curve, signature or application protocol is known to both.
        NothingInCommon = "nothing-in-common",
        /// The client refused what it got: the certificate, mostly.
        Refused = "refused",
        /// The client's certificate is missing, or not trusted.
        Certificate = "certificate",
        /// There is no certificate yet for the host that the client named.
        NoCertificate = "no-certificate",
        /// What the client said is against the protocol.
        Invalid = "invalid",
    }
}

words! {
    /// Why a datagram was not passed on.
    pub enum DatagramDrop {
        /// There was no server for it, or no socket towards one.
        NoServer = "no-server",
        /// The kernel did not take it for the server: no room, or too long for the way.
        ToServer = "to-server",
        /// The kernel did not take it for the client.
        ToClient = "to-client",
        /// Of a new client, when the listener was closing.
        Closing = "closing",
    }
}

words! {
    /// Why a server's circuit breaker opened.
    pub enum BreakerCause {
        /// So many failures in a row.
        ConsecutiveFailures = "consecutive-failures",
        /// So large a share of failures.
        FailureRate = "failure-rate",
        /// So large a share of slow answers.
        SlowCallRate = "slow-call-rate",
        /// A trial failed.
        FailedTrial = "failed-trial",
        /// Too many of the trials were slow.
        SlowTrials = "slow-trials",
    }
}

words! {
    /// Why a connection to a server could not be opened.
    pub enum ConnectFailure {
        /// Nobody listens there.
        Refused = "refused",
        /// No answer within `connect-timeout`.
        Timeout = "timeout",
        /// Reset while connecting.
        Reset = "reset",
        /// No way to the host or its network.
        Unreachable = "unreachable",
        /// No ephemeral port was left for the destination.
        NoPort = "no-port",
        /// The process had no descriptor left.
        NoDescriptor = "no-descriptor",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The TLS certificate of the server is not one that it must have.
        Certificate = "certificate",
        /// The server does not speak the version of HTTP that it has to.
        Protocol = "protocol",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// How an exchange with a server failed once the connection stood.
    pub enum ResponseFailure {
        /// No head of an answer in time.
        Timeout = "timeout",
        /// Reset by the server.
        Reset = "reset",
        /// Closed before the answer was complete.
        Closed = "closed",
        /// The server refused to look at the request, or said farewell before it came to it (HTTP/2).
        Refused = "refused",
        /// The answer was not valid HTTP.
        Invalid = "invalid",
        /// Anything else.
        Other = "other",
    }
}
