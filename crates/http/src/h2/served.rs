//! One stream of a client's connection, as a byte stream that speaks HTTP/1.1: what is read from it is the rest of the
//! request, what is written to it becomes the answer.
//!
//! The client's window is given back as the body is read, and an answer is taken only as far as the client's window
//! reaches. So nothing is held here but what one receive brings.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use sluice_net::Layered;
use sluice_wire::h1::{
    CHUNK_END, CHUNK_HEADER_LEN, Chunks, Decoder, FieldStorage, Limits, Step, chunk_header,
    parse_response,
};

use super::answer;
use super::request::{RequestBody, write_trailers};

/// How far a stream has come, for whoever counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// The answer is not through.
    #[default]
    UnderWay,
    /// The answer went out whole.
    Answered,
    /// The client has reset the stream, or its connection broke.
    Abandoned,
}

/// A client's stream. Its head is not read from here: [`super::compose_head`] writes it.
#[derive(Debug)]
pub struct Served {
    body: RecvStream,
    reading: Reading,
    /// Received and not read yet.
    pending: Bytes,
    /// Framing and trailers not read yet.
    framing: Vec<u8>,
    respond: SendResponse<Bytes>,
    answering: Answering,
    is_head: bool,
    /// Whether a tunnel does not end in an orderly way.
    breaks: bool,
    local_address: Option<SocketAddr>,
    progress: Rc<Cell<Progress>>,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Body(RequestBody),
    Trailers,
    /// The request is through.
    Ended,
}

#[derive(Debug)]
enum Answering {
    /// Bytes of a head that is not whole.
    Head(Vec<u8>),
    Body(SendStream<Bytes>, Decoder),
    /// Both sides speak what they switched to.
    Tunnel(SendStream<Bytes>),
    Ended,
}

impl Served {
    /// The stream whose body is `body` and whose answer goes to `respond`. `is_head` tells whether it asked with `HEAD`.
    pub fn new(
        body: RecvStream,
        kind: RequestBody,
        respond: SendResponse<Bytes>,
        is_head: bool,
        local_address: Option<SocketAddr>,
        progress: Rc<Cell<Progress>>,
    ) -> Self {
        let reading = match kind {
            RequestBody::None => Reading::Ended,
            kind => Reading::Body(kind),
        };
        Self {
            body,
            reading,
            pending: Bytes::new(),
            framing: Vec::new(),
            respond,
            answering: Answering::Head(Vec::new()),
            is_head,
            breaks: false,
            local_address,
            progress,
        }
    }

    /// Ready when there is something in `framing` or `pending`, or the request has ended.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.framing.is_empty() && self.pending.is_empty() {
            match self.reading {
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Trailers => {
                    let trailers = ready!(self.body.poll_trailers(cx));
                    let trailers = trailers.map_err(|error| self.broken(error))?;
                    self.framing.extend_from_slice(LAST_CHUNK_LINE);
                    write_trailers(&trailers.unwrap_or_default(), &mut self.framing);
                    self.reading = Reading::Ended;
                }
                Reading::Body(kind) => match ready!(self.body.poll_data(cx)) {
                    Some(Ok(data)) => self.take_data(kind, data),
                    Some(Err(error)) => return Poll::Ready(Err(self.broken(error))),
                    None if kind == RequestBody::Chunked => self.reading = Reading::Trailers,
                    None => self.reading = Reading::Ended,
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take_data(&mut self, kind: RequestBody, data: Bytes) {
        if kind == RequestBody::Chunked && !data.is_empty() {
            let mut room = [0; CHUNK_HEADER_LEN];
            let header = chunk_header(data.len() as u64, &mut room);
            self.framing.extend_from_slice(header);
        }
        self.pending = data;
    }

    /// Copies what is there to `buffer`, and gives the client its window back.
    fn hand_out(&mut self, buffer: &mut [u8]) -> usize {
        let is_chunked = self.reading == Reading::Body(RequestBody::Chunked);
        let mut filled = copy_front(&mut self.framing, buffer);
        if !self.framing.is_empty() || self.pending.is_empty() {
            return filled;
        }
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let count = room.len().min(self.pending.len());
        let data = self.pending.split_to(count);
        for (slot, byte) in room.iter_mut().zip(data.iter()) {
            *slot = *byte;
        }
        filled += count;
        // Fails only where the stream is gone, which the next read tells.
        let _ = self.body.flow_control().release_capacity(count);
        if self.pending.is_empty() && is_chunked {
            self.framing.extend_from_slice(CHUNK_END);
            let room = buffer.get_mut(filled..).unwrap_or_default();
            filled += copy_front(&mut self.framing, room);
        }
        filled
    }

    /// Ready when the client has reset the stream.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let reset = match &mut self.answering {
            Answering::Head(_) => self.respond.poll_reset(cx),
            Answering::Body(stream, _) | Answering::Tunnel(stream) => stream.poll_reset(cx),
            Answering::Ended => return Poll::Pending,
        };
        match ready!(reset) {
            Ok(reason) => Poll::Ready(self.broken(reason.into())),
            Err(error) => Poll::Ready(self.broken(error)),
        }
    }

    fn broken(&self, error: h2::Error) -> io::Error {
        if self.progress.get() == Progress::UnderWay {
            self.progress.set(Progress::Abandoned);
        }
        io::Error::new(io::ErrorKind::ConnectionReset, error)
    }

    fn ended(&mut self) {
        self.answering = Answering::Ended;
        self.progress.set(Progress::Answered);
    }

    /// Takes bytes of the head; how many.
    fn take_head(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Answering::Head(partial) = &mut self.answering else {
            return Ok(0);
        };
        let before = partial.len();
        if before == 0 {
            let mut storage = FieldStorage::new();
            return match parse_response(bytes, &mut storage, &LIMITS, self.is_head) {
                Ok(Some(head)) => self.answer(&head),
                Ok(None) => {
                    partial.extend_from_slice(bytes);
                    Ok(bytes.len())
                }
                Err(_) => Err(io::ErrorKind::InvalidData.into()),
            };
        }
        let mut whole = std::mem::take(partial);
        whole.extend_from_slice(bytes);
        let mut storage = FieldStorage::new();
        match parse_response(&whole, &mut storage, &LIMITS, self.is_head) {
            Ok(Some(head)) => self.answer(&head).map(|length| length - before),
            Ok(None) => {
                self.answering = Answering::Head(whole);
                Ok(bytes.len())
            }
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Sends a head; its length.
    fn answer(&mut self, head: &sluice_wire::h1::ResponseHead<'_, '_>) -> io::Result<usize> {
        let asked_for_tunnel = self.reading == Reading::Body(RequestBody::Tunnel);
        // To whom asked for a tunnel, any success means that it stands (RFC 8441, 5; RFC 9110, 9.3.6).
        if asked_for_tunnel && (200..300).contains(&head.status) {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            self.respond
                .send_response(response, true)
                .map_err(|error| self.broken(error))?;
            self.ended();
            return Ok(head.len);
        }
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let response = answer::translate(head).ok_or_else(invalid)?;
        match head.status {
            101 if asked_for_tunnel => {
                let stream = self.respond.send_response(response, false);
                let stream = stream.map_err(|error| self.broken(error))?;
                self.answering = Answering::Tunnel(stream);
            }
            101 => return Err(invalid()),
            100..200 => {
                let sent = self.respond.send_informational(response);
                sent.map_err(|error| self.broken(error))?;
                self.answering = Answering::Head(Vec::new());
            }
            _ => {
                let is_whole = answer::is_whole(head.framing);
                let stream = self.respond.send_response(response, is_whole);
                let stream = stream.map_err(|error| self.broken(error))?;
                if is_whole {
                    self.ended();
                } else {
                    let decoder = Decoder::new(head.framing, Chunks::Removed);
                    self.answering = Answering::Body(stream, decoder);
                }
            }
        }
        Ok(head.len)
    }

    /// Takes bytes of the body, as far as the window reaches.
    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Answering::Body(stream, decoder) = &mut self.answering else {
            return Poll::Ready(Ok(bytes.len()));
        };
        let mut window = None;
        let mut payload = Vec::new();
        let mut position = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            let mut reach = rest.len();
            if decoder.is_at_payload() {
                let room = match window {
                    Some(room) => room,
                    None => match poll_window(stream, rest.len(), cx) {
                        Poll::Ready(Ok(room)) => *window.insert(room),
                        Poll::Ready(Err(error)) => {
                            return Poll::Ready(Err(self.broken(error)));
                        }
                        Poll::Pending if position == 0 => return Poll::Pending,
                        Poll::Pending => *window.insert(0),
                    },
                };
                reach = reach.min(room - payload.len());
                if reach == 0 {
                    break;
                }
            }
            let step = decoder
                .decode(rest.get(..reach).unwrap_or_default())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            match step {
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
        let is_whole = decoder.is_done();
        let section = if is_whole { decoder.trailers() } else { b"" };
        let sent = match answer::trailers(section) {
            None => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            Some(trailers) if is_whole && !trailers.is_empty() => {
                let sent = if payload.is_empty() {
                    Ok(())
                } else {
                    stream.send_data(payload.into(), false)
                };
                sent.and_then(|()| stream.send_trailers(trailers))
            }
            Some(_) if payload.is_empty() && !is_whole => Ok(()),
            Some(_) => stream.send_data(payload.into(), is_whole),
        };
        if let Err(error) = sent {
            return Poll::Ready(Err(self.broken(error)));
        }
        if is_whole {
            self.ended();
        }
        Poll::Ready(Ok(position))
    }

    fn poll_tunnel(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Answering::Tunnel(stream) = &mut self.answering else {
            return Poll::Ready(Ok(bytes.len()));
        };
        let sent = match ready!(poll_window(stream, bytes.len(), cx)) {
            Ok(window) => {
                let taken = bytes.get(..window).unwrap_or(bytes);
                let data = Bytes::copy_from_slice(taken);
                stream.send_data(data, false).map(|()| taken.len())
            }
            Err(error) => Err(error),
        };
        Poll::Ready(sent.map_err(|error| self.broken(error)))
    }
}

impl Layered for Served {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let waits = self.reading == Reading::Body(RequestBody::Tunnel)
            && matches!(self.answering, Answering::Head(_));
        if !waits {
            ready!(self.poll_fill(cx))?;
            let count = self.hand_out(buffer);
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
        }
        // The end of a request is not the end of its stream: the client listens. In a tunnel it is.
        let has_ended = matches!(self.answering, Answering::Ended | Answering::Tunnel(_));
        if has_ended {
            return Poll::Ready(Ok(0));
        }
        self.poll_gone(cx).map(Err)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let outcome = match &self.answering {
                Answering::Head(_) => Poll::Ready(self.take_head(rest)),
                Answering::Body(..) => self.poll_body(cx, rest),
                Answering::Tunnel(_) => self.poll_tunnel(cx, rest),
                // Nobody is there to take it: of an answer whose body is left out.
                Answering::Ended => Poll::Ready(Ok(rest.len())),
            };
            match outcome {
                Poll::Ready(Ok(count)) => taken += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Answering::Tunnel(stream) = &mut self.answering {
            let sent = stream.send_data(Bytes::new(), true);
            if let Err(error) = sent {
                return Poll::Ready(Err(self.broken(error)));
            }
            self.ended();
        }
        Poll::Ready(Ok(()))
    }

    fn is_quiet(&mut self, _now: bool) -> bool {
        self.progress.get() == Progress::UnderWay
    }

    fn reset_on_close(&mut self) {
        self.breaks = true;
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }
}

/// An answer that breaks off must not pass for a whole one.
impl Drop for Served {
    fn drop(&mut self) {
        if self.progress.get() == Progress::Abandoned {
            return;
        }
        match &mut self.answering {
            Answering::Head(_) => self.respond.send_reset(Reason::INTERNAL_ERROR),
            Answering::Tunnel(stream) if !self.breaks => {
                // Fails where the stream is gone already.
                let _ = stream.send_data(Bytes::new(), true);
            }
            Answering::Body(stream, _) | Answering::Tunnel(stream) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
            Answering::Ended => {}
        }
    }
}

/// How many of `wanted` bytes may be sent; at least one.
fn poll_window(
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

/// Moves what fits from the front of `from` to `to`; how much.
fn copy_front(from: &mut Vec<u8>, to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    for (slot, byte) in to.iter_mut().zip(from.drain(..count)) {
        *slot = byte;
    }
    count
}

/// What our own pipeline writes at most: a server's head and what is added to it.
const LIMITS: Limits = Limits {
    max_head: 128 * 1024,
    max_target: 0,
    max_fields: 256,
};
/// The last chunk without the end of the section after it.
const LAST_CHUNK_LINE: &[u8] = b"0\r\n";
