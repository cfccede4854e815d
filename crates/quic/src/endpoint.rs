//! An endpoint for one worker, and what it grants its clients.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::NoInitialCipherSuite;
use quinn::{Endpoint, EndpointConfig, ServerConfig, TransportConfig, VarInt};
use thiserror::Error;

use crate::handover::Seat;
use crate::runtime::Worker;
use crate::session::Crypto;
use crate::socket::Socket;

/// What a listener offers by QUIC.
#[derive(Clone, Debug)]
pub struct Settings {
    tls: Arc<quinn::rustls::ServerConfig>,
    limits: Limits,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams that it may have open at a time.
    pub streams: u32,
    /// Bytes that it may send on a stream before we have read them.
    pub stream_window: u32,
}

/// The TLS settings do not do for QUIC.
#[derive(Debug, Error)]
#[error("QUIC needs TLS 1.3 with TLS_AES_128_GCM_SHA256")]
pub struct NoQuic;

impl From<NoInitialCipherSuite> for NoQuic {
    fn from(_: NoInitialCipherSuite) -> Self {
        Self
    }
}

impl Settings {
    /// The certificates and tickets of `tls`, with `protocol` as the only one that is spoken. Where `tls` takes data before
    /// the handshake is done (0-RTT), so does QUIC.
    pub fn new(tls: &quinn::rustls::ServerConfig, protocol: &[u8], limits: Limits) -> Self {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        if tls.max_early_data_size > 0 {
            // How much, flow control says (RFC 9001, 4.6.1).
            tls.max_early_data_size = u32::MAX;
        }
        // Keys for that QUIC hands out by itself.
        tls.send_half_rtt_data = false;
        Self {
            tls: Arc::new(tls),
            limits,
        }
    }

    /// What an endpoint is given, at first and whenever it changes.
    ///
    /// # Errors
    /// [`NoQuic`]
    pub fn server_config(&self) -> Result<ServerConfig, NoQuic> {
        let crypto = Crypto::new(&self.tls)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config
            .transport_config(Arc::new(self.transport()))
            .max_incoming(MOST_INCOMING)
            .incoming_buffer_size(INCOMING_BUFFER)
            .incoming_buffer_size_total(INCOMING_BUFFERS);
        Ok(config)
    }

    fn transport(&self) -> TransportConfig {
        let mut transport = TransportConfig::default();
        let window = self.limits.stream_window;
        transport
            .max_concurrent_bidi_streams(self.limits.streams.into())
            .max_concurrent_uni_streams(CONTROL_STREAMS.into())
            .stream_receive_window(window.into())
            .receive_window(window.saturating_mul(WINDOWS).into())
            .send_window(SEND_WINDOW)
            .keep_alive_interval(Some(KEEP_ALIVE))
            .max_idle_timeout(Some(VarInt::from_u32(SILENCE).into()))
            .datagram_receive_buffer_size(None);
        transport
    }
}

/// Opens a worker's endpoint over its socket.
///
/// # Errors
/// [`NoQuic`] as [`io::ErrorKind::InvalidInput`], or the kernel's.
pub fn open(socket: UdpSocket, seat: Seat, settings: &Settings) -> io::Result<Endpoint> {
    let server = settings
        .server_config()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let ids = seat.ids.clone();
    let mut config = EndpointConfig::default();
    config.cid_generator(move || Box::new(ids.clone()));
    let socket = Socket::new(socket, seat)?;
    Endpoint::new_with_abstract_socket(config, Some(server), Arc::new(socket), Arc::new(Worker))
}

/// Handshakes that wait to be looked at, and what may be kept of each and of all: bytes.
const MOST_INCOMING: usize = 1024;
const INCOMING_BUFFER: u64 = 16 * 1024;
const INCOMING_BUFFERS: u64 = 4 * 1024 * 1024;
/// Streams of the client's that carry no requests: three, and some that mean nothing.
const CONTROL_STREAMS: u32 = 8;
/// The window of a connection, in windows of its streams.
const WINDOWS: u32 = 4;
/// Bytes that were sent and not acknowledged, of a connection.
const SEND_WINDOW: u64 = 1024 * 1024;
/// How often a client that is silent is asked whether it is there, and after how many milliseconds it is not.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const SILENCE: u32 = 30_000;
