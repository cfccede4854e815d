//! HTTP/1.0 and HTTP/1.1 by RFC 9110 and RFC 9112: heads, framing, bodies.
//!
//! A head is parsed where it lies: names and values borrow the input, and [`Fields::write_kept`] copies the field lines
//! that are passed on as whole runs of the original bytes. A [`Decoder`] then says which bytes of the following input
//! belong to the body, without copying them.

mod authority;
mod body;
mod connection;
mod date;
mod diagnose;
mod encode;
mod error;
mod field;
mod fields;
mod framing;
mod head_end;
mod later_minor;
mod method;
mod request;
mod response;
mod status;
mod survey;
mod target;

pub use authority::split_port;
pub use body::{BodyError, Chunks, Decoder, MAX_TRAILER_FIELDS, MAX_TRAILER_SECTION, Step};
pub use date::{DATE_LEN, write_date};
pub use encode::{CHUNK_END, CHUNK_HEADER_LEN, LAST_CHUNK, chunk_header};
pub use error::{FieldsError, RequestError, ResponseError};
pub use field::{Field, FieldKind};
pub use fields::{FieldStorage, Fields, FieldsIter, MAX_FIELDS};
pub use framing::Framing;
pub use head_end::HeadEnd;
pub use method::{MAX_METHOD_LEN, Method};
pub use request::{MAX_LEADING_EMPTY_LINES, RequestHead, parse_request};
pub use response::{ResponseHead, parse_response};
pub use status::reason_phrase;
pub use target::Target;

/// The version of a message, as its sender stated it; a later minor one counts as 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1`
    Http11,
}

impl Version {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }

    fn from_minor(minor: Option<u8>) -> Self {
        if minor == Some(0) {
            Self::Http10
        } else {
            Self::Http11
        }
    }
}

/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole head, from the first byte to the empty line's end.
    pub max_head: usize,
    /// Bytes of the request target. Not used for responses.
    pub max_target: usize,
    /// Number of fields; values above [`MAX_FIELDS`] count as [`MAX_FIELDS`].
    pub max_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_head: 32 * 1024,
            max_target: 8 * 1024,
            max_fields: 128,
        }
    }
}
