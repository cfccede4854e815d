//! One stream of a client's connection, as a byte stream that speaks HTTP/1.1: what is read from it is the rest of the
//! request, what is written to it becomes the answer.
//!
//! The client's window is given back as the body is read, and an answer is taken only as far as the client's window
//! reaches. So nothing is held here but what one receive brings.

use std::cell::Cell;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use sluice_net::Layered;
use sluice_wire::h1::{FieldStorage, Limits, ResponseHead, parse_response};

use super::Exchange;
use super::incoming::{Form, Incoming};
use super::outgoing::{Outgoing, Unsent};
use super::request::RequestBody;
use super::section::is_whole;

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

/// A client's stream. Its head is not read from here: it was written while it was decoded.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts of the stream"
)]
pub struct Served<E: Exchange> {
    exchange: E,
    incoming: Incoming,
    is_tunnel: bool,
    has_read_all: bool,
    answering: Answering,
    is_head: bool,
    /// Whether a tunnel does not end in an orderly way.
    breaks: bool,
    local_address: Option<SocketAddr>,
    progress: Rc<Cell<Progress>>,
}

#[derive(Debug)]
enum Answering {
    /// Bytes of a head that is not whole.
    Head(Vec<u8>),
    Body(Outgoing),
    /// Both sides speak what they switched to.
    Tunnel,
    Ended,
}

impl<E: Exchange> Served<E> {
    /// The stream that carries `exchange`, whose request has a body of this `kind`. `is_head` tells whether it asked with
    /// `HEAD`.
    pub fn new(
        exchange: E,
        kind: RequestBody,
        is_head: bool,
        local_address: Option<SocketAddr>,
        progress: Rc<Cell<Progress>>,
    ) -> Self {
        let form = match kind {
            RequestBody::None => Form::None,
            RequestBody::AsIs | RequestBody::Tunnel => Form::AsIs,
            RequestBody::Chunked => Form::Chunked,
        };
        Self {
            exchange,
            incoming: Incoming::new(form, Vec::new()),
            is_tunnel: kind == RequestBody::Tunnel,
            has_read_all: kind == RequestBody::None,
            answering: Answering::Head(Vec::new()),
            is_head,
            breaks: false,
            local_address,
            progress,
        }
    }

    /// Ready when the client has reset the stream.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let error = ready!(self.exchange.poll_gone(cx));
        Poll::Ready(self.broken(error))
    }

    fn broken(&self, error: io::Error) -> io::Error {
        if self.progress.get() == Progress::UnderWay {
            self.progress.set(Progress::Abandoned);
        }
        error
    }

    fn ended(&mut self) {
        self.answering = Answering::Ended;
        self.progress.set(Progress::Answered);
    }

    /// Takes bytes of the head; how many.
    fn take_head(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let Answering::Head(partial) = &mut self.answering else {
            return Ok(0);
        };
        let before = partial.len();
        if before == 0 {
            let mut storage = FieldStorage::new();
            return match parse_response(bytes, &mut storage, &LIMITS, self.is_head) {
                Ok(Some(head)) => self.answer(cx, &head),
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
            Ok(Some(head)) => self.answer(cx, &head).map(|length| length - before),
            Ok(None) => {
                self.answering = Answering::Head(whole);
                Ok(bytes.len())
            }
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Sends a head; its length.
    fn answer(&mut self, cx: &mut Context<'_>, head: &ResponseHead<'_, '_>) -> io::Result<usize> {
        // To whom asked for a tunnel, any success means that it stands (RFC 8441, 5; RFC 9110, 9.3.6).
        if self.is_tunnel && (200..300).contains(&head.status) {
            self.send_bad_gateway(cx)?;
            return Ok(head.len);
        }
        match head.status {
            101 if self.is_tunnel => {
                let sent = self.exchange.send_head(cx, head, false);
                sent.map_err(|error| self.broken(error))?;
                self.answering = Answering::Tunnel;
                // Whoever reads has waited for this, and not for what the client sends.
                cx.waker().wake_by_ref();
            }
            101 => return Err(io::ErrorKind::InvalidData.into()),
            100..200 => {
                let sent = self.exchange.send_interim(cx, head);
                sent.map_err(|error| self.broken(error))?;
                self.answering = Answering::Head(Vec::new());
            }
            _ => {
                let is_whole = is_whole(head.framing);
                let sent = self.exchange.send_head(cx, head, is_whole);
                sent.map_err(|error| self.broken(error))?;
                if is_whole {
                    self.ended();
                } else {
                    self.answering = Answering::Body(Outgoing::new(head.framing));
                }
            }
        }
        Ok(head.len)
    }

    /// The server has not done what was asked.
    fn send_bad_gateway(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut storage = FieldStorage::new();
        if let Ok(Some(head)) = parse_response(BAD_GATEWAY, &mut storage, &LIMITS, false) {
            let sent = self.exchange.send_head(cx, &head, true);
            sent.map_err(|error| self.broken(error))?;
        }
        self.ended();
        Ok(())
    }

    /// Takes bytes of the body, as far as the window reaches.
    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Answering::Body(outgoing) = &mut self.answering else {
            return Poll::Ready(Ok(bytes.len()));
        };
        match ready!(outgoing.poll_write(&mut self.exchange, cx, bytes)) {
            Ok(taken) => {
                if outgoing.is_done() {
                    self.ended();
                }
                Poll::Ready(Ok(taken))
            }
            Err(Unsent::Gone(error)) => Poll::Ready(Err(self.broken(error))),
            Err(invalid) => Poll::Ready(Err(invalid.into())),
        }
    }

    fn poll_tunnel(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = match ready!(self.exchange.poll_window(cx, bytes.len())) {
            Ok(window) => {
                let taken = bytes.get(..window).unwrap_or(bytes);
                let sent = self.exchange.send_data(cx, taken, false);
                sent.map(|()| taken.len())
            }
            Err(error) => Err(error),
        };
        Poll::Ready(sent.map_err(|error| self.broken(error)))
    }
}

impl<E: Exchange + Debug> Layered for Served<E> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let waits = self.is_tunnel && matches!(self.answering, Answering::Head(_));
        if !waits && !self.has_read_all {
            match ready!(self.incoming.poll_read(&mut self.exchange, cx, buffer)) {
                Ok(0) => self.has_read_all = true,
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) => return Poll::Ready(Err(self.broken(error))),
            }
        }
        // The end of a request is not the end of its stream: the client listens. In a tunnel it is.
        let has_ended = matches!(self.answering, Answering::Ended | Answering::Tunnel);
        if has_ended {
            return Poll::Ready(Ok(0));
        }
        self.poll_gone(cx).map(Err)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let outcome = match &self.answering {
                Answering::Head(_) => Poll::Ready(self.take_head(cx, rest)),
                Answering::Body(_) => self.poll_body(cx, rest),
                Answering::Tunnel => self.poll_tunnel(cx, rest),
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
        if let Err(error) = self.exchange.push(cx) {
            return Poll::Ready(Err(self.broken(error)));
        }
        Poll::Ready(Ok(taken))
    }

    /// Ends a tunnel. Of an answer that is through, waits until the last of it is on its way.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.answering, Answering::Tunnel) {
            if self.breaks {
                return Poll::Ready(Ok(()));
            }
            let sent = self.exchange.send_data(cx, &[], true);
            if let Err(error) = sent.and_then(|()| self.exchange.push(cx)) {
                return Poll::Ready(Err(self.broken(error)));
            }
            self.ended();
        }
        if !matches!(self.answering, Answering::Ended) {
            return Poll::Ready(Ok(()));
        }
        self.exchange.poll_flush(cx)
    }

    fn is_quiet(&mut self, _now: bool) -> bool {
        self.progress.get() == Progress::UnderWay
    }

    fn reset_on_close(&mut self) {
        self.breaks = true;
    }

    fn is_held_back(&self) -> bool {
        self.exchange.is_held_back()
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }
}

/// An answer that breaks off must not pass for a whole one.
impl<E: Exchange> Drop for Served<E> {
    fn drop(&mut self) {
        if self.progress.get() == Progress::Abandoned {
            return;
        }
        match &mut self.answering {
            Answering::Tunnel if !self.breaks => {
                // Fails where the stream is gone already.
                let cx = &mut Context::from_waker(Waker::noop());
                let sent = self.exchange.send_data(cx, &[], true);
                let _ = sent.and_then(|()| self.exchange.push(cx));
            }
            Answering::Head(_) | Answering::Body(_) | Answering::Tunnel => self.exchange.reset(),
            Answering::Ended => {}
        }
    }
}

const BAD_GATEWAY: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
/// What our own pipeline writes at most: a server's head and what is added to it.
const LIMITS: Limits = Limits {
    max_head: 128 * 1024,
    max_target: 0,
    max_fields: 256,
};
