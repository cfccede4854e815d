//! The hello itself: what of it decides where a connection goes.

use super::HelloError;
use super::bytes::Bytes;

/// What a hello says in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The host that the client wants (RFC 6066 §3), as it was sent: ASCII, 1 to 255 bytes, no trailing dot.
    pub server_name: Option<&'a str>,
    /// The application protocols that it speaks (RFC 7301 §3.1).
    pub protocols: Protocols<'a>,
    /// Whether data follows at once, before the handshake is done (RFC 8446 §4.2.10).
    pub early_data: bool,
}

/// A list of application protocols, the dearest to the client first. Empty where it named none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protocols<'a>(&'a [u8]);

impl<'a> Iterator for Protocols<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut list = Bytes(self.0);
        let name = list.vector8()?;
        self.0 = list.0;
        Some(name)
    }
}

impl<'a> ClientHello<'a> {
    /// Parses the body of a handshake message of this type.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, HelloError> {
        let extensions = extensions(body)?;
        let mut hello = Self {
            server_name: None,
            protocols: Protocols::default(),
            early_data: false,
        };
        let mut list = Bytes(extensions);
        while !list.is_empty() {
            let kind = list.number16().ok_or(HelloError::Malformed)?;
            let data = list.vector16().ok_or(HelloError::Malformed)?;
            match kind {
                SERVER_NAME if hello.server_name.is_some() => return Err(HelloError::Illegal),
                SERVER_NAME => hello.server_name = Some(server_name(data)?),
                ALPN if !hello.protocols.0.is_empty() => return Err(HelloError::Illegal),
                ALPN => hello.protocols = protocols(data)?,
                EARLY_DATA => hello.early_data = true,
                _ => {}
            }
        }
        Ok(hello)
    }
}

const SERVER_NAME: usize = 0;
const ALPN: usize = 16;
const EARLY_DATA: usize = 42;
const HOST_NAME: usize = 0;
/// TLS 1.0. Later versions are at least this, what they call themselves in extensions aside.
const OLDEST: [u8; 2] = [3, 1];

/// The extensions behind everything else; empty where there are none, as old clients have it.
fn extensions(body: &[u8]) -> Result<&[u8], HelloError> {
    let mut rest = Bytes(body);
    let version = rest.take(2).ok_or(HelloError::Malformed)?;
    if version < OLDEST.as_slice() || version.first() != Some(&3) {
        return Err(HelloError::Version);
    }
    let before = (|| {
        let _random = rest.take(32)?;
        let session_id = rest.vector8()?;
        let cipher_suites = rest.vector16()?;
        let compressions = rest.vector8()?;
        let fits = session_id.len() <= 32
            && cipher_suites.len() >= 2
            && cipher_suites.len().is_multiple_of(2)
            && !compressions.is_empty();
        fits.then_some(())
    })();
    before.ok_or(HelloError::Malformed)?;
    if rest.is_empty() {
        return Ok(&[]);
    }
    let extensions = rest.vector16().ok_or(HelloError::Malformed)?;
    if rest.is_empty() {
        Ok(extensions)
    } else {
        Err(HelloError::Malformed)
    }
}

/// One name, and that a host's: others were never defined, nor what their length would be.
fn server_name(data: &[u8]) -> Result<&str, HelloError> {
    let mut list = Bytes(Bytes(data).only_vector16()?);
    let kind = list.number8().ok_or(HelloError::Malformed)?;
    let name = list.vector16().ok_or(HelloError::Malformed)?;
    if kind != HOST_NAME || !list.is_empty() || !is_host_name(name) {
        return Err(HelloError::Illegal);
    }
    str::from_utf8(name).map_err(|_| HelloError::Illegal)
}

/// Letters, digits, hyphens and, as the world has it, underscores, in labels of 1 to 63 bytes. An IPv4 address passes for
/// one, which it must not be, and leads where names that nobody knows lead.
fn is_host_name(name: &[u8]) -> bool {
    let fits =
        |label: &[u8]| (1..=63).contains(&label.len()) && label.iter().all(|byte| is_part(*byte));
    name.len() <= 255 && name.split(|byte| *byte == b'.').all(fits)
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn protocols(data: &[u8]) -> Result<Protocols<'_>, HelloError> {
    let list = Bytes(data).only_vector16()?;
    let mut rest = Bytes(list);
    while !rest.is_empty() {
        let name = rest.vector8().ok_or(HelloError::Malformed)?;
        if name.is_empty() {
            return Err(HelloError::Malformed);
        }
    }
    Ok(Protocols(list))
}

impl<'a> Bytes<'a> {
    /// The vector that all of it is, which is not empty.
    fn only_vector16(mut self) -> Result<&'a [u8], HelloError> {
        self.vector16()
            .filter(|vector| self.is_empty() && !vector.is_empty())
            .ok_or(HelloError::Malformed)
    }
}
