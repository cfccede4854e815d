//! A stream of requests, once its head is whole: as an [`Exchange`] with a client, or an [`AskedExchange`] with a server.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use quinn::{StoppedError, VarInt};
use sluice_wire::h1::ResponseHead;
use sluice_wire::qpack::Encoder;

use super::core::{AskedPlace, Unread};
use super::fault::{Code, Fault};
use super::frames::Piece;
use super::stream::{Out, Wire};
use crate::exchange::{
    self, Answer, AskedExchange, Exchange, Expected, Form, Receiving, Sending, Untouched,
};

/// A stream of HTTP/3.
pub struct Http3Exchange {
    wire: Wire,
    rest: Rest,
    /// Bytes of the body to come, where its length was said.
    length: Option<u64>,
    /// Until a client's body has been read.
    unread: Option<Unread>,
    /// Ready when the client has taken all, or wants no more.
    stopped: Option<Stopped>,
    /// What a server answers, and the stream's place among those that wait for one.
    asked: Option<(Answer, AskedPlace)>,
}

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>;

/// What is there of a message beyond its head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing was received yet.
    ToCome,
    Data(Bytes),
    /// Trailers, encoded.
    Trailers(Bytes),
    Ended,
}

impl From<Option<Piece>> for Rest {
    fn from(piece: Option<Piece>) -> Self {
        match piece {
            Some(Piece::Data(data)) => Self::Data(data),
            Some(Piece::Section(section)) => Self::Trailers(section),
            None => Self::Ended,
        }
    }
}

impl Http3Exchange {
    /// A client's, whose body has this `length` where it was said.
    pub(super) fn served(wire: Wire, rest: Rest, length: Option<u64>) -> Self {
        let unread = (rest != Rest::Ended).then(|| Unread::on(&wire.core));
        Self {
            unread,
            ..Self::new(wire, rest, length)
        }
    }

    fn new(wire: Wire, rest: Rest, length: Option<u64>) -> Self {
        Self {
            wire,
            rest,
            length,
            unread: None,
            stopped: None,
            asked: None,
        }
    }

    /// A server's, that was sent a request.
    pub(super) fn asked(wire: Wire, expected: Expected, place: AskedPlace) -> Self {
        Self {
            asked: Some((Answer::new(expected), place)),
            ..Self::new(wire, Rest::ToCome, None)
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.rest == Rest::ToCome {
            self.rest = ready!(self.wire.poll_piece(cx))?.into();
        }
        Poll::Ready(Ok(()))
    }

    /// The next part of the body; it must be as long as was said (RFC 9114, 4.1.2). The last part is not handed out before it is
    /// known to be the last.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        let malformed = Fault::Stream(Code::MessageError);
        ready!(self.poll_rest(cx))?;
        let Rest::Data(data) = &self.rest else {
            self.unread = None;
            return Poll::Ready(match self.length {
                Some(1..) => Err(malformed),
                _ => Ok(None),
            });
        };
        let mut next = Rest::ToCome;
        if let Some(length) = self.length {
            let left = length.checked_sub(data.len() as u64).ok_or(malformed)?;
            if left == 0 {
                next = ready!(self.wire.poll_piece(cx))?.into();
                if matches!(next, Rest::Data(_)) {
                    return Poll::Ready(Err(malformed));
                }
            }
            self.length = Some(left);
        }
        let data = match std::mem::replace(&mut self.rest, next) {
            Rest::Data(data) => Some(data),
            Rest::ToCome | Rest::Trailers(_) | Rest::Ended => None,
        };
        Poll::Ready(Ok(data))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Result<(), Fault>> {
        ready!(self.poll_rest(cx))?;
        if let Rest::Trailers(section) = &self.rest {
            // Only what means nothing may come after them.
            if ready!(self.wire.poll_piece(cx))?.is_some() {
                return Poll::Ready(Err(Fault::Connection(Code::FrameUnexpected)));
            }
            self.wire.core.read_trailers(section, out)?;
            self.rest = Rest::Ended;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on until there is something of the answer.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Some((answer, _)) = &mut self.asked else {
            return Poll::Ready(Err(Fault::Gone));
        };
        if !answer.head.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let section = match ready!(self.wire.poll_piece(cx))? {
            Some(Piece::Section(section)) => section,
            Some(Piece::Data(_)) => {
                return Poll::Ready(Err(Fault::Connection(Code::FrameUnexpected)));
            }
            None => return Poll::Ready(Err(Fault::Stream(Code::MessageError))),
        };
        let core = &self.wire.core;
        let mut draft = answer.begin(core.max_head);
        core.decode(&section, |name, value| draft.take(name, value))?;
        if !draft.is_interim() {
            // The end has often come with the head.
            self.rest = match self.wire.poll_piece(cx)? {
                Poll::Pending => Rest::ToCome,
                Poll::Ready(piece) => piece.into(),
            };
        }
        let finished = draft.finish(self.rest == Rest::Ended);
        self.length = finished.ok_or(Fault::Stream(Code::MessageError))?.length;
        Poll::Ready(Ok(()))
    }

    fn failed(&mut self, fault: Fault) -> io::Error {
        let is_left_out = self.wire.core.is_left_out(self.wire.send.id());
        self.wire.fail(fault);
        if is_left_out {
            return Untouched::Leaving.into();
        }
        fault.into()
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<VarInt>, StoppedError>> {
        let send = &self.wire.send;
        let stopped = self.stopped.get_or_insert_with(|| Box::pin(send.stopped()));
        let outcome = ready!(stopped.as_mut().poll(cx));
        self.stopped = None;
        Poll::Ready(outcome)
    }

    /// Sends what is held. Of a server that has enough, nothing is.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.wire.poll_send(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Fault::Enough) if self.asked.is_some() => {
                self.wire.stop_sending();
                Poll::Ready(Ok(()))
            }
            Err(fault) => Poll::Ready(Err(self.failed(fault))),
        }
    }
}

impl Receiving for Http3Exchange {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let data = ready!(self.poll_body(cx));
        Poll::Ready(data.map_err(|fault| self.failed(fault)))
    }

    fn release(&mut self, _: usize) {
        // Nothing is received before it is asked for; the other side's window follows from that.
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let ended = ready!(self.poll_end(cx, out));
        Poll::Ready(ended.map_err(|fault| self.failed(fault)))
    }
}

impl Sending for Http3Exchange {
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        Poll::Ready(Ok(wanted.min(WINDOW)))
    }

    fn send_data(&mut self, _: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()> {
        if self.wire.sending == Out::Open {
            self.wire.put_data(data);
            if is_last {
                self.wire.sending = Out::Ending;
            }
        }
        Ok(())
    }

    fn send_trailers(&mut self, _: &mut Context<'_>, section: &[u8]) -> io::Result<()> {
        let encode = |out: &mut Vec<u8>| exchange::encode_trailers(section, &mut Encoder, out);
        if !self.wire.put_section(encode) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.wire.sending = Out::Ending;
        Ok(())
    }

    fn push(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.poll_send(cx) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }
}

impl Exchange for Http3Exchange {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(error);
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
        _: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
        is_whole: bool,
    ) -> io::Result<()> {
        self.wire
            .put_section(|out| exchange::encode_response(head, &mut Encoder, out));
        if is_whole {
            self.wire.sending = Out::Ending;
        }
        Ok(())
    }

    /// Ready when the client has all of it: a connection that closes takes with it what is still under way.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        // Whatever else it says, it wants no more of it.
        let _ = ready!(self.poll_stopped(cx));
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self) {
        self.wire.break_off(Code::InternalError);
    }

    fn is_held_back(&self) -> bool {
        self.unread.as_ref().is_some_and(Unread::may_be_held_back)
    }
}

impl AskedExchange for Http3Exchange {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, Option<Form>)>> {
        // What could not be sent at once goes on while the answer is waited for.
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        match self.poll_answer(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(fault)) => return Poll::Ready(Err(self.failed(fault))),
            Poll::Pending if self.wire.core.is_left_out(self.wire.send.id()) => {
                return Poll::Ready(Err(self.failed(Fault::Gone)));
            }
            Poll::Pending => {
                if let Some((_, place)) = &self.asked {
                    place.watch(cx);
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(match &mut self.asked {
            Some((answer, _)) => Ok((std::mem::take(&mut answer.head), answer.form)),
            None => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    fn has_enough(&self) -> bool {
        self.wire.sending == Out::Ended
    }

    fn cancel(&mut self) {
        self.wire.break_off(Code::RequestCancelled);
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

/// What is taken of a body at a time, and held at most where the other side does not take it.
const WINDOW: usize = 32 * 1024;
