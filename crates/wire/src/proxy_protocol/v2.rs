//! Version 2: binary, with extensions (type, length, value), of which only the checksum is looked at.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::crc32c::crc32c;
use super::{Client, Error, Header, Version, one_family};

/// The longest header accepted, in bytes. The format allows 65,551; extensions in use fill a few hundred.
pub const MAX_V2_LEN: usize = 4096;

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length.
const FIXED_LEN: usize = 16;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const TYPE_CRC32C: u8 = 0x03;

pub(super) fn parse(input: &[u8]) -> Result<Option<(Header, usize)>, Error> {
    // Refuse what is wrong already before the rest has come.
    let after_signature = input.get(SIGNATURE.len()..).unwrap_or_default();
    if after_signature
        .first()
        .is_some_and(|command| !matches!(*command, LOCAL | PROXY))
    {
        return Err(Error::Kind);
    }
    let [command, family, high, low, after @ ..] = after_signature else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if FIXED_LEN + len > MAX_V2_LEN {
        return Err(Error::TooLong);
    }
    // A proxy speaking for itself may put anything into the rest, and it is to be ignored.
    if *command == PROXY && (family >> 4 > 3 || family & 0xF > 2) {
        return Err(Error::Kind);
    }
    let (Some(block), Some(whole)) = (after.get(..len), input.get(..FIXED_LEN + len)) else {
        return Ok(None);
    };
    let client = match command {
        &PROXY => proxied(*family, block, whole)?,
        _ => Client::Proxy,
    };
    let version = Version::V2;
    Ok(Some((Header { version, client }, whole.len())))
}

/// Appends a version 2 header to `out`. Where the families differ, both addresses are written as IPv6.
pub fn write_v2(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.push(PROXY);
    match one_family(source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[TCP4, 0, 12]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        (from, to) => {
            out.extend_from_slice(&[TCP6, 0, 36]);
            out.extend_from_slice(&as_v6(from).octets());
            out.extend_from_slice(&as_v6(to).octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

/// Appends a version 2 header that speaks for nobody: the proxy itself connects, to see whether the server is well.
pub fn write_v2_own(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[LOCAL, 0, 0, 0]);
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Reads addresses and extensions of a header in which a proxy speaks for a client.
fn proxied(family: u8, block: &[u8], whole: &[u8]) -> Result<Client, Error> {
    let (client, extensions) = match family >> 4 {
        1 => ip_addresses::<4>(block).ok_or(Error::Length)?,
        2 => ip_addresses::<16>(block).ok_or(Error::Length)?,
        3 => (Client::Unknown, block.get(UNIX_LEN..).ok_or(Error::Length)?),
        // How long an unknown address is, is unknown, so extensions behind it cannot be found.
        _ => return Ok(Client::Unknown),
    };
    check_extensions(extensions, whole)?;
    // A family without a protocol: addresses of nothing in particular.
    if family.trailing_zeros() >= 4 {
        Ok(Client::Unknown)
    } else {
        Ok(client)
    }
}

/// Two paths of 108 bytes.
const UNIX_LEN: usize = 216;

fn ip_addresses<const N: usize>(block: &[u8]) -> Option<(Client, &[u8])>
where
    IpAddr: From<[u8; N]>,
{
    let (from, rest) = block.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk()?;
    let (destination_port, rest) = rest.split_first_chunk()?;
    let client = Client::Addresses {
        source: SocketAddr::new(IpAddr::from(*from), u16::from_be_bytes(*source_port)),
        destination: SocketAddr::new(IpAddr::from(*to), u16::from_be_bytes(*destination_port)),
    };
    Some((client, rest))
}

fn check_extensions(mut extensions: &[u8], whole: &[u8]) -> Result<(), Error> {
    while !extensions.is_empty() {
        let [kind, high, low, rest @ ..] = extensions else {
            return Err(Error::Length);
        };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(len).ok_or(Error::Length)?;
        if *kind == TYPE_CRC32C {
            let stated = value.try_into().map_err(|_| Error::Length)?;
            // The checksum is over the whole header, with zeros in its own place.
            let after = rest.len();
            let before = whole.len().saturating_sub(after + value.len());
            let parts = [
                whole.get(..before).unwrap_or_default(),
                &[0; 4],
                whole.get(whole.len() - after..).unwrap_or_default(),
            ];
            if crc32c(parts) != u32::from_be_bytes(stated) {
                return Err(Error::Checksum);
            }
        }
        extensions = rest;
    }
    Ok(())
}
