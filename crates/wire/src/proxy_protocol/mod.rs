//! The PROXY protocol, versions 1 and 2: how a proxy in front tells whom it speaks for, before the first byte of the
//! connection proper. By the specification that `HAProxy` publishes.

mod crc32c;
mod v1;
mod v2;

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

pub use self::v1::{MAX_V1_LEN, write_v1, write_v1_own};
pub use self::v2::{MAX_V2_LEN, write_v2, write_v2_own};

/// A PROXY protocol header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which of the two encodings it came in.
    pub version: Version,
    /// Whom the connection belongs to.
    pub client: Client,
}

/// The encoding of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// One line of text.
    V1,
    /// Binary, with optional extensions.
    V2,
}

/// Whom a proxy says it speaks for. Without addresses, those of the connection itself count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// For itself, such as a health check (version 2 only).
    Proxy,
    /// For somebody whose address it does not know, or whose kind of address is of no use here (UNIX sockets).
    Unknown,
    /// For the client at `source`, which had connected to `destination`. Both are of one family.
    Addresses {
        /// The client's address.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
}

/// Why bytes are not a header. The connection must be closed: nothing on it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Error {
    /// The connection does not start with either signature.
    #[error("no PROXY protocol header")]
    Signature,
    /// A version 1 line that is malformed or longer than [`MAX_V1_LEN`].
    #[error("bad PROXY line")]
    Line,
    /// A version, command or address family that version 2 does not have.
    #[error("bad PROXY version, command or family")]
    Kind,
    /// A version 2 header that is too short for its addresses, or whose extensions do not fill it exactly.
    #[error("bad PROXY header length")]
    Length,
    /// A version 2 header longer than [`MAX_V2_LEN`].
    #[error("PROXY header too long")]
    TooLong,
    /// A version 2 header whose checksum is wrong.
    #[error("bad PROXY header checksum")]
    Checksum,
}

impl Error {
    /// A short word for logs and metrics; the set of them is fixed.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Signature => "proxy-signature",
            Self::Line => "proxy-line",
            Self::Kind => "proxy-kind",
            Self::Length => "proxy-length",
            Self::TooLong => "proxy-too-long",
            Self::Checksum => "proxy-checksum",
        }
    }
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detection {
    /// Not a header, whatever follows.
    Absent,
    /// Too few bytes to tell.
    Undecided,
    /// The start of a header.
    Present(Version),
}

/// Tells from the first bytes of a connection whether a header is there.
///
/// `P` may still be `POST`, and CR LF an empty line before a request, so up to 12 bytes may be needed.
pub fn detect(input: &[u8]) -> Detection {
    let begins = |signature: &[u8]| {
        input
            .iter()
            .zip(signature)
            .all(|(byte, expected)| byte == expected)
    };
    for (signature, version) in [(v1::SIGNATURE, Version::V1), (v2::SIGNATURE, Version::V2)] {
        if begins(signature) {
            return if input.len() < signature.len() {
                Detection::Undecided
            } else {
                Detection::Present(version)
            };
        }
    }
    Detection::Absent
}

/// Parses a header at the start of `input`; `None` where it is not whole yet. Returns it with its length in bytes.
pub fn parse(input: &[u8]) -> Result<Option<(Header, usize)>, Error> {
    match detect(input) {
        Detection::Absent => Err(Error::Signature),
        Detection::Undecided => Ok(None),
        Detection::Present(Version::V1) => v1::parse(input),
        Detection::Present(Version::V2) => v2::parse(input),
    }
}

/// Both addresses in one family: IPv6, with IPv4-mapped addresses, as soon as one of them is.
fn one_family(source: SocketAddr, destination: SocketAddr) -> (IpAddr, IpAddr) {
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V6(destination)) => {
            (source.to_ipv6_mapped().into(), destination.into())
        }
        (IpAddr::V6(source), IpAddr::V4(destination)) => {
            (source.into(), destination.to_ipv6_mapped().into())
        }
        same => same,
    }
}

#[cfg(test)]
mod tests;
