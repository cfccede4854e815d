//! Why handshakes fail.

use std::io;

use rustls::{AlertDescription, Error, PeerIncompatible};
use thiserror::Error;

use crate::session::SessionError;

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The other side went away.
    #[error("the connection was closed")]
    Closed,
    /// What it said is no TLS; HTTP in the clear was answered.
    #[error("not TLS")]
    NotTls,
    /// No version of TLS is spoken by both.
    #[error("no version of TLS in common")]
    Version,
    /// No cipher, curve or signature is known to both.
    #[error("nothing in common: {0}")]
    NothingInCommon(String),
    /// The other side speaks none of the protocols that were offered by ALPN.
    #[error("none of the protocols in common that were offered by ALPN")]
    NoProtocol,
    /// The other side refused what it got from us: the certificate, mostly.
    #[error("refused by the other side: {0}")]
    Refused(String),
    /// The other side's certificate is missing, or not one that we trust.
    #[error("{0}")]
    Certificate(String),
    /// We have none for the host that the client named.
    #[error("there is no certificate for this host yet")]
    NoCertificate,
    /// What it said is against the protocol.
    #[error("{0}")]
    Invalid(String),
}

impl From<SessionError> for HandshakeError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Io(error) => error.into(),
            SessionError::Tls(error) => error.into(),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl From<Error> for HandshakeError {
    fn from(error: Error) -> Self {
        match &error {
            Error::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::Tls13RequiredForQuic
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::Version,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
                Self::NothingInCommon(error.to_string())
            }
            Error::AlertReceived(AlertDescription::NoApplicationProtocol) => Self::NoProtocol,
            Error::AlertReceived(alert) => Self::Refused(format!("{alert:?}")),
            Error::NoCertificatesPresented
            | Error::UnsupportedNameType
            | Error::InvalidCertificate(_)
            | Error::InvalidCertRevocationList(_) => Self::Certificate(error.to_string()),
            // The library has no kind of its own for it.
            Error::General(text) if text.contains("no server certificate") => Self::NoCertificate,
            _ => Self::Invalid(error.to_string()),
        }
    }
}
