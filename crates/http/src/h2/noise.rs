//! Frames that cost the sender nothing and us something.
//!
//! A client may ask for pings and settings to be answered, and send what is empty, for as long as it likes. Here a connection has a
//! budget of such frames. A frame that asks for something real, and bytes that we send, fill it up again; a client that only
//! makes noise uses it up.

/// The budget of a connection.
#[derive(Debug)]
pub(super) struct Patience(i32);

impl Patience {
    pub(super) fn new() -> Self {
        Self(BUDGET)
    }

    /// Whether the client has made more noise than is put up with. Once is enough.
    pub(super) fn is_exhausted(&self) -> bool {
        self.0 < 0
    }

    /// A frame of noise came.
    pub(super) fn spend(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// A part of a body came.
    pub(super) fn earn_little(&mut self) {
        self.earn(1);
    }

    /// A request came.
    pub(super) fn earn_request(&mut self) {
        self.earn(EARNED);
    }

    /// So many bytes went out.
    pub(super) fn sent(&mut self, count: usize) {
        // Acknowledgements are 9 or 17 bytes: many of them in one go are no sign of work.
        if count >= REAL_WORK {
            self.earn(EARNED);
        }
    }

    fn earn(&mut self, frames: i32) {
        if self.0 >= 0 {
            self.0 = (self.0 + frames).min(BUDGET);
        }
    }
}

/// Noise that is put up with before anything real: far more than any client makes by itself.
const BUDGET: i32 = 1000;
/// What a request, or so many bytes that we send, are good for.
const EARNED: i32 = 16;
const REAL_WORK: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_uses_it_up_and_work_fills_it() {
        let mut patience = Patience::new();
        for _ in 0..BUDGET {
            patience.spend();
        }
        assert!(!patience.is_exhausted());
        patience.earn_request();
        patience.sent(REAL_WORK - 1);
        for _ in 0..EARNED {
            patience.spend();
        }
        assert!(!patience.is_exhausted());
        patience.spend();
        assert!(patience.is_exhausted());
        patience.earn_request();
        assert!(patience.is_exhausted(), "once is enough");
    }
}
