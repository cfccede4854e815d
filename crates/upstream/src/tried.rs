//! Which servers a request has had.

/// How many servers one request tries at most, however many there are.
pub const MAX_ATTEMPTS: usize = 8;

/// The servers a request was sent to, or refused by.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    positions: [u32; MAX_ATTEMPTS],
    count: usize,
}

impl Tried {
    /// How many were tried.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn contains(&self, position: usize) -> bool {
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
