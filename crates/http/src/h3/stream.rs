//! A request stream until its head is whole.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use quinn::{RecvStream, SendStream};

use super::codec::{Codec, Decoded};
use super::exchange::{Http3Exchange, Rest};
use super::fault::{Code, Fault};
use super::frames::{Frames, Piece};
use super::noise::Noise;

/// A stream that a client has begun.
#[derive(Debug)]
pub struct RequestStream {
    wire: Wire,
    codec: Codec,
    decoded: Option<Decoded>,
}

/// A request whose head is whole.
#[derive(Debug)]
pub struct Head {
    /// Method, target and fields.
    pub parts: Parts,
    /// `:protocol` of an extended CONNECT.
    pub protocol: Option<&'static str>,
    /// Whether anything follows.
    pub has_body: bool,
    /// The rest of the request, and its answer.
    pub exchange: Http3Exchange,
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

impl RequestStream {
    pub(super) fn new(
        send: SendStream,
        receive: RecvStream,
        quinn: quinn::Connection,
        codec: Codec,
        noise: Noise,
        max_head: usize,
    ) -> Self {
        Self {
            wire: Wire {
                send,
                receive,
                quinn,
                frames: Frames::new(max_head, noise),
                chunk: Bytes::new(),
                outbox: VecDeque::new(),
                receiving: true,
                sending: Out::Open,
            },
            codec,
            decoded: None,
        }
    }

    /// Receives the head. The client has been told of what is wrong with it.
    pub async fn head(mut self) -> Result<Head, Fault> {
        let rest = match std::future::poll_fn(|cx| self.poll_head(cx)).await {
            Ok(rest) => rest,
            Err(fault) => {
                self.wire.fail(fault);
                if fault == Fault::TooLarge {
                    // As far as the client takes it.
                    let _ = std::future::poll_fn(|cx| self.wire.poll_send(cx)).await;
                }
                return Err(fault);
            }
        };
        let Some(decoded) = self.decoded.take() else {
            return Err(Fault::Gone);
        };
        let has_body = rest != Rest::Ended || decoded.protocol.is_some();
        let length = length(&decoded.parts)?;
        Ok(Head {
            protocol: decoded.protocol.map(super::section::Protocol::as_str),
            has_body,
            exchange: Http3Exchange::new(
                self.wire,
                decoded.clerk,
                rest,
                length.filter(|_| decoded.protocol.is_none()),
            ),
            parts: decoded.parts,
        })
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Rest, Fault>> {
        if self.decoded.is_none() {
            match ready!(self.wire.poll_piece(cx))? {
                Some(Piece::Section(section)) => {
                    let decoded = self.codec.request(self.wire.send.id(), section);
                    let decoded = decoded.map_err(|refused| {
                        self.wire.outbox.push_back(refused.answer);
                        refused.fault
                    })?;
                    self.decoded = Some(decoded);
                }
                Some(Piece::Data(_)) => {
                    return Poll::Ready(Err(Fault::Connection(Code::FrameUnexpected)));
                }
                None => return Poll::Ready(Err(Fault::Stream(Code::RequestIncomplete))),
            }
        }
        let Some(decoded) = &self.decoded else {
            return Poll::Pending;
        };
        let length = length(&decoded.parts)?;
        if decoded.protocol.is_some() || length.is_some_and(|length| length > 0) {
            return Poll::Ready(Ok(Rest::ToCome));
        }
        // The end has mostly come with the head.
        Poll::Ready(Ok(match self.wire.poll_piece(cx)? {
            Poll::Pending => Rest::ToCome,
            Poll::Ready(None) => Rest::Ended,
            // None was said to come.
            Poll::Ready(Some(Piece::Data(_))) if length.is_some() => {
                return Poll::Ready(Err(Fault::Stream(Code::MessageError)));
            }
            Poll::Ready(Some(Piece::Data(data))) => Rest::Data(data),
            Poll::Ready(Some(Piece::Section(section))) => Rest::Trailers(section),
        }))
    }
}

/// A stream's two directions in frames.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    quinn: quinn::Connection,
    frames: Frames,
    /// Received and not yet looked at.
    chunk: Bytes,
    /// On its way out, and held here.
    pub(super) outbox: VecDeque<Bytes>,
    /// Whether there is something to come.
    receiving: bool,
    pub(super) sending: Out,
}

/// How far our direction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Open,
    /// Ends with what is held.
    Ending,
    /// Ended or reset.
    Ended,
}

impl Wire {
    /// The next piece; `None` at the end.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Piece>, Fault>> {
        loop {
            if let Some(piece) = self.frames.next(&mut self.chunk)? {
                return Poll::Ready(Ok(Some(piece)));
            }
            if !self.receiving {
                return Poll::Ready(Ok(None));
            }
            let chunk = ready!(pin!(self.receive.read_chunk(CHUNK, true)).poll(cx));
            if let Some(chunk) = chunk? {
                self.chunk = chunk.bytes;
            } else {
                self.receiving = false;
                self.frames.end()?;
            }
        }
    }

    /// Ready when nothing is held any more.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while !self.outbox.is_empty() {
            let chunks = self.outbox.make_contiguous();
            let written = ready!(pin!(self.send.write_chunks(chunks)).poll(cx))?;
            self.outbox.drain(..written.chunks.min(self.outbox.len()));
        }
        if self.sending == Out::Ending {
            self.sending = Out::Ended;
            // Fails where the client has stopped it.
            let _ = self.send.finish();
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the client what is wrong.
    pub(super) fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Stream(code) => self.break_off(code),
            Fault::Connection(code) => self.quinn.close(code.into(), b""),
            Fault::TooLarge => self.sending = Out::Ending,
            Fault::Gone => self.break_off(Code::RequestCancelled),
        }
    }

    pub(super) fn break_off(&mut self, code: Code) {
        // Each fails where that direction has ended.
        if self.sending != Out::Ended {
            self.sending = Out::Ended;
            let _ = self.send.reset(code.into());
        }
        if self.receiving {
            self.receiving = false;
            let _ = self.receive.stop(code.into());
        }
    }
}

/// What is left half done must not pass for whole.
impl Drop for Wire {
    fn drop(&mut self) {
        if self.sending != Out::Ended {
            self.break_off(Code::RequestCancelled);
        } else if self.receiving {
            // The answer went out before the request was read.
            let _ = self.receive.stop(Code::NoError.into());
        }
    }
}

/// What `content-length` says; several have to say the same.
fn length(parts: &Parts) -> Result<Option<u64>, Fault> {
    let mut said = None;
    for value in parts.headers.get_all(CONTENT_LENGTH) {
        let is_digits = !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
        let length = value.to_str().ok().filter(|_| is_digits);
        let length: u64 = length
            .and_then(|length| length.parse().ok())
            .ok_or(Fault::Stream(Code::MessageError))?;
        if said.is_some_and(|said| said != length) {
            return Err(Fault::Stream(Code::MessageError));
        }
        said = Some(length);
    }
    Ok(said)
}

/// Bytes that are taken at a time.
const CHUNK: usize = 64 * 1024;
