//! The servers of gRPC: each call is answered with a head, one message and trailers, all of them prepared.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use super::fields::{Block, Memory};
use super::frames::{self, Frame};
use super::{GRPC_ANSWER, message};
use crate::load::poll::EventFlags;
use crate::load::socket::{self, Moved};

/// What all calls are answered with.
pub(crate) struct Reply {
    head: Block,
    message: Vec<u8>,
    trailers: Block,
}

/// One connection with calls on it.
pub(crate) struct Calls {
    began: bool,
    memory: Memory,
    /// What was received of a frame that is not yet whole.
    partial: Vec<u8>,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    /// Bytes of DATA that the other side takes.
    window: i64,
    /// Calls whose answers wait for that.
    waiting: VecDeque<u32>,
    /// Bytes of DATA since its window was last widened.
    taken: u32,
}

impl Reply {
    pub(crate) fn new() -> Self {
        let head = [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-accept-encoding", "identity, deflate, gzip"),
        ];
        Self {
            head: Block::encode(head.into_iter()),
            message: message(GRPC_ANSWER),
            trailers: Block::encode([("grpc-status", "0")].into_iter()),
        }
    }
}

impl Calls {
    pub(crate) fn new() -> Self {
        let mut unsent = Vec::new();
        frames::begin_server(&mut unsent);
        Self {
            began: false,
            memory: Memory::Fresh,
            partial: Vec::new(),
            unsent,
            window: frames::WINDOW,
            waiting: VecDeque::new(),
            taken: 0,
        }
    }

    /// Receives and answers what is there; false when the connection is to be closed.
    pub(crate) fn serve(
        &mut self,
        socket: &OwnedFd,
        flags: EventFlags,
        reply: &Reply,
        scratch: &mut [u8],
    ) -> bool {
        if flags.intersects(EventFlags::IN) {
            loop {
                let length = match socket::receive(socket, scratch) {
                    Moved::Bytes(0) | Moved::Broken => return false,
                    Moved::WouldBlock => break,
                    Moved::Bytes(length) => length,
                };
                if !self.take_all(&scratch[..length], reply) {
                    return false;
                }
                // It is empty when it gives less than there is room for, and tells of what comes next.
                if length < scratch.len() {
                    break;
                }
            }
        }
        self.flush(socket) && !flags.intersects(EventFlags::ERR)
    }

    fn take_all(&mut self, received: &[u8], reply: &Reply) -> bool {
        let mut partial = std::mem::take(&mut self.partial);
        let mut rest = received;
        if !partial.is_empty() {
            partial.extend_from_slice(rest);
            rest = &partial;
        }
        if !self.began {
            let Some(behind) = rest.strip_prefix(frames::PREFACE) else {
                self.partial = rest.to_vec();
                return frames::PREFACE.starts_with(rest);
            };
            rest = behind;
            self.began = true;
        }
        while let Some(frame) = frames::next(&mut rest) {
            if !self.take(&frame, reply) {
                return false;
            }
        }
        self.partial = rest.to_vec();
        true
    }

    fn take(&mut self, frame: &Frame<'_>, reply: &Reply) -> bool {
        match frame.kind {
            frames::HEADERS | frames::DATA => {
                if frame.kind == frames::DATA {
                    frames::took(&mut self.taken, frame, &mut self.unsent);
                }
                if frame.flags & frames::END_STREAM != 0 {
                    self.waiting.push_back(frame.stream);
                    self.answer(reply);
                }
            }
            frames::WINDOW_UPDATE => {
                self.window += frames::widened(frame);
                self.answer(reply);
            }
            // A call is answered as soon as it is there, so nothing is left to be given up.
            frames::RST_STREAM | frames::GOAWAY => {}
            _ => return frames::answer(frame, &mut self.memory, &mut self.unsent).is_ok(),
        }
        true
    }

    /// Answers as many calls as the window has room for.
    fn answer(&mut self, reply: &Reply) {
        let length = i64::try_from(reply.message.len()).unwrap_or(i64::MAX);
        while self.window >= length
            && let Some(stream) = self.waiting.pop_front()
        {
            self.window -= length;
            let out = &mut self.unsent;
            frames::put(
                out,
                frames::HEADERS,
                frames::END_HEADERS,
                stream,
                reply.head.next(&mut self.memory),
            );
            frames::put(out, frames::DATA, 0, stream, &reply.message);
            let end = frames::END_HEADERS | frames::END_STREAM;
            frames::put(
                out,
                frames::HEADERS,
                end,
                stream,
                reply.trailers.next(&mut self.memory),
            );
        }
    }

    /// False when the connection broke.
    fn flush(&mut self, socket: &OwnedFd) -> bool {
        while !self.unsent.is_empty() {
            match socket::send(socket, &self.unsent) {
                Moved::Bytes(length) => {
                    self.unsent.drain(..length);
                }
                Moved::WouldBlock => break,
                Moved::Broken => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(stream: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames::put(
            &mut bytes,
            frames::HEADERS,
            frames::END_HEADERS,
            stream,
            b"head",
        );
        frames::put(
            &mut bytes,
            frames::DATA,
            frames::END_STREAM,
            stream,
            b"message",
        );
        bytes
    }

    fn ended(mut bytes: &[u8]) -> Vec<u32> {
        let mut streams = Vec::new();
        while let Some(frame) = frames::next(&mut bytes) {
            if frame.kind == frames::HEADERS && frame.flags & frames::END_STREAM != 0 {
                streams.push(frame.stream);
            }
        }
        streams
    }

    #[test]
    fn a_call_is_answered_when_it_is_whole() {
        let (reply, mut calls) = (Reply::new(), Calls::new());
        assert!(calls.take_all(frames::PREFACE, &reply));
        let bytes = call(1);
        let (most, last) = bytes.split_at(bytes.len() - 1);
        assert!(calls.take_all(most, &reply));
        assert!(ended(&calls.unsent).is_empty());
        assert!(calls.take_all(last, &reply));
        assert_eq!(ended(&calls.unsent), [1]);
    }

    #[test]
    fn answers_wait_for_the_window() {
        let (reply, mut calls) = (Reply::new(), Calls::new());
        assert!(calls.take_all(frames::PREFACE, &reply));
        calls.window = i64::try_from(reply.message.len()).unwrap() + 1;
        assert!(calls.take_all(&[call(1), call(3)].concat(), &reply));
        assert_eq!(ended(&calls.unsent), [1]);
        let mut wider = Vec::new();
        frames::widen(&mut wider);
        assert!(calls.take_all(&wider, &reply));
        assert_eq!(ended(&calls.unsent), [1, 3]);
    }

    #[test]
    fn what_is_not_http2_is_closed() {
        let (reply, mut calls) = (Reply::new(), Calls::new());
        assert!(!calls.take_all(b"GET / HTTP/1.1\r\n", &reply));
    }
}
