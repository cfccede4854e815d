//! What the session and the streams of one connection share: everything that is known of it, and what is to be sent.
//!
//! Nothing here touches a socket. Bytes that were received come in by `receive`, bytes to be sent lie in `out`, and wakers tell
//! whom it concerns.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use sluice_wire::h1::ResponseHead;
use sluice_wire::h2::{
    Flags, FrameHeader, INITIAL_WINDOW, Kind, LARGEST, MAX_FRAME, PREFACE, Reason, Setting,
};
use sluice_wire::hpack::{Decoder, Encoder};

use super::answer;
use super::answered::{Answer, Expected};
use super::block::Block;
use super::connection::Settings;
use super::noise::Patience;
use super::request::{Draft, Drafted};
use super::streams::{StreamState, Streams};
use crate::exchange::Refusal;

/// A connection.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "six independent facts of the connection"
)]
pub(super) struct Core {
    pub(super) peer: Peer,
    pub(super) settings: Settings,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) streams: Streams,
    /// Streams that are not closed.
    pub(super) active: u32,
    /// The largest number of a stream that was opened, by the client: by it or by us.
    pub(super) last_opened: u32,
    pub(super) draft: Draft,
    /// What a server has said of itself.
    pub(super) server: ServerSays,
    /// Who waits until a stream may be opened.
    openers: Vec<Waker>,
    pub(super) begun: VecDeque<Begun>,

    // Receiving.
    /// Bytes of the preface that came.
    pub(super) preface: usize,
    /// Of a frame that is not whole.
    pub(super) partial: Vec<u8>,
    /// Of a field block that is not whole.
    pub(super) block: Option<Block>,
    pub(super) has_settings: bool,
    /// Whether the client follows our settings.
    pub(super) acknowledged: bool,
    pub(super) patience: Patience,
    pub(super) heard: bool,
    /// What the client may still send on the connection.
    pub(super) receive_window: i64,
    pub(super) unannounced: u32,
    /// Streams that the client has ended or reset, and those that we have reset, lately.
    pub(super) ended: VecDeque<u32>,
    pub(super) refused: VecDeque<u32>,

    // Sending.
    pub(super) out: Vec<u8>,
    /// Bytes of `out` that were sent.
    pub(super) sent: usize,
    pub(super) send_window: i32,
    /// What the client gives a new stream.
    pub(super) initial_send_window: i32,
    /// Whether any stream waits for room, of the connection or in `out`.
    pub(super) anyone_waits: bool,
    session: Option<Waker>,
    is_scheduled: bool,
    pub(super) farewell: Farewell,
    /// Whether nobody opens streams any more.
    pub(super) is_let_go: bool,
    /// Whether nothing is received or sent any more.
    pub(super) is_over: bool,
}

/// Whom a connection is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Client,
    Server,
}

/// What a server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerSays {
    /// Streams at a time.
    pub(super) max_streams: u32,
    /// Extended CONNECT (RFC 8441, 3).
    pub(super) takes_connect: bool,
    /// Whether it has said GOAWAY.
    pub(super) is_leaving: bool,
}

/// A request that has begun, or was refused.
#[derive(Debug)]
pub(super) enum Begun {
    Request {
        key: usize,
        head: Vec<u8>,
        drafted: Drafted,
    },
    Refused(Refusal),
}

/// How far the end of a connection is announced (RFC 9113, 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    No,
    /// The client was told that there will be an end, and asked to answer.
    Begun,
    /// The last stream was named.
    Said,
}

impl Core {
    /// A connection whose first frames are on their way.
    pub(super) fn new(peer: Peer, settings: Settings) -> Self {
        let window = connection_window(&settings);
        let mut core = Self {
            peer,
            settings,
            decoder: Decoder::new(),
            encoder: Encoder::new(),
            streams: Streams::default(),
            active: 0,
            last_opened: 0,
            draft: Draft::default(),
            server: ServerSays {
                max_streams: u32::MAX,
                takes_connect: false,
                is_leaving: false,
            },
            openers: Vec::new(),
            begun: VecDeque::new(),
            preface: if peer == Peer::Server {
                PREFACE.len()
            } else {
                0
            },
            partial: Vec::new(),
            block: None,
            has_settings: false,
            acknowledged: false,
            patience: Patience::new(),
            heard: false,
            receive_window: i64::from(window),
            unannounced: 0,
            ended: VecDeque::new(),
            refused: VecDeque::new(),
            out: Vec::new(),
            sent: 0,
            send_window: INITIAL_WINDOW,
            initial_send_window: INITIAL_WINDOW,
            anyone_waits: false,
            session: None,
            is_scheduled: false,
            farewell: Farewell::No,
            is_let_go: false,
            is_over: false,
        };
        if peer == Peer::Server {
            core.out.extend_from_slice(PREFACE);
        }
        core.write_settings();
        let more = window.saturating_sub(INITIAL_WINDOW.unsigned_abs());
        if more > 0 {
            core.write_window_update(0, more);
        }
        core
    }

    // What streams ask for.

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
            answer::encode(head, encoder, out);
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
            is_good = answer::encode_trailers(section, encoder, out);
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
            // Whoever has the whole answer need not send the rest of its request (8.1).
            let reason = if stream.local_ended {
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

    // What the session asks for.

    /// Sends what it is asked for to say that the connection ends; streams that have begun go on.
    pub(super) fn leave(&mut self) {
        if self.farewell == Farewell::No {
            self.farewell = Farewell::Begun;
            self.write_goaway(LARGEST, Reason::NO_ERROR);
            self.write_frame(Kind::Ping, 0, 0, &FAREWELL);
        }
    }

    /// Ends everything at once, with a reason.
    pub(super) fn fail(&mut self, reason: Reason) {
        if !self.is_over {
            self.write_goaway(self.last_opened, reason);
            self.close();
        }
    }

    /// The connection is gone: so are its streams.
    pub(super) fn close(&mut self) {
        self.is_over = true;
        for stream in self.streams.each() {
            stream.wake();
        }
        self.wake_openers();
    }

    /// All of `out` went out, or so much of it.
    pub(super) fn has_sent(&mut self, count: usize) {
        self.sent += count;
        self.patience.sent(count);
        if self.sent >= self.out.len() {
            self.sent = 0;
            if self.out.capacity() > KEPT {
                self.out = Vec::new();
            } else {
                self.out.clear();
            }
            self.wake_waiting();
        }
    }

    pub(super) fn watch(&mut self, cx: &Context<'_>) {
        self.is_scheduled = false;
        match &mut self.session {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.session = Some(cx.waker().clone()),
        }
    }

    // Within.

    /// A stream has closed.
    pub(super) fn one_less(&mut self) {
        self.active = self.active.saturating_sub(1);
        self.wake_openers();
    }

    pub(super) fn wake_openers(&mut self) {
        for opener in self.openers.drain(..) {
            opener.wake();
        }
    }

    /// What the other side may send on a new stream.
    pub(super) fn receive_window_of_new(&self) -> i32 {
        if self.acknowledged {
            i32::try_from(self.settings.initial_window).unwrap_or(i32::MAX)
        } else {
            INITIAL_WINDOW
        }
    }

    /// Has the session send what lies in `out`, once everybody had their turn.
    pub(super) fn schedule(&mut self) {
        if !self.is_scheduled {
            self.is_scheduled = true;
            if let Some(session) = &self.session {
                session.wake_by_ref();
            }
        }
    }

    pub(super) fn wake_waiting(&mut self) {
        if std::mem::take(&mut self.anyone_waits) {
            for stream in self.streams.each() {
                if std::mem::take(&mut stream.waits_for_room) {
                    stream.wake();
                }
            }
        }
    }

    /// So much of what came on the connection is not held here any more.
    pub(super) fn release_shared(&mut self, count: u32) {
        self.unannounced = self.unannounced.saturating_add(count);
        if self.unannounced >= connection_window(&self.settings) / 2 {
            let more = std::mem::take(&mut self.unannounced);
            self.receive_window += i64::from(more);
            self.write_window_update(0, more);
            self.schedule();
        }
    }

    /// Resets a stream for what came on it, whether or not anybody serves it.
    pub(super) fn refuse(&mut self, id: u32, reason: Reason) {
        if let Some(stream) = self.streams.find(id) {
            let was_open = !stream.is_closed();
            stream.reset = Some(reason);
            stream.wake();
            if was_open {
                self.one_less();
            }
        }
        self.write_reset(id, reason);
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

    pub(super) fn write_frame(&mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
        let header = FrameHeader::bytes(payload.len(), kind, flags, stream);
        self.out.extend_from_slice(&header);
        self.out.extend_from_slice(payload);
    }

    /// Writes a field block, in as many frames as it takes.
    pub(super) fn write_block(
        &mut self,
        stream: u32,
        is_last: bool,
        encode: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) {
        let end = if is_last { Flags::END_STREAM } else { 0 };
        let start = self.out.len();
        let placeholder = FrameHeader::bytes(0, Kind::Headers, 0, stream);
        self.out.extend_from_slice(&placeholder);
        let first = self.out.len();
        encode(&mut self.encoder, &mut self.out);
        let length = self.out.len() - first;
        if length <= MAX_FRAME {
            let flags = end | Flags::END_HEADERS;
            let header = FrameHeader::bytes(length, Kind::Headers, flags, stream);
            if let Some(room) = self.out.get_mut(start..first) {
                room.copy_from_slice(&header);
            }
            return;
        }
        let block = self.out.split_off(first);
        self.out.truncate(start);
        let parts = block.len().div_ceil(MAX_FRAME);
        for (number, part) in block.chunks(MAX_FRAME).enumerate() {
            let whole = if number + 1 == parts {
                Flags::END_HEADERS
            } else {
                0
            };
            if number == 0 {
                self.write_frame(Kind::Headers, end | whole, stream, part);
            } else {
                self.write_frame(Kind::Continuation, whole, stream, part);
            }
        }
    }

    /// Writes that a stream is over. What still comes on it is expected.
    pub(super) fn write_reset(&mut self, stream: u32, reason: Reason) {
        remember(&mut self.refused, stream);
        let Reason(code) = reason;
        self.write_frame(Kind::RstStream, 0, stream, &code.to_be_bytes());
        self.schedule();
    }

    pub(super) fn write_goaway(&mut self, last: u32, reason: Reason) {
        let Reason(code) = reason;
        let payload = (u64::from(last) << 32 | u64::from(code)).to_be_bytes();
        self.write_frame(Kind::Goaway, 0, 0, &payload);
        self.schedule();
    }

    fn write_window_update(&mut self, stream: u32, more: u32) {
        self.write_frame(Kind::WindowUpdate, 0, stream, &more.to_be_bytes());
    }

    fn write_settings(&mut self) {
        let Settings {
            max_concurrent_streams,
            initial_window,
            max_head,
            ..
        } = self.settings;
        let [first, last] = match self.peer {
            Peer::Client => [
                (Setting::MAX_CONCURRENT_STREAMS, max_concurrent_streams),
                (Setting::ENABLE_CONNECT_PROTOCOL, 1),
            ],
            Peer::Server => [
                (Setting::ENABLE_PUSH, 0),
                (Setting::MAX_CONCURRENT_STREAMS, 0),
            ],
        };
        let values = [
            first,
            (Setting::INITIAL_WINDOW_SIZE, initial_window),
            (Setting::MAX_HEADER_LIST_SIZE, max_head),
            last,
        ];
        let mut payload = Vec::with_capacity(values.len() * SETTING);
        for (name, value) in values {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.write_frame(Kind::Settings, 0, 0, &payload);
    }
}

/// What may come on all streams together before any of it was read.
fn connection_window(settings: &Settings) -> u32 {
    let window = settings.connection_window;
    window.clamp(INITIAL_WINDOW.unsigned_abs(), LARGEST)
}

/// Keeps the number of a stream for a while.
pub(super) fn remember(streams: &mut VecDeque<u32>, id: u32) {
    if streams.len() >= REMEMBERED {
        streams.pop_front();
    }
    streams.push_back(id);
}

/// What the streams of a connection may have waiting to be sent.
const MOST_UNSENT: usize = 64 * 1024;
/// The room that is kept for the next frames.
const KEPT: usize = 8 * 1024;
/// Streams that are remembered after their end.
const REMEMBERED: usize = 256;
/// The length of a setting.
pub(super) const SETTING: usize = 6;
/// What the ping says that is answered before the last stream is named.
pub(super) const FAREWELL: [u8; 8] = *b"farewell";
