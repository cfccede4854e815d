//! What a handshake has settled.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::early::Early;

/// What is known of a TLS connection once its handshake is done, or has come so far that data is taken.
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
    /// The client's certificate, where it has shown one that is trusted.
    pub client: Option<ClientCertificate>,
    /// Whether the client wished to send before the handshake was done.
    pub offered_early_data: bool,
    /// Where such data was taken: whether the handshake is done by now.
    pub early: Option<Early>,
}

/// A client's certificate, as servers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its subject, such as `CN=alice, O=Example`; printable ASCII, all else as `\\xx`.
    pub subject: Box<str>,
    /// The SHA-256 of the certificate in hexadecimal digits.
    pub fingerprint: Box<str>,
}

impl ClientCertificate {
    fn of(certificate: &[u8]) -> Self {
        let parsed = X509Certificate::from_der(certificate);
        let subject = parsed.map_or_else(|_| String::new(), |(_, one)| one.subject().to_string());
        let digest = digest(&SHA256, certificate);
        let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Self {
            subject: printable(&subject).into(),
            fingerprint: digits.collect::<String>().into(),
        }
    }
}

/// It goes into a header field: nothing in it may end that.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "\\{byte:02x}");
        }
    }
    out
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
            client: state
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|certificate| ClientCertificate::of(certificate)),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            offered_early_data: false,
            early: None,
        }
    }

    /// What QUIC tells of a handshake.
    pub fn of_quic(
        server_name: Option<&str>,
        protocol: Option<&[u8]>,
        cipher: Option<CipherSuite>,
        client: Option<&[u8]>,
    ) -> Self {
        Self {
            version: "TLSv1.3",
            cipher: cipher.map_or("", cipher_name),
            server_name: server_name.map(Into::into),
            protocol: protocol.map(Into::into),
            resumed: false,
            client: client.map(ClientCertificate::of),
            offered_early_data: false,
            early: None,
        }
    }

    /// Whether what comes may be a copy of what somebody else sent once: the handshake is not done.
    pub fn is_early(&self) -> bool {
        self.early.as_ref().is_some_and(|early| !early.is_done())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_cannot_leave_its_field() {
        assert_eq!(
            printable("CN=a\r\nX-Admin: 1, O=\u{fc}"),
            "CN=a\\0d\\0aX-Admin: 1, O=\\c3\\bc"
        );
        assert_eq!(printable("CN=alice, O=Example"), "CN=alice, O=Example");
    }
}
