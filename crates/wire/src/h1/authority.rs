//! `host[:port]`, as it stands in `Host` and in request targets (RFC 3986, section 3.2).

use std::net::Ipv6Addr;
use std::str::FromStr;

/// Checks a non-empty `host[:port]` without user information.
///
/// The host is a registered name or IPv4 address (unreserved bytes, sub-delimiters, percent-encoded bytes) or an IPv6
/// address in brackets. The port is at most 65535 and may be empty (`host:`).
#[inline]
pub(super) fn check(bytes: &[u8]) -> Option<&str> {
    let host_len = match bytes.first()? {
        b'[' => ipv6_len(bytes)?,
        _ => registered_name_len(bytes)?,
    };
    match bytes.get(host_len..)? {
        [] => {}
        [b':', port @ ..] => check_port(port)?,
        _ => return None,
    }
    std::str::from_utf8(bytes).ok()
}

/// Splits a checked authority into its host (brackets kept) and the digits of its port, if it has any.
pub fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // A colon inside brackets belongs to the address.
        Some((host, port)) if !port.contains(']') => {
            (host, Some(port).filter(|port| !port.is_empty()))
        }
        _ => (authority, None),
    }
}

fn ipv6_len(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b']', bytes)?;
    let address = std::str::from_utf8(bytes.get(1..end)?).ok()?;
    Ipv6Addr::from_str(address).ok()?;
    Some(end + 1)
}

#[inline]
fn registered_name_len(bytes: &[u8]) -> Option<usize> {
    let mut percent = false;
    let mut len = 0;
    for &byte in bytes {
        match NAME_BYTES.get(usize::from(byte)) {
            Some(true) => {}
            _ if byte == b':' => break,
            _ if byte == b'%' => percent = true,
            _ => return None,
        }
        len += 1;
    }
    if len == 0 || (percent && !percent_encodings_are_whole(bytes.get(..len)?)) {
        return None;
    }
    Some(len)
}

#[cold]
fn percent_encodings_are_whole(name: &[u8]) -> bool {
    let mut parts = name.split(|&byte| byte == b'%');
    parts.next();
    parts.all(|part| matches!(part, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

fn check_port(port: &[u8]) -> Option<()> {
    let mut number: u32 = 0;
    for byte in port {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u32::from(byte - b'0');
        if number > u32::from(u16::MAX) {
            return None;
        }
    }
    Some(())
}

/// Unreserved and sub-delimiters of RFC 3986.
#[expect(clippy::indexing_slicing, reason = "computed while compiling")]
static NAME_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let allowed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=";
    let mut index = 0;
    while index < allowed.len() {
        table[allowed[index] as usize] = true;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{check, split_port};

    #[test]
    fn authorities() {
        for good in [
            "a",
            "example.org",
            "example.org.",
            "EXAMPLE.org:80",
            "example.org:",
            "127.0.0.1",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:1",
            "a_b",
            "a%2fb",
            "a,b",
            "x:00080",
        ] {
            assert_eq!(check(good.as_bytes()), Some(good));
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a\tb",
            "user@a",
            "user:p@a",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:99999999999999999999",
            "a:+80",
            "a/",
            "a?",
            "a#",
            "a\\b",
            "[::1",
            "::1",
            "[::1]a",
            "[::1]8",
            "[v1.a]",
            "[fe80::1%25eth0]",
            "[]",
            "[1.2.3.4]",
            "a%",
            "a%2",
            "a%zz",
            "a\u{e9}",
            "a\0",
            "<a>",
            "a\"b",
            "a|b",
            "a:-1",
            "a[b]",
            "{a}",
        ] {
            assert_eq!(check(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn ports_are_split_off() {
        assert_eq!(split_port("a"), ("a", None));
        assert_eq!(split_port("a:80"), ("a", Some("80")));
        assert_eq!(split_port("a:"), ("a", None));
        assert_eq!(split_port("[::1]"), ("[::1]", None));
        assert_eq!(split_port("[::1]:80"), ("[::1]", Some("80")));
        assert_eq!(split_port(""), ("", None));
    }
}
