//! What a line of the access log tells.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::End;

/// One HTTP request, told when it has ended.
///
/// Bytes are as they came in, whatever they are; the formats escape them.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// When the first byte of the request came in.
    pub time: SystemTime,
    /// The listener's name.
    pub listener: &'a str,
    /// Who asked; `None` on a Unix socket.
    pub client: Option<SocketAddr>,
    /// What was asked for; `None` if no request line could be read.
    pub request: Option<RequestLine<'a>>,
    /// The host asked for.
    pub host: Option<&'a [u8]>,
    /// The final status; `None` if no answer was begun.
    pub status: Option<u16>,
    /// Bytes of the request's body that came in, without framing.
    pub request_bytes: u64,
    /// Bytes of the answer's body that went out, without framing.
    pub response_bytes: u64,
    /// From the first byte of the request until the end of its answer.
    pub duration: Duration,
    /// From choosing a server until the head of its answer, of the last attempt.
    pub upstream_time: Option<Duration>,
    /// The route's name.
    pub route: Option<&'a str>,
    /// The upstream's name.
    pub upstream: Option<&'a str>,
    /// The address of the server that was tried last.
    pub server: Option<&'a str>,
    /// How many servers were tried.
    pub attempts: u32,
    /// The request's identifier.
    pub request_id: Option<&'a [u8]>,
    /// The server name that the client's TLS asked for (SNI).
    pub server_name: Option<&'a str>,
    /// How the connection was ciphered; `None` where it was not.
    pub tls: Option<TlsRecord<'a>>,
    /// Whether it came before the TLS handshake was done.
    pub early_data: bool,
    /// Why it ended.
    pub end: End,
    /// The rate limit that refused it.
    pub limit: Option<&'a str>,
    /// The field `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The field `Referer`.
    pub referer: Option<&'a [u8]>,
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The target, as it came.
    pub target: &'a [u8],
    /// The version of HTTP.
    pub version: HttpVersion,
}

/// How a client's connection was ciphered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsRecord<'a> {
    /// `TLSv1.2` or `TLSv1.3`
    pub version: &'a str,
    /// The cipher suite, by its IANA name.
    pub cipher: &'a str,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

impl HttpVersion {
    /// As in a request line: `HTTP/1.1`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
            Self::Http3 => "HTTP/3.0",
        }
    }
}

impl From<sluice_wire::h1::Version> for HttpVersion {
    fn from(version: sluice_wire::h1::Version) -> Self {
        match version {
            sluice_wire::h1::Version::Http10 => Self::Http10,
            sluice_wire::h1::Version::Http11 => Self::Http11,
        }
    }
}

/// One TCP or UDP session, told when it has ended.
#[derive(Clone, Copy, Debug)]
pub struct TcpRecord<'a> {
    /// When the connection was accepted.
    pub time: SystemTime,
    /// The listener's name.
    pub listener: &'a str,
    /// Who connected; `None` on a Unix socket.
    pub client: Option<SocketAddr>,
    /// The server name that a TLS client asked for.
    pub server_name: Option<&'a str>,
    /// The upstream's name.
    pub upstream: Option<&'a str>,
    /// The address of the server that was tried last.
    pub server: Option<&'a str>,
    /// How many servers were tried.
    pub attempts: u32,
    /// Datagrams from and to the client; `None` for TCP.
    pub datagrams: Option<(u64, u64)>,
    /// Bytes from the client.
    pub received_bytes: u64,
    /// Bytes to the client.
    pub sent_bytes: u64,
    /// From accepting until both sides were closed.
    pub duration: Duration,
    /// How the connection was ciphered; `None` where it was not.
    pub tls: Option<TlsRecord<'a>>,
    /// Why it ended.
    pub end: End,
}
