//! Bytes both ways between two streams, each direction with its own end.
//!
//! A direction starts with copies through the worker's scratch buffer. When a receive fills much of it, the direction
//! is a bulk transfer and goes on by `splice(2)`, inside the kernel, until it runs thin again.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use sluice_net::splice::Pipe;
use sluice_net::{Socket, Stream};
use sluice_telemetry::metrics::{ListenerMetrics, ServerMetrics};

use crate::deadline::Deadline;
use crate::worker::Worker;

/// A receive of this many bytes makes a direction a bulk transfer.
const BULK: usize = 32 * 1024;
/// A splice of fewer bytes makes it an ordinary one again.
const THIN: usize = 4 * 1024;

/// Two streams joined.
pub(crate) struct Duplex<'a> {
    pub(crate) client: &'a mut Stream,
    pub(crate) server: &'a mut Stream,
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) deadline: &'a mut Deadline,
    /// How long both directions may be silent.
    pub(crate) idle_timeout: Duration,
    to_server: Direction,
    to_client: Direction,
}

/// How many bytes of a session or tunnel were counted: as they flow, for it may last for days, and may be cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) from_client: u64,
    pub(crate) from_server: u64,
}

impl Tally {
    /// Both ways together.
    pub(crate) fn total(&self) -> u64 {
        self.from_client + self.from_server
    }

    /// Counts what was received since the last time, on both sides.
    pub(crate) fn advance(
        &mut self,
        (from_client, from_server): (u64, u64),
        listener: &ListenerMetrics,
        server: Option<&ServerMetrics>,
    ) {
        let up = from_client - self.from_client;
        let down = from_server - self.from_server;
        if up == 0 && down == 0 {
            return;
        }
        (self.from_client, self.from_server) = (from_client, from_server);
        listener.bytes_received.add(up);
        listener.bytes_sent.add(down);
        if let Some(server) = server {
            server.bytes_sent.add(up);
            server.bytes_received.add(down);
        }
    }
}

/// How two joined streams came apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DuplexEnd {
    /// Both sides said all they had to say.
    Complete,
    /// The client's side broke.
    ClientBroke,
    /// The server's side broke.
    ServerBroke,
    /// Both were silent for too long.
    Idle,
}

impl<'a> Duplex<'a> {
    /// Joins two streams. `for_server` and `for_client` are bytes received already, to be sent first.
    pub(crate) fn new(
        client: &'a mut Stream,
        server: &'a mut Stream,
        worker: &'a Rc<Worker>,
        deadline: &'a mut Deadline,
        idle_timeout: Duration,
    ) -> Self {
        deadline.set(Instant::now() + idle_timeout);
        Self {
            client,
            server,
            worker,
            deadline,
            idle_timeout,
            to_server: Direction::default(),
            to_client: Direction::default(),
        }
    }

    /// Bytes that were received from the client already and go to the server first.
    pub(crate) fn with_bytes_for_server(mut self, bytes: Vec<u8>) -> Self {
        self.to_server.begin_with(bytes);
        self
    }

    /// Bytes that were received from the server already and go to the client first.
    pub(crate) fn with_bytes_for_client(mut self, bytes: Vec<u8>) -> Self {
        self.to_client.begin_with(bytes);
        self
    }

    /// Bytes received so far: from the client, from the server.
    pub(crate) fn received(&self) -> (u64, u64) {
        (self.to_server.bytes, self.to_client.bytes)
    }

    /// A mark that differs whenever a byte was received or sent since the last: who takes bytes slowly is not silent.
    fn progress(&self) -> (u64, u64, usize, usize) {
        let (from_client, from_server) = self.received();
        (
            from_client,
            from_server,
            self.to_server.waiting(),
            self.to_client.waiting(),
        )
    }

    /// Ready when both directions have ended, one broke, or both are silent for too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DuplexEnd> {
        let before = self.progress();
        let is_last = self.to_client.state == State::Done;
        let up = self
            .to_server
            .poll(cx, self.client, self.server, self.worker, is_last);
        if let Poll::Ready(Err(side)) = up {
            return Poll::Ready(side.of(DuplexEnd::ClientBroke, DuplexEnd::ServerBroke));
        }
        let is_last = self.to_server.state == State::Done;
        let down = self
            .to_client
            .poll(cx, self.server, self.client, self.worker, is_last);
        if let Poll::Ready(Err(side)) = down {
            return Poll::Ready(side.of(DuplexEnd::ServerBroke, DuplexEnd::ClientBroke));
        }
        if up.is_ready() && down.is_ready() {
            return Poll::Ready(DuplexEnd::Complete);
        }
        if self.progress() != before {
            self.deadline.set(Instant::now() + self.idle_timeout);
        }
        self.deadline.poll(cx).map(|()| DuplexEnd::Idle)
    }
}

/// Which side of a direction broke.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Source,
    Target,
}

impl Broken {
    fn of(self, source: DuplexEnd, target: DuplexEnd) -> DuplexEnd {
        match self {
            Self::Source => source,
            Self::Target => target,
        }
    }
}

/// Bytes one way.
#[derive(Default)]
struct Direction {
    /// Copied bytes that the target did not take yet.
    pending: Vec<u8>,
    sent: usize,
    pipe: Option<Pipe>,
    bulk: bool,
    state: State,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The source has ended; the target is still to be told.
    Ended,
    Done,
}

impl Direction {
    fn begin_with(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes.len() as u64;
        self.pending = bytes;
    }

    /// Bytes that the target did not take yet.
    fn waiting(&self) -> usize {
        self.pending.len() - self.sent + self.pipe.as_ref().map_or(0, Pipe::held)
    }

    /// Ready when the source has ended and the target has been told.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        target: &mut Stream,
        worker: &Worker,
        is_last: bool,
    ) -> Poll<Result<(), Broken>> {
        loop {
            if self.state == State::Done {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_give(cx, target, worker)).map_err(|_| Broken::Target)?;
            if self.state == State::Ended {
                // Where the other direction has ended too, both streams are closed next, which tells as much.
                if !is_last {
                    // The other side may have gone already; then there is nobody left to tell.
                    let _ = ready!(target.poll_shutdown(cx));
                }
                self.state = State::Done;
                continue;
            }
            let taken = match (source.socket(), target.socket()) {
                (Some(source), Some(_)) if self.bulk => {
                    ready!(self.poll_splice(cx, source, worker))
                }
                _ => ready!(self.poll_copy(cx, source, target, worker))?,
            };
            match taken.map_err(|_| Broken::Source)? {
                0 => self.state = State::Ended,
                count => self.bytes += count as u64,
            }
        }
    }

    /// Gives on what was taken before.
    fn poll_give(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut Stream,
        worker: &Worker,
    ) -> Poll<io::Result<()>> {
        if let Some(pipe) = &mut self.pipe {
            // Nothing else is spliced to.
            let target = target.socket().ok_or(io::ErrorKind::Unsupported)?;
            ready!(pipe.poll_drain(cx, target))?;
            if let Some(pipe) = self.pipe.take() {
                worker.pipes().give_back(pipe);
            }
        }
        while let Some(rest) = self
            .pending
            .get(self.sent..)
            .filter(|rest| !rest.is_empty())
        {
            match ready!(target.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.sent += taken,
            }
        }
        if self.sent > 0 {
            worker
                .buffers()
                .give_back(std::mem::take(&mut self.pending));
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        source: &Socket,
        worker: &Worker,
    ) -> Poll<io::Result<usize>> {
        ready!(source.poll_read_ready(cx))?;
        let Ok(mut pipe) = worker.pipes().lend() else {
            // No descriptors for a pipe: copies do as well. The caller comes again.
            self.bulk = false;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        match pipe.poll_fill(cx, source, usize::MAX) {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.bulk = count >= THIN;
                self.pipe = Some(pipe);
                Poll::Ready(Ok(count))
            }
            other => {
                worker.pipes().give_back(pipe);
                other
            }
        }
    }

    /// Receives once and sends at once what the target takes.
    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        target: &mut Stream,
        worker: &Worker,
    ) -> Poll<Result<io::Result<usize>, Broken>> {
        let mut scratch = worker.scratch();
        let count = match ready!(source.poll_read(cx, scratch.body_area())) {
            Ok(count) => count,
            Err(error) => return Poll::Ready(Ok(Err(error))),
        };
        if count == 0 {
            return Poll::Ready(Ok(Ok(0)));
        }
        let received = scratch.received(count);
        let taken = match target.poll_write(cx, received) {
            Poll::Ready(Ok(taken)) => taken,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Target)),
            Poll::Pending => 0,
        };
        if let Some(rest) = received.get(taken..).filter(|rest| !rest.is_empty()) {
            self.pending = worker.buffers().take();
            self.pending.extend_from_slice(rest);
        }
        self.bulk = count >= BULK;
        Poll::Ready(Ok(Ok(count)))
    }
}

#[cfg(test)]
mod tests;
