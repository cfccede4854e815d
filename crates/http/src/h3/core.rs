//! What the streams of a connection share.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Waker};

use slab::Slab;
use sluice_wire::qpack;

use super::control::{Heard, Peer};
use super::fault::{Code, Fault};
use super::noise::Noise;
use crate::exchange::{RequestDraft, take_trailer};

/// A connection, as its streams know it.
pub(super) struct Core {
    pub(super) quinn: quinn::Connection,
    pub(super) peer: Peer,
    /// Bytes of the fields of a message, 32 added for each.
    pub(super) max_head: usize,
    pub(super) noise: Noise,
    pub(super) heard: Cell<Heard>,
    /// The number of our farewell, once it is to be said.
    pub(super) farewell: Cell<Option<u64>>,
    /// Whoever drives the connection.
    driver: RefCell<Option<Waker>>,
    /// Streams of ours that are under way, each with whoever waits for its answer.
    asked: RefCell<Slab<Option<Waker>>>,
    /// Requests whose bodies were not read to their end.
    unread: Cell<u32>,
    /// Whether nobody opens streams any more.
    pub(super) is_let_go: Cell<bool>,
    /// Where a client's fields become a head, and room for what is being encoded or decoded.
    pub(super) draft: RefCell<RequestDraft>,
    pub(super) room: RefCell<Vec<u8>>,
}

impl Core {
    pub(super) fn new(quinn: quinn::Connection, peer: Peer, max_head: usize) -> Self {
        Self {
            quinn,
            peer,
            max_head,
            noise: Noise::default(),
            heard: Cell::default(),
            farewell: Cell::new(None),
            driver: RefCell::new(None),
            asked: RefCell::default(),
            unread: Cell::new(0),
            is_let_go: Cell::new(false),
            draft: RefCell::default(),
            room: RefCell::default(),
        }
    }

    pub(super) fn close(&self, code: Code) {
        self.quinn.close(code.into(), b"");
    }

    /// Whoever drives the connection is woken when there is something to do.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        let mut driver = self.driver.borrow_mut();
        match &mut *driver {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    pub(super) fn wake_driver(&self) {
        if let Some(driver) = &*self.driver.borrow() {
            driver.wake_by_ref();
        }
    }

    /// Takes note of a stream of ours.
    pub(super) fn begin_asked(self: &Rc<Self>) -> AskedPlace {
        AskedPlace {
            key: self.asked.borrow_mut().insert(None),
            core: Rc::clone(self),
        }
    }

    /// Whether no stream of ours is under way, and none will be.
    pub(super) fn is_idle(&self) -> bool {
        self.is_let_go.get() && self.asked.borrow().is_empty()
    }

    /// The server has said farewell: those that it leaves out find out by themselves.
    pub(super) fn wake_asked(&self) {
        for (_, waker) in &mut *self.asked.borrow_mut() {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }

    /// Whether the server has said farewell before it came to that stream.
    pub(super) fn is_left_out(&self, stream: quinn::StreamId) -> bool {
        let farewell = self.heard.get().farewell;
        self.peer == Peer::Server && farewell.is_some_and(|first| number_of(stream) >= first)
    }

    /// Appends what a section of trailers says, as lines of HTTP/1.1.
    pub(super) fn read_trailers(&self, section: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let (mut size, mut is_good) = (0, true);
        self.decode(section, |name, value| {
            size += name.len() + value.len();
            is_good = is_good && size <= self.max_head && take_trailer(name, value, out);
        })?;
        is_good
            .then_some(())
            .ok_or(Fault::Stream(Code::MessageError))
    }

    /// Hands out the fields of a section.
    pub(super) fn decode(
        &self,
        section: &[u8],
        take: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Fault> {
        let decoded = qpack::decode(section, &mut self.room.borrow_mut(), take);
        decoded.map_err(|_| Fault::Connection(Code::QpackDecompressionFailed))
    }
}

/// The place of a stream of ours among those under way; left when dropped.
#[derive(Debug)]
pub(super) struct AskedPlace {
    core: Rc<Core>,
    key: usize,
}

impl AskedPlace {
    /// Whoever waits for the stream's answer is woken when it will not come.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        if let Some(slot) = self.core.asked.borrow_mut().get_mut(self.key) {
            *slot = Some(cx.waker().clone());
        }
    }
}

impl Drop for AskedPlace {
    fn drop(&mut self) {
        self.core.asked.borrow_mut().try_remove(self.key);
        if self.core.is_idle() {
            self.core.wake_driver();
        }
    }
}

/// A stream's number.
pub(super) fn number_of(stream: quinn::StreamId) -> u64 {
    quinn::VarInt::from(stream).into_inner()
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("peer", &self.peer)
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}

/// A request whose body was not read to its end; ends when dropped.
pub(super) struct Unread(Rc<Core>);

impl Unread {
    pub(super) fn on(core: &Rc<Core>) -> Self {
        core.unread.set(core.unread.get() + 1);
        Self(Rc::clone(core))
    }

    /// Whether the others can hold all that may come on the connection. How much they do hold, QUIC does not tell.
    pub(super) fn may_be_held_back(&self) -> bool {
        self.0.unread.get() > WINDOWS
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.0.unread.set(self.0.unread.get().saturating_sub(1));
    }
}

/// The window of a connection, in windows of its streams.
const WINDOWS: u32 = 4;
