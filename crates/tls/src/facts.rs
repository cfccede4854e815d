//! What a handshake has settled.

use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};

/// What is known of a TLS connection once its handshake is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `TLSv1.2` or `TLSv1.3`
    pub version: &'static str,
    /// The cipher suite, by its IANA name.
    pub cipher: &'static str,
    /// The host that the client named (SNI).
    pub server_name: Option<Box<str>>,
    /// The protocol that was agreed upon (ALPN).
    pub protocol: Option<Box<[u8]>>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl Facts {
    pub(crate) fn of(state: &CommonState, server_name: Option<Box<str>>) -> Self {
        Self {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher: state
                .negotiated_cipher_suite()
                .map_or("", |suite| cipher_name(suite.suite())),
            server_name,
            protocol: state.alpn_protocol().map(Into::into),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Whether it is TLS 1.3.
    pub fn is_v1_3(&self) -> bool {
        self.version == "TLSv1.3"
    }
}

/// The names of TLS 1.3 are its own in `rustls`.
fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or_default(),
    }
}
