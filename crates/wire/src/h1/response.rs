//! Response heads.

use httparse::{Error, Response, Status};

use super::error::{FieldsError, ResponseError};
use super::field::FieldKind;
use super::fields::{FieldStorage, Fields, MAX_FIELDS};
use super::later_minor::{self, ResponseParts};
use super::survey::{Survey, survey};
use super::{Framing, Limits, Version, diagnose, framing};

/// A response's head, borrowed from the bytes it came in.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'s, 'b> {
    /// 100 to 599.
    pub status: u16,
    /// The server's version.
    pub version: Version,
    /// The words after the status; empty where there are none, or where they are not ASCII.
    pub reason: &'b str,
    /// All fields. In a 1xx or 204 response, `Content-Length` counts as hop-by-hop: it must not be there (RFC 9110, 8.6).
    pub fields: Fields<'s, 'b>,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection may carry another exchange after this one: the server does not close it, the end of the
    /// body can be known, and the head does not speak of a body that must not be there.
    pub persistent: bool,
    /// The value of `Upgrade`, where `Connection` names it, the version is 1.1 and it came once.
    pub upgrade: Option<&'b str>,
    /// Bytes of the input that the head takes up.
    pub len: usize,
}

/// Parses the head of a response at the start of `input`; `None` where it is not whole yet.
///
/// `to_head` says whether the request was `HEAD`: then there is no body, whatever the fields say. Responses to `CONNECT`
/// are not provided for.
#[inline]
pub fn parse_response<'s, 'b>(
    input: &'b [u8],
    storage: &'s mut FieldStorage<'b>,
    limits: &Limits,
    to_head: bool,
) -> Result<Option<ResponseHead<'s, 'b>>, ResponseError> {
    // The parser below would skip empty lines; before a response there are none.
    if matches!(input.first(), Some(b'\r' | b'\n')) {
        return Err(ResponseError::StatusLine);
    }
    let max_fields = limits.max_fields.min(MAX_FIELDS);
    let room = storage.lines.get_mut(..max_fields).unwrap_or_default();
    let mut response = Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let outcome = match parser.parse_response_with_uninit_headers(&mut response, input, room) {
        Ok(Status::Complete(len)) => Ok(Some(ResponseParts {
            status: response.code,
            reason: response.reason.unwrap_or_default(),
            version: Version::from_minor(response.version),
            lines: response.headers,
            len,
        })),
        Ok(Status::Partial) => Ok(None),
        Err(Error::Version) => later_minor::response(input, &mut storage.rare_lines, max_fields),
        Err(error) => Err(error),
    };
    let Some(ResponseParts {
        status,
        reason,
        version,
        lines,
        len,
    }) = outcome.map_err(|error| explain(error, input))?
    else {
        return check_partial(input, limits).map(|()| None);
    };
    if len > limits.max_head {
        return Err(FieldsError::TooLong.into());
    }
    let Some(status @ 100..=599) = status else {
        return Err(ResponseError::Status);
    };
    let head = input.get(..len).unwrap_or_default();
    let marks = storage.marks.get_mut(..lines.len()).unwrap_or_default();
    let mut found = Survey::default();
    survey(head, lines, marks, &mut found)?;
    let stated = framing::stated(&found, version)?;

    let never_has_body = status < 200 || status == 204;
    let mut persistent = found.connection.persistent(version);
    if never_has_body {
        // A server that announces a body here may well send one, in front of its next response.
        persistent &= matches!(stated, None | Some(Framing::Length(0)));
        for mark in marks
            .iter_mut()
            .filter(|mark| mark.kind == FieldKind::ContentLength)
        {
            mark.hop_by_hop = true;
        }
    }
    let framing = match stated {
        _ if never_has_body || to_head || status == 304 => Framing::None,
        Some(framing) => framing,
        None => Framing::UntilClose,
    };
    Ok(Some(ResponseHead {
        status,
        version,
        reason,
        fields: Fields {
            head,
            lines,
            marks,
            kinds: found.kinds,
        },
        framing,
        persistent: persistent && framing != Framing::UntilClose,
        upgrade: found.upgrade(version),
        len,
    }))
}

fn check_partial(input: &[u8], limits: &Limits) -> Result<(), ResponseError> {
    diagnose::check_partial_lines(input)?;
    if input.len() >= limits.max_head {
        return Err(FieldsError::TooLong.into());
    }
    Ok(())
}

#[cold]
fn explain(error: Error, input: &[u8]) -> ResponseError {
    match error {
        Error::TooManyHeaders => FieldsError::TooMany.into(),
        Error::HeaderName | Error::HeaderValue => diagnose::fields(input).into(),
        Error::NewLine => FieldsError::LineEnd.into(),
        Error::Status | Error::Token | Error::Version => ResponseError::StatusLine,
    }
}

#[cfg(test)]
mod tests;
