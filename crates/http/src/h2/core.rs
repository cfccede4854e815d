//! What the session and the streams of one connection share: everything that is known of it, and what is to be sent.
//!
//! Nothing here touches a socket. Bytes that were received come in by `receive`, bytes to be sent lie in `out`, and wakers tell
//! whom it concerns.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use sluice_wire::h2::{INITIAL_WINDOW, Kind, LARGEST, MAX_FRAME, PREFACE, Reason};
use sluice_wire::hpack::{Decoder, Encoder};

use super::block::Block;
use super::connection::Settings;
use super::noise::Patience;
use super::streams::Streams;
use crate::exchange::{DraftedRequest, Refusal, RequestDraft};

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
    pub(super) draft: RequestDraft,
    /// What a server has said of itself.
    pub(super) server: ServerSays,
    /// Who waits until a stream may be opened.
    pub(super) openers: Vec<Waker>,
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
        drafted: DraftedRequest,
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
            draft: RequestDraft::default(),
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
        // Or more than what is left: streams that stand still must not leave the others too little to ever come to a half.
        let is_due = self.unannounced >= connection_window(&self.settings) / 2
            || i64::from(self.unannounced) >= self.receive_window;
        if is_due {
            let more = std::mem::take(&mut self.unannounced);
            self.receive_window += i64::from(more);
            self.write_window_update(0, more);
            self.schedule();
        }
    }

    /// Whether what was not read of other streams leaves no room for a frame of this one.
    pub(super) fn is_held_back(&self) -> bool {
        usize::try_from(self.receive_window).is_ok_and(|left| left < MAX_FRAME)
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

/// The room that is kept for the next frames.
const KEPT: usize = 8 * 1024;
/// Streams that are remembered after their end.
const REMEMBERED: usize = 256;
/// The length of a setting.
pub(super) const SETTING: usize = 6;
/// What the ping says that is answered before the last stream is named.
pub(super) const FAREWELL: [u8; 8] = *b"farewell";
