//! Bodies: which of the bytes that follow a head belong to it, and which of those are to be passed on.
//!
//! A [`Decoder`] looks at bytes where they lie and never copies them (trailers excepted). Its caller passes on or drops the
//! runs it is told of:
//!
//! ```
//! use sluice_wire::h1::{Chunks, Decoder, Framing, Step};
//!
//! let mut decoder = Decoder::new(Framing::Chunked, Chunks::Removed);
//! let mut input: &[u8] = b"5;x=y\r\nhello\r\n0\r\n\r\nnext request";
//! let mut out = Vec::new();
//! loop {
//!     let used = match decoder.decode(input)? {
//!         Step::Forward(used) => {
//!             out.extend_from_slice(&input[..used]);
//!             used
//!         }
//!         Step::Skip(used) => used,
//!         Step::Trailers(used) => {
//!             out.extend_from_slice(decoder.trailers());
//!             used
//!         }
//!         Step::NeedMore | Step::Done => break,
//!     };
//!     input = &input[used..];
//! }
//! assert_eq!((out.as_slice(), input), (&b"hello"[..], &b"next request"[..]));
//! assert!(decoder.is_done());
//! # Ok::<(), sluice_wire::h1::BodyError>(())
//! ```

mod chunked;
mod extension;
mod trailers;

use thiserror::Error;

use self::chunked::Chunked;
pub use self::trailers::{MAX_TRAILER_FIELDS, MAX_TRAILER_SECTION};
use super::Framing;

/// Finds the end of one body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    payload: u64,
}

#[derive(Debug)]
enum State {
    /// This many bytes are left.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

/// What becomes of the framing of a chunked body. Bodies in other framings are all payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chunks {
    /// Chunk headers are passed on as they came, without extensions; trailers too, without those that a trailer must
    /// not be.
    Kept,
    /// Only the payload is passed on: for HTTP/1.0 recipients.
    Removed,
}

/// What to do with the start of the input. The number of bytes is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Pass these bytes on.
    Forward(usize),
    /// Drop these bytes.
    Skip(usize),
    /// Drop these bytes and pass on [`Decoder::trailers`] instead. The body is then [`Step::Done`].
    Trailers(usize),
    /// The input is used up and the body has not ended.
    NeedMore,
    /// The body has ended; the input, if any, is the next message's.
    Done,
}

/// Why a body was refused. What came before may have been passed on already, so both connections must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum BodyError {
    /// A chunk header is not one to sixteen hexadecimal digits.
    #[error("bad chunk size")]
    ChunkSize,
    /// A chunk is said to be larger than `i64::MAX`.
    #[error("chunk size overflow")]
    ChunkSizeOverflow,
    /// A chunk header or a chunk does not end in CRLF.
    #[error("a chunk does not end in CRLF")]
    ChunkEnd,
    /// A chunk extension holds a control byte.
    #[error("bad chunk extension")]
    ChunkExtension,
    /// A chunk extension is too long, or all of them are out of proportion to the payload.
    #[error("too much chunk extension")]
    ChunkExtensionTooLong,
    /// The trailer section is malformed.
    #[error("bad trailers")]
    Trailers,
    /// The trailer section is longer than [`MAX_TRAILER_SECTION`] or has more than [`MAX_TRAILER_FIELDS`] fields.
    #[error("too many trailers")]
    TrailersTooLong,
    /// The connection ended before the body did.
    #[error("the body ended too early")]
    Truncated,
}

impl BodyError {
    /// A short word for logs and metrics; the set of them is fixed.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ChunkSize => "chunk-size",
            Self::ChunkSizeOverflow => "chunk-size-overflow",
            Self::ChunkEnd => "chunk-end",
            Self::ChunkExtension => "chunk-extension",
            Self::ChunkExtensionTooLong => "chunk-extension-too-long",
            Self::Trailers => "trailers",
            Self::TrailersTooLong => "trailers-too-long",
            Self::Truncated => "body-truncated",
        }
    }
}

impl Decoder {
    /// A decoder at the start of a body.
    #[inline]
    pub fn new(framing: Framing, chunks: Chunks) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::new(chunks)),
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, payload: 0 }
    }

    /// Says what to do with the start of `input`. Call again with what remains, or with more.
    ///
    /// Takes any split of the body, at a cost in proportion to its bytes. After an error the decoder must not be used
    /// again.
    #[inline]
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, BodyError> {
        if self.is_done() {
            return Ok(Step::Done);
        }
        if input.is_empty() {
            return Ok(Step::NeedMore);
        }
        match &mut self.state {
            State::Length(left) => {
                let used = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= used as u64;
                self.payload += used as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok(Step::Forward(used))
            }
            State::UntilClose => {
                self.payload = self.payload.saturating_add(input.len() as u64);
                Ok(Step::Forward(input.len()))
            }
            State::Chunked(chunked) => chunked.decode(input, &mut self.payload),
            State::Done => Ok(Step::Done),
        }
    }

    /// Takes note of `count` bytes of payload that were passed on without being looked at. Only where
    /// [`Self::remaining`] tells that as many are to come: elsewhere nothing happens.
    pub fn advance(&mut self, count: u64) {
        if let State::Length(left) = &mut self.state
            && *left >= count
        {
            *left -= count;
            self.payload += count;
            if *left == 0 {
                self.state = State::Done;
            }
        }
    }

    /// The connection was closed by its sender: whether the body is whole.
    pub fn finish(&mut self) -> Result<(), BodyError> {
        match &self.state {
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            _ if self.is_done() => Ok(()),
            _ => Err(BodyError::Truncated),
        }
    }

    /// Whether the body has ended. True from the start where there is none.
    #[inline]
    pub fn is_done(&self) -> bool {
        match &self.state {
            State::Done => true,
            State::Chunked(chunked) => chunked.is_done(),
            State::Length(_) | State::UntilClose => false,
        }
    }

    /// Whether the next byte, if there is one, is payload. With [`Chunks::Removed`], [`Self::decode`] then forwards
    /// payload and nothing else; elsewhere it forwards none.
    pub fn is_at_payload(&self) -> bool {
        match &self.state {
            State::Length(_) | State::UntilClose => true,
            State::Chunked(chunked) => chunked.is_at_payload(),
            State::Done => false,
        }
    }

    /// Bytes of payload seen so far, framing not counted.
    #[inline]
    pub fn payload(&self) -> u64 {
        self.payload
    }

    /// Bytes of payload still to come, where the framing tells.
    pub fn remaining(&self) -> Option<u64> {
        match &self.state {
            State::Length(left) => Some(*left),
            State::Done => Some(0),
            State::Chunked(_) | State::UntilClose => None,
        }
    }

    /// After [`Step::Trailers`]: the trailer section to pass on, its empty line included.
    pub fn trailers(&self) -> &[u8] {
        match &self.state {
            State::Chunked(chunked) => chunked.trailers(),
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests;
