//! Why a head was refused, with the status that says so and a word for logs and metrics.

use thiserror::Error;

/// What is wrong with the fields of a head, requests and responses alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum FieldsError {
    /// A line ends in LF alone, or holds a CR that ends nothing.
    #[error("a line does not end in CRLF")]
    LineEnd,
    /// A line begins with whitespace: obsolete line folding, or whitespace before the first field.
    #[error("a line begins with whitespace")]
    Folded,
    /// Whitespace in a field's name, or between it and its colon.
    #[error("whitespace before a colon")]
    SpaceInName,
    /// A field's name is empty or no token.
    #[error("a field name is no token")]
    Name,
    /// A field's value holds a control byte.
    #[error("a field value holds a control byte")]
    Value,
    /// More fields than [`Limits::max_fields`](super::Limits::max_fields).
    #[error("too many fields")]
    TooMany,
    /// The head is longer than [`Limits::max_head`](super::Limits::max_head).
    #[error("the head is too long")]
    TooLong,
    /// `Connection` lists something that is no token, or more than 32 names.
    #[error("bad Connection")]
    Connection,
    /// `Content-Length` is not one number of digits, or above `i64::MAX`.
    #[error("bad Content-Length")]
    ContentLength,
    /// More than one `Content-Length`, equal or not.
    #[error("repeated Content-Length")]
    ContentLengthRepeated,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndTransferEncoding,
    /// `Transfer-Encoding` is malformed, repeated, or does not end in one `chunked`.
    #[error("bad Transfer-Encoding")]
    TransferEncoding,
    /// A well-formed `Transfer-Encoding` with a coding other than `chunked`.
    #[error("unknown transfer coding")]
    TransferCodingUnknown,
    /// `Transfer-Encoding` in a message of HTTP/1.0.
    #[error("Transfer-Encoding in HTTP/1.0")]
    TransferEncodingInHttp10,
}

impl FieldsError {
    /// A short word for logs and metrics; the set of them is fixed.
    pub fn reason(self) -> &'static str {
        match self {
            Self::LineEnd => "line-end",
            Self::Folded => "folded-line",
            Self::SpaceInName => "space-before-colon",
            Self::Name => "field-name",
            Self::Value => "field-value",
            Self::TooMany => "too-many-fields",
            Self::TooLong => "head-too-long",
            Self::Connection => "connection-options",
            Self::ContentLength => "content-length",
            Self::ContentLengthRepeated => "content-length-repeated",
            Self::LengthAndTransferEncoding => "length-and-transfer-encoding",
            Self::TransferEncoding => "transfer-encoding",
            Self::TransferCodingUnknown => "transfer-coding-unknown",
            Self::TransferEncodingInHttp10 => "transfer-encoding-http10",
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::TooMany | Self::TooLong => 431,
            Self::TransferCodingUnknown => 501,
            _ => 400,
        }
    }
}

/// Why a request was refused. Answer with [`RequestError::status`] and close the connection: where the next request
/// begins can no longer be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum RequestError {
    /// More empty lines before the request than [`MAX_LEADING_EMPTY_LINES`](super::MAX_LEADING_EMPTY_LINES).
    #[error("too many empty lines before the request")]
    EmptyLines,
    /// The method is no token, or longer than [`MAX_METHOD_LEN`](super::MAX_METHOD_LEN).
    #[error("bad method")]
    Method,
    /// The request target is malformed, or of a form that the method does not have.
    #[error("bad request target")]
    Target,
    /// The target is longer than [`Limits::max_target`](super::Limits::max_target).
    #[error("the request target is too long")]
    TargetTooLong,
    /// The request line does not end in a protocol version of the right form.
    #[error("bad protocol version")]
    Version,
    /// A version of HTTP other than 1.x.
    #[error("unsupported protocol version")]
    VersionUnsupported,
    /// HTTP/1.1 without `Host`.
    #[error("no Host")]
    HostMissing,
    /// More than one `Host`.
    #[error("repeated Host")]
    HostRepeated,
    /// `Host` is empty or no `host[:port]`.
    #[error("bad Host")]
    Host,
    /// The fields are wrong.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

impl RequestError {
    /// The status to answer with: 400, 414, 431, 501 or 505.
    pub fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::VersionUnsupported => 505,
            Self::Fields(fields) => fields.status(),
            Self::EmptyLines
            | Self::Method
            | Self::Target
            | Self::Version
            | Self::HostMissing
            | Self::HostRepeated
            | Self::Host => 400,
        }
    }

    /// A short word for logs and metrics; the set of them is fixed.
    pub fn reason(self) -> &'static str {
        match self {
            Self::EmptyLines => "empty-lines",
            Self::Method => "method",
            Self::Target => "target",
            Self::TargetTooLong => "target-too-long",
            Self::Version => "version",
            Self::VersionUnsupported => "version-unsupported",
            Self::HostMissing => "host-missing",
            Self::HostRepeated => "host-repeated",
            Self::Host => "host",
            Self::Fields(fields) => fields.reason(),
        }
    }
}

/// Why a response was refused. The server's connection must be closed, and the client told 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum ResponseError {
    /// No status line of HTTP/1.x.
    #[error("bad status line")]
    StatusLine,
    /// The status is not within 100 to 599.
    #[error("status out of range")]
    Status,
    /// The fields are wrong.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

impl ResponseError {
    /// The status to answer with: always 502.
    pub fn status(self) -> u16 {
        502
    }

    /// A short word for logs and metrics; the set of them is fixed.
    pub fn reason(self) -> &'static str {
        match self {
            Self::StatusLine => "status-line",
            Self::Status => "status",
            Self::Fields(fields) => fields.reason(),
        }
    }
}
