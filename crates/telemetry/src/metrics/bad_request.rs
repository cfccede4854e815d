//! Why requests are refused, in words few enough for a label.
//!
//! The codecs tell more exactly what is wrong (`RequestError::reason` and its like, for logs); here what an operator
//! would treat alike is one word.

use sluice_wire::h1::{BodyError, FieldsError, RequestError};
use sluice_wire::proxy_protocol;

use crate::word::words;

words! {
    /// Why a request was refused before it had a route, or its body was refused after.
    pub enum BadRequest {
        /// A field, or what stands before the request line, does not follow the grammar.
        Syntax = "syntax",
        /// A bare line feed or carriage return, or a folded field.
        LineEnding = "line-ending",
        /// NUL or another control byte in a field.
        ControlByte = "control-byte",
        /// The method is no token or too long.
        Method = "method",
        /// The target is malformed.
        Target = "target",
        /// The HTTP version is not spoken here; the preface of HTTP/2 among them.
        Version = "version",
        /// `Host` is missing, double or invalid.
        Host = "host",
        /// Both `Content-Length` and `Transfer-Encoding`, or `Content-Length`s that differ or are no number.
        Length = "length",
        /// A transfer coding that is not known, or not last.
        TransferCoding = "transfer-coding",
        /// A bad size, extension or ending of a chunk.
        Chunk = "chunk",
        /// The trailers are malformed, too many or too long.
        Trailers = "trailers",
        /// An expectation that is not known.
        Expectation = "expectation",
        /// The target is too long.
        TargetTooLong = "target-too-long",
        /// The head is too large.
        HeadTooLarge = "head-too-large",
        /// The head has too many fields.
        TooManyFields = "too-many-fields",
        /// The body is above `max-body`.
        BodyTooLarge = "body-too-large",
        /// The head did not arrive in time.
        HeadTimeout = "head-timeout",
        /// The body did not arrive in time.
        BodyTimeout = "body-timeout",
        /// The body came more slowly than `min-body-rate`.
        BodyRate = "body-rate",
        /// The answer was taken more slowly than `min-read-rate`.
        ReadRate = "read-rate",
        /// The connection closed inside a request.
        Truncated = "truncated",
        /// A PROXY protocol header is malformed, missing where required, or came too late.
        ProxyProtocol = "proxy-protocol",
    }
}

impl From<RequestError> for BadRequest {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::EmptyLines => Self::Syntax,
            RequestError::Method => Self::Method,
            RequestError::Target => Self::Target,
            RequestError::TargetTooLong => Self::TargetTooLong,
            RequestError::Version | RequestError::VersionUnsupported => Self::Version,
            RequestError::HostMissing | RequestError::HostRepeated | RequestError::Host => {
                Self::Host
            }
            RequestError::Fields(error) => error.into(),
        }
    }
}

impl From<FieldsError> for BadRequest {
    fn from(error: FieldsError) -> Self {
        match error {
            FieldsError::LineEnd | FieldsError::Folded => Self::LineEnding,
            FieldsError::SpaceInName | FieldsError::Name | FieldsError::Connection => Self::Syntax,
            FieldsError::Value => Self::ControlByte,
            FieldsError::TooMany => Self::TooManyFields,
            FieldsError::TooLong => Self::HeadTooLarge,
            FieldsError::ContentLength
            | FieldsError::ContentLengthRepeated
            | FieldsError::LengthAndTransferEncoding => Self::Length,
            FieldsError::TransferEncoding
            | FieldsError::TransferCodingUnknown
            | FieldsError::TransferEncodingInHttp10 => Self::TransferCoding,
        }
    }
}

impl From<BodyError> for BadRequest {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::ChunkSize
            | BodyError::ChunkSizeOverflow
            | BodyError::ChunkEnd
            | BodyError::ChunkExtension
            | BodyError::ChunkExtensionTooLong => Self::Chunk,
            BodyError::Trailers | BodyError::TrailersTooLong => Self::Trailers,
            BodyError::Truncated => Self::Truncated,
        }
    }
}

impl From<proxy_protocol::Error> for BadRequest {
    fn from(_: proxy_protocol::Error) -> Self {
        Self::ProxyProtocol
    }
}
