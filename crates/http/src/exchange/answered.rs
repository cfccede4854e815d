//! What a server answers, as a head of HTTP/1.1 (RFC 9113, 8.3.2), and why it does not.

use std::io;
use std::io::Write as _;

use sluice_wire::h1::{Method, RequestHead, reason_phrase};
use thiserror::Error;

use super::Form;
use super::request::{is_field, parse_length, write_line};
use crate::websocket;

/// What has to be known of a request to read its answer.
#[derive(Debug)]
pub(crate) struct Expected {
    /// Whether it was `HEAD`.
    pub(crate) is_head: bool,
    /// What proves to the client that the server switches to WebSocket, where that was asked for.
    pub(crate) accept: Option<String>,
}

/// An answer, as far as it is here.
#[derive(Debug)]
pub(crate) struct Answer {
    expected: Expected,
    /// Interim responses and the head, as far as they were not read yet.
    pub(crate) head: Vec<u8>,
    /// How the body follows; `None` until the head is here.
    pub(crate) form: Option<Form>,
}

/// What a block said of what follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FinishedAnswer {
    /// The length of the body, where it was said.
    pub(crate) length: Option<u64>,
}

impl Expected {
    /// What is expected of the answer to `head`, and whether that asks for a tunnel. It does where it asks for WebSocket and the
    /// server lets that pass; any other switch is not in HTTP/2 and HTTP/3, and the request goes without.
    pub(crate) fn of(head: &RequestHead<'_, '_>, takes_websocket: bool) -> (Self, bool) {
        let key = websocket::key_of(head).filter(|_| takes_websocket);
        let expected = Self {
            is_head: head.method == Method::Head,
            accept: key.map(websocket::accept),
        };
        let is_tunnel = expected.accept.is_some();
        (expected, is_tunnel)
    }
}

impl Answer {
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            expected,
            head: Vec::new(),
            form: None,
        }
    }

    /// Begins a head, whose fields may have `most` bytes.
    pub(crate) fn begin(&mut self, most: usize) -> AnswerDraft<'_> {
        let start = self.head.len();
        AnswerDraft {
            answer: self,
            start,
            status: None,
            length: None,
            is_grpc: false,
            is_good: true,
            left: most,
        }
    }
}

/// A head that is being written.
pub(crate) struct AnswerDraft<'a> {
    answer: &'a mut Answer,
    /// Where it begins.
    start: usize,
    status: Option<u16>,
    /// Held back, as it is not always passed on.
    length: Option<u64>,
    is_grpc: bool,
    is_good: bool,
    left: usize,
}

impl AnswerDraft<'_> {
    /// Takes a field.
    pub(crate) fn take(&mut self, name: &[u8], value: &[u8]) {
        let left = self.left.checked_sub(name.len() + value.len());
        self.left = left.unwrap_or_default();
        self.is_good = self.is_good && left.is_some() && self.take_good(name, value);
    }

    fn take_good(&mut self, name: &[u8], value: &[u8]) -> bool {
        if name.first() == Some(&b':') {
            return name == b":status" && self.status.is_none() && self.begin(value);
        }
        if self.status.is_none() || !is_field(name, value) {
            return false;
        }
        let is_switch = self.switches();
        match name {
            b"content-length" => {
                let before = self.length;
                self.length = parse_length(value);
                return self.length.is_some() && (before.is_none() || before == self.length);
            }
            b"sec-websocket-accept" if is_switch => return true,
            b"content-type" => self.is_grpc = value.starts_with(b"application/grpc"),
            _ => {}
        }
        write_line(&mut self.answer.head, name, value);
        true
    }

    /// Whether the server switches to what was asked for.
    fn switches(&self) -> bool {
        let is_success = self
            .status
            .is_some_and(|status| (200..300).contains(&status));
        is_success && self.answer.expected.accept.is_some()
    }

    fn begin(&mut self, value: &[u8]) -> bool {
        let status = match value {
            [
                hundreds @ b'1'..=b'9',
                tens @ b'0'..=b'9',
                ones @ b'0'..=b'9',
            ] => [hundreds, tens, ones]
                .iter()
                .fold(0, |status, digit| status * 10 + u16::from(**digit - b'0')),
            _ => return false,
        };
        self.status = Some(status);
        let line = if self.switches() { 101 } else { status };
        // Writing to a vector cannot fail.
        let _ = write!(
            self.answer.head,
            "HTTP/1.1 {line} {}\r\n",
            reason_phrase(line)
        );
        // 101 is not in HTTP/2 (8.6).
        status != 101
    }

    /// Whether it is that of an interim response, after which another one follows.
    pub(crate) fn is_interim(&self) -> bool {
        self.status
            .is_some_and(|status| (100..200).contains(&status))
    }

    /// The end of the fields; where `ends`, nothing follows. `None` where the answer is malformed.
    pub(crate) fn finish(mut self, ends: bool) -> Option<FinishedAnswer> {
        let finished = self.finish_good(ends);
        if finished.is_none() {
            self.answer.head.truncate(self.start);
        }
        finished
    }

    fn finish_good(&mut self, ends: bool) -> Option<FinishedAnswer> {
        let status = self.status.filter(|_| self.is_good)?;
        let switches = self.switches();
        let Answer {
            expected,
            head,
            form,
        } = &mut *self.answer;
        let mut length = None;
        if (100..200).contains(&status) {
            head.extend_from_slice(b"\r\n");
            return (!ends).then_some(FinishedAnswer { length });
        }
        let has_none = expected.is_head || matches!(status, 204 | 304);
        let says = self.length;
        *form = Some(if switches {
            let accept = expected.accept.as_deref().unwrap_or_default();
            for (name, value) in [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-accept", accept),
            ] {
                write_line(head, name.as_bytes(), value.as_bytes());
            }
            Form::AsIs
        } else if has_none || ends {
            if !has_none && says.is_some_and(|length| length > 0) {
                return None;
            }
            let said = says.or((!has_none).then_some(0));
            if let Some(said) = said.filter(|_| status != 204) {
                let _ = write!(head, "content-length: {said}\r\n");
            }
            Form::None
        } else if let Some(said) = says.filter(|_| !self.is_grpc) {
            let _ = write!(head, "content-length: {said}\r\n");
            length = says;
            Form::AsIs
        } else {
            // What gRPC has to say comes in trailers, which only chunks can be followed by.
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
            length = says;
            Form::Chunked
        });
        head.extend_from_slice(b"\r\n");
        Some(FinishedAnswer { length })
    }
}

/// Why a server has not worked on a request at all, so that any request may be sent again (RFC 9113, 8.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Untouched {
    /// It refused the stream. Others of the connection go on.
    #[error("the server refused the stream")]
    Refused,
    /// It said farewell before it came to this stream.
    #[error("the server said farewell before it came to the stream")]
    Leaving,
}

impl Untouched {
    /// What an error of [`Asked`](super::Asked) says of it; `None` where the server may have worked on the request.
    pub fn by(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<Untouched> for io::Error {
    fn from(untouched: Untouched) -> Self {
        Self::new(io::ErrorKind::ConnectionReset, untouched)
    }
}

#[cfg(test)]
mod tests;
