//! A body of HTTP/1.1 on its way out by HTTP/2 or HTTP/3, as far as the window of who gets it reaches.

use std::io;
use std::task::{Context, Poll};

use sluice_wire::h1::{Chunks, Decoder, Framing, Step};

use super::Sending;
use super::fields::read_trailers;

/// A body.
#[derive(Debug)]
pub(crate) struct Outgoing {
    decoder: Decoder,
}

/// Why a body does not go out.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// It breaks the grammar of HTTP/1.1, or cannot be said otherwise.
    Invalid,
    /// The stream is gone.
    Gone(io::Error),
}

impl From<io::Error> for Unsent {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Unsent> for io::Error {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Invalid => io::ErrorKind::InvalidData.into(),
            Unsent::Gone(error) => error,
        }
    }
}

impl Outgoing {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            decoder: Decoder::new(framing, Chunks::Removed),
        }
    }

    /// Whether the end of the body went out.
    pub(crate) fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Takes from `bytes`, for `stream`; how many.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut impl Sending,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Unsent>> {
        let mut window = None;
        let mut payload = Vec::new();
        let mut position = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            let mut reach = rest.len();
            if self.decoder.is_at_payload() {
                let room = match window {
                    Some(room) => room,
                    None => match stream.poll_window(cx, rest.len()) {
                        Poll::Ready(room) => *window.insert(room?),
                        Poll::Pending if position == 0 => return Poll::Pending,
                        Poll::Pending => *window.insert(0),
                    },
                };
                reach = reach.min(room - payload.len());
                if reach == 0 {
                    break;
                }
            }
            let input = rest.get(..reach).unwrap_or_default();
            match self.decoder.decode(input).map_err(|_| Unsent::Invalid)? {
                Step::Forward(used) => {
                    if payload.capacity() == 0 {
                        payload.reserve_exact(used);
                    }
                    payload.extend_from_slice(rest.get(..used).unwrap_or_default());
                    position += used;
                }
                Step::Skip(used) | Step::Trailers(used) => position += used,
                // What came after the end of the body is nobody's.
                Step::NeedMore | Step::Done => position = bytes.len(),
            }
        }
        self.send(stream, cx, payload)?;
        Poll::Ready(Ok(position))
    }

    fn send(
        &mut self,
        stream: &mut impl Sending,
        cx: &mut Context<'_>,
        payload: Vec<u8>,
    ) -> Result<(), Unsent> {
        let is_whole = self.decoder.is_done();
        let section = self.decoder.trailers();
        if !is_whole || section.len() <= EMPTY_LINE {
            if is_whole || !payload.is_empty() {
                stream.send_data(cx, payload.into(), is_whole)?;
            }
            return Ok(());
        }
        let trailers = read_trailers(section).ok_or(Unsent::Invalid)?;
        if !payload.is_empty() {
            stream.send_data(cx, payload.into(), false)?;
        }
        Ok(stream.send_trailers(cx, trailers)?)
    }
}

/// The length of a trailer section without trailers.
const EMPTY_LINE: usize = 2;
