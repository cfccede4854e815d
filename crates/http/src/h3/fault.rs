//! Why a stream or a connection ends before its time, in the numbers of RFC 9114, 8.1.

use quinn::{ReadError, VarInt, WriteError};
use thiserror::Error;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The stream is reset with this code.
    #[error("the request is not in order ({0})")]
    Stream(Code),
    /// The connection is closed with this code.
    #[error("the connection is not in order ({0})")]
    Connection(Code),
    /// The fields are longer than is taken: 431.
    #[error("the fields are too long")]
    TooLarge,
    /// The client has reset the stream, or is gone.
    #[error("the client has left")]
    Gone,
}

/// An error code of HTTP/3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nothing is wrong.
    NoError = 0x100,
    /// Our fault.
    InternalError = 0x102,
    /// A frame where it must not be.
    FrameUnexpected = 0x105,
    /// A frame that is not whole.
    FrameError = 0x106,
    /// The client makes us work for nothing.
    ExcessiveLoad = 0x107,
    /// Not looked at: it may be sent again.
    RequestRejected = 0x10B,
    /// Not wanted any more.
    RequestCancelled = 0x10C,
    /// The stream ended before the request was whole.
    RequestIncomplete = 0x10D,
    /// Malformed.
    MessageError = 0x10E,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoError => "H3_NO_ERROR",
            Self::InternalError => "H3_INTERNAL_ERROR",
            Self::FrameUnexpected => "H3_FRAME_UNEXPECTED",
            Self::FrameError => "H3_FRAME_ERROR",
            Self::ExcessiveLoad => "H3_EXCESSIVE_LOAD",
            Self::RequestRejected => "H3_REQUEST_REJECTED",
            Self::RequestCancelled => "H3_REQUEST_CANCELLED",
            Self::RequestIncomplete => "H3_REQUEST_INCOMPLETE",
            Self::MessageError => "H3_MESSAGE_ERROR",
        })
    }
}

impl From<Code> for VarInt {
    fn from(code: Code) -> Self {
        Self::from_u32(code as u32)
    }
}

impl From<ReadError> for Fault {
    fn from(_: ReadError) -> Self {
        Self::Gone
    }
}

impl From<WriteError> for Fault {
    fn from(_: WriteError) -> Self {
        Self::Gone
    }
}

impl From<Fault> for std::io::Error {
    fn from(fault: Fault) -> Self {
        Self::new(std::io::ErrorKind::ConnectionReset, fault)
    }
}
