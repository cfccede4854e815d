//! The streams of a connection, and what is known of each.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use slab::Slab;
use sluice_wire::h2::Reason;

use crate::exchange::Answer;

/// A stream, from its first frame until whoever serves it lets go of it.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts of the stream"
)]
pub(super) struct StreamState {
    pub(super) id: u32,
    /// Whoever serves it.
    waker: Option<Waker>,
    /// Received and not read yet.
    pub(super) received: Vec<u8>,
    /// Trailers, as lines of HTTP/1.1.
    pub(super) trailers: Vec<u8>,
    /// What a server answers; `None` towards clients.
    pub(super) answer: Option<Box<Answer>>,
    /// Whether the other side has ended its part.
    pub(super) remote_ended: bool,
    /// Whether we have ended ours.
    pub(super) local_ended: bool,
    /// Why it broke off, whoever did it.
    pub(super) reset: Option<Reason>,
    /// Whether the server said farewell before it came to this one.
    pub(super) is_left_out: bool,
    /// Bytes of the body to come, where its length was said.
    pub(super) expected: Option<u64>,
    /// What the other side may still send.
    pub(super) receive_window: i32,
    /// What was read and not given back to its window yet.
    pub(super) unannounced: u32,
    /// What may still be sent.
    pub(super) send_window: i32,
    /// Whether whoever serves it waits for room to send.
    pub(super) waits_for_room: bool,
}

impl StreamState {
    pub(super) fn new(id: u32, receive_window: i32, send_window: i32) -> Self {
        Self {
            id,
            waker: None,
            received: Vec::new(),
            trailers: Vec::new(),
            answer: None,
            remote_ended: false,
            local_ended: false,
            reset: None,
            is_left_out: false,
            expected: None,
            receive_window,
            unannounced: 0,
            send_window,
            waits_for_room: false,
        }
    }

    /// Whether it is a server's, whose answer has not begun.
    pub(super) fn awaits_head(&mut self) -> bool {
        self.answer
            .as_ref()
            .is_none_or(|answer| answer.form.is_none())
    }

    /// Whether nothing more comes or goes.
    pub(super) fn is_closed(&self) -> bool {
        self.reset.is_some() || (self.remote_ended && self.local_ended)
    }

    pub(super) fn watch(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// Those of a connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    states: Slab<StreamState>,
    /// Where each is. Later ones have larger numbers, so these are sorted.
    keys: VecDeque<(u32, usize)>,
}

impl Streams {
    pub(super) fn insert(&mut self, state: StreamState) -> usize {
        let id = state.id;
        let key = self.states.insert(state);
        self.keys.push_back((id, key));
        key
    }

    pub(super) fn remove(&mut self, key: usize) -> Option<StreamState> {
        let state = self.states.try_remove(key)?;
        if let Ok(place) = self.keys.binary_search_by_key(&state.id, |(id, _)| *id) {
            self.keys.remove(place);
        }
        Some(state)
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut StreamState> {
        self.states.get_mut(key)
    }

    pub(super) fn find(&mut self, id: u32) -> Option<&mut StreamState> {
        let place = self.keys.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (_, key) = *self.keys.get(place)?;
        self.states.get_mut(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut StreamState> {
        self.states.iter_mut().map(|(_, state)| state)
    }
}
