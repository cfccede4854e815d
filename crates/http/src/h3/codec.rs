//! Messages in and out of QPACK, by the `h3` crate.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h3::error::StreamError;
use h3::frame::FrameStream;
use h3::proto::frame::Frame;
use h3::server::RequestStream;
use h3::stream::BufRecvStream;
use http::header::{CONNECTION, HeaderMap, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Method, Response};

use super::desk::{Desk, Sheets};
use super::fault::{Code, Fault};
use super::frames::section_header;
use super::link::{Link, id};
use super::section::{self, Protocol};

/// The `h3` crate's side of a connection.
pub(super) type Server = h3::server::Connection<Link, Bytes>;

/// Reads the messages of a connection.
#[derive(Clone)]
pub struct Codec {
    server: Rc<RefCell<Server>>,
}

/// Reads and writes what belongs to one request.
pub(super) struct Clerk {
    stream: RequestStream<Desk, Bytes>,
    sheets: Sheets,
}

/// A request's fields.
pub(super) struct Decoded {
    pub(super) parts: Parts,
    pub(super) protocol: Option<Protocol>,
    pub(super) clerk: Clerk,
}

/// A request that is refused, and what has to be said to it.
pub(super) struct Refused {
    pub(super) fault: Fault,
    pub(super) answer: Bytes,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            answer: Bytes::new(),
        }
    }
}

impl Codec {
    pub(super) fn new(server: Rc<RefCell<Server>>) -> Self {
        Self { server }
    }

    /// Reads the fields of the request on stream `number`.
    pub(super) fn request(
        &self,
        number: quinn::StreamId,
        encoded: Bytes,
    ) -> Result<Decoded, Refused> {
        let malformed = Fault::Stream(Code::MessageError);
        let section = section::look_at(encoded).map_err(|_| malformed)?;
        let (desk, sheets) = Desk::new(id(number));
        let frames = FrameStream::new(BufRecvStream::new(desk));
        let resolver = self.server.borrow().create_resolver(frames);
        let resolved = resolver
            .accept_with_frame(Ok(Some(Frame::Headers(section.encoded))))
            .map_err(|error| Fault::from(&error))?;
        let (request, stream) = at_once(resolved.resolve())
            .ok_or(malformed)?
            .map_err(|error| Refused {
                fault: Fault::from(&error),
                answer: sheets.take(),
            })?;
        let (parts, ()) = request.into_parts();
        let is_connect = parts.method == Method::CONNECT;
        let is_tunnel = section.protocol.is_some();
        // RFC 9114, 4.4; RFC 9220, 3
        let is_well_formed = if is_connect {
            is_tunnel == section.has_target
        } else {
            !is_tunnel
        };
        if !is_well_formed
            || parts.extensions.get::<h3::ext::Protocol>().is_some()
            || is_of_connection(&parts.headers)
        {
            return Err(malformed.into());
        }
        Ok(Decoded {
            parts,
            protocol: section.protocol,
            clerk: Clerk { stream, sheets },
        })
    }
}

impl Clerk {
    /// The frame that says the head of an answer.
    pub(super) fn head(&mut self, head: Response<()>) -> Result<Bytes, Fault> {
        let written = at_once(self.stream.send_response(head));
        self.written(written.as_ref())
    }

    /// The frame that says trailers.
    pub(super) fn trailers(&mut self, trailers: HeaderMap) -> Result<Bytes, Fault> {
        let written = at_once(self.stream.send_trailers(trailers));
        self.written(written.as_ref())
    }

    /// What an encoded section of trailers says.
    pub(super) fn read_trailers(&mut self, encoded: &Bytes) -> Result<HeaderMap, Fault> {
        let malformed = Fault::Stream(Code::MessageError);
        if section::has_pseudo(encoded) {
            return Err(malformed);
        }
        let mut frame = BytesMut::from(&*section_header(encoded.len()));
        frame.extend_from_slice(encoded);
        self.sheets.put(frame.freeze());
        let cx = &mut Context::from_waker(Waker::noop());
        match self.stream.poll_recv_trailers(cx) {
            Poll::Ready(Ok(Some(trailers))) if !is_of_connection(&trailers) => Ok(trailers),
            Poll::Ready(Err(StreamError::HeaderTooBig { .. })) => {
                Err(Fault::Stream(Code::ExcessiveLoad))
            }
            Poll::Ready(Err(error)) => Err(Fault::from(&error)),
            Poll::Ready(Ok(_)) | Poll::Pending => Err(malformed),
        }
    }

    fn written(&self, outcome: Option<&Result<(), StreamError>>) -> Result<Bytes, Fault> {
        match outcome {
            Some(Ok(())) => Ok(self.sheets.take()),
            Some(Err(_)) | None => Err(Fault::Stream(Code::InternalError)),
        }
    }
}

impl From<&StreamError> for Fault {
    fn from(error: &StreamError) -> Self {
        match error {
            StreamError::HeaderTooBig { .. } => Self::TooLarge,
            // The connection ends by itself when it is looked at next.
            StreamError::ConnectionError(_) => Self::Gone,
            _ => Self::Stream(Code::MessageError),
        }
    }
}

/// Whether a field of the connection is there, which HTTP/3 has none of (RFC 9114, 4.2).
fn is_of_connection(fields: &HeaderMap) -> bool {
    fields.contains_key(CONNECTION)
        || fields.contains_key(TRANSFER_ENCODING)
        || fields.contains_key(UPGRADE)
        || fields.contains_key("keep-alive")
        || fields.contains_key("proxy-connection")
        || fields.get_all(TE).iter().any(|value| value != "trailers")
}

/// What comes of a future that need not wait, as none does at a desk.
pub(super) fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let cx = &mut Context::from_waker(Waker::noop());
    match pin!(future).poll(cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clerk").finish_non_exhaustive()
    }
}
