//! What a TLS client says in the clear before anything is ciphered: enough of its first message to pass the connection
//! on, unopened, to where it belongs.
//!
//! Nothing here speaks TLS. A `ClientHello` (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2) is read from the records of the first
//! flight for its server name and its application protocols. Where Encrypted Client Hello is used, what is seen is the
//! outer hello, which names the public name of the provider.

mod alert;
mod body;
mod bytes;
mod reader;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::alert::Alert;
pub use self::body::{ClientHello, Protocols};
pub use self::reader::{HelloReader, MAX_HELLO};

/// Why bytes are no hello that can be passed on. The connection must be closed, with [`HelloError::alert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum HelloError {
    /// The first byte is none of a handshake record: some other protocol is spoken.
    #[error("not TLS")]
    NotTls,
    /// A record or hello of a version before TLS 1.0, or of none at all.
    #[error("bad TLS version")]
    Version,
    /// A record that is empty, or longer than 16 KiB (RFC 8446 §5.1).
    #[error("bad TLS record length")]
    RecordLength,
    /// Another message where the hello should be, or other bytes within or right behind it.
    #[error("no ClientHello")]
    Unexpected,
    /// The hello's parts do not fill it exactly.
    #[error("malformed ClientHello")]
    Malformed,
    /// A server name that is no host name, more than one of them, or an extension that stands twice.
    #[error("bad server name or repeated extension")]
    Illegal,
    /// The hello with its records is longer than [`MAX_HELLO`].
    #[error("ClientHello too long")]
    TooLong,
}

impl HelloError {
    /// What the client is told (RFC 8446 §6).
    pub fn alert(self) -> Alert {
        match self {
            Self::NotTls | Self::Unexpected => Alert::UnexpectedMessage,
            Self::Version => Alert::ProtocolVersion,
            Self::RecordLength => Alert::RecordOverflow,
            Self::Malformed => Alert::DecodeError,
            Self::Illegal => Alert::IllegalParameter,
            Self::TooLong => Alert::HandshakeFailure,
        }
    }
}
