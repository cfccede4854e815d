//! How a lookup has come to where it is, as a number.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

/// A hash of the steps from the host to a segment of the path. It is known from the request alone, so that the processor
/// can fetch all that lies along a way at once. Two ways may have the same one, which then leads to the rules of both.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Way(u64);

impl Way {
    /// Where rules begin that no host name finds.
    pub(super) const OTHERS: Self = Self(0);

    /// Where rules begin for a name, or for what names end with.
    pub(super) fn of(host: &str) -> Self {
        Self::OTHERS.by(host.as_bytes())
    }

    /// On by a segment that is this one.
    pub(super) fn literal(self, segment: &str) -> Self {
        self.by(segment.as_bytes())
    }

    /// On by a segment that may be any.
    pub(super) fn any_segment(self) -> Self {
        self.by(b"/")
    }

    /// On by a segment that begins so.
    pub(super) fn beginning(self, beginning: &[u8]) -> Self {
        self.any_segment().by(beginning)
    }

    fn by(self, step: &[u8]) -> Self {
        let mut hasher = FxHasher::default();
        hasher.write_u64(self.0);
        hasher.write(step);
        Self(hasher.finish())
    }
}
