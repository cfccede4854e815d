//! Connections to servers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::rustls::pki_types::ServerName;
use quinn::rustls::quic::{ClientConnection, Version};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, TransportConfig,
    TransportErrorCode, VarInt,
};
use sluice_net::connect::Source;
use sluice_net::datagrams;
use thiserror::Error;

use crate::endpoint::NoQuic;
use crate::runtime::Worker;
use crate::server_socket::{ServerSocket, Unreachable};

/// What holds for the connections to the servers of an upstream.
#[derive(Clone, Debug)]
pub struct ClientSettings(ClientConfig);

/// How much servers may send before it was read: bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// On a stream.
    pub stream: u32,
    /// On a connection.
    pub connection: u32,
}

/// A connection to a server, its handshake done.
#[derive(Debug)]
pub struct Dialed {
    /// The connection.
    pub connection: Connection,
    /// Tells when the server is gone without a word: the connection is of no use then.
    pub unreachable: Unreachable,
}

/// Why there is no connection, or no more.
#[derive(Debug, Error)]
pub enum ConnectFailure {
    /// The kernel's word: nobody listens there (`ConnectionRefused`), there is no way, nothing is free here.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server's certificate is missing, or not one that is trusted.
    #[error("{0}")]
    Certificate(String),
    /// The server refused what it got from us: the certificate, mostly.
    #[error("refused by the server: {0}")]
    Refused(String),
    /// The server does not speak this version of QUIC, or none of what was offered by ALPN.
    #[error("the server does not speak the protocol")]
    Protocol,
    /// What the server said is against QUIC or TLS.
    #[error("{0}")]
    Invalid(String),
}

impl ClientSettings {
    /// Servers are verified as `tls` says; `protocol` is offered as the only one.
    ///
    /// # Errors
    /// [`NoQuic`]
    pub fn new(
        tls: &quinn::rustls::ClientConfig,
        protocol: &[u8],
        windows: Windows,
    ) -> Result<Self, NoQuic> {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let tls = Arc::new(tls);
        // What is wrong with the settings is found out here, and in no handshake.
        let nobody = ServerName::try_from("localhost").map_err(|_| NoQuic)?;
        ClientConnection::new(Arc::clone(&tls), Version::V1, nobody, Vec::new())
            .map_err(|_| NoQuic)?;
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        config.transport_config(Arc::new(transport(windows)));
        Ok(Self(config))
    }
}

/// Connects to a server of which a certificate for `host` is expected.
///
/// # Errors
/// [`ConnectFailure`]. Silence is none before the server has been silent for 20 seconds: who waits less long lets go.
pub async fn connect(
    settings: &ClientSettings,
    server: SocketAddr,
    source: Source,
    host: &str,
) -> Result<Dialed, ConnectFailure> {
    let socket = datagrams::ServerSocket::connect(server, source)?;
    let unreachable = Unreachable::default();
    let socket = ServerSocket::new(socket.into(), unreachable.clone())?;
    // It lives on for as long as it has a connection.
    let endpoint = Endpoint::new_with_abstract_socket(
        EndpointConfig::default(),
        None,
        Arc::new(socket),
        Arc::new(Worker),
    )?;
    let connecting = endpoint.connect_with(settings.0.clone(), server, host);
    let connecting = connecting.map_err(|error| match error {
        quinn::ConnectError::InvalidServerName(_) => {
            ConnectFailure::Certificate("not a host name".to_owned())
        }
        error => ConnectFailure::Invalid(error.to_string()),
    })?;
    let connection = tokio::select! {
        biased;
        connected = connecting => connected?,
        kind = unreachable.told() => return Err(io::Error::from(kind).into()),
    };
    Ok(Dialed {
        connection,
        unreachable,
    })
}

impl From<ConnectionError> for ConnectFailure {
    fn from(error: ConnectionError) -> Self {
        let is = |code: TransportErrorCode, alerts: &[u8]| {
            let mut codes = alerts.iter().copied().map(TransportErrorCode::crypto);
            codes.any(|alert| alert == code)
        };
        match error {
            ConnectionError::VersionMismatch => Self::Protocol,
            ConnectionError::TransportError(error) if is(error.code, &[NO_COMMON_PROTOCOL]) => {
                Self::Protocol
            }
            ConnectionError::TransportError(error) if is(error.code, CERTIFICATE) => {
                Self::Certificate(error.reason)
            }
            ConnectionError::TransportError(error) => Self::Invalid(error.to_string()),
            ConnectionError::ConnectionClosed(close)
                if is(close.error_code, &[NO_COMMON_PROTOCOL]) =>
            {
                Self::Protocol
            }
            ConnectionError::ConnectionClosed(close) if is_alert(close.error_code) => {
                Self::Refused(close.to_string())
            }
            ConnectionError::TimedOut => Self::Io(io::ErrorKind::TimedOut.into()),
            ConnectionError::ConnectionClosed(_)
            | ConnectionError::ApplicationClosed(_)
            | ConnectionError::Reset
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => Self::Io(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

/// Whether it is a code of TLS's (RFC 9001, 4.8).
fn is_alert(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}

fn transport(windows: Windows) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(CONTROL_STREAMS.into())
        .stream_receive_window(windows.stream.into())
        .receive_window(windows.connection.into())
        .send_window(SEND_WINDOW)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(VarInt::from_u32(SILENCE).into()))
        .datagram_receive_buffer_size(None);
    transport
}

/// Streams of the server's: three, and some that mean nothing.
const CONTROL_STREAMS: u32 = 8;
/// Bytes that were sent and not acknowledged, of a connection.
const SEND_WINDOW: u64 = 1024 * 1024;
/// How often a silent server is asked whether it is there, and after how many milliseconds it is not. The first is also how
/// long it takes to notice that a server's process has ended: the kernel says so when something is sent there.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const SILENCE: u32 = 20_000;
/// What is wrong with a server's certificate (RFC 8446, 6.2), as `rustls` says it.
const CERTIFICATE: &[u8] = &[42, 43, 44, 45, 46, 48, 49, 51];
const NO_COMMON_PROTOCOL: u8 = 120;

#[cfg(test)]
mod tests;
