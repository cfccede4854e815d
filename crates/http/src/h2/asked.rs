//! One stream of a connection to a server, as a byte stream that speaks HTTP/1.1: what is written to it becomes the
//! request, what is read from it is the answer. The mirror image of [`Served`](crate::exchange::Served).

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING,
};
use http::uri::Scheme;
use http::{Method as HttpMethod, Request, Response, StatusCode, response};
use sluice_net::Layered;
use sluice_wire::h1::{FieldStorage, Limits, Method, RequestHead, parse_request};

use crate::exchange::{self, Form, Incoming, Outgoing, Receiving, Sending};
use crate::websocket;

/// A stream to a server. It begins with the head that is written to it, and is reset where it is dropped before its end.
#[derive(Debug)]
pub struct Asked {
    sender: SendRequest<Bytes>,
    asking: Asking,
    answer: Answer,
    scheme: Scheme,
    is_head: bool,
    /// What proves to the client that the server switches to WebSocket, where that was asked for.
    accept: Option<String>,
    local_address: Option<SocketAddr>,
}

#[derive(Debug)]
enum Asking {
    /// Bytes of a head that is not whole.
    Head(Vec<u8>),
    Body(SendStream<Bytes>, Outgoing),
    /// Both sides speak WebSocket, or will.
    Tunnel(SendStream<Bytes>),
    Ended,
}

#[derive(Debug)]
enum Answer {
    /// Nothing was asked yet.
    None,
    /// Nothing could be asked. Told to whoever reads.
    Failed(io::Error),
    /// Interim responses on their way out, and the final one to come.
    Awaited(Vec<u8>, ResponseFuture),
    Here(RecvStream, Incoming),
}

impl Asked {
    /// A stream of the connection that `sender` sends on.
    pub fn new(
        sender: SendRequest<Bytes>,
        scheme: Scheme,
        local_address: Option<SocketAddr>,
    ) -> Self {
        Self {
            sender,
            asking: Asking::Head(Vec::new()),
            answer: Answer::None,
            scheme,
            is_head: false,
            accept: None,
            local_address,
        }
    }

    /// Takes bytes of the head; how many.
    fn poll_head(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Until then it is not taken: it may be opened by another stream's end.
        ready!(self.sender.poll_ready(cx)).map_err(broken)?;
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
        let Some(head) = parsed.map_err(|_| invalid())? else {
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
        let request = exchange::request(head, self.scheme.clone()).ok_or_else(invalid)?;
        // Any other switch is not in HTTP/2: the request goes without.
        let key =
            websocket::key_of(head).filter(|_| self.sender.is_extended_connect_protocol_enabled());
        if let Some(key) = key {
            return self.ask_for_tunnel(request, key);
        }
        let is_whole = exchange::is_whole(head.framing);
        let (response, stream) = self
            .sender
            .send_request(request, is_whole)
            .map_err(broken)?;
        self.is_head = head.method == Method::Head;
        self.asking = if is_whole {
            Asking::Ended
        } else {
            Asking::Body(stream, Outgoing::new(head.framing))
        };
        self.answer = Answer::Awaited(Vec::new(), response);
        Ok(())
    }

    fn failed(&mut self, error: io::Error) -> io::Error {
        let told = error.kind().into();
        self.answer = Answer::Failed(error);
        told
    }

    /// RFC 8441, 5
    fn ask_for_tunnel(&mut self, mut request: Request<()>, key: &[u8]) -> io::Result<()> {
        *request.method_mut() = HttpMethod::CONNECT;
        let protocol = Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
        let fields = request.headers_mut();
        fields.remove(CONTENT_LENGTH);
        fields.remove(SEC_WEBSOCKET_KEY);
        self.accept = Some(websocket::accept(key));
        let (response, stream) = self.sender.send_request(request, false).map_err(broken)?;
        self.asking = Asking::Tunnel(stream);
        self.answer = Answer::Awaited(Vec::new(), response);
        Ok(())
    }

    /// Ready when there is an answer, or interim responses to be read.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Answer::Awaited(interim, response) = &mut self.answer else {
            return Poll::Ready(Ok(()));
        };
        while let Poll::Ready(Some(early)) = response.poll_informational(cx) {
            let (parts, ()) = early.map_err(broken)?.into_parts();
            write_head(&parts, "", interim);
        }
        let response = match std::pin::Pin::new(response).poll(cx) {
            Poll::Ready(response) => response.map_err(broken)?,
            Poll::Pending if interim.is_empty() => return Poll::Pending,
            Poll::Pending => return Poll::Ready(Ok(())),
        };
        let head = std::mem::take(interim);
        self.answer = self.begin(response, head);
        Poll::Ready(Ok(()))
    }

    fn begin(&self, response: Response<RecvStream>, mut head: Vec<u8>) -> Answer {
        let (mut parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        if parts.status.is_success()
            && let Some(accept) = &self.accept
        {
            for name in [CONTENT_LENGTH, TRANSFER_ENCODING, SEC_WEBSOCKET_ACCEPT] {
                parts.headers.remove(name);
            }
            parts.status = StatusCode::SWITCHING_PROTOCOLS;
            let switch = format!(
                "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n"
            );
            write_head(&parts, &switch, &mut head);
            return Answer::Here(body, Incoming::new(Form::AsIs, head));
        }
        let never_has_body = self.is_head || matches!(status, 204 | 304);
        if never_has_body {
            write_head(&parts, "", &mut head);
            return Answer::Here(body, Incoming::new(Form::None, head));
        }
        if body.is_end_stream() {
            let says_length = parts.headers.contains_key(CONTENT_LENGTH);
            let length = if says_length {
                ""
            } else {
                "content-length: 0\r\n"
            };
            write_head(&parts, length, &mut head);
            return Answer::Here(body, Incoming::new(Form::None, head));
        }
        // What gRPC has to say comes in trailers, which only chunks can be followed by.
        if is_grpc(&parts) {
            parts.headers.remove(CONTENT_LENGTH);
        }
        let form = if parts.headers.contains_key(CONTENT_LENGTH) {
            write_head(&parts, "", &mut head);
            Form::AsIs
        } else {
            write_head(&parts, "transfer-encoding: chunked\r\n", &mut head);
            Form::Chunked
        };
        Answer::Here(body, Incoming::new(form, head))
    }
}

impl Layered for Asked {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_answer(cx))?;
        match &mut self.answer {
            Answer::None => Poll::Pending,
            Answer::Failed(error) => {
                let again = io::Error::from(error.kind());
                Poll::Ready(Err(std::mem::replace(error, again)))
            }
            Answer::Awaited(interim, _) => {
                let count = interim.len().min(buffer.len());
                for (slot, byte) in buffer.iter_mut().zip(interim.drain(..count)) {
                    *slot = byte;
                }
                Poll::Ready(Ok(count))
            }
            Answer::Here(body, incoming) => incoming.poll_read(body, cx, buffer),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let outcome = match &mut self.asking {
                Asking::Head(_) => {
                    let outcome = self.poll_head(cx, rest);
                    outcome.map_err(|error| self.failed(error))
                }
                Asking::Body(stream, outgoing) => {
                    let outcome = outgoing
                        .poll_write(stream, cx, rest)
                        .map_err(io::Error::from);
                    if outgoing.is_done() {
                        self.asking = Asking::Ended;
                    }
                    outcome
                }
                Asking::Tunnel(stream) => poll_tunnel(stream, cx, rest),
                Asking::Ended => Poll::Ready(Ok(rest.len())),
            };
            match outcome {
                Poll::Ready(Ok(count)) => taken += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(taken))
    }

    /// Ends our side of a tunnel.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Asking::Tunnel(stream) = &mut self.asking {
            let ended = Sending::send_data(stream, cx, &[], true);
            self.asking = Asking::Ended;
            return Poll::Ready(ended);
        }
        Poll::Ready(Ok(()))
    }

    fn is_quiet(&mut self, _now: bool) -> bool {
        // It serves one request, and is never kept.
        false
    }

    fn reset_on_close(&mut self) {
        // Dropped before its end it is reset in any case, unless a tunnel is ended before.
        if let Asking::Tunnel(stream) = &mut self.asking {
            stream.send_reset(Reason::CANCEL);
            self.asking = Asking::Ended;
        }
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }
}

/// Why a server has not worked on a request at all, so that any request may be sent again (RFC 9113, 8.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untouched {
    /// It refused the stream. Others of the connection go on.
    Refused,
    /// It said farewell before it came to this stream.
    Leaving,
}

impl Untouched {
    /// What an error of [`Asked`] says of it; `None` where the server may have worked on the request.
    pub fn by(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<h2::Error>()?;
        if !error.is_remote() {
            return None;
        }
        if error.is_go_away() {
            return Some(Self::Leaving);
        }
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        is_refused.then_some(Self::Refused)
    }
}

fn poll_tunnel(
    stream: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    let window = ready!(Sending::poll_window(stream, cx, bytes.len()))?;
    let taken = bytes.get(..window).unwrap_or(bytes);
    Poll::Ready(Sending::send_data(stream, cx, taken, false).map(|()| taken.len()))
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

    fn poll_trailers(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let trailers = ready!(Self::poll_trailers(self, cx)).map_err(broken)?;
        exchange::write_lines(&trailers.unwrap_or_default(), out);
        Poll::Ready(Ok(()))
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
                None => return Poll::Ready(Err(broken(Reason::STREAM_CLOSED.into()))),
            }
        }
    }

    fn send_data(&mut self, _: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()> {
        Self::send_data(self, Bytes::copy_from_slice(data), is_last).map_err(broken)
    }

    fn send_trailers(&mut self, _: &mut Context<'_>, section: &[u8]) -> io::Result<()> {
        let trailers = exchange::read_trailers(section).ok_or_else(invalid)?;
        Self::send_trailers(self, trailers).map_err(broken)
    }
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

fn write_head(parts: &response::Parts, extra: &str, out: &mut Vec<u8>) {
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = write!(line, "HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    out.extend_from_slice(line.as_bytes());
    for (name, value) in &parts.headers {
        exchange::write_field(out, name, value);
    }
    out.extend_from_slice(extra.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn is_grpc(parts: &response::Parts) -> bool {
    let value = parts.headers.get(CONTENT_TYPE);
    value.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// What our own pipeline writes at most: a client's head and what is added to it.
const LIMITS: Limits = Limits {
    max_head: 2 << 20,
    max_target: 1 << 20,
    max_fields: 256,
};
