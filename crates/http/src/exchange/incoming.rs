//! A body that comes in by HTTP/2 or HTTP/3, read as the body of a message of HTTP/1.1.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use sluice_wire::h1::{CHUNK_END, CHUNK_HEADER_LEN, chunk_header};

use super::Receiving;

/// A body. The sender's window is given back as it is read: nothing is held here but what one frame brings.
#[derive(Debug)]
pub(crate) struct Incoming {
    next: Next,
    /// Received and not read yet.
    pending: Bytes,
    /// What stands before it: a head, framing, trailers.
    lead: Vec<u8>,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    AsIs,
    Chunk,
    Trailers,
    Ended,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// There is none.
    None,
    /// As it comes; trailers are lost.
    AsIs,
    /// In chunks, with trailers.
    Chunked,
}

impl Incoming {
    /// `head` is read first.
    pub(crate) fn new(form: Form, head: Vec<u8>) -> Self {
        Self {
            next: match form {
                Form::None => Next::Ended,
                Form::AsIs => Next::AsIs,
                Form::Chunked => Next::Chunk,
            },
            pending: Bytes::new(),
            lead: head,
        }
    }

    /// Whether all was read that is here.
    pub(crate) fn is_read(&self) -> bool {
        self.lead.is_empty() && self.pending.is_empty()
    }

    /// Reads of `body` into `buffer`; 0 is the end.
    pub(crate) fn poll_read(
        &mut self,
        body: &mut impl Receiving,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.poll_fill(body, cx) {
                Poll::Ready(Ok(())) => {}
                // What was read goes first; the error is met again.
                Poll::Ready(Err(_)) | Poll::Pending if filled > 0 => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            match self.hand_out(body, room) {
                0 => break,
                count => filled += count,
            }
        }
        Poll::Ready(Ok(filled))
    }

    /// Ready when there is something in `lead` or `pending`, or all was read.
    fn poll_fill(
        &mut self,
        body: &mut impl Receiving,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.lead.is_empty() && self.pending.is_empty() {
            match self.next {
                Next::Ended => break,
                Next::Trailers => {
                    let mut section = LAST_CHUNK_LINE.to_vec();
                    ready!(body.poll_trailers(cx, &mut section))?;
                    section.extend_from_slice(b"\r\n");
                    self.lead = section;
                    self.next = Next::Ended;
                }
                Next::AsIs | Next::Chunk => match ready!(body.poll_data(cx))? {
                    Some(data) => self.take_data(data),
                    None if self.next == Next::Chunk => self.next = Next::Trailers,
                    None => self.next = Next::Ended,
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take_data(&mut self, data: Bytes) {
        if self.next == Next::Chunk && !data.is_empty() {
            let mut room = [0; CHUNK_HEADER_LEN];
            let header = chunk_header(data.len() as u64, &mut room);
            self.lead.extend_from_slice(header);
        }
        self.pending = data;
    }

    /// Copies what is there to `buffer`, and gives the sender its window back.
    fn hand_out(&mut self, body: &mut impl Receiving, buffer: &mut [u8]) -> usize {
        let mut filled = copy_front(&mut self.lead, buffer);
        if !self.lead.is_empty() || self.pending.is_empty() {
            return filled;
        }
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let count = room.len().min(self.pending.len());
        let data = self.pending.split_to(count);
        if let Some(room) = room.get_mut(..count) {
            room.copy_from_slice(&data);
        }
        filled += count;
        body.release(count);
        if self.pending.is_empty() && self.next == Next::Chunk {
            self.lead.extend_from_slice(CHUNK_END);
            let room = buffer.get_mut(filled..).unwrap_or_default();
            filled += copy_front(&mut self.lead, room);
        }
        filled
    }
}

/// Moves what fits from the front of `from` to `to`; how much.
fn copy_front(from: &mut Vec<u8>, to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(to), Some(front)) = (to.get_mut(..count), from.get(..count)) {
        to.copy_from_slice(front);
    }
    if count == from.len() {
        from.clear();
    } else {
        from.drain(..count);
    }
    count
}

/// The last chunk without the end of the section after it.
const LAST_CHUNK_LINE: &[u8] = b"0\r\n";
