//! A TLS session over a socket, as a stream.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use rustls::Error;
use sluice_net::{Layered, Socket};

use crate::early::Early;
use crate::records::{Driven, Out, Records, Task};
use crate::workspace::{CHUNK, INCOMING, MAX_RECORD, Workspace};

/// A TLS session. While it is silent it holds no buffer.
#[derive(Debug)]
pub struct Session {
    pub(crate) records: Records,
    socket: Socket,
    workspace: Rc<Workspace>,
    /// Received: a record that is not whole yet.
    held: Vec<u8>,
    /// Deciphered, and not yet fetched.
    plain: Vec<u8>,
    /// Ciphered, and not yet taken by the kernel.
    unsent: Vec<u8>,
    /// How many bytes of the application are in `unsent`: they count as taken once it is empty.
    owed: usize,
    /// The other side has said that it is done.
    peer_closed: bool,
    /// We have said so, or may not any more.
    closed: bool,
    /// What came was no TLS: nothing more is looked at.
    broken: bool,
    /// Data came before the handshake was done.
    early: Option<Early>,
}

impl Session {
    pub(crate) fn new(records: Records, socket: Socket, workspace: Rc<Workspace>) -> Self {
        Self {
            records,
            socket,
            workspace,
            held: Vec::new(),
            plain: Vec::new(),
            unsent: Vec::new(),
            owed: 0,
            peer_closed: false,
            closed: false,
            broken: false,
            early: None,
        }
    }

    /// Where data came before the handshake was done: whether it is by now.
    pub(crate) fn early(&self) -> Option<&Early> {
        self.early.as_ref()
    }

    /// Works off what was received before there was a session; nothing, where it is for us to begin.
    pub(crate) fn begin(&mut self, received: Vec<u8>) -> Result<(), Error> {
        self.held = received;
        self.work_off_held()
    }

    /// Goes on with the handshake until it is done, or data has come before that. What is left to be sent goes out with the first answer, or when the
    /// next receive has to wait.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SessionError>> {
        while self.records.common().is_handshaking() && self.early.is_none() {
            ready!(self.poll_flush(cx))?;
            let workspace = Rc::clone(&self.workspace);
            let mut area = workspace.incoming();
            let room = area.get_mut(..MAX_RECORD).unwrap_or_default();
            let count = ready!(self.socket.poll_read(cx, room))?;
            if count == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            self.held
                .extend_from_slice(area.get(..count).unwrap_or_default());
            drop(area);
            self.work_off_held()?;
            // A message is kept as it came until it is whole. In records of a byte each it would be twenty times its size.
            if self.held.len() > INCOMING {
                let reason = "a message of the handshake in too many pieces";
                return Poll::Ready(Err(Error::General(reason.to_owned()).into()));
            }
        }
        if self.early.is_some() {
            // The client waits for it, and shall not until its request is answered.
            let _ = self.poll_flush(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Hands the kernel what it takes of what is left to be sent; for an alert or an answer in plain text, after which
    /// nobody waits.
    pub(crate) fn flush_once(&mut self) {
        self.closed = true;
        let _ = self.poll_flush(&mut Context::from_waker(Waker::noop()));
    }

    fn work_off_held(&mut self) -> Result<(), Error> {
        let Self {
            records,
            held,
            plain,
            unsent,
            ..
        } = self;
        let filled = unsent.len();
        let mut out = Out::behind(unsent, filled);
        let mut fetch = |bytes: &[u8]| plain.extend_from_slice(bytes);
        let driven = records.drive(held, Task::Receive, &mut fetch, &mut out);
        let filled = out.filled();
        unsent.truncate(filled);
        let driven = driven?;
        self.note(driven);
        keep_rest(&mut self.held, driven.used);
        Ok(())
    }

    /// What was learnt from driving on.
    fn note(&mut self, driven: Driven) {
        self.peer_closed |= driven.peer_closed;
        if driven.early {
            self.early.get_or_insert_default();
        }
        if let Some(early) = &self.early
            && !early.is_done()
            && !self.records.common().is_handshaking()
        {
            early.finish();
        }
    }

    /// Receives once, and deciphers into `buffer`; what does not fit is kept. How many bytes went into `buffer`, or
    /// nothing where the socket has ended.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>> {
        let workspace = Rc::clone(&self.workspace);
        let mut area = workspace.incoming();
        let held = self.held.len();
        let room = (held + buffer.len().max(MAX_RECORD)).min(INCOMING);
        area.get_mut(..held)
            .unwrap_or_default()
            .copy_from_slice(&self.held);
        let free = area.get_mut(held..room).unwrap_or_default();
        let count = ready!(self.socket.poll_read(cx, free))?;
        if count == 0 {
            return Poll::Ready(Ok(None));
        }
        let received = area.get_mut(..held + count).unwrap_or_default();
        Poll::Ready(self.decipher(received, buffer).map(Some))
    }

    fn decipher(&mut self, received: &mut [u8], buffer: &mut [u8]) -> io::Result<usize> {
        let Self {
            records,
            plain,
            unsent,
            ..
        } = self;
        let before = unsent.len();
        let mut out = Out::behind(unsent, before);
        let mut fetched = 0;
        let mut fetch = |bytes: &[u8]| {
            let free = buffer.get_mut(fetched..).unwrap_or_default();
            let fitting = bytes.len().min(free.len());
            let (now, later) = bytes.split_at(fitting);
            free[..fitting].copy_from_slice(now);
            fetched += fitting;
            plain.extend_from_slice(later);
        };
        let driven = records.drive(received, Task::Receive, &mut fetch, &mut out);
        let filled = out.filled();
        unsent.truncate(filled);
        match driven {
            Ok(driven) => {
                self.note(driven);
                let rest = received.get(driven.used..).unwrap_or_default();
                self.held.clear();
                self.held.extend_from_slice(rest);
                if rest.is_empty() {
                    self.held = Vec::new();
                }
                Ok(fetched)
            }
            Err(error) => {
                self.broken = true;
                self.flush_once();
                Err(broken(error))
            }
        }
    }

    /// Sends what is ciphered already.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(self.socket.poll_write(cx, &self.unsent))?;
            keep_rest(&mut self.unsent, count);
        }
        Poll::Ready(Ok(()))
    }

    /// Ciphers by `task` behind what is left to be sent, and sends it. Where the kernel takes only a part, the rest is kept.
    fn send(&mut self, cx: &mut Context<'_>, task: Task<'_>) -> io::Result<Driven> {
        let workspace = Rc::clone(&self.workspace);
        let mut outgoing = workspace.outgoing();
        let before = self.unsent.len();
        if outgoing.len() < before {
            outgoing.resize(before, 0);
        }
        if let Some(start) = outgoing.get_mut(..before) {
            start.copy_from_slice(&self.unsent);
        }
        let Self {
            records,
            held,
            plain,
            ..
        } = self;
        let mut out = Out::behind(&mut outgoing, before);
        let mut fetch = |bytes: &[u8]| plain.extend_from_slice(bytes);
        let driven = records
            .drive(held, task, &mut fetch, &mut out)
            .map_err(broken)?;
        let filled = out.filled();
        self.note(driven);
        keep_rest(&mut self.held, driven.used);

        let ciphered = outgoing.get(..filled).unwrap_or_default();
        let sent = match self.socket.poll_write(cx, ciphered) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        self.unsent.clear();
        self.unsent
            .extend_from_slice(ciphered.get(sent..).unwrap_or_default());
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        Ok(driven)
    }

    /// Says that we are done.
    fn close_notify(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.closed {
            self.closed = true;
            self.send(cx, Task::Close)?;
        }
        Ok(())
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.plain.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.plain[..count]);
        keep_rest(&mut self.plain, count);
        count
    }
}

impl Layered for Session {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if !self.plain.is_empty() {
                return Poll::Ready(Ok(self.fetch(buffer)));
            }
            if self.broken {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if self.peer_closed {
                return Poll::Ready(Ok(0));
            }
            match self.poll_receive(cx, buffer)? {
                Poll::Ready(Some(0)) => {}
                Poll::Ready(Some(count)) => return Poll::Ready(Ok(count)),
                // Cut off: whoever did it, it was not the one that we speak with (RFC 8446, 6.1).
                Poll::Ready(None) => {
                    self.closed = true;
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Pending => {
                    // Whoever waits for what we have to say may not be kept waiting by our waiting for them.
                    if let Poll::Ready(flushed) = self.poll_flush(cx) {
                        flushed?;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.owed == 0 {
            if self.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
            if !self.send(cx, Task::Write(chunk))?.done {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
            self.owed = chunk.len();
        }
        ready!(self.poll_flush(cx))?;
        let taken = std::mem::take(&mut self.owed);
        debug_assert!(taken <= bytes.len(), "not the same bytes again");
        Poll::Ready(Ok(taken.min(bytes.len())))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close_notify(cx)?;
        ready!(self.poll_flush(cx))?;
        self.socket.poll_shutdown(cx)
    }

    fn is_quiet(&mut self, now: bool) -> bool {
        if !self.plain.is_empty() || self.peer_closed || self.closed || self.broken {
            return false;
        }
        // What comes unasked may be the protocol's own: tickets, new keys.
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_receive(&mut cx, &mut []) {
                // The reactor may not have seen yet what the kernel has.
                Poll::Pending => return !now || self.socket.is_quiet_now(),
                Poll::Ready(Ok(Some(_))) if self.plain.is_empty() && !self.peer_closed => {}
                Poll::Ready(_) => return false,
            }
        }
    }

    fn reset_on_close(&mut self) {
        self.closed = true;
        self.socket.reset_on_close();
    }

    fn unacknowledged(&self) -> usize {
        self.socket.unacknowledged()
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_address()
    }
}

impl Drop for Session {
    /// A stream that ends without a word may have been cut off by anyone (RFC 8446, 6.1).
    fn drop(&mut self) {
        if self.unsent.is_empty() && !self.records.common().is_handshaking() {
            // It is sent if the kernel takes it at once, and nobody waits for it.
            let _ = self.close_notify(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// How a session can break.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// The socket.
    Io(io::Error),
    /// What was said over it.
    Tls(Error),
}

impl From<io::Error> for SessionError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for SessionError {
    fn from(error: Error) -> Self {
        Self::Tls(error)
    }
}

/// Removes the first `used` bytes; an empty vector holds no memory.
fn keep_rest(bytes: &mut Vec<u8>, used: usize) {
    if used >= bytes.len() {
        *bytes = Vec::new();
    } else {
        bytes.drain(..used);
    }
}

fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
