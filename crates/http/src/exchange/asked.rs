//! One stream of a connection to a server, as a byte stream that speaks HTTP/1.1: what is written to it becomes the
//! request, what is read from it is the answer. The mirror image of [`Served`](super::Served).

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use sluice_net::Layered;
use sluice_wire::h1::{FieldStorage, Limits, RequestHead, parse_request};

use super::section::is_whole;
use super::{Form, Incoming, Outgoing, Receiving, Sending, Untouched};

/// Where the request of one stream goes.
pub trait Requests {
    /// What a stream is once it was asked for.
    type Stream: AskedExchange;

    /// Ready when a stream may be opened.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Opens the stream with the request that `head` is. Whether it asks for a tunnel, too; `None` where no stream can be opened
    /// any more.
    fn ask(&mut self, head: &RequestHead<'_, '_>) -> Option<(Self::Stream, bool)>;
}

/// A stream of a connection with a server: a request that goes out and its answer.
pub trait AskedExchange: Receiving + Sending {
    /// What the server has answered so far: its head, with what came before it, and how its body follows. Ready when there is
    /// anything of it.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, Option<Form>)>>;

    /// Whether nothing more can be sent, though nothing failed: the server has answered, and wants no more.
    fn has_enough(&self) -> bool;

    /// Breaks it off.
    fn cancel(&mut self);
}

/// A stream to a server. It begins with the head that is written to it, and is reset where it is dropped before its end.
#[derive(Debug)]
pub struct Asked<R: Requests> {
    requests: R,
    stream: Option<R::Stream>,
    asking: Asking,
    /// The answer, read so far.
    incoming: Incoming,
    /// Whether the head of the answer is in `incoming`, and its body follows.
    is_answered: bool,
    /// Why nothing could be asked. Told to whoever reads.
    failed: Option<io::Error>,
    local_address: Option<SocketAddr>,
}

#[derive(Debug)]
enum Asking {
    /// Bytes of a head that is not whole.
    Head(Vec<u8>),
    Body(Outgoing),
    /// Both sides speak WebSocket, or will.
    Tunnel,
    Ended,
}

impl<R: Requests> Asked<R> {
    pub(crate) fn new(requests: R, local_address: Option<SocketAddr>) -> Self {
        Self {
            requests,
            stream: None,
            asking: Asking::Head(Vec::new()),
            incoming: Incoming::new(Form::None, Vec::new()),
            is_answered: false,
            failed: None,
            local_address,
        }
    }

    /// Takes bytes of the head; how many.
    fn poll_head(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Until then it is not taken: it may be opened by another stream's end.
        ready!(self.requests.poll_ready(cx))?;
        let Asking::Head(partial) = &mut self.asking else {
            return Poll::Ready(Ok(0));
        };
        let mut partial = std::mem::take(partial);
        let before = partial.len();
        let whole = if before == 0 {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            &partial
        };
        let mut storage = FieldStorage::new();
        let parsed = parse_request(whole, &mut storage, &LIMITS);
        let Some(head) = parsed.map_err(|_| io::ErrorKind::InvalidData)? else {
            if before == 0 {
                partial.extend_from_slice(bytes);
            }
            self.asking = Asking::Head(partial);
            return Poll::Ready(Ok(bytes.len()));
        };
        self.ask(&head)?;
        Poll::Ready(Ok(head.len - before))
    }

    fn ask(&mut self, head: &RequestHead<'_, '_>) -> io::Result<()> {
        let asked = self.requests.ask(head);
        let (stream, is_tunnel) = asked.ok_or(Untouched::Leaving)?;
        self.stream = Some(stream);
        self.asking = if is_tunnel {
            Asking::Tunnel
        } else if is_whole(head.framing) {
            Asking::Ended
        } else {
            Asking::Body(Outgoing::new(head.framing))
        };
        Ok(())
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (Some(stream), Asking::Body(outgoing)) = (&mut self.stream, &mut self.asking) else {
            return Poll::Ready(Ok(bytes.len()));
        };
        if stream.has_enough() {
            self.asking = Asking::Ended;
            return Poll::Ready(Ok(bytes.len()));
        }
        let taken = ready!(outgoing.poll_write(stream, cx, bytes))?;
        if outgoing.is_done() {
            self.asking = Asking::Ended;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_tunnel(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Ok(bytes.len()));
        };
        let window = ready!(stream.poll_window(cx, bytes.len()))?;
        let taken = bytes.get(..window).unwrap_or(bytes);
        Poll::Ready(stream.send_data(cx, taken, false).map(|()| taken.len()))
    }

    fn failed(&mut self, error: io::Error) -> io::Error {
        let told = error.kind().into();
        self.failed = Some(error);
        told
    }
}

impl<R> Layered for Asked<R>
where
    R: Requests<Stream: Debug> + Debug,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(error) = &mut self.failed {
            let again = io::Error::from(error.kind());
            return Poll::Ready(Err(std::mem::replace(error, again)));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Pending;
        };
        if !self.is_answered && self.incoming.is_read() {
            let (head, form) = ready!(stream.poll_head(cx))?;
            self.is_answered = form.is_some();
            self.incoming = Incoming::new(form.unwrap_or(Form::None), head);
        }
        self.incoming.poll_read(stream, cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let outcome = match &mut self.asking {
                Asking::Head(_) => {
                    let outcome = self.poll_head(cx, rest);
                    outcome.map_err(|error| self.failed(error))
                }
                Asking::Body(_) => self.poll_body(cx, rest),
                Asking::Tunnel => self.poll_tunnel(cx, rest),
                Asking::Ended => Poll::Ready(Ok(rest.len())),
            };
            match outcome {
                Poll::Ready(Ok(count)) => taken += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if let Some(stream) = &mut self.stream {
            stream.push(cx)?;
        }
        Poll::Ready(Ok(taken))
    }

    /// Ends our side of a tunnel.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let (Asking::Tunnel, Some(stream)) = (&self.asking, &mut self.stream) {
            let ended = stream.send_data(cx, &[], true);
            self.asking = Asking::Ended;
            return Poll::Ready(ended.and_then(|()| stream.push(cx)));
        }
        Poll::Ready(Ok(()))
    }

    fn is_quiet(&mut self, _now: bool) -> bool {
        // It serves one request, and is never kept.
        false
    }

    fn reset_on_close(&mut self) {
        // Dropped before its end it is reset in any case, unless a tunnel is ended before.
        if let (Asking::Tunnel, Some(stream)) = (&self.asking, &mut self.stream) {
            stream.cancel();
            self.asking = Asking::Ended;
        }
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }
}

/// What our own pipeline writes at most: a client's head and what is added to it.
const LIMITS: Limits = Limits {
    max_head: 2 << 20,
    max_target: 1 << 20,
    max_fields: 256,
};
