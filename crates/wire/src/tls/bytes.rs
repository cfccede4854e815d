//! Taking bytes and length-prefixed vectors off the front of a message.

/// What is left of a message. Whatever is taken beyond the end is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number8(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(*first))
    }

    pub(super) fn number16(&mut self) -> Option<usize> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(usize::from(u16::from_be_bytes(*taken)))
    }

    /// A vector with one byte of length before it.
    pub(super) fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = self.number8()?;
        self.take(length)
    }

    /// A vector with two bytes of length before it.
    pub(super) fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.number16()?;
        self.take(length)
    }
}
