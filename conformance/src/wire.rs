//! The origin's reader of requests. It accepts only what a proxy may write, so that whatever slips through malformed is
//! seen.

use crate::seen::{Seen, field};

/// How far the bytes at the start of a buffer are a request.
pub(crate) enum Reading {
    /// A whole one, and how many bytes it takes up.
    Whole(Seen, usize),
    /// Not whole yet.
    Partial {
        /// Whether the head is whole and says that its sender waits for `100 Continue`.
        expects_continue: bool,
    },
    /// None that a proxy may send.
    Broken,
}

/// Reads the request at the start of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    match try_read(bytes) {
        Ok((seen, length)) => Reading::Whole(seen, length),
        Err(Stop::Partial { expects_continue }) => Reading::Partial { expects_continue },
        Err(Stop::Broken) => Reading::Broken,
    }
}

enum Stop {
    Partial { expects_continue: bool },
    Broken,
}

const PARTIAL: Stop = Stop::Partial {
    expects_continue: false,
};

fn try_read(bytes: &[u8]) -> Result<(Seen, usize), Stop> {
    let end = position(bytes, b"\r\n\r\n").ok_or(PARTIAL)?;
    let head = latin1(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    if line.split(' ').count() != 3 || !line.ends_with(" HTTP/1.1") || has_control(&line) {
        return Err(Stop::Broken);
    }
    let fields = lines
        .map(|line| checked_field(line).ok_or(Stop::Broken))
        .collect::<Result<Vec<_>, _>>()?;
    let start = end + 4;
    let rest = &bytes[start..];
    let mut payload = Vec::new();
    let mut trailers = Vec::new();
    let used = match framing(&fields)? {
        Framing::None => Ok(0),
        Framing::Length(length) => match rest.get(..length) {
            Some(body) => {
                payload.extend_from_slice(body);
                Ok(length)
            }
            None => Err(PARTIAL),
        },
        Framing::Chunked => chunked(rest, &mut payload, &mut trailers),
    };
    let used = used.map_err(|stop| match stop {
        Stop::Partial { .. } => Stop::Partial {
            expects_continue: named(&fields, "expect").next().is_some(),
        },
        Stop::Broken => Stop::Broken,
    })?;
    Ok((Seen::of(line, fields, payload, trailers), start + used))
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

fn framing(fields: &[(String, String)]) -> Result<Framing, Stop> {
    let lengths: Vec<_> = named(fields, "content-length").collect();
    let codings: Vec<_> = named(fields, "transfer-encoding").collect();
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Framing::None),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| Stop::Broken),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        _ => Err(Stop::Broken),
    }
}

fn chunked(
    bytes: &[u8],
    payload: &mut Vec<u8>,
    trailers: &mut Vec<(String, String)>,
) -> Result<usize, Stop> {
    let mut at = 0;
    loop {
        let line = take_line(bytes, &mut at)?;
        let is_hex = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(&line, 16).ok().filter(|_| is_hex);
        let size = size.ok_or(Stop::Broken)?;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size).ok_or(Stop::Broken)?;
        payload.extend_from_slice(bytes.get(at..end).ok_or(PARTIAL)?);
        at = end;
        if !take_line(bytes, &mut at)?.is_empty() {
            return Err(Stop::Broken);
        }
    }
    loop {
        let line = take_line(bytes, &mut at)?;
        if line.is_empty() {
            return Ok(at);
        }
        trailers.push(checked_field(&line).ok_or(Stop::Broken)?);
    }
}

fn take_line(bytes: &[u8], at: &mut usize) -> Result<String, Stop> {
    let rest = &bytes[*at..];
    let length = position(rest, b"\r\n").ok_or(PARTIAL)?;
    *at += length + 2;
    let line = latin1(&rest[..length]);
    if has_control(&line) {
        return Err(Stop::Broken);
    }
    Ok(line)
}

fn checked_field(line: &str) -> Option<(String, String)> {
    let (name, value) = field(line)?;
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_tchar) && !has_control(&value))
        .then_some((name, value))
}

fn has_control(text: &str) -> bool {
    text.chars()
        .any(|char| char.is_ascii_control() && char != '\t')
}

fn named<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    fields
        .iter()
        .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn position(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        match read(bytes) {
            Reading::Whole(seen, length) => format!("{seen:?} in {length}"),
            Reading::Partial { expects_continue } => format!("partial {expects_continue}"),
            Reading::Broken => "broken".to_owned(),
        }
    }

    #[test]
    fn requests_are_read_to_their_end() {
        for (bytes, expected) in [
            (
                &b"GET / HTTP/1.1\r\nX: \xe9\r\nHost: a\r\nVia: v\r\n\r\nmore"[..],
                "\"GET / HTTP/1.1\" | host: a | x: \u{e9} | body \"\" in 41",
            ),
            (
                b"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n",
                "\"P / HTTP/1.1\" | transfer-encoding: chunked | body \"hi\" | trailer t: 1 in 62",
            ),
            (b"GET / HTTP/1.1\r\n", "partial false"),
            (
                b"P / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nhi",
                "partial true",
            ),
        ] {
            assert_eq!(shown(bytes), expected);
        }
    }

    #[test]
    fn what_no_proxy_may_write_is_seen() {
        for bytes in [
            "GET /  HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\nA: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\n a: b\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
            "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        ] {
            assert_eq!(shown(bytes.as_bytes()), "broken", "{bytes:?}");
        }
    }
}
