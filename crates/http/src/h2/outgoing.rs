//! A body of HTTP/1.1 on its way out by HTTP/2, as far as the window of who gets it reaches.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use sluice_wire::h1::{Chunks, Decoder, Framing, Step};

use super::fields::read_trailers;

/// A body.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) stream: SendStream<Bytes>,
    decoder: Decoder,
}

/// Why a body does not go out.
#[derive(Debug)]
pub(super) enum Unsent {
    /// It breaks the grammar of HTTP/1.1, or cannot be said in HTTP/2.
    Invalid,
    /// The stream is gone.
    Gone(h2::Error),
}

impl From<h2::Error> for Unsent {
    fn from(error: h2::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Unsent> for io::Error {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Invalid => io::ErrorKind::InvalidData.into(),
            Unsent::Gone(error) => Self::new(io::ErrorKind::ConnectionReset, error),
        }
    }
}

impl Outgoing {
    pub(super) fn new(stream: SendStream<Bytes>, framing: Framing) -> Self {
        Self {
            stream,
            decoder: Decoder::new(framing, Chunks::Removed),
        }
    }

    /// Whether the end of the body went out.
    pub(super) fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Takes from `bytes`; how many.
    pub(super) fn poll_write(
        &mut self,
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
                    None => match poll_window(&mut self.stream, rest.len(), cx) {
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
        self.send(payload)?;
        Poll::Ready(Ok(position))
    }

    fn send(&mut self, payload: Vec<u8>) -> Result<(), Unsent> {
        let is_whole = self.decoder.is_done();
        let section = self.decoder.trailers();
        if !is_whole || section.len() <= EMPTY_LINE {
            if is_whole || !payload.is_empty() {
                self.stream.send_data(payload.into(), is_whole)?;
            }
            return Ok(());
        }
        let trailers = read_trailers(section).ok_or(Unsent::Invalid)?;
        if !payload.is_empty() {
            self.stream.send_data(payload.into(), false)?;
        }
        Ok(self.stream.send_trailers(trailers)?)
    }
}

/// How many of `wanted` bytes may be sent; at least one.
pub(super) fn poll_window(
    stream: &mut SendStream<Bytes>,
    wanted: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, h2::Error>> {
    stream.reserve_capacity(wanted);
    loop {
        let window = stream.capacity();
        if window > 0 {
            return Poll::Ready(Ok(window));
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
        }
    }
}

/// The length of a trailer section without trailers.
const EMPTY_LINE: usize = 2;
