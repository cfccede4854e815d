//! What the pieces in braces of a path pattern stood for in one request.

/// Where in the request's path the captures of the rule that was found stand, in the order of the pattern.
///
/// Holds positions only, so it needs no allocation and no lifetime; the path they speak of is handed in again when a
/// text is wanted. It must be the path that was given to [`Router::find`](crate::Router::find).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    spans: [(u32, u32); Self::MAX],
    len: u8,
}

impl Captures {
    /// The most captures a path pattern may have.
    pub const MAX: usize = 16;

    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text of a capture, percent-encoded as it came: `index` counts as
    /// [`PathPattern::captures`](crate::PathPattern::captures) and [`Variable::Capture`](crate::Variable::Capture) do.
    pub fn get<'p>(&self, index: usize, path: &'p str) -> Option<&'p str> {
        let (start, end) = *self.spans.get(..usize::from(self.len))?.get(index)?;
        path.get(start as usize..end as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Beyond [`Self::MAX`], which patterns are checked against, and beyond 4 GiB nothing is kept.
    pub(crate) fn push(&mut self, start: usize, end: usize) {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else {
            return;
        };
        if let Some(slot) = self.spans.get_mut(usize::from(self.len)) {
            *slot = (start, end);
            self.len += 1;
        }
    }
}
