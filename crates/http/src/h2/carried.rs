//! A [`Stream`] as `h2` reads and writes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sluice_net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flood::{Frames, Watch};

/// The bytes below a connection of HTTP/2.
///
/// What is written is collected until it is flushed or much, so that the frames of all streams leave in one system call.
#[derive(Debug)]
pub struct Carried {
    stream: Stream,
    /// Received before it was known that this is HTTP/2.
    early: Vec<u8>,
    frames: Option<Frames>,
    watch: Watch,
    unsent: Vec<u8>,
    sent: usize,
}

impl Carried {
    /// `early` was received from `stream` already.
    pub fn new(stream: Stream, early: Vec<u8>) -> (Self, Watch) {
        let watch = Watch::new();
        let carried = Self {
            stream,
            early,
            frames: Some(Frames::new(watch.clone())),
            watch: watch.clone(),
            unsent: Vec::new(),
            sent: 0,
        };
        (carried, watch)
    }

    /// A connection to a server, whose frames are not counted.
    pub fn to_server(stream: Stream) -> (Self, Watch) {
        let (mut carried, watch) = Self::new(stream, Vec::new());
        carried.frames = None;
        (carried, watch)
    }

    /// Sends what was collected.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(self.stream.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => {
                    self.sent += taken;
                    self.watch.sent(taken);
                }
            }
        }
        self.sent = 0;
        if self.unsent.capacity() > KEPT {
            self.unsent = Vec::new();
        } else {
            self.unsent.clear();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.fault().is_some() {
            // Nothing more is received: whoever looks after the connection ends it in this very turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let room = buffer.initialize_unfilled();
        let count = if this.early.is_empty() {
            ready!(this.stream.poll_read(cx, room))?
        } else {
            let count = this.early.len().min(room.len());
            for (slot, byte) in room.iter_mut().zip(this.early.drain(..count)) {
                *slot = byte;
            }
            if this.early.is_empty() {
                this.early = Vec::new();
            }
            count
        };
        this.watch.hears();
        if let Some(frames) = &mut this.frames {
            frames.take(room.get(..count).unwrap_or_default());
            if this.watch.fault().is_some() {
                // `h2` does not see it: it would say less exactly what is wrong.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carried {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.unsent.len() + bytes.len() > MOST {
            ready!(this.poll_send(cx))?;
        }
        let taken = bytes.get(..MOST).unwrap_or(bytes);
        this.unsent.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        this.stream.poll_shutdown(cx)
    }
}

/// Bytes collected at most.
const MOST: usize = 64 * 1024;
/// The room that is kept for the next ones.
const KEPT: usize = 8 * 1024;
