//! Why a stream or a connection ends before its time, in the numbers of RFC 9114, 8.1 and RFC 9204, 6.

use quinn::{ReadError, VarInt, WriteError};
use thiserror::Error;

use crate::exchange::Untouched;

/// Why a message does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The stream is reset with this code.
    #[error("the message is not in order ({0})")]
    Stream(Code),
    /// The connection is closed with this code.
    #[error("the connection is not in order ({0})")]
    Connection(Code),
    /// The fields are longer than is taken.
    #[error("the fields are too long")]
    TooLarge,
    /// The other side refused the stream without having worked on it.
    #[error("the stream was refused")]
    Rejected,
    /// The other side has all that it wants, and has not failed.
    #[error("nothing more is wanted")]
    Enough,
    /// The other side has reset the stream, or is gone.
    #[error("the other side has left")]
    Gone,
}

/// An error code of HTTP/3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nothing is wrong.
    NoError = 0x100,
    /// Our fault.
    InternalError = 0x102,
    /// A stream that must not be there.
    StreamCreationError = 0x103,
    /// A stream has ended that the connection cannot do without.
    ClosedCriticalStream = 0x104,
    /// A frame where it must not be.
    FrameUnexpected = 0x105,
    /// A frame that is not whole.
    FrameError = 0x106,
    /// The other side makes us work for nothing.
    ExcessiveLoad = 0x107,
    /// A number that names nothing, or goes the wrong way.
    IdError = 0x108,
    /// A setting that must not be.
    SettingsError = 0x109,
    /// The first frame of a control stream is another one.
    MissingSettings = 0x10A,
    /// Not looked at: it may be sent again.
    RequestRejected = 0x10B,
    /// Not wanted any more.
    RequestCancelled = 0x10C,
    /// The stream ended before the request was whole.
    RequestIncomplete = 0x10D,
    /// Malformed.
    MessageError = 0x10E,
    /// A field section that cannot be read.
    QpackDecompressionFailed = 0x200,
    /// An instruction for a table that was not offered.
    QpackEncoderStreamError = 0x201,
    /// Word of a table that is not used.
    QpackDecoderStreamError = 0x202,
}

impl Code {
    fn is(self, code: VarInt) -> bool {
        VarInt::from(self) == code
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoError => "H3_NO_ERROR",
            Self::InternalError => "H3_INTERNAL_ERROR",
            Self::StreamCreationError => "H3_STREAM_CREATION_ERROR",
            Self::ClosedCriticalStream => "H3_CLOSED_CRITICAL_STREAM",
            Self::FrameUnexpected => "H3_FRAME_UNEXPECTED",
            Self::FrameError => "H3_FRAME_ERROR",
            Self::ExcessiveLoad => "H3_EXCESSIVE_LOAD",
            Self::IdError => "H3_ID_ERROR",
            Self::SettingsError => "H3_SETTINGS_ERROR",
            Self::MissingSettings => "H3_MISSING_SETTINGS",
            Self::RequestRejected => "H3_REQUEST_REJECTED",
            Self::RequestCancelled => "H3_REQUEST_CANCELLED",
            Self::RequestIncomplete => "H3_REQUEST_INCOMPLETE",
            Self::MessageError => "H3_MESSAGE_ERROR",
            Self::QpackDecompressionFailed => "QPACK_DECOMPRESSION_FAILED",
            Self::QpackEncoderStreamError => "QPACK_ENCODER_STREAM_ERROR",
            Self::QpackDecoderStreamError => "QPACK_DECODER_STREAM_ERROR",
        })
    }
}

impl From<Code> for VarInt {
    fn from(code: Code) -> Self {
        Self::from_u32(code as u32)
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) if Code::RequestRejected.is(code) => Self::Rejected,
            _ => Self::Gone,
        }
    }
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) if Code::NoError.is(code) => Self::Enough,
            WriteError::Stopped(code) if Code::RequestRejected.is(code) => Self::Rejected,
            _ => Self::Gone,
        }
    }
}

impl From<Fault> for std::io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Rejected => Untouched::Refused.into(),
            fault => Self::new(std::io::ErrorKind::ConnectionReset, fault),
        }
    }
}
