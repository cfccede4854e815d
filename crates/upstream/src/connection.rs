//! A connection to a server, and how opening one fails.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use sluice_net::Stream;
use sluice_quic::ConnectFailure as QuicFailure;
use sluice_telemetry::metrics::ConnectFailure;
use sluice_tls::{ClientConfig, HandshakeError};
use thiserror::Error;

use crate::endpoint::Endpoint;
use crate::session::StreamPlace;

/// An open connection to a server, counted for as long as it lives.
///
/// Boxed wherever it is handed on: from idle to a request and back, a request moves a pointer.
#[derive(Debug)]
pub struct Connection {
    /// The bytes.
    pub stream: Stream,
    kept_as: KeptAs,
    /// Whom a PROXY header was sent for: only that client may use the connection.
    pub(crate) bound_to: Option<SocketAddr>,
    pub(crate) idle_since: Instant,
    /// Whether the server chose HTTP/2 by ALPN.
    pub(crate) agreed_on_http2: bool,
    /// What it was ciphered by: only where that still holds may it be used.
    pub(crate) secured_by: Option<Arc<ClientConfig>>,
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        endpoint: &Arc<Endpoint>,
        bound_to: Option<SocketAddr>,
        now: Instant,
    ) -> Self {
        Self {
            stream,
            kept_as: KeptAs::Connection(Counted::new(endpoint)),
            bound_to,
            idle_since: now,
            agreed_on_http2: false,
            secured_by: None,
        }
    }

    /// One stream of a shared connection.
    pub(crate) fn of_session(stream: Stream, place: StreamPlace, now: Instant) -> Self {
        Self {
            stream,
            kept_as: KeptAs::Stream(place),
            bound_to: None,
            idle_since: now,
            agreed_on_http2: false,
            secured_by: None,
        }
    }

    /// Whether it serves one request only, on a connection with others.
    pub(crate) fn is_of_session(&self) -> bool {
        matches!(self.kept_as, KeptAs::Stream(_))
    }

    /// The bytes, and what counts the connection; `None` for what is a stream of a session already.
    pub(crate) fn into_parts(self) -> Option<(Stream, Counted)> {
        match self.kept_as {
            KeptAs::Connection(counted) => Some((self.stream, counted)),
            KeptAs::Stream(_) => None,
        }
    }
}

/// What lives as long as a connection does.
#[derive(Debug)]
enum KeptAs {
    Connection(Counted),
    Stream(#[expect(dead_code, reason = "its drop gives the place back")] StreamPlace),
}

/// A connection that is open, counted at its server.
#[derive(Debug)]
pub(crate) struct Counted {
    endpoint: Arc<Endpoint>,
}

impl Counted {
    pub(crate) fn new(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.opened_connection();
        Self {
            endpoint: Arc::clone(endpoint),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.endpoint.closed_connection();
    }
}

/// Why no connection could be opened. Nothing was sent: another server may be tried.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nobody listens there, or a firewall says no.
    #[error("connection refused")]
    Refused,
    /// No answer within `connect-timeout`.
    #[error("no answer within the connect timeout")]
    Timeout,
    /// Every local port to this destination is in use.
    #[error("no local port is free: add source-addresses")]
    NoLocalPort,
    /// This process has no descriptor left.
    #[error("no file descriptor is free")]
    NoDescriptor,
    /// It does not speak the version of HTTP that it has to.
    #[error("the server does not speak HTTP as the upstream's `protocol` has it")]
    Protocol,
    /// It speaks HTTP/2 or HTTP/3, in which it lets no WebSocket pass.
    #[error("the server takes no WebSocket over HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220)")]
    NoWebSocket,
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(HandshakeError),
    /// The connection was to start from the client's address, and the server's is of the other family.
    #[error("the client's address is of another family than the server's")]
    OtherFamily,
    /// Anything else the kernel says.
    #[error("{0}")]
    Other(io::Error),
}

impl ConnectError {
    /// Whether the server is to blame, and not a want of ours.
    pub fn blames_server(&self) -> bool {
        !matches!(
            self,
            Self::NoLocalPort | Self::NoDescriptor | Self::OtherFamily | Self::NoWebSocket
        )
    }

    /// The word for it in metrics.
    pub fn word(&self) -> ConnectFailure {
        match self {
            Self::Refused => ConnectFailure::Refused,
            Self::Timeout => ConnectFailure::Timeout,
            Self::NoLocalPort => ConnectFailure::NoPort,
            Self::NoDescriptor => ConnectFailure::NoDescriptor,
            Self::Tls(HandshakeError::Certificate(_)) => ConnectFailure::Certificate,
            Self::Tls(_) => ConnectFailure::Tls,
            Self::Protocol | Self::NoWebSocket => ConnectFailure::Protocol,
            Self::OtherFamily => ConnectFailure::Other,
            Self::Other(error) => match error.kind() {
                io::ErrorKind::ConnectionReset => ConnectFailure::Reset,
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    ConnectFailure::Unreachable
                }
                _ => ConnectFailure::Other,
            },
        }
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::NoProtocol => Self::Protocol,
            error => Self::Tls(error),
        }
    }
}

impl From<QuicFailure> for ConnectError {
    fn from(failure: QuicFailure) -> Self {
        match failure {
            QuicFailure::Io(error) => error.into(),
            QuicFailure::Certificate(what) => Self::Tls(HandshakeError::Certificate(what)),
            QuicFailure::Refused(what) => Self::Tls(HandshakeError::Refused(what)),
            QuicFailure::Invalid(what) => Self::Tls(HandshakeError::Invalid(what)),
            QuicFailure::Protocol => Self::Protocol,
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        if sluice_net::listen::is_exhausted(&error) {
            return Self::NoDescriptor;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::NoLocalPort,
            _ => Self::Other(error),
        }
    }
}
