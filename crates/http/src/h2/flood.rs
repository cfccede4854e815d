//! Frames that cost the sender nothing and us something: counted as they come in, by their headers alone. And frames that
//! break rules of which `h2` says less exactly what was broken (RFC 9113, 5.1, 6.5.2 and the sizes in 6).
//!
//! `h2` answers pings and settings and skips what is empty, for as long as a client likes. Here a connection has a budget
//! of such frames. A frame that asks for something real, and bytes that we send, fill it up again; a client that only
//! makes noise uses it up.

use std::cell::Cell;
use std::rc::Rc;

use h2::Reason;

/// The budget of a connection, shared by who fills and who looks.
#[derive(Clone, Debug)]
pub struct Watch {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    budget: Cell<i32>,
    heard: Cell<bool>,
    heard_ever: Cell<bool>,
    broken: Cell<Option<Reason>>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            shared: Rc::new(Shared {
                budget: Cell::new(BUDGET),
                heard: Cell::new(false),
                heard_ever: Cell::new(false),
                broken: Cell::new(None),
            }),
        }
    }

    /// Why the connection has to end: a rule was broken, or the client has made more noise than is put up with.
    pub fn fault(&self) -> Option<Reason> {
        let flooded = (self.shared.budget.get() < 0).then_some(Reason::ENHANCE_YOUR_CALM);
        self.shared.broken.get().or(flooded)
    }

    fn breaks(&self, reason: Reason) {
        self.shared.broken.set(Some(reason));
    }

    /// Whether anything was received since this was asked the last time.
    pub fn heard(&self) -> bool {
        self.shared.heard.replace(false)
    }

    /// Whether anything was received ever: it begins with the other side's settings.
    pub fn has_heard(&self) -> bool {
        self.shared.heard_ever.get()
    }

    pub(super) fn hears(&self) {
        self.shared.heard.set(true);
        self.shared.heard_ever.set(true);
    }

    /// So many bytes went out.
    pub(super) fn sent(&self, count: usize) {
        // Acknowledgements are 9 or 17 bytes: many of them in one go are no sign of work.
        if count >= REAL_WORK {
            self.earn(EARNED);
        }
    }

    fn earn(&self, frames: i32) {
        let budget = &self.shared.budget;
        if budget.get() >= 0 {
            budget.set((budget.get() + frames).min(BUDGET));
        }
    }

    fn spend(&self) {
        let budget = &self.shared.budget;
        budget.set(budget.get().saturating_sub(1));
    }
}

/// Follows the frames in what is received.
#[derive(Debug)]
pub(super) struct Frames {
    watch: Watch,
    /// Bytes to come until the next frame's header: the preface at first.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
    /// Bytes of settings to come, each of which is looked at.
    settings: usize,
    /// Streams that the client has ended last, in turn.
    ended: [u32; ENDED],
    next_ended: usize,
}

impl Frames {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            skip: super::PREFACE.len(),
            header: [0; HEADER],
            filled: 0,
            settings: 0,
            ended: [0; ENDED],
            next_ended: 0,
        }
    }

    /// Takes note of received bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let wanted = if self.settings > 0 { SETTING } else { HEADER };
            let Some(room) = self.header.get_mut(self.filled..wanted) else {
                return;
            };
            let count = room.len().min(bytes.len());
            let (now, rest) = bytes.split_at(count);
            for (slot, byte) in room.iter_mut().zip(now) {
                *slot = *byte;
            }
            self.filled += count;
            bytes = rest;
            if self.filled == wanted {
                self.filled = 0;
                if self.settings > 0 {
                    self.setting();
                } else {
                    self.frame();
                }
            }
        }
    }

    fn frame(&mut self) {
        let [high, middle, low, kind, flags, stream @ ..] = self.header;
        let stream = u32::from_be_bytes(stream) & 0x7FFF_FFFF;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.skip = length;
        let ends = flags & END_STREAM != 0;
        let has_its_size = match kind {
            PRIORITY => length == 5,
            RST_STREAM | WINDOW_UPDATE => length == 4,
            SETTINGS if ends => length == 0,
            SETTINGS => length.is_multiple_of(SETTING),
            PING => length == 8,
            GOAWAY => length >= 8,
            _ => true,
        };
        if !has_its_size {
            return self.watch.breaks(Reason::FRAME_SIZE_ERROR);
        }
        if matches!(kind, DATA | HEADERS) && stream != 0 && self.ended.contains(&stream) {
            return self.watch.breaks(Reason::STREAM_CLOSED);
        }
        // A block that goes on is `h2`'s to follow.
        let is_last = kind == DATA || (kind == HEADERS && flags & END_HEADERS != 0);
        if kind == RST_STREAM || (ends && is_last) {
            self.note_end(stream);
        }
        if kind == SETTINGS {
            (self.settings, self.skip) = (length, 0);
        }
        match kind {
            DATA if length > 0 || ends => self.watch.earn(1),
            HEADERS => self.watch.earn(EARNED),
            // More of either, which says itself how much it is.
            CONTINUATION if length > 0 => {}
            WINDOW_UPDATE => {}
            _ => self.watch.spend(),
        }
    }

    fn setting(&mut self) {
        self.settings -= SETTING;
        let [name @ .., a, b, c, d, _, _, _] = self.header;
        let value = u32::from_be_bytes([a, b, c, d]);
        if name == INITIAL_WINDOW_SIZE && value > LARGEST_WINDOW {
            self.watch.breaks(Reason::FLOW_CONTROL_ERROR);
        }
    }

    fn note_end(&mut self, stream: u32) {
        if let Some(slot) = self.ended.get_mut(self.next_ended) {
            *slot = stream;
        }
        self.next_ended = (self.next_ended + 1) % ENDED;
    }
}

/// Noise that is put up with before anything real: far more than any client makes by itself.
const BUDGET: i32 = 1000;
/// What a request, or so many bytes that we send, are good for.
const EARNED: i32 = 16;
const REAL_WORK: usize = 1024;

/// Streams of which it is remembered that the client has ended them.
const ENDED: usize = 16;

const HEADER: usize = 9;
const SETTING: usize = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
const LARGEST_WINDOW: u32 = 0x7FFF_FFFF;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        bytes.extend_from_slice(payload);
        bytes
    }

    fn watched(chunk: usize, bytes: &[u8]) -> Watch {
        let watch = Watch::new();
        let mut frames = Frames::new(watch.clone());
        frames.take(super::super::PREFACE);
        for part in bytes.chunks(chunk) {
            frames.take(part);
        }
        watch
    }

    #[test]
    fn noise_uses_the_budget_up_however_it_is_cut() {
        let noise = [
            frame(6, 0, &[0; 8]),
            frame(4, 0, b""),
            frame(DATA, 0, b""),
            frame(CONTINUATION, 0, b""),
            frame(2, 0, &[0; 5]),
        ]
        .concat();
        for chunk in [1, 7, 9, 10, 4096] {
            assert!(
                watched(chunk, &noise.repeat(200)).fault().is_none(),
                "{chunk}"
            );
            assert!(
                watched(chunk, &noise.repeat(201)).fault().is_some(),
                "{chunk}"
            );
        }
    }

    #[test]
    fn work_fills_it_up() {
        let ping = frame(6, 0, &[0; 8]);
        let mut bytes = ping.repeat(1000);
        bytes.extend(frame(HEADERS, 4, b"x"));
        bytes.extend(ping.repeat(16));
        assert!(watched(64, &bytes).fault().is_none());
        bytes.extend(&ping);
        assert!(watched(64, &bytes).fault().is_some());
        bytes.extend(frame(HEADERS, 4, b"x"));
        assert!(watched(64, &bytes).fault().is_some(), "once is enough");
    }

    #[test]
    fn broken_rules_are_named() {
        let end = frame(HEADERS, 5, b"x");
        let table = [
            (frame(6, 0, &[0; 7]), Reason::FRAME_SIZE_ERROR),
            (frame(SETTINGS, 0, &[0; 5]), Reason::FRAME_SIZE_ERROR),
            (frame(SETTINGS, 1, &[0; 6]), Reason::FRAME_SIZE_ERROR),
            (frame(RST_STREAM, 0, &[0; 3]), Reason::FRAME_SIZE_ERROR),
            (
                frame(SETTINGS, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0x80, 0, 0, 0]),
                Reason::FLOW_CONTROL_ERROR,
            ),
            ([end.clone(), end].concat(), Reason::STREAM_CLOSED),
        ];
        for (bytes, reason) in table {
            for chunk in [1, 4, 4096] {
                assert_eq!(watched(chunk, &bytes).fault(), Some(reason), "{bytes:?}");
            }
        }
        let good = [
            frame(SETTINGS, 0, &[0, 4, 0x7F, 0xFF, 0xFF, 0xFF]),
            frame(6, 0, &[0; 8]),
        ];
        assert_eq!(watched(3, &good.concat()).fault(), None);
    }

    #[test]
    fn a_body_is_no_noise() {
        let bytes = [frame(DATA, 0, b"x"), frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1])].concat();
        assert!(watched(13, &bytes.repeat(5000)).fault().is_none());
    }
}
