//! TLS of a client's connection, by rustls: what `quinn` would do itself, but that it tells more of the handshake.

use std::any::Any;
use std::io::Cursor;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session,
    UnsupportedVersion,
};
use quinn::rustls::pki_types::CertificateDer;
use quinn::rustls::quic::{KeyChange, Secrets, ServerConnection, Version};
use quinn::rustls::{CipherSuite, HandshakeKind};
use quinn::{ConnectionId, Side, TransportErrorCode};
use quinn_proto::TransportError;
use quinn_proto::transport_parameters::TransportParameters;

use crate::endpoint::NoQuic;

/// What is known once the client's hello is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeData {
    /// The host that the client named (SNI).
    pub server_name: Option<Box<str>>,
    /// The protocol that was agreed upon (ALPN).
    pub protocol: Option<Box<[u8]>>,
    /// The cipher suite.
    pub cipher: Option<CipherSuite>,
    /// Whether an earlier session is resumed.
    pub resumed: bool,
    /// Whether data is taken before the handshake is done.
    pub early: bool,
}

/// What a listener offers, as `quinn` asks for it.
pub(crate) struct Crypto {
    tls: Arc<quinn::rustls::ServerConfig>,
    /// Keys that everybody knows: those of first packets and of Retry.
    known: Arc<QuicServerConfig>,
}

impl Crypto {
    pub(crate) fn new(tls: &Arc<quinn::rustls::ServerConfig>) -> Result<Self, NoQuic> {
        // What is wrong with the settings is found out here, and in no handshake.
        ServerConnection::new(Arc::clone(tls), Version::V1, Vec::new()).map_err(|_| NoQuic)?;
        Ok(Self {
            tls: Arc::clone(tls),
            known: Arc::new(QuicServerConfig::try_from(Arc::clone(tls))?),
        })
    }
}

impl ServerConfig for Crypto {
    fn initial_keys(
        &self,
        version: u32,
        client: &ConnectionId,
    ) -> Result<Keys, UnsupportedVersion> {
        self.known.initial_keys(version, client)
    }

    fn retry_tag(&self, version: u32, first: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.known.retry_tag(version, first, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        parameters: &TransportParameters,
    ) -> Box<dyn Session> {
        let mut bytes = Vec::new();
        parameters.write(&mut bytes);
        #[expect(
            clippy::expect_used,
            reason = "the same settings were tried in `new`; the version was taken by `initial_keys` before"
        )]
        let tls = ServerConnection::new(Arc::clone(&self.tls), spoken(version), bytes)
            .expect("settings that were tried");
        Box::new(Shake {
            tls,
            version,
            known: Arc::clone(&self.known),
            told: false,
            next: None,
        })
    }
}

/// A handshake, and the keys that come of it.
struct Shake {
    tls: ServerConnection,
    version: u32,
    known: Arc<QuicServerConfig>,
    /// Whether `quinn` knows that the hello is understood.
    told: bool,
    next: Option<Secrets>,
}

impl Session for Shake {
    fn initial_keys(&self, client: &ConnectionId, side: Side) -> Keys {
        debug_assert_eq!(side, Side::Server);
        #[expect(
            clippy::panic,
            reason = "the version was taken before there was a session"
        )]
        self.known
            .initial_keys(self.version, client)
            .unwrap_or_else(|_| panic!("a version that was taken"))
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        let data = self.told.then(|| HandshakeData {
            server_name: self.tls.server_name().map(Into::into),
            protocol: self.tls.alpn_protocol().map(Into::into),
            cipher: self
                .tls
                .negotiated_cipher_suite()
                .map(|suite| suite.suite()),
            resumed: self.tls.handshake_kind() == Some(HandshakeKind::Resumed),
            early: self.tls.zero_rtt_keys().is_some(),
        });
        Some(Box::new(data?))
    }

    /// The client's chain, as a `Vec<CertificateDer>`.
    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        let chain = self.tls.peer_certificates()?.iter();
        let chain: Vec<CertificateDer<'static>> =
            chain.map(|one| one.clone().into_owned()).collect();
        Some(Box::new(chain))
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        let keys = self.tls.zero_rtt_keys()?;
        Some((Box::new(keys.header), Box::new(keys.packet)))
    }

    /// Of clients only.
    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        if let Err(error) = self.tls.read_hs(bytes) {
            let alert = self.tls.alert();
            return Err(TransportError {
                code: alert.map_or(TransportErrorCode::PROTOCOL_VIOLATION, |alert| {
                    TransportErrorCode::crypto(alert.into())
                }),
                frame: None,
                reason: error.to_string(),
            });
        }
        let is_news = !self.told && self.tls.negotiated_cipher_suite().is_some();
        self.told |= is_news;
        Ok(is_news)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        let Some(bytes) = self.tls.quic_transport_parameters() else {
            return Ok(None);
        };
        Ok(Some(TransportParameters::read(
            Side::Server,
            &mut Cursor::new(bytes),
        )?))
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        let keys = match self.tls.write_hs(out)? {
            KeyChange::Handshake { keys } => keys,
            KeyChange::OneRtt { keys, next } => {
                self.next = Some(next);
                keys
            }
        };
        Some(Keys {
            header: KeyPair {
                local: Box::new(keys.local.header),
                remote: Box::new(keys.remote.header),
            },
            packet: KeyPair {
                local: Box::new(keys.local.packet),
                remote: Box::new(keys.remote.packet),
            },
        })
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let keys = self.next.as_mut()?.next_packet_keys();
        Some(KeyPair {
            local: Box::new(keys.local),
            remote: Box::new(keys.remote),
        })
    }

    /// Of clients only.
    fn is_valid_retry(&self, _: &ConnectionId, _: &[u8], _: &[u8]) -> bool {
        false
    }

    /// HTTP/3 asks for none.
    fn export_keying_material(
        &self,
        _: &mut [u8],
        _: &[u8],
        _: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}

/// Drafts that are still spoken have salts of their own (RFC 9001, 5.2).
fn spoken(version: u32) -> Version {
    match version {
        0xff00_001d..=0xff00_0020 => Version::V1Draft,
        _ => Version::V1,
    }
}
