//! What streams ask of their connection: to be opened, to send, to be read on, to be let go.

use std::task::Context;

use sluice_wire::h1::ResponseHead;
use sluice_wire::h2::{Flags, Kind, LARGEST, MAX_FRAME, Reason};
use sluice_wire::hpack::Encoder;

use super::core::{Core, Farewell, Peer};
use super::streams::StreamState;
use crate::exchange::{self, Answer, Expected};

impl Core {
    /// Whether a stream to the server may be opened now. Where it may not, whoever asks is woken when something changes.
    pub(super) fn may_open(&mut self, cx: &Context<'_>) -> bool {
        let may = self.active < self.server.max_streams;
        if !may {
            self.openers.push(cx.waker().clone());
        }
        may
    }

    /// Opens a stream to the server with a request; where `is_last`, nothing follows its head. `None` where no more streams can be.
    pub(super) fn ask(
        &mut self,
        is_last: bool,
        answer: Expected,
        encode: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) -> Option<usize> {
        if !self.is_usable() {
            return None;
        }
        let id = if self.last_opened == 0 {
            1
        } else {
            self.last_opened + 2
        };
        self.last_opened = id;
        let mut stream =
            StreamState::new(id, self.receive_window_of_new(), self.initial_send_window);
        stream.local_ended = is_last;
        stream.answer = Some(Box::new(Answer::new(answer)));
        self.active += 1;
        let key = self.streams.insert(stream);
        self.write_block(id, is_last, encode);
        self.schedule();
        Some(key)
    }

    /// Whether streams can be opened, now or later.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_over && !self.server.is_leaving && self.last_opened < LARGEST - 2
    }

    /// Sends a head; where `is_last`, nothing follows.
    pub(super) fn send_head(&mut self, key: usize, head: &ResponseHead<'_, '_>, is_last: bool) {
        let Some(stream) = self.open(key) else {
            return;
        };
        let id = stream.id;
        self.write_block(id, is_last, |encoder, out| {
            exchange::encode_response(head, encoder, out);
        });
        if is_last {
            self.end_local(key);
        }
        self.schedule();
    }

    /// Sends the end of a body; `false` where `section` is none.
    pub(super) fn send_trailers(&mut self, key: usize, section: &[u8]) -> bool {
        let Some(stream) = self.open(key) else {
            return true;
        };
        let id = stream.id;
        let mut is_good = true;
        self.write_block(id, true, |encoder, out| {
            is_good = exchange::encode_trailers(section, encoder, out);
        });
        self.end_local(key);
        self.schedule();
        is_good
    }

    /// How much may be sent now on a stream; 0 where it has to wait, and will be woken.
    pub(super) fn room(&mut self, key: usize, cx: &Context<'_>) -> usize {
        let unsent = self.out.len() - self.sent;
        let room = MOST_UNSENT.saturating_sub(unsent);
        let shared = self.send_window;
        let Some(stream) = self.streams.get_mut(key) else {
            return 0;
        };
        let window = stream.send_window.min(shared);
        let room = usize::try_from(window).unwrap_or_default().min(room);
        if room == 0 {
            stream.waits_for_room = true;
            stream.watch(cx);
            self.anyone_waits = true;
        }
        room
    }

    /// Sends a part of a body, not more than there is room for; where `is_last`, nothing follows.
    pub(super) fn send_data(&mut self, key: usize, data: &[u8], is_last: bool) {
        let Some(stream) = self.open(key) else {
            return;
        };
        let id = stream.id;
        let length = i32::try_from(data.len()).unwrap_or(i32::MAX);
        stream.send_window = stream.send_window.saturating_sub(length);
        self.send_window = self.send_window.saturating_sub(length);
        let mut rest = data;
        loop {
            let (now, after) = rest.split_at(rest.len().min(MAX_FRAME));
            rest = after;
            let ends = is_last && rest.is_empty();
            let flags = if ends { Flags::END_STREAM } else { 0 };
            self.write_frame(Kind::Data, flags, id, now);
            if rest.is_empty() {
                break;
            }
        }
        if is_last {
            self.end_local(key);
        }
        self.schedule();
    }

    /// Breaks a stream off.
    pub(super) fn reset(&mut self, key: usize, reason: Reason) {
        let Some(stream) = self.open(key) else {
            return;
        };
        let id = stream.id;
        stream.reset = Some(reason);
        self.one_less();
        self.write_reset(id, reason);
    }

    /// So many bytes of a stream's body were read.
    pub(super) fn release(&mut self, key: usize, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let half = self.settings.initial_window / 2;
        if let Some(stream) = self.streams.get_mut(key)
            && !stream.remote_ended
            && stream.reset.is_none()
        {
            stream.unannounced = stream.unannounced.saturating_add(count);
            if stream.unannounced >= half.max(1) {
                let more = std::mem::take(&mut stream.unannounced);
                let id = stream.id;
                stream.receive_window = stream.receive_window.saturating_add_unsigned(more);
                self.write_window_update(id, more);
                self.schedule();
            }
        }
        self.release_shared(count);
    }

    /// Lets go of a stream.
    pub(super) fn drop_stream(&mut self, key: usize) {
        if let Some(stream) = self.streams.get_mut(key)
            && !stream.is_closed()
        {
            // Whoever has the whole answer need not send the rest of its request (8.1). A server that still owes it is told that
            // nobody waits any more.
            let reason = if stream.local_ended && self.peer == Peer::Client {
                Reason::NO_ERROR
            } else {
                Reason::CANCEL
            };
            self.reset(key, reason);
        }
        let Some(stream) = self.streams.remove(key) else {
            return;
        };
        let unread = u32::try_from(stream.received.len()).unwrap_or(u32::MAX);
        self.release_shared(unread);
        if self.farewell != Farewell::No || self.is_let_go {
            self.schedule();
        }
    }

    /// A stream that we may still send on.
    fn open(&mut self, key: usize) -> Option<&mut StreamState> {
        let stream = self.streams.get_mut(key);
        stream.filter(|stream| !stream.is_closed())
    }

    fn end_local(&mut self, key: usize) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.local_ended = true;
            if stream.remote_ended {
                self.one_less();
            }
        }
    }
}

/// What the streams of a connection may have waiting to be sent.
const MOST_UNSENT: usize = 64 * 1024;
