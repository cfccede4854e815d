//! A worker's buffers: one scratch buffer that every receive goes through, and spare vectors for what must outlast it.
//!
//! A connection owns a buffer only while it holds part of a head, or bytes that the other side does not take yet. So
//! ten thousand idle connections cost none, and the bytes of a busy worker stay in the cache.

/// Where a worker receives. What is in it is used or copied before the task yields.
///
/// ```text
/// | headroom | received bytes … | tailroom |
/// ```
///
/// A response head is rewritten into the headroom, right before the body that came with the old one, so that both leave
/// in one send without the body being copied. The tailroom is for the end of a chunk.
#[derive(Debug)]
pub struct Scratch {
    bytes: Box<[u8]>,
}

impl Scratch {
    /// Bytes before the received ones.
    pub const HEADROOM: usize = 8 * 1024;
    /// Bytes received at most in one go.
    pub const READ: usize = 64 * 1024;
    /// Bytes after the received ones.
    pub const TAILROOM: usize = 16;

    /// Where a body is received.
    pub fn body_area(&mut self) -> &mut [u8] {
        self.area(Self::READ)
    }

    /// Where a request head is received: smaller, as what came with the head is copied.
    pub fn head_area(&mut self) -> &mut [u8] {
        self.area(Self::READ / 4)
    }

    /// What was received: the first `length` bytes of the area.
    pub fn received(&self, length: usize) -> &[u8] {
        self.bytes
            .get(Self::HEADROOM..Self::HEADROOM + length.min(Self::READ))
            .unwrap_or_default()
    }

    /// Puts `before` right before the received byte at `start` and `after` right after the one before `end`, and returns
    /// all of it as one run; `None` where there is no room. Overwrites what was received outside `start..end`.
    pub fn framed(
        &mut self,
        before: &[u8],
        start: usize,
        end: usize,
        after: &[u8],
    ) -> Option<&[u8]> {
        let first = (Self::HEADROOM + start).checked_sub(before.len())?;
        let last = Self::HEADROOM + end + after.len();
        self.bytes
            .get_mut(first..first + before.len())?
            .copy_from_slice(before);
        self.bytes
            .get_mut(Self::HEADROOM + end..last)?
            .copy_from_slice(after);
        self.bytes.get(first..last)
    }

    fn area(&mut self, length: usize) -> &mut [u8] {
        self.bytes
            .get_mut(Self::HEADROOM..Self::HEADROOM + length)
            .unwrap_or_default()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        let length = Self::HEADROOM + Self::READ + Self::TAILROOM;
        Self {
            bytes: vec![0; length].into_boxed_slice(),
        }
    }
}

/// Spare vectors of a worker, so that a request allocates none.
#[derive(Debug, Default)]
pub struct Buffers {
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    /// An empty vector.
    pub fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a vector back, unless it has grown beyond what the next request needs.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        if (1..=LARGEST_KEPT).contains(&buffer.capacity()) && self.spare.len() < MOST_KEPT {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

const MOST_KEPT: usize = 256;
const LARGEST_KEPT: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_happens_in_place() {
        let mut scratch = Scratch::default();
        scratch.body_area()[..9].copy_from_slice(b"old\nhello");
        let run = scratch.framed(b"new head\n", 4, 9, b"\r\n");
        assert_eq!(run, Some(b"new head\nhello\r\n".as_slice()));
    }

    #[test]
    fn no_room_is_said() {
        let mut scratch = Scratch::default();
        let long = vec![0; Scratch::HEADROOM + 5];
        assert!(scratch.framed(&long, 4, 9, b"").is_none());
        assert!(scratch.framed(&long, 5, 9, b"").is_some());
        let long = vec![0; Scratch::TAILROOM + 1];
        assert!(scratch.framed(b"", 0, Scratch::READ, &long).is_none());
    }

    #[test]
    fn large_vectors_are_not_kept() {
        let mut buffers = Buffers::default();
        buffers.give_back(Vec::with_capacity(100));
        buffers.give_back(Vec::with_capacity(LARGEST_KEPT + 1));
        buffers.give_back(Vec::new());
        assert!(buffers.take().capacity() >= 100);
        assert_eq!(buffers.take().capacity(), 0);
    }
}
