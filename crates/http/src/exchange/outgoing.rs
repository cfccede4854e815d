//! A body of HTTP/1.1 on its way out by HTTP/2 or HTTP/3, as far as the window of who gets it reaches.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll};

use sluice_wire::h1::{Chunks, Decoder, Framing, Step};

use super::Sending;

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
        let mut payload = Payload::default();
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
                    payload.add(bytes, position..position + used);
                    position += used;
                }
                Step::Skip(used) | Step::Trailers(used) => position += used,
                // What came after the end of the body is nobody's.
                Step::NeedMore | Step::Done => position = bytes.len(),
            }
        }
        self.send(stream, cx, payload.bytes(bytes))?;
        Poll::Ready(Ok(position))
    }

    fn send(
        &mut self,
        stream: &mut impl Sending,
        cx: &mut Context<'_>,
        payload: &[u8],
    ) -> Result<(), Unsent> {
        let is_whole = self.decoder.is_done();
        let section = self.decoder.trailers();
        if !is_whole || section.len() <= EMPTY_LINE {
            if is_whole || !payload.is_empty() {
                stream.send_data(cx, payload, is_whole)?;
            }
            return Ok(());
        }
        if !payload.is_empty() {
            stream.send_data(cx, payload, false)?;
        }
        Ok(stream.send_trailers(cx, section)?)
    }
}

/// What of the bytes is the body's: nearly always one run of them, which is not copied then.
#[derive(Debug, Default)]
struct Payload {
    run: Range<usize>,
    joined: Vec<u8>,
}

impl Payload {
    fn len(&self) -> usize {
        self.run.len().max(self.joined.len())
    }

    fn add(&mut self, bytes: &[u8], part: Range<usize>) {
        if self.run.is_empty() && self.joined.is_empty() {
            self.run = part;
            return;
        }
        if self.joined.is_empty() {
            self.joined
                .extend_from_slice(bytes.get(self.run.clone()).unwrap_or_default());
        }
        self.joined
            .extend_from_slice(bytes.get(part).unwrap_or_default());
    }

    fn bytes<'b>(&'b self, bytes: &'b [u8]) -> &'b [u8] {
        if self.joined.is_empty() {
            bytes.get(self.run.clone()).unwrap_or_default()
        } else {
            &self.joined
        }
    }
}

/// The length of a trailer section without trailers.
const EMPTY_LINE: usize = 2;
