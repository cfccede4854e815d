//! A stream's two directions in frames.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};

use super::control::Peer;
use super::core::Core;
use super::fault::{Code, Fault};
use super::frames::{Frames, Piece, put_data_header, put_section_header};

/// A stream of requests.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) send: SendStream,
    receive: RecvStream,
    pub(super) core: Rc<Core>,
    frames: Frames,
    /// Received and not yet looked at.
    chunk: Bytes,
    /// To be sent, in the order of these two.
    held: Bytes,
    out: BytesMut,
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
    pub(super) fn new(send: SendStream, receive: RecvStream, core: &Rc<Core>) -> Self {
        Self {
            send,
            receive,
            frames: Frames::new(core.max_head, core.noise.clone()),
            core: Rc::clone(core),
            chunk: Bytes::new(),
            held: Bytes::new(),
            out: BytesMut::new(),
            receiving: true,
            sending: Out::Open,
        }
    }

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

    /// Puts a field section after what is to be sent.
    pub(super) fn put_section<T>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut section = self.core.room.borrow_mut();
        section.clear();
        let encoded = encode(&mut section);
        // The header of a frame of DATA will mostly follow, and some data.
        self.out.reserve(section.len() + HEADERS);
        put_section_header(section.len(), &mut self.out);
        self.out.extend_from_slice(&section);
        encoded
    }

    /// Puts a part of a body after what is to be sent.
    pub(super) fn put_data(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.out.reserve(data.len() + HEADERS);
        put_data_header(data.len(), &mut self.out);
        self.out.extend_from_slice(data);
    }

    /// Ready when nothing is held any more.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        loop {
            if self.held.is_empty() {
                if self.out.is_empty() {
                    break;
                }
                self.held = self.out.split().freeze();
            }
            let held = std::slice::from_mut(&mut self.held);
            ready!(pin!(self.send.write_chunks(held)).poll(cx))?;
        }
        if self.sending == Out::Ending {
            self.sending = Out::Ended;
            // Fails where the other side has stopped it.
            let _ = self.send.finish();
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing more is sent: the other side has all that it wants.
    pub(super) fn stop_sending(&mut self) {
        self.sending = Out::Ended;
        self.held = Bytes::new();
        self.out.clear();
    }

    /// Tells the other side what is wrong.
    pub(super) fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Stream(code) => self.break_off(code),
            Fault::Connection(code) => self.core.close(code),
            Fault::TooLarge => self.break_off(Code::ExcessiveLoad),
            Fault::Rejected | Fault::Enough | Fault::Gone => {
                self.break_off(Code::RequestCancelled);
            }
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
        if self.sending == Out::Ended && self.core.peer == Peer::Client {
            if self.receiving {
                // The answer went out before the request was read.
                let _ = self.receive.stop(Code::NoError.into());
            }
        } else {
            self.break_off(Code::RequestCancelled);
        }
    }
}

/// Bytes that are taken at a time.
const CHUNK: usize = 64 * 1024;
/// What the headers of two frames take at most.
const HEADERS: usize = 32;
