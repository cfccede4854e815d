//! A connection, for whoever looks after it.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use sluice_net::Stream;
use sluice_wire::h2::{Kind, Reason};

use super::core::{Begun, Core, Farewell, Peer};
use super::exchange::Http2Exchange;
use super::opener::Opener;
use crate::exchange::{Refusal, RequestBody, Supplies};

/// A connection of HTTP/2. What is received goes in by [`receive`](Self::receive), and [`poll_send`](Self::poll_send) sends what
/// there is to be sent. What comes of a client's is told by [`next_event`](Self::next_event); streams to a server are opened by its
/// [`opener`](Self::opener).
#[derive(Debug)]
pub struct Http2Connection {
    core: Rc<RefCell<Core>>,
}

/// What the other side is told at the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Requests at a time. Means nothing to a server.
    pub max_concurrent_streams: u32,
    /// Bytes of a body that may be sent before any was read.
    pub initial_window: u32,
    /// Bytes of all bodies together that may be sent before any was read.
    pub connection_window: u32,
    /// Bytes of the fields of a message, 32 added for each.
    pub max_head: u32,
}

/// What has come of what was received.
#[derive(Debug)]
pub enum Event {
    /// A request.
    Request(Request),
    /// A request was refused, and the client told.
    Refused(Refusal),
}

/// A request that has begun.
#[derive(Debug)]
pub struct Request {
    /// Its head in HTTP/1.1.
    pub head: Vec<u8>,
    /// How its body follows.
    pub kind: RequestBody,
    /// Whether it is `HEAD`.
    pub is_head: bool,
    /// What it is answered by.
    pub exchange: Http2Exchange,
}

impl Http2Connection {
    /// A connection with a client, of which nothing was received yet.
    pub fn with_client(settings: Settings) -> Self {
        Self {
            core: Rc::new(RefCell::new(Core::new(Peer::Client, settings))),
        }
    }

    /// A connection with a server, of which nothing was received yet.
    pub fn with_server(settings: Settings) -> Self {
        Self {
            core: Rc::new(RefCell::new(Core::new(Peer::Server, settings))),
        }
    }

    /// What opens streams to the server.
    pub fn opener(&self) -> Opener {
        Opener::new(Rc::clone(&self.core))
    }

    /// Takes received bytes. An error is the end of the connection, of which the client is told.
    pub fn receive(&mut self, bytes: &[u8], supplies: &mut impl Supplies) -> Result<(), Reason> {
        self.core.borrow_mut().receive(bytes, supplies)
    }

    /// What has come of what was received, in its order.
    pub fn next_event(&mut self) -> Option<Event> {
        let begun = self.core.borrow_mut().begun.pop_front()?;
        Some(match begun {
            Begun::Refused(refusal) => Event::Refused(refusal),
            Begun::Request { key, head, drafted } => Event::Request(Request {
                head,
                kind: drafted.kind,
                is_head: drafted.is_head,
                exchange: Http2Exchange::new(Rc::clone(&self.core), key),
            }),
        })
    }

    /// Ready with an error where the server has ended the connection, or broken a rule. Receives into `room`.
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        room: &mut [u8],
    ) -> Poll<io::Error> {
        loop {
            let count = match ready!(stream.poll_read(cx, room)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) => return Poll::Ready(error),
            };
            if let Err(reason) = self.receive(room.get(..count).unwrap_or_default(), &mut ()) {
                self.fail(reason);
                // It goes out if it can.
                let _ = self.poll_send(cx, stream);
                return Poll::Ready(io::ErrorKind::InvalidData.into());
            }
        }
    }

    /// Whether so much waits to be sent that nothing more should be received.
    pub fn is_clogged(&self) -> bool {
        let core = self.core.borrow();
        core.out.len() - core.sent > CLOGGED
    }

    /// Ready when all was sent that there is to be sent. Whoever polls it is woken when there is more.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> Poll<io::Result<()>> {
        let mut core = self.core.borrow_mut();
        core.watch(cx);
        while let Some(rest) = core.out.get(core.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(stream.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => core.has_sent(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the other side has said what it begins with: its settings.
    pub fn has_greeted(&self) -> bool {
        self.core.borrow().has_settings
    }

    /// Whether anything was received since this was asked the last time.
    pub fn has_heard(&mut self) -> bool {
        std::mem::take(&mut self.core.borrow_mut().heard)
    }

    /// Asks the other side whether it is there.
    pub fn ping(&mut self) {
        let mut core = self.core.borrow_mut();
        core.write_frame(Kind::Ping, 0, 0, b"are you?");
        core.schedule();
    }

    /// Says that no further streams are served; those under way are (RFC 9113, 6.8).
    pub fn leave(&mut self) {
        self.core.borrow_mut().leave();
    }

    /// Whether it is known on both sides that the connection ends, and all was served.
    pub fn is_finished(&self) -> bool {
        let core = self.core.borrow();
        let is_ending = core.farewell == Farewell::Said || core.is_let_go;
        is_ending && core.streams.is_empty() && core.begun.is_empty()
    }

    /// What there is to be sent.
    #[cfg(test)]
    pub(super) fn take_unsent(&self) -> Vec<u8> {
        let mut core = self.core.borrow_mut();
        let unsent = std::mem::take(&mut core.out);
        core.has_sent(0);
        unsent
    }

    /// Ends all streams, and tells the other side why.
    pub fn fail(&mut self, reason: Reason) {
        self.core.borrow_mut().fail(reason);
    }
}

/// Streams do not outlive their connection.
impl Drop for Http2Connection {
    fn drop(&mut self) {
        self.core.borrow_mut().close();
    }
}

/// Bytes that a client may leave lie before it is not listened to any more.
const CLOGGED: usize = 256 * 1024;
