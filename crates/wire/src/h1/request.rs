//! Request heads.

use httparse::{Error, Header, Request, Status};

use super::error::{FieldsError, RequestError};
use super::fields::{FieldStorage, Fields, MAX_FIELDS};
use super::later_minor::{self, RequestParts, Stated};
use super::method::MAX_METHOD_LEN;
use super::survey::{Once, Survey, survey};
use super::{Framing, Limits, Method, Target, Version, authority, connection, diagnose, framing};

/// A request's head, borrowed from the bytes it came in.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'s, 'b> {
    /// The method.
    pub method: Method<'b>,
    /// What is asked for.
    pub target: Target<'b>,
    /// The client's version.
    pub version: Version,
    /// All fields.
    pub fields: Fields<'s, 'b>,
    /// The effective `host[:port]`, checked. A target in absolute form (or authority form) wins over `Host` (RFC 9112,
    /// 3.2.2), and then `Host` has to be written anew. Empty only for HTTP/1.0 without `Host`.
    pub host: &'b str,
    /// How the body ends; never [`Framing::UntilClose`].
    pub framing: Framing,
    /// Whether the client wants the connection kept: HTTP/1.1 without `close`, or HTTP/1.0 with `keep-alive`.
    pub persistent: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (HTTP/1.1 only).
    pub expect_continue: bool,
    /// The value of `Upgrade`, where `Connection` names it, the version is 1.1 and it came once.
    pub upgrade: Option<&'b str>,
    /// Bytes of the input that the head takes up, empty lines before it included.
    pub len: usize,
}

/// Empty lines tolerated before a request line (RFC 9112, 2.2 asks for at least one).
pub const MAX_LEADING_EMPTY_LINES: usize = 4;

/// Parses the head of a request at the start of `input`; `None` where it is not whole yet.
///
/// A head that is not whole is refused as soon as it breaks a limit or a rule that more bytes cannot mend. What follows
/// the head in `input` is not looked at.
#[inline]
pub fn parse_request<'s, 'b>(
    input: &'b [u8],
    storage: &'s mut FieldStorage<'b>,
    limits: &Limits,
) -> Result<Option<RequestHead<'s, 'b>>, RequestError> {
    let skipped = match input.first() {
        Some(b'\r' | b'\n') => match skip_empty_lines(input)? {
            Some(skipped) => skipped,
            None => return Ok(None),
        },
        _ => 0,
    };
    let input = input.get(skipped..).unwrap_or_default();
    let max_fields = limits.max_fields.min(MAX_FIELDS);
    let room = storage.lines.get_mut(..max_fields).unwrap_or_default();
    let mut request = Request::new(&mut []);
    let outcome = match request.parse_with_uninit_headers(input, room) {
        Ok(Status::Complete(len)) => {
            let (Some(method), Some(target)) = (request.method, request.path) else {
                return Err(RequestError::Target);
            };
            Ok(Some(RequestParts {
                method,
                target,
                version: Version::from_minor(request.version),
                lines: request.headers,
                len,
            }))
        }
        Ok(Status::Partial) => Ok(None),
        Err(Error::Version) => other_version(input, &mut storage.rare_lines, max_fields, limits),
        Err(error) => Err(explain(error, input, limits)),
    };
    let Some(RequestParts {
        method,
        target,
        version,
        lines,
        len,
    }) = outcome?
    else {
        return check_partial(input, skipped, limits).map(|()| None);
    };
    if method.len() > MAX_METHOD_LEN {
        return Err(RequestError::Method);
    }
    if target.len() > limits.max_target {
        return Err(RequestError::TargetTooLong);
    }
    if skipped + len > limits.max_head {
        return Err(FieldsError::TooLong.into());
    }
    let head = input.get(..len).unwrap_or_default();
    let marks = storage.marks.get_mut(..lines.len()).unwrap_or_default();
    let mut found = Survey::default();
    survey(head, lines, marks, &mut found)?;
    let fields = Fields {
        head,
        lines,
        marks,
        kinds: found.kinds,
    };
    let method = Method::from_token(method);
    let target = Target::parse(target, &method)?;
    compose(method, target, version, fields, &found, skipped + len).map(Some)
}

#[inline]
fn compose<'s, 'b>(
    method: Method<'b>,
    target: Target<'b>,
    version: Version,
    fields: Fields<'s, 'b>,
    found: &Survey<'b>,
    len: usize,
) -> Result<RequestHead<'s, 'b>, RequestError> {
    let host = match found.host {
        Once::One(value) => authority::check(value).ok_or(RequestError::Host)?,
        Once::Repeated => return Err(RequestError::HostRepeated),
        Once::Absent if version == Version::Http10 => "",
        Once::Absent => return Err(RequestError::HostMissing),
    };
    let host = match target {
        Target::Absolute { authority, .. } | Target::Authority(authority) => authority,
        Target::Origin { .. } | Target::Asterisk => host,
    };
    let framing = framing::stated(found, version)?.unwrap_or(Framing::None);
    let is_11 = version == Version::Http11;
    let expects =
        matches!(found.expect, Once::One(value) if value.eq_ignore_ascii_case(b"100-continue"));
    Ok(RequestHead {
        method,
        target,
        version,
        fields,
        host,
        framing,
        persistent: found.connection.persistent(version),
        expect_continue: is_11 && expects,
        upgrade: found.upgrade(version),
        len,
    })
}

/// How many bytes of empty lines to skip; `None` where the input ends among them.
#[cold]
fn skip_empty_lines(input: &[u8]) -> Result<Option<usize>, RequestError> {
    let mut rest = input;
    for skipped in 0..=MAX_LEADING_EMPTY_LINES {
        match rest {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', after @ ..] => rest = after,
            [b'\r' | b'\n', ..] => return Err(FieldsError::LineEnd.into()),
            _ => return Ok(Some(skipped * 2)),
        }
    }
    Err(RequestError::EmptyLines)
}

/// Refuses a head that is not whole yet but can never be right.
fn check_partial(input: &[u8], skipped: usize, limits: &Limits) -> Result<(), RequestError> {
    check_words(input, limits)?;
    diagnose::check_partial_lines(input)?;
    if skipped + input.len() >= limits.max_head {
        return Err(FieldsError::TooLong.into());
    }
    Ok(())
}

/// Checks the lengths of method and target, as far as they have come.
fn check_words(input: &[u8], limits: &Limits) -> Result<(), RequestError> {
    let (method, target) = match memchr::memchr(b' ', input) {
        Some(at) => (at, input.get(at + 1..).unwrap_or_default()),
        None => (input.len(), &b""[..]),
    };
    if method > MAX_METHOD_LEN {
        return Err(RequestError::Method);
    }
    if memchr::memchr(b' ', target).unwrap_or(target.len()) > limits.max_target {
        return Err(RequestError::TargetTooLong);
    }
    Ok(())
}

/// Names the mistake behind the parser's error.
#[cold]
fn explain(error: Error, input: &[u8], limits: &Limits) -> RequestError {
    if let Err(error) = check_words(input, limits) {
        return error;
    }
    match error {
        Error::TooManyHeaders => FieldsError::TooMany.into(),
        Error::HeaderName | Error::HeaderValue => diagnose::fields(input).into(),
        Error::NewLine | Error::Status => FieldsError::LineEnd.into(),
        Error::Token => match input.split(|&byte| byte == b' ').next() {
            Some(method) if method.len() < input.len() && connection::is_token(method) => {
                RequestError::Target
            }
            _ => RequestError::Method,
        },
        Error::Version => RequestError::Version,
    }
}

/// A head with a version that the parser does not know; `None` where it is not whole yet.
#[cold]
fn other_version<'s, 'b>(
    input: &'b [u8],
    fields: &'s mut Vec<Header<'b>>,
    max_fields: usize,
    limits: &Limits,
) -> Result<Option<RequestParts<'s, 'b>>, RequestError> {
    // A method or target that is too long is more to the point.
    check_words(input, limits)?;
    let minor_at = match later_minor::stated(input) {
        Stated::LaterMinor(minor_at) => minor_at,
        Stated::Unsupported => return Err(RequestError::VersionUnsupported),
        Stated::Malformed => return Err(RequestError::Version),
        Stated::Unfinished => return Ok(None),
    };
    later_minor::request(input, minor_at, fields, max_fields)
        .map_err(|error| explain(error, input, limits))
}

#[cfg(test)]
mod tests;
