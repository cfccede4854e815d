//! Frames that cost the sender nothing and us something: counted as they come in, by their headers alone.
//!
//! `h2` answers pings and settings and skips what is empty, for as long as a client likes. Here a connection has a budget
//! of such frames. A frame that asks for something real, and bytes that we send, fill it up again; a client that only
//! makes noise uses it up.

use std::cell::Cell;
use std::rc::Rc;

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
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            shared: Rc::new(Shared {
                budget: Cell::new(BUDGET),
                heard: Cell::new(false),
                heard_ever: Cell::new(false),
            }),
        }
    }

    /// Whether the client has made more noise than is put up with.
    pub fn is_flooded(&self) -> bool {
        self.shared.budget.get() < 0
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
}

impl Frames {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            skip: super::PREFACE.len(),
            header: [0; HEADER],
            filled: 0,
        }
    }

    /// Takes note of received bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some(room) = self.header.get_mut(self.filled..) else {
                return;
            };
            let count = room.len().min(bytes.len());
            let (now, rest) = bytes.split_at(count);
            for (slot, byte) in room.iter_mut().zip(now) {
                *slot = *byte;
            }
            self.filled += count;
            bytes = rest;
            if self.filled == HEADER {
                self.filled = 0;
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.skip = length;
        let ends = flags & END_STREAM != 0;
        match kind {
            DATA if length > 0 || ends => self.watch.earn(1),
            HEADERS => self.watch.earn(EARNED),
            // More of either, which says itself how much it is.
            CONTINUATION if length > 0 => {}
            WINDOW_UPDATE => {}
            _ => self.watch.spend(),
        }
    }
}

/// Noise that is put up with before anything real: far more than any client makes by itself.
const BUDGET: i32 = 1000;
/// What a request, or so many bytes that we send, are good for.
const EARNED: i32 = 16;
const REAL_WORK: usize = 1024;

const HEADER: usize = 9;
const END_STREAM: u8 = 1;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
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
            frame(3, 0, &[0; 4]),
        ]
        .concat();
        for chunk in [1, 7, 9, 10, 4096] {
            assert!(!watched(chunk, &noise.repeat(200)).is_flooded(), "{chunk}");
            assert!(watched(chunk, &noise.repeat(201)).is_flooded(), "{chunk}");
        }
    }

    #[test]
    fn work_fills_it_up() {
        let ping = frame(6, 0, &[0; 8]);
        let mut bytes = ping.repeat(1000);
        bytes.extend(frame(HEADERS, 5, b"x"));
        bytes.extend(ping.repeat(16));
        assert!(!watched(64, &bytes).is_flooded());
        bytes.extend(&ping);
        assert!(watched(64, &bytes).is_flooded());
        bytes.extend(frame(HEADERS, 5, b"x"));
        assert!(watched(64, &bytes).is_flooded(), "once is enough");
    }

    #[test]
    fn a_body_is_no_noise() {
        let bytes = [frame(DATA, 0, b"x"), frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1])].concat();
        assert!(!watched(13, &bytes.repeat(5000)).is_flooded());
    }
}
