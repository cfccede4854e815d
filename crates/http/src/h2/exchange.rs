//! A stream of `h2` as an [`Exchange`].

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};

use crate::exchange::{Exchange, Receiving, Sending};

/// A client's stream of HTTP/2.
#[derive(Debug)]
pub struct Http2Exchange {
    body: RecvStream,
    respond: SendResponse<Bytes>,
    /// Once the head of the answer was sent.
    answer: Option<SendStream<Bytes>>,
}

impl Http2Exchange {
    /// The stream whose body is `body` and whose answer goes to `respond`.
    pub fn new(body: RecvStream, respond: SendResponse<Bytes>) -> Self {
        Self {
            body,
            respond,
            answer: None,
        }
    }
}

impl Receiving for Http2Exchange {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        Receiving::poll_data(&mut self.body, cx)
    }

    fn release(&mut self, count: usize) {
        self.body.release(count);
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<HeaderMap>>> {
        Receiving::poll_trailers(&mut self.body, cx)
    }
}

impl Sending for Http2Exchange {
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        match &mut self.answer {
            Some(stream) => stream.poll_window(cx, wanted),
            None => Poll::Ready(Err(not_begun())),
        }
    }

    fn send_data(&mut self, cx: &mut Context<'_>, data: Bytes, is_last: bool) -> io::Result<()> {
        match &mut self.answer {
            Some(stream) => Sending::send_data(stream, cx, data, is_last),
            None => Err(not_begun()),
        }
    }

    fn send_trailers(&mut self, cx: &mut Context<'_>, trailers: HeaderMap) -> io::Result<()> {
        match &mut self.answer {
            Some(stream) => Sending::send_trailers(stream, cx, trailers),
            None => Err(not_begun()),
        }
    }
}

impl Exchange for Http2Exchange {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let reset = match &mut self.answer {
            None => self.respond.poll_reset(cx),
            Some(stream) => stream.poll_reset(cx),
        };
        Poll::Ready(match ready!(reset) {
            Ok(reason) => broken(reason.into()),
            Err(error) => broken(error),
        })
    }

    fn send_interim(&mut self, _: &mut Context<'_>, head: Response<()>) -> io::Result<()> {
        self.respond.send_informational(head).map_err(broken)
    }

    fn send_head(
        &mut self,
        _: &mut Context<'_>,
        head: Response<()>,
        is_whole: bool,
    ) -> io::Result<()> {
        let stream = self.respond.send_response(head, is_whole);
        self.answer = Some(stream.map_err(broken)?);
        Ok(())
    }

    /// What was sent is the connection's, which sends it.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self) {
        match &mut self.answer {
            None => self.respond.send_reset(Reason::INTERNAL_ERROR),
            Some(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
        }
    }
}

impl Receiving for RecvStream {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let data = ready!(Self::poll_data(self, cx));
        Poll::Ready(data.transpose().map_err(broken))
    }

    fn release(&mut self, count: usize) {
        // Fails only where the stream is gone, which the next read tells.
        let _ = self.flow_control().release_capacity(count);
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<HeaderMap>>> {
        Self::poll_trailers(self, cx).map_err(broken)
    }
}

impl Sending for SendStream<Bytes> {
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.reserve_capacity(wanted);
        loop {
            let window = self.capacity();
            if window > 0 {
                return Poll::Ready(Ok(window));
            }
            match ready!(self.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(not_begun())),
            }
        }
    }

    fn send_data(&mut self, _: &mut Context<'_>, data: Bytes, is_last: bool) -> io::Result<()> {
        Self::send_data(self, data, is_last).map_err(broken)
    }

    fn send_trailers(&mut self, _: &mut Context<'_>, trailers: HeaderMap) -> io::Result<()> {
        Self::send_trailers(self, trailers).map_err(broken)
    }
}

pub(super) fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// Nothing can be sent: not yet, or not any more.
fn not_begun() -> io::Error {
    broken(Reason::STREAM_CLOSED.into())
}
