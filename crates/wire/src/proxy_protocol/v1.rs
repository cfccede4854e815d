//! Version 1: one line of text, such as `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Client, Error, Header, Version, one_family};

/// The longest line, in bytes, CRLF included.
pub const MAX_V1_LEN: usize = 107;

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

pub(super) fn parse(input: &[u8]) -> Result<Option<(Header, usize)>, Error> {
    let window = input.get(..MAX_V1_LEN).unwrap_or(input);
    let Some(end) = memchr::memchr2(b'\r', b'\n', window) else {
        return if input.len() >= MAX_V1_LEN {
            Err(Error::Line)
        } else {
            Ok(None)
        };
    };
    match window.get(end..) {
        Some([b'\r', b'\n', ..]) => {}
        Some([b'\r']) if window.len() < MAX_V1_LEN => return Ok(None),
        _ => return Err(Error::Line),
    }
    let line = window.get(SIGNATURE.len()..end).unwrap_or_default();
    let header = Header {
        version: Version::V1,
        client: client(line)?,
    };
    Ok(Some((header, end + 2)))
}

/// Appends a version 1 header to `out`. Where the families differ, both addresses are written as IPv6.
pub fn write_v1(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    let (from, to) = one_family(source, destination);
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    let written = write!(
        out,
        "PROXY {family} {from} {to} {} {}\r\n",
        source.port(),
        destination.port()
    );
    debug_assert!(written.is_ok(), "a vector takes every byte");
}

/// Appends a version 1 header that speaks for nobody: the proxy itself connects.
pub fn write_v1_own(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PROXY UNKNOWN\r\n");
}

fn client(line: &[u8]) -> Result<Client, Error> {
    // What follows UNKNOWN is to be ignored.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Ok(Client::Unknown);
    }
    let line = std::str::from_utf8(line).map_err(|_| Error::Line)?;
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(Error::Line);
    let address: fn(&str) -> Option<IpAddr> = match word()? {
        "TCP4" => |word| Ipv4Addr::from_str(word).ok().map(IpAddr::V4),
        "TCP6" => |word| Ipv6Addr::from_str(word).ok().map(IpAddr::V6),
        _ => return Err(Error::Line),
    };
    let from = address(word()?).ok_or(Error::Line)?;
    let to = address(word()?).ok_or(Error::Line)?;
    let source = SocketAddr::new(from, port(word()?)?);
    let destination = SocketAddr::new(to, port(word()?)?);
    match words.next() {
        None => Ok(Client::Addresses {
            source,
            destination,
        }),
        Some(_) => Err(Error::Line),
    }
}

/// Digits without sign or leading zero.
fn port(word: &str) -> Result<u16, Error> {
    match word.as_bytes() {
        [b'+', ..] | [b'0', _, ..] => Err(Error::Line),
        _ => word.parse().map_err(|_| Error::Line),
    }
}
