//! A request stream as an [`Exchange`], once its head is whole.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use quinn::{StoppedError, VarInt};
use sluice_wire::h1::ResponseHead;

use super::codec::Clerk;
use super::fault::{Code, Fault};
use super::frames::{Piece, data_header};
use super::stream::{Out, Wire};
use crate::exchange::{self, Exchange, Receiving, Sending};

/// A client's stream of HTTP/3.
pub struct Http3Exchange {
    wire: Wire,
    clerk: Clerk,
    rest: Rest,
    /// Bytes of the body to come, where its length was said.
    length: Option<u64>,
    /// Ready when the client has taken all, or wants no more.
    stopped: Option<Stopped>,
}

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>;

/// What is there of a request beyond its head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing was received yet.
    ToCome,
    Data(Bytes),
    /// Trailers, encoded.
    Trailers(Bytes),
    Ended,
}

impl Http3Exchange {
    pub(super) fn new(wire: Wire, clerk: Clerk, rest: Rest, length: Option<u64>) -> Self {
        Self {
            wire,
            clerk,
            rest,
            length,
            stopped: None,
        }
    }

    /// Resets the stream of a request that is not served.
    pub fn refuse(mut self, code: Code) {
        self.wire.break_off(code);
    }

    /// Answers with nothing but a status.
    pub fn send_status(&mut self, cx: &mut Context<'_>, status: u16) -> io::Result<()> {
        let mut head = Response::new(());
        *head.status_mut() =
            StatusCode::from_u16(status).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.send_response(cx, head, true)
    }

    fn send_response(
        &mut self,
        cx: &mut Context<'_>,
        head: Response<()>,
        is_whole: bool,
    ) -> io::Result<()> {
        let frame = self.clerk.head(head);
        let frame = frame.map_err(|fault| self.failed(fault))?;
        if is_whole {
            self.wire.sending = Out::Ending;
        }
        self.send(cx, frame)
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.rest == Rest::ToCome {
            self.rest = match ready!(self.wire.poll_piece(cx))? {
                Some(Piece::Data(data)) => Rest::Data(data),
                Some(Piece::Section(section)) => Rest::Trailers(section),
                None => Rest::Ended,
            };
        }
        Poll::Ready(Ok(()))
    }

    /// The next part of the body; it must be as long as was said (RFC 9114, 4.1.2).
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        ready!(self.poll_rest(cx))?;
        let Rest::Data(data) = &mut self.rest else {
            return Poll::Ready(match self.length {
                Some(1..) => Err(Fault::Stream(Code::MessageError)),
                _ => Ok(None),
            });
        };
        let data = std::mem::take(data);
        self.rest = Rest::ToCome;
        if let Some(length) = &mut self.length {
            let left = length.checked_sub(data.len() as u64);
            *length = left.ok_or(Fault::Stream(Code::MessageError))?;
        }
        Poll::Ready(Ok(Some(data)))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<HeaderMap>, Fault>> {
        ready!(self.poll_rest(cx))?;
        let mut trailers = None;
        if let Rest::Trailers(section) = &self.rest {
            // Only what means nothing may come after them.
            match ready!(self.wire.poll_piece(cx))? {
                None => trailers = Some(self.clerk.read_trailers(section)?),
                Some(_) => return Poll::Ready(Err(Fault::Connection(Code::FrameUnexpected))),
            }
            self.rest = Rest::Ended;
        }
        Poll::Ready(Ok(trailers))
    }

    fn failed(&mut self, fault: Fault) -> io::Error {
        self.wire.fail(fault);
        fault.into()
    }

    /// Sends as much as can be sent; the rest is held.
    fn send(&mut self, cx: &mut Context<'_>, frame: Bytes) -> io::Result<()> {
        if !frame.is_empty() {
            self.wire.outbox.push_back(frame);
        }
        match self.wire.poll_send(cx) {
            Poll::Ready(Err(fault)) => Err(self.failed(fault)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<VarInt>, StoppedError>> {
        let send = &self.wire.send;
        let stopped = self.stopped.get_or_insert_with(|| Box::pin(send.stopped()));
        let outcome = ready!(stopped.as_mut().poll(cx));
        self.stopped = None;
        Poll::Ready(outcome)
    }
}

impl Receiving for Http3Exchange {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let data = ready!(self.poll_body(cx));
        Poll::Ready(data.map_err(|fault| self.failed(fault)))
    }

    fn release(&mut self, _: usize) {
        // Nothing is received before it is asked for; the client's window follows from that.
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let trailers = ready!(self.poll_end(cx)).map_err(|fault| self.failed(fault))?;
        exchange::write_lines(&trailers.unwrap_or_default(), out);
        Poll::Ready(Ok(()))
    }
}

impl Sending for Http3Exchange {
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        match ready!(self.wire.poll_send(cx)) {
            Ok(()) => Poll::Ready(Ok(wanted.min(WINDOW))),
            Err(fault) => Poll::Ready(Err(self.failed(fault))),
        }
    }

    fn send_data(&mut self, cx: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()> {
        if is_last {
            self.wire.sending = Out::Ending;
        }
        if !data.is_empty() {
            self.wire.outbox.push_back(data_header(data.len()));
        }
        self.send(cx, Bytes::copy_from_slice(data))
    }

    fn send_trailers(&mut self, cx: &mut Context<'_>, section: &[u8]) -> io::Result<()> {
        let trailers = exchange::read_trailers(section).ok_or(io::ErrorKind::InvalidData)?;
        let frame = self.clerk.trailers(trailers);
        let frame = frame.map_err(|fault| self.failed(fault))?;
        self.wire.sending = Out::Ending;
        self.send(cx, frame)
    }
}

impl Exchange for Http3Exchange {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Poll::Ready(Err(fault)) = self.wire.poll_send(cx) {
            return Poll::Ready(self.failed(fault));
        }
        // It cannot have taken all of what has not ended.
        let _ = ready!(self.poll_stopped(cx));
        Poll::Ready(self.failed(Fault::Gone))
    }

    fn send_interim(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
    ) -> io::Result<()> {
        self.send_head(cx, head, false)
    }

    fn send_head(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
        is_whole: bool,
    ) -> io::Result<()> {
        let head = exchange::response(head).ok_or(io::ErrorKind::InvalidData)?;
        self.send_response(cx, head, is_whole)
    }

    /// Ready when the client has all of it: a connection that closes takes with it what is still under way.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(fault) = ready!(self.wire.poll_send(cx)) {
            return Poll::Ready(Err(self.failed(fault)));
        }
        // Whatever else it says, it wants no more of it.
        let _ = ready!(self.poll_stopped(cx));
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self) {
        self.wire.break_off(Code::InternalError);
    }
}

impl fmt::Debug for Http3Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http3Exchange")
            .field("wire", &self.wire)
            .field("rest", &self.rest)
            .finish_non_exhaustive()
    }
}

/// What is taken of an answer at a time, and held at most where the client does not take it.
const WINDOW: usize = 32 * 1024;
