//! What a side has not taken yet.

use std::io;
use std::task::{Context, Poll, ready};

use sluice_net::Stream;

use crate::scratch::Buffers;

/// Bytes on their way to a stream that did not take them yet.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    total: u64,
}

impl Outbox {
    /// Begins with `bytes`.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// Goes on with `bytes`, of which so many were sent, and so many in all.
    pub(super) fn resumed(bytes: Vec<u8>, sent: usize, total: u64) -> Self {
        Self { bytes, sent, total }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether the target took some of the bytes, and others wait.
    pub fn is_partly_sent(&self) -> bool {
        self.sent > 0 && !self.is_empty()
    }

    /// Bytes that the target took, since the beginning.
    pub fn total_sent(&self) -> u64 {
        self.total
    }

    /// Adds `bytes` at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What waits, as one vector.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.sent);
        self.bytes
    }

    /// Sends what waits. Ready when nothing does any more; the vector goes back to `buffers` then.
    pub fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut Stream,
        buffers: &mut Buffers,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(target.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => {
                    self.sent += taken;
                    self.total += taken as u64;
                }
            }
        }
        if !self.bytes.is_empty() {
            buffers.give_back(std::mem::take(&mut self.bytes));
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends `bytes` after what waits already; what is not taken at once waits too.
    pub(super) fn send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        target: &mut Stream,
        buffers: &mut Buffers,
    ) -> io::Result<()> {
        let mut rest = bytes;
        while self.is_empty() && !rest.is_empty() {
            match target.poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(taken)) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    self.total += taken as u64;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        if !rest.is_empty() {
            if self.bytes.capacity() == 0 {
                self.bytes = buffers.take();
            }
            self.push(rest);
        }
        Ok(())
    }
}
