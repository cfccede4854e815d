//! Messages of HTTP/1.2 to 1.9, should there ever be any: processed as HTTP/1.1 (RFC 9110, 2.5).
//!
//! The parser of heads knows 1.0 and 1.1 only. Here it gets the first line in a copy that says 1.1, and the fields by
//! themselves. All of it is cold.

use httparse::{EMPTY_HEADER, Error, Header, Request, Response, Status};

use super::Version;

/// What a request line says of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stated {
    /// 1.2 to 1.9; the place of the minor version in the input.
    LaterMinor(usize),
    /// Of the right form, but of another major version.
    Unsupported,
    /// Not of the form `HTTP/0.0`.
    Malformed,
    /// So far of the right form; its end has not come.
    Unfinished,
}

/// Looks at the third word of a request.
#[cold]
pub(super) fn stated(input: &[u8]) -> Stated {
    let Some(start) = memchr::memchr_iter(b' ', input).nth(1).map(|at| at + 1) else {
        return Stated::Malformed;
    };
    let word = input.get(start..).unwrap_or_default();
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    if !word.iter().zip(FORM).all(fits) {
        return Stated::Malformed;
    }
    match (word, word.get(FORM.len())) {
        (_, None) => Stated::Unfinished,
        ([_, _, _, _, _, b'1', _, b'2'..=b'9', ..], Some(b'\r' | b'\n')) => {
            Stated::LaterMinor(start + MINOR_AT)
        }
        (_, Some(b'\r' | b'\n')) => Stated::Unsupported,
        _ => Stated::Malformed,
    }
}

/// A request's head, taken apart.
#[derive(Debug)]
pub(super) struct RequestParts<'s, 'b> {
    pub(super) method: &'b str,
    pub(super) target: &'b str,
    pub(super) version: Version,
    pub(super) lines: &'s [Header<'b>],
    pub(super) len: usize,
}

/// Parses a request whose minor version stands at `minor_at`; `None` where it is not whole yet.
#[cold]
pub(super) fn request<'s, 'b>(
    input: &'b [u8],
    minor_at: usize,
    fields: &'s mut Vec<Header<'b>>,
    max_fields: usize,
) -> Result<Option<RequestParts<'s, 'b>>, Error> {
    let Some((copy, line_len)) = first_line(input, minor_at) else {
        return Ok(None);
    };
    let mut request = Request::new(&mut []);
    let (Status::Complete(_), Some(method), Some(target)) =
        (request.parse(&copy)?, request.method, request.path)
    else {
        return Err(Error::Token);
    };
    // One space between them.
    let target_at = method.len() + 1;
    let (Some(method), Some(target)) = (
        text(input, 0, method.len()),
        text(input, target_at, target.len()),
    ) else {
        return Err(Error::Token);
    };
    let Some((lines, len)) = rest(input, line_len, fields, max_fields)? else {
        return Ok(None);
    };
    Ok(Some(RequestParts {
        method,
        target,
        version: Version::Http11,
        lines,
        len,
    }))
}

/// A response's head, taken apart.
#[derive(Debug)]
pub(super) struct ResponseParts<'s, 'b> {
    pub(super) status: Option<u16>,
    pub(super) reason: &'b str,
    pub(super) version: Version,
    pub(super) lines: &'s [Header<'b>],
    pub(super) len: usize,
}

/// Parses a response of such a version; `None` where it is not whole yet.
#[cold]
pub(super) fn response<'s, 'b>(
    input: &'b [u8],
    fields: &'s mut Vec<Header<'b>>,
    max_fields: usize,
) -> Result<Option<ResponseParts<'s, 'b>>, Error> {
    if !matches!(
        input,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', ..]
    ) {
        return Err(Error::Version);
    }
    let Some((copy, line_len)) = first_line(input, MINOR_AT) else {
        return Ok(None);
    };
    let mut response = Response::new(&mut []);
    if response.parse(&copy)?.is_partial() {
        return Err(Error::Status);
    }
    let status = response.code;
    let reason_len = response.reason.unwrap_or_default().len();
    let reason = text(input, REASON_AT, reason_len).unwrap_or_default();
    let Some((lines, len)) = rest(input, line_len, fields, max_fields)? else {
        return Ok(None);
    };
    Ok(Some(ResponseParts {
        status,
        reason,
        version: Version::Http11,
        lines,
        len,
    }))
}

/// A head of the first line alone, as one of HTTP/1.1, and the line's length; `None` where it is not whole.
fn first_line(input: &[u8], minor_at: usize) -> Option<(Vec<u8>, usize)> {
    let len = memchr::memchr(b'\n', input)? + 1;
    let mut copy = input.get(..len)?.to_vec();
    *copy.get_mut(minor_at)? = b'1';
    copy.extend_from_slice(b"\r\n");
    Some((copy, len))
}

/// The fields behind the first line, and the length of the whole head.
fn rest<'s, 'b>(
    input: &'b [u8],
    line_len: usize,
    fields: &'s mut Vec<Header<'b>>,
    max_fields: usize,
) -> Result<Option<(&'s [Header<'b>], usize)>, Error> {
    *fields = vec![EMPTY_HEADER; max_fields];
    let behind = input.get(line_len..).unwrap_or_default();
    Ok(match httparse::parse_headers(behind, fields)? {
        Status::Complete((len, lines)) => Some((lines, line_len + len)),
        Status::Partial => None,
    })
}

fn text(input: &[u8], start: usize, len: usize) -> Option<&str> {
    std::str::from_utf8(input.get(start..)?.get(..len)?).ok()
}

/// The form of a version: each `0` stands for a digit.
const FORM: &[u8; 8] = b"HTTP/0.0";
/// Where in a version the minor one stands.
const MINOR_AT: usize = 7;
/// Behind version, status and two spaces.
const REASON_AT: usize = 13;
