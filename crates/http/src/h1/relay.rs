//! Passing a body from one side to the other: nothing collected, nothing copied that the other side takes at once.
//!
//! Only bytes that the target does not take are kept, at most one receive's worth, and nothing more is received until
//! they are gone. So a slow reader slows the writer down, and memory does not grow.
//!
//! A long body of known length goes by `splice(2)`, inside the kernel: for 64 KiB that takes a third of the processor time
//! of receiving and sending them.

mod kept;
mod outbox;

use std::io;
use std::task::{Context, Poll, ready};

use sluice_net::Stream;
use sluice_net::splice::{Pipe, Pipes};
use sluice_wire::h1::{
    BodyError, CHUNK_END, CHUNK_HEADER_LEN, Chunks, Decoder, Framing, LAST_CHUNK, Step,
    chunk_header,
};
use thiserror::Error;

use kept::Kept;
pub use outbox::Outbox;

use super::response::Delivery;
use crate::scratch::{Buffers, Scratch};

/// One body on its way.
#[derive(Debug)]
pub struct Relay {
    decoder: Decoder,
    /// Whether the payload is put into chunks.
    wraps: bool,
    /// The most payload bytes allowed.
    limit: u64,
    outbox: Outbox,
    /// What was received, where it may have to be sent again.
    kept: Option<Kept>,
    /// Holds what was received by splice and is not sent yet.
    pipe: Option<Pipe>,
    spliced: u64,
    received: u64,
    streamed: u64,
    whole: bool,
}

/// The two sides of a relay, and the worker's buffers.
#[derive(Debug)]
pub struct Sides<'a> {
    /// Where the body comes from.
    pub source: &'a mut Stream,
    /// Where it goes.
    pub target: &'a mut Stream,
    /// Where it is received.
    pub scratch: &'a mut Scratch,
    /// Where vectors come from.
    pub buffers: &'a mut Buffers,
    /// Where pipes come from.
    pub pipes: &'a mut Pipes,
    /// Gets what the source sent after the body's end.
    pub surplus: &'a mut Vec<u8>,
}

/// Why a body did not arrive whole.
#[derive(Debug, Error)]
pub enum RelayError {
    /// Receiving failed.
    #[error("receiving failed: {0}")]
    Source(io::Error),
    /// The source ended before the body did.
    #[error("the connection was closed inside a body")]
    Truncated,
    /// The body breaks the grammar.
    #[error(transparent)]
    Malformed(BodyError),
    /// The payload is above the limit.
    #[error("the body is too large")]
    TooLarge,
    /// Sending failed.
    #[error("sending failed: {0}")]
    Target(io::Error),
}

impl From<BodyError> for RelayError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Truncated => Self::Truncated,
            error => Self::Malformed(error),
        }
    }
}

impl Relay {
    /// A request's body: as it comes, with at most `limit` bytes of payload.
    pub fn of_request(framing: Framing, limit: Option<u64>) -> Self {
        Self::new(framing, Chunks::Kept, false, limit.unwrap_or(u64::MAX))
    }

    /// A response's body.
    pub fn of_response(framing: Framing, delivery: Delivery) -> Self {
        let chunks = match delivery {
            Delivery::UntilClose => Chunks::Removed,
            Delivery::None | Delivery::AsIs | Delivery::Chunk => Chunks::Kept,
        };
        Self::new(framing, chunks, delivery == Delivery::Chunk, u64::MAX)
    }

    fn new(framing: Framing, chunks: Chunks, wraps: bool, limit: u64) -> Self {
        let decoder = Decoder::new(framing, chunks);
        Self {
            whole: decoder.is_done(),
            decoder,
            wraps,
            limit,
            outbox: Outbox::default(),
            kept: None,
            pipe: None,
            spliced: 0,
            received: 0,
            streamed: 0,
        }
    }

    /// Whether the whole body was received and sent.
    pub fn is_done(&self) -> bool {
        self.whole && !self.waits_for_target()
    }

    /// Whether the whole body was received.
    pub fn is_received(&self) -> bool {
        self.whole
    }

    /// Bytes received from the source beyond what came with the head; what follows the body is among them.
    pub fn streamed(&self) -> u64 {
        self.streamed
    }

    /// Bytes that the target took: framing, and what was sent before the body, included.
    pub fn sent(&self) -> u64 {
        let kept = self.kept.as_ref().map_or(0, Kept::total_sent);
        self.outbox.total_sent() + kept + self.spliced
    }

    /// Whether it is the target that the body waits for.
    pub fn waits_for_target(&self) -> bool {
        let is_kept_sent = self.kept.as_ref().is_none_or(Kept::is_sent);
        !self.outbox.is_empty() || !is_kept_sent || self.pipe.is_some()
    }

    /// A mark that differs whenever a byte was received or sent since the last.
    pub fn progress(&self) -> (u64, u64) {
        (self.streamed, self.sent())
    }

    /// Bytes received so far, framing included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of payload so far.
    pub fn payload(&self) -> u64 {
        self.decoder.payload()
    }

    /// Sends `outbox` before the body.
    pub fn send_first(&mut self, outbox: Outbox) {
        debug_assert!(self.outbox.is_empty(), "nothing was sent yet");
        self.outbox = outbox;
    }

    /// Appends to `out` what `input` holds of the body, and returns where in `input` the body's part ends.
    ///
    /// # Errors
    /// A body that is malformed or too large.
    pub fn take_in(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, RelayError> {
        let mut position = 0;
        loop {
            let rest = input.get(position..).unwrap_or_default();
            let step = self.decoder.decode(rest)?;
            let used = match step {
                Step::Forward(used) => {
                    self.write_run(rest.get(..used).unwrap_or_default(), out);
                    used
                }
                Step::Skip(used) => used,
                Step::Trailers(used) => {
                    out.extend_from_slice(self.decoder.trailers());
                    used
                }
                Step::NeedMore | Step::Done => break,
            };
            position += used;
        }
        self.check_limit()?;
        self.account(position);
        Ok(position)
    }

    /// Passes on what `sides.scratch` holds of the body in `start..end`, with `head` right before it, in one send where
    /// the target takes it. What comes after the body goes to the surplus. `head` is empty once it was sent: after an
    /// error, it tells whether the target has got anything.
    ///
    /// # Errors
    /// A body that is malformed or too large, or a target that is gone.
    pub fn pass_on(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut &[u8],
        start: usize,
        end: usize,
        sides: &mut Sides<'_>,
    ) -> Result<(), RelayError> {
        let mut position = start;
        let mut run = start..start;
        loop {
            let rest = sides
                .scratch
                .received(end)
                .get(position..)
                .unwrap_or_default();
            let step = self.decoder.decode(rest)?;
            // Before anything of it is sent: a body that came whole would be acted upon.
            self.check_limit()?;
            let used = match step {
                Step::Forward(used) => used,
                Step::Trailers(used) if rest.get(..used) == Some(self.decoder.trailers()) => used,
                Step::NeedMore | Step::Done => break,
                Step::Skip(used) => {
                    self.send_run(cx, head, run, sides)?;
                    position += used;
                    run = position..position;
                    continue;
                }
                Step::Trailers(used) => {
                    self.send_run(cx, head, run, sides)?;
                    self.outbox
                        .send(cx, self.decoder.trailers(), sides.target, sides.buffers)
                        .map_err(RelayError::Target)?;
                    position += used;
                    run = position..position;
                    continue;
                }
            };
            position += used;
            run.end = position;
        }
        self.send_run(cx, head, run, sides)?;
        self.account(position - start);
        let after = sides.scratch.received(end).get(position..);
        sides.surplus.extend_from_slice(after.unwrap_or_default());
        Ok(())
    }

    /// Receives and sends for as long as both sides allow. Ready when the whole body was sent.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sides: &mut Sides<'_>,
    ) -> Poll<Result<(), RelayError>> {
        if self.kept.is_some() && ready!(self.poll_kept(cx, sides))? {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.outbox.poll_flush(cx, sides.target, sides.buffers))
                .map_err(RelayError::Target)?;
            ready!(self.poll_drain(cx, sides)).map_err(RelayError::Target)?;
            if self.whole {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_splice(cx, sides))? {
                continue;
            }
            let count = ready!(sides.source.poll_read(cx, sides.scratch.body_area()))
                .map_err(RelayError::Source)?;
            self.streamed += count as u64;
            if count == 0 {
                self.decoder.finish()?;
                self.whole = true;
                if self.wraps {
                    self.outbox
                        .send(cx, LAST_CHUNK, sides.target, sides.buffers)
                        .map_err(RelayError::Target)?;
                }
                continue;
            }
            self.pass_on(cx, &mut &b""[..], 0, count, sides)?;
        }
    }

    /// Sends what the pipe holds.
    fn poll_drain(&mut self, cx: &mut Context<'_>, sides: &mut Sides<'_>) -> Poll<io::Result<()>> {
        let Some(pipe) = &mut self.pipe else {
            return Poll::Ready(Ok(()));
        };
        let before = pipe.held();
        // Nothing else is spliced to.
        let Some(target) = sides.target.socket() else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let outcome = pipe.poll_drain(cx, target);
        self.spliced += (before - pipe.held()) as u64;
        ready!(outcome)?;
        if let Some(pipe) = self.pipe.take() {
            sides.pipes.give_back(pipe);
        }
        Poll::Ready(Ok(()))
    }

    /// Receives into a pipe, where so much is to come that it pays; `false` where it does not.
    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        sides: &mut Sides<'_>,
    ) -> Poll<Result<bool, RelayError>> {
        let remaining = self.decoder.remaining().unwrap_or_default();
        if remaining < SPLICE_FROM {
            return Poll::Ready(Ok(false));
        }
        let (Some(source), Some(_)) = (sides.source.socket(), sides.target.socket()) else {
            return Poll::Ready(Ok(false));
        };
        // A pipe is lent only when there is something to put into it.
        ready!(source.poll_read_ready(cx)).map_err(RelayError::Source)?;
        let Ok(mut pipe) = sides.pipes.lend() else {
            return Poll::Ready(Ok(false));
        };
        let most = usize::try_from(remaining)
            .unwrap_or(usize::MAX)
            .min(SPLICE_MOST);
        let filled = pipe.poll_fill(cx, source, most);
        let Poll::Ready(Ok(count @ 1..)) = filled else {
            sides.pipes.give_back(pipe);
            ready!(filled).map_err(RelayError::Source)?;
            return Poll::Ready(Err(RelayError::Truncated));
        };
        self.pipe = Some(pipe);
        self.streamed += count as u64;
        self.decoder.advance(count as u64);
        self.check_limit()?;
        self.account(count);
        Poll::Ready(Ok(true))
    }

    fn account(&mut self, used: usize) {
        self.received += used as u64;
        self.whole = self.decoder.is_done();
    }

    fn check_limit(&self) -> Result<(), RelayError> {
        if self.decoder.payload() > self.limit {
            return Err(RelayError::TooLarge);
        }
        Ok(())
    }

    fn write_run(&self, run: &[u8], out: &mut Vec<u8>) {
        if !self.wraps {
            return out.extend_from_slice(run);
        }
        let mut room = [0; CHUNK_HEADER_LEN];
        out.extend_from_slice(chunk_header(run.len() as u64, &mut room));
        out.extend_from_slice(run);
        out.extend_from_slice(CHUNK_END);
    }

    /// Sends what was received in `run`, framed where the body is put into chunks, after `head`, which is then empty.
    fn send_run(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut &[u8],
        run: std::ops::Range<usize>,
        sides: &mut Sides<'_>,
    ) -> Result<(), RelayError> {
        if run.is_empty() && head.is_empty() {
            return Ok(());
        }
        let mut room = [0; CHUNK_HEADER_LEN];
        let mut lead = Vec::new();
        let (before, after): (&[u8], &[u8]) = if self.wraps && !run.is_empty() {
            let header = chunk_header(run.len() as u64, &mut room);
            if head.is_empty() {
                (header, CHUNK_END)
            } else {
                lead.reserve(head.len() + header.len());
                lead.extend_from_slice(head);
                lead.extend_from_slice(header);
                (&lead, CHUNK_END)
            }
        } else {
            (head, b"")
        };
        *head = b"";
        let outbox = &mut self.outbox;
        // A head longer than the headroom is rare: then the parts are sent one by one.
        let sent = if let Some(framed) = sides.scratch.framed(before, run.start, run.end, after) {
            outbox.send(cx, framed, sides.target, sides.buffers)
        } else {
            let body = sides.scratch.received(run.end);
            let body = body.get(run.start..).unwrap_or_default();
            [before, body, after]
                .iter()
                .try_for_each(|part| outbox.send(cx, part, sides.target, sides.buffers))
        };
        sent.map_err(RelayError::Target)
    }
}

/// From so many bytes to come on, splicing costs less than copying.
const SPLICE_FROM: u64 = 16 * 1024;
/// The most a pipe takes at a time: it is what a slow reader keeps of the kernel's memory.
const SPLICE_MOST: usize = 256 * 1024;

#[cfg(test)]
mod tests;
