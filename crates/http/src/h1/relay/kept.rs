//! A request's body that may be sent again: all of it so far is kept, and sent from there.

use std::io;
use std::task::{Context, Poll, ready};

use super::{Outbox, Relay, RelayError, Sides};
use sluice_net::Stream;

/// What was received of a body, framing included.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// To the server that has it now.
    sent: usize,
    /// To all servers.
    total: u64,
    most: usize,
}

impl Kept {
    pub(super) fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }

    pub(super) fn total_sent(&self) -> u64 {
        self.total
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, target: &mut Stream) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(target.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => {
                    self.sent += taken;
                    self.total += taken as u64;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Relay {
    /// Keeps what comes from now on, so that it can be sent again, up to `most` bytes of it. Of a body that is known to be longer
    /// nothing is kept.
    pub fn keep(&mut self, most: usize) {
        let is_longer = self
            .decoder
            .remaining()
            .is_some_and(|remaining| remaining > most as u64);
        if most > 0 && !self.whole && !is_longer {
            self.kept = Some(Kept {
                bytes: Vec::new(),
                sent: 0,
                total: 0,
                most,
            });
        }
    }

    /// Whether all that was received beyond what came with the head can be sent again.
    pub fn is_replayable(&self) -> bool {
        self.streamed == 0 || self.kept.is_some()
    }

    /// What was kept so far; empty where nothing came, or nothing is kept.
    pub fn kept(&self) -> &[u8] {
        self.kept.as_ref().map_or(&[], |kept| &kept.bytes)
    }

    /// Begins anew with another server.
    pub fn rewind(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.sent = 0;
        }
    }

    /// As [`Relay::poll`] while the body is kept. Ready with `false` once it is too long for that.
    pub(super) fn poll_kept(
        &mut self,
        cx: &mut Context<'_>,
        sides: &mut Sides<'_>,
    ) -> Poll<Result<bool, RelayError>> {
        loop {
            let Some(kept) = &mut self.kept else {
                return Poll::Ready(Ok(false));
            };
            ready!(kept.poll_send(cx, sides.target)).map_err(RelayError::Target)?;
            if self.whole {
                return Poll::Ready(Ok(true));
            }
            let count = ready!(sides.source.poll_read(cx, sides.scratch.body_area()))
                .map_err(RelayError::Source)?;
            if count == 0 {
                return Poll::Ready(Err(RelayError::Truncated));
            }
            self.streamed += count as u64;
            self.take_kept(count, sides)?;
        }
    }

    /// Takes in what was received.
    fn take_kept(&mut self, count: usize, sides: &mut Sides<'_>) -> Result<(), RelayError> {
        let Some(mut kept) = self.kept.take() else {
            return Ok(());
        };
        let received = sides.scratch.received(count);
        let used = self.take_in(received, &mut kept.bytes)?;
        let after = received.get(used..).unwrap_or_default();
        sides.surplus.extend_from_slice(after);
        if kept.bytes.len() <= kept.most {
            self.kept = Some(kept);
        } else {
            // It goes to this server only.
            self.outbox = Outbox::resumed(kept.bytes, kept.sent, kept.total);
        }
        Ok(())
    }
}
