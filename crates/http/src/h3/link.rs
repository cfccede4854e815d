//! `quinn` as the `h3` crate needs it for its control streams. It is shown no request streams.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::error::Code as H3Code;
use h3::quic::{
    Connection, ConnectionErrorIncoming, OpenStreams, RecvStream, SendStream, StreamErrorIncoming,
    StreamId, WriteBuf,
};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

use super::desk::Desk;
use super::fault::Code;
use super::noise::Noise;

/// A connection.
pub(super) struct Link {
    quinn: quinn::Connection,
    noise: Noise,
    accepting: Option<Waiting<quinn::RecvStream>>,
    opening: Option<Waiting<quinn::SendStream>>,
}

/// A future of `quinn`, which waits in a list and must not be made anew for each poll.
pub(super) type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>;

impl Link {
    pub(super) fn new(quinn: quinn::Connection, noise: Noise) -> Self {
        Self {
            quinn,
            noise,
            accepting: None,
            opening: None,
        }
    }
}

impl Connection<Bytes> for Link {
    type RecvStream = ControlReceiver;
    type OpenStreams = Self;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ControlReceiver, ConnectionErrorIncoming>> {
        let quinn = &self.quinn;
        let accepting = self.accepting.get_or_insert_with(|| {
            let quinn = quinn.clone();
            Box::pin(async move { quinn.accept_uni().await })
        });
        let accepted = ready!(accepting.as_mut().poll(cx));
        self.accepting = None;
        let receiver = ControlReceiver {
            stream: accepted.map_err(lost)?,
            quinn: self.quinn.clone(),
            noise: self.noise.clone(),
        };
        Poll::Ready(Ok(receiver))
    }

    fn poll_accept_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Desk, ConnectionErrorIncoming>> {
        Poll::Pending
    }

    fn opener(&self) -> Self {
        Self::new(self.quinn.clone(), self.noise.clone())
    }
}

impl OpenStreams<Bytes> for Link {
    type BidiStream = Desk;
    type SendStream = ControlSender;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Desk, StreamErrorIncoming>> {
        Poll::Pending
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ControlSender, StreamErrorIncoming>> {
        let quinn = &self.quinn;
        let opening = self.opening.get_or_insert_with(|| {
            let quinn = quinn.clone();
            Box::pin(async move { quinn.open_uni().await })
        });
        let opened = ready!(opening.as_mut().poll(cx));
        self.opening = None;
        Poll::Ready(match opened {
            Ok(stream) => Ok(ControlSender {
                stream,
                writing: None,
            }),
            Err(error) => Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: lost(error),
            }),
        })
    }

    fn close(&mut self, code: H3Code, reason: &[u8]) {
        let code = VarInt::from_u64(code.value()).unwrap_or_default();
        self.quinn.close(code, reason);
    }
}

/// A stream that the client opened: its settings, what it says of QPACK, or what means nothing.
pub(super) struct ControlReceiver {
    stream: quinn::RecvStream,
    quinn: quinn::Connection,
    noise: Noise,
}

impl RecvStream for ControlReceiver {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let chunk = ready!(pin!(self.stream.read_chunk(CHUNK, true)).poll(cx));
        let bytes = match chunk {
            Ok(chunk) => chunk.map(|chunk| chunk.bytes),
            Err(ReadError::Reset(code)) => {
                return Poll::Ready(Err(StreamErrorIncoming::StreamTerminated {
                    error_code: code.into_inner(),
                }));
            }
            Err(ReadError::ConnectionLost(error)) => {
                return Poll::Ready(Err(StreamErrorIncoming::ConnectionErrorIncoming {
                    connection_error: lost(error),
                }));
            }
            Err(error) => return Poll::Ready(Err(StreamErrorIncoming::Unknown(error.into()))),
        };
        let length = bytes.as_ref().map_or(0, Bytes::len);
        if !self.noise.spend(length) {
            self.quinn.close(Code::ExcessiveLoad.into(), b"");
        }
        Poll::Ready(Ok(bytes))
    }

    fn stop_sending(&mut self, code: u64) {
        // Fails where the stream has ended.
        let _ = self.stream.stop(VarInt::from_u64(code).unwrap_or_default());
    }

    fn recv_id(&self) -> StreamId {
        id(self.stream.id())
    }
}

/// A stream of ours: settings and GOAWAY, and the two of QPACK that stay silent.
pub(super) struct ControlSender {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<Bytes>>,
}

impl SendStream<Bytes> for ControlSender {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        if let Some(bytes) = &mut self.writing {
            while bytes.has_remaining() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes.chunk()));
                match written {
                    Ok(count) => bytes.advance(count),
                    Err(error) => return Poll::Ready(Err(unsent(error))),
                }
            }
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        // Fails where it has ended.
        let _ = self.stream.finish();
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, code: u64) {
        // Fails where it has ended.
        let _ = self
            .stream
            .reset(VarInt::from_u64(code).unwrap_or_default());
    }

    fn send_id(&self) -> StreamId {
        id(self.stream.id())
    }
}

/// A stream's number, for the `h3` crate.
pub(super) fn id(id: quinn::StreamId) -> StreamId {
    let number = VarInt::from(id).into_inner();
    // Whatever a VarInt holds is one.
    StreamId::try_from(number).unwrap_or(StreamId::from(h3::proto::varint::VarInt::from_u32(0)))
}

fn unsent(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: lost(error),
        },
        error => StreamErrorIncoming::Unknown(error.into()),
    }
}

fn lost(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(closed) => ConnectionErrorIncoming::ApplicationClose {
            error_code: closed.error_code.into_inner(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

/// Bytes that are taken at a time.
const CHUNK: usize = 4096;
