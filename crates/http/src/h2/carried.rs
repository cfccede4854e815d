//! A [`Stream`] as `h2` reads and writes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sluice_net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;

/// The bytes below a connection of HTTP/2.
///
/// What is written is collected until it is flushed or much, so that the frames of all streams leave in one system call.
#[derive(Debug)]
pub struct Carried {
    stream: Stream,
    watch: Watch,
    unsent: Vec<u8>,
    sent: usize,
}

impl Carried {
    /// A connection to a server.
    pub fn to_server(stream: Stream) -> (Self, Watch) {
        let watch = Watch::default();
        let carried = Self {
            stream,
            watch: watch.clone(),
            unsent: Vec::new(),
            sent: 0,
        };
        (carried, watch)
    }

    /// Sends what was collected.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(self.stream.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => {
                    self.sent += taken;
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
        let count = ready!(this.stream.poll_read(cx, buffer.initialize_unfilled()))?;
        this.watch.hears();
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
