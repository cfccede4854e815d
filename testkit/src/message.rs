//! A small strict reader of HTTP/1.1 messages, independent of the engine that is tested.
//!
//! It refuses whatever RFC 9112 does not let a sender write, so that a test that reads an answer with it has also
//! checked the answer's syntax.

mod head;

use std::io::{self, Read};

use head::{field_line, latin1};
use thiserror::Error;

pub use head::{Head, StartLine};

/// A final response, read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 and above
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/1.0`
    pub version: String,
    /// The final head.
    pub head: Head,
    /// The 1xx heads that came before it.
    pub interim: Vec<Head>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Fields after a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// The value of the only field with this name; `None` when there is none.
    ///
    /// Panics when there are several: use [`Self::fields`] for those.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// The values of every field with this name, in order.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        self.head.fields(name)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of UTF-8 text")
    }
}

/// Why a message could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The connection ended where a message would have begun.
    #[error("the connection was closed before a message began")]
    Closed,
    /// The connection ended inside a message.
    #[error("the connection was closed inside a message, after {0:?}")]
    Truncated(String),
    /// Nothing came within [`crate::DEADLINE`].
    #[error("nothing more came in time, after {0:?}")]
    Deadline(String),
    /// The connection was reset.
    #[error("the connection was reset")]
    Reset,
    /// What came is not HTTP/1.1.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// Any other error of the socket.
    #[error(transparent)]
    Io(io::Error),
}

/// Reads messages from a stream, keeping what it read too much.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    /// Received and not yet consumed.
    pub(crate) buffer: Vec<u8>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    Close,
}

impl MessageReader {
    pub(crate) fn head(&mut self, stream: &mut impl Read) -> Result<Head, ReadError> {
        let end = self.find(stream, b"\r\n\r\n")?;
        Head::parse(self.buffer.drain(..end).collect())
    }

    /// Reads a response to `method`, interim ones first.
    pub(crate) fn response(
        &mut self,
        stream: &mut impl Read,
        method: &str,
    ) -> Result<Response, ReadError> {
        let mut interim = Vec::new();
        loop {
            let head = self.head(stream)?;
            let StartLine::Status {
                version, status, ..
            } = head.start.clone()
            else {
                return Err(ReadError::Malformed("a request as an answer".into()));
            };
            if (100..200).contains(&status) && status != 101 {
                interim.push(head);
                continue;
            }
            let mut body = Vec::new();
            let framing = response_framing(&head, method, status)?;
            let trailers = self.body(stream, framing, |bytes| body.extend_from_slice(bytes))?;
            return Ok(Response {
                status,
                version,
                head,
                interim,
                body,
                trailers,
            });
        }
    }

    /// Hands the body to `sink` piece by piece and returns the trailers.
    pub(crate) fn body(
        &mut self,
        stream: &mut impl Read,
        framing: Framing,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Vec<(String, String)>, ReadError> {
        match framing {
            Framing::None => {}
            Framing::Length(length) => self.exactly(stream, length, &mut sink)?,
            Framing::Close => {
                sink(&self.buffer);
                self.buffer.clear();
                while self.fill(stream)? > 0 {
                    sink(&self.buffer);
                    self.buffer.clear();
                }
            }
            Framing::Chunked => {
                let trailers = self.chunked(stream, &mut sink);
                return trailers.map_err(|error| match error {
                    // Between two lines nothing is held, and yet the message is not whole.
                    ReadError::Closed => {
                        ReadError::Truncated("whole lines of a chunked body".into())
                    }
                    error => error,
                });
            }
        }
        Ok(Vec::new())
    }

    fn chunked(
        &mut self,
        stream: &mut impl Read,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<Vec<(String, String)>, ReadError> {
        loop {
            let line = self.line(stream)?;
            let digits = line.split(';').next().unwrap_or_default();
            let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = u64::from_str_radix(digits, 16).ok().filter(|_| hex);
            let Some(size) = size else {
                return Err(ReadError::Malformed(format!("chunk size {line:?}")));
            };
            if size == 0 {
                break;
            }
            self.exactly(stream, size, sink)?;
            if !self.line(stream)?.is_empty() {
                return Err(ReadError::Malformed("chunk longer than its size".into()));
            }
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line(stream)?;
            if line.is_empty() {
                return Ok(trailers);
            }
            trailers.push(field_line(&line)?);
        }
    }

    /// A line without its CRLF.
    fn line(&mut self, stream: &mut impl Read) -> Result<String, ReadError> {
        let end = self.find(stream, b"\r\n")?;
        let line: Vec<u8> = self.buffer.drain(..end).take(end - 2).collect();
        Ok(latin1(&line))
    }

    /// The index after the first `pattern`, reading on until it has come.
    pub(crate) fn find(
        &mut self,
        stream: &mut impl Read,
        pattern: &[u8],
    ) -> Result<usize, ReadError> {
        let mut searched = 0;
        loop {
            let window = &self.buffer[searched..];
            if let Some(at) = window.windows(pattern.len()).position(|w| w == pattern) {
                return Ok(searched + at + pattern.len());
            }
            searched = self.buffer.len().saturating_sub(pattern.len() - 1);
            if self.fill(stream)? == 0 {
                return Err(self.ended());
            }
        }
    }

    pub(crate) fn exactly(
        &mut self,
        stream: &mut impl Read,
        length: u64,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), ReadError> {
        let mut left = length;
        loop {
            let take =
                usize::try_from(left).map_or(self.buffer.len(), |n| n.min(self.buffer.len()));
            sink(&self.buffer[..take]);
            self.buffer.drain(..take);
            left -= take as u64;
            if left == 0 {
                return Ok(());
            }
            if self.fill(stream)? == 0 {
                return Err(ReadError::Truncated(format!("{left} bytes missing")));
            }
        }
    }

    /// Reads once; 0 at the end of the stream.
    pub(crate) fn fill(&mut self, stream: &mut impl Read) -> Result<usize, ReadError> {
        let mut piece = [0; 16 * 1024];
        loop {
            match stream.read(&mut piece) {
                Ok(count) => {
                    self.buffer.extend_from_slice(&piece[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn failed(&self, error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ReadError::Deadline(self.shown())
            }
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => ReadError::Reset,
            _ => ReadError::Io(error),
        }
    }

    fn ended(&self) -> ReadError {
        if self.buffer.is_empty() {
            ReadError::Closed
        } else {
            ReadError::Truncated(self.shown())
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// RFC 9112 §6.3 for requests.
pub(crate) fn request_framing(head: &Head) -> Result<Framing, ReadError> {
    framing(head).map(|framing| framing.unwrap_or(Framing::None))
}

/// RFC 9112 §6.3 for responses.
fn response_framing(head: &Head, method: &str, status: u16) -> Result<Framing, ReadError> {
    let bodiless = method == "HEAD" || status < 200 || status == 204 || status == 304;
    if bodiless || (method == "CONNECT" && status < 300) {
        return Ok(Framing::None);
    }
    framing(head).map(|framing| framing.unwrap_or(Framing::Close))
}

fn framing(head: &Head) -> Result<Option<Framing>, ReadError> {
    let wrong = |why: &str| Err(ReadError::Malformed(why.to_owned()));
    let codings = head.fields("transfer-encoding");
    let lengths = head.fields("content-length");
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(None),
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
        ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            match length.parse() {
                Ok(length) => Ok(Some(Framing::Length(length))),
                Err(_) => wrong("content-length out of range"),
            }
        }
        ([_, ..], [_, ..]) => wrong("both content-length and transfer-encoding"),
        _ => wrong("framing that is neither one length nor chunked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], method: &str) -> Result<Response, ReadError> {
        MessageReader::default().response(&mut &*bytes, method)
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        for (bytes, method, body) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhixx",
                "GET",
                "hi",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD", ""),
            ("HTTP/1.1 204 \r\n\r\nxx", "GET", ""),
            (
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
                "GET",
                "",
            ),
            ("HTTP/1.0 200 OK\r\n\r\nto the end", "GET", "to the end"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\n\r\nxx",
                "GET",
                "hi!",
            ),
        ] {
            let response = read(bytes.as_bytes(), method).expect(bytes);
            assert_eq!(response.text(), body, "{bytes:?}");
        }
    }

    #[test]
    fn interim_heads_and_trailers_are_kept() {
        let response = read(
            b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
            "GET",
        )
        .expect("a response");
        assert_eq!(response.interim[0].field("link"), Some("a"));
        assert_eq!(response.trailers, [("X-Sum".into(), "1".into())]);
        assert_eq!(response.fields("absent"), Vec::<&str>::new());
    }

    #[test]
    fn what_no_sender_may_write_is_refused() {
        for bytes in [
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nName : v\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        ] {
            let result = read(bytes.as_bytes(), "GET");
            assert!(
                matches!(result, Err(ReadError::Malformed(_))),
                "{bytes:?}: {result:?}"
            );
        }
    }

    #[test]
    fn an_early_end_is_told_from_no_message() {
        assert!(matches!(read(b"", "GET"), Err(ReadError::Closed)));
        for bytes in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        ] {
            let result = read(bytes.as_bytes(), "GET");
            assert!(
                matches!(result, Err(ReadError::Truncated(_))),
                "{bytes:?}: {result:?}"
            );
        }
    }
}
