//! Where a message's body ends (RFC 9112, section 6), read so strictly that no two readers can disagree.

use super::Version;
use super::connection::{elements, is_token};
use super::error::FieldsError;
use super::survey::{Once, Survey};

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// There is no body.
    None,
    /// Exactly this many bytes; 0 where the sender said so. At most `i64::MAX`.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the connection closes (responses only).
    UntilClose,
}

/// What the fields say of a body's length, before the kind of message is considered.
#[inline]
pub(super) fn stated(
    survey: &Survey<'_>,
    version: Version,
) -> Result<Option<Framing>, FieldsError> {
    let length = match survey.content_length {
        Once::Absent => None,
        Once::One(value) => Some(content_length(value)?),
        // Even equal ones: whoever repeats this field is confused or probing.
        Once::Repeated => return Err(FieldsError::ContentLengthRepeated),
    };
    if survey.transfer_encoding.is_absent() {
        return Ok(length.map(Framing::Length));
    }
    // Answers in HTTP/1.0 clothes with this field have been a way to split streams (RFC 9112, 6.1).
    if version == Version::Http10 {
        return Err(FieldsError::TransferEncodingInHttp10);
    }
    if length.is_some() {
        return Err(FieldsError::LengthAndTransferEncoding);
    }
    match survey.transfer_encoding {
        Once::One(value) => transfer_encoding(value).map(|()| Some(Framing::Chunked)),
        Once::Absent | Once::Repeated => Err(FieldsError::TransferEncoding),
    }
}

/// One number: digits only, no list, at most `i64::MAX`, since others keep it in a signed word.
fn content_length(value: &[u8]) -> Result<u64, FieldsError> {
    let mut length: u64 = 0;
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(FieldsError::ContentLength);
        }
        length = length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(byte - b'0')))
            .ok_or(FieldsError::ContentLength)?;
    }
    if value.is_empty() || i64::try_from(length).is_err() {
        return Err(FieldsError::ContentLength);
    }
    Ok(length)
}

/// Accepts `chunked` alone. Other codings before it are well-formed but not understood; everything else leaves the
/// end of the body unknown (RFC 9112, 6.3, rule 4).
fn transfer_encoding(value: &[u8]) -> Result<(), FieldsError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut before = false;
    let mut last_is_chunked = false;
    for coding in elements(value) {
        if last_is_chunked {
            return Err(FieldsError::TransferEncoding);
        }
        let name = coding
            .split(|&byte| byte == b';')
            .next()
            .unwrap_or_default();
        if !is_token(name.trim_ascii_end()) {
            return Err(FieldsError::TransferEncoding);
        }
        last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        before |= !last_is_chunked;
    }
    if last_is_chunked && before {
        Err(FieldsError::TransferCodingUnknown)
    } else {
        Err(FieldsError::TransferEncoding)
    }
}

#[cfg(test)]
mod tests {
    use super::{content_length, transfer_encoding};
    use crate::h1::FieldsError;

    #[test]
    fn content_lengths() {
        let good: &[(&str, u64)] = &[
            ("0", 0),
            ("5", 5),
            ("007", 7),
            ("9223372036854775807", i64::MAX as u64),
        ];
        for &(text, length) in good {
            assert_eq!(content_length(text.as_bytes()), Ok(length), "{text}");
        }
        for text in [
            "",
            "+5",
            "-5",
            "5, 5",
            "5,5",
            "5 5",
            "0x5",
            "5.0",
            "5a",
            "a",
            "\u{663}",
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999999999",
        ] {
            assert_eq!(
                content_length(text.as_bytes()),
                Err(FieldsError::ContentLength),
                "{text}"
            );
        }
    }

    #[test]
    fn transfer_codings() {
        for text in ["chunked", "Chunked", "CHUNKED"] {
            assert_eq!(transfer_encoding(text.as_bytes()), Ok(()), "{text}");
        }
        for text in [
            "gzip, chunked",
            "gzip;q=1 ,chunked",
            "identity,chunked",
            "x , y, chunked",
        ] {
            assert_eq!(
                transfer_encoding(text.as_bytes()),
                Err(FieldsError::TransferCodingUnknown),
                "{text}"
            );
        }
        for text in [
            "",
            ",",
            "gzip",
            "identity",
            "xchunked",
            "chunked,",
            ",chunked",
            "chunked, chunked",
            "chunked, gzip",
            "gzip, chunked, gzip",
            "chunked;a=b",
            "gzip, chunked;a",
            "\"chunked\"",
            "chun ked",
            "chunked\x0b",
            "gzip chunked",
            "gzip,, chunked",
        ] {
            assert_eq!(
                transfer_encoding(text.as_bytes()),
                Err(FieldsError::TransferEncoding),
                "{text}"
            );
        }
    }
}
