//! Which servers a request has had.

/// How many servers one request tries at most, however many there are.
pub const MAX_ATTEMPTS: usize = 8;

/// The servers a request was sent to, or refused by.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    positions: [u32; MAX_ATTEMPTS],
    count: usize,
    /// Whether it found no server the last time because of `adaptive-concurrency`.
    is_limited: bool,
    /// Whether the server that it belongs to was full the last time.
    is_home_full: bool,
}

impl Tried {
    /// How many were tried.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether it got no place the last time because as many requests were under way as the upstream gets at a time.
    pub fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Whether the server that its session belongs to had no place for it the last time: then it may go to another one this once.
    pub fn is_home_full(&self) -> bool {
        self.is_home_full
    }

    pub(crate) fn set_home_full(&mut self, is_full: bool) {
        self.is_home_full = is_full;
    }

    pub(crate) fn set_limited(&mut self, is_limited: bool) {
        self.is_limited = is_limited;
    }

    /// Forgets the one that was added last.
    pub(crate) fn remove_last(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// Whether the server at this position was tried.
    pub fn contains(&self, position: usize) -> bool {
        self.positions().any(|tried| tried == position)
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        let known = self.positions.iter().take(self.count);
        known.map(|position| *position as usize)
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.count >= MAX_ATTEMPTS
    }

    pub(crate) fn add(&mut self, position: usize) {
        if let (Some(slot), Ok(position)) =
            (self.positions.get_mut(self.count), u32::try_from(position))
        {
            *slot = position;
            self.count += 1;
        }
    }
}
