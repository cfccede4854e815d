//! Runs of datagrams, which cross the border to the kernel as one: cut by it on the way out (`UDP_SEGMENT`), merged by it on the
//! way in (`UDP_GRO`). What leaves the machine, and what came to it, are the datagrams one by one.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};

/// Datagrams one behind the other in memory, all of one length but for the last, which may be shorter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run<'a> {
    bytes: &'a [u8],
    length: usize,
    count: usize,
}

impl<'a> Run<'a> {
    /// At least one datagram: without bytes it is an empty one.
    pub(super) fn new(bytes: &'a [u8], length: usize) -> Self {
        Self {
            bytes,
            length,
            count: bytes.len().div_ceil(length.max(1)).max(1),
        }
    }

    /// How many datagrams.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What they hold together.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first, which may be empty.
    pub fn first(&self) -> Option<&'a [u8]> {
        let first = self.bytes.get(..self.length).unwrap_or(self.bytes);
        (self.count > 0).then_some(first)
    }

    /// Takes off the first `count`, or all where there are no more.
    #[must_use]
    pub fn take_first(&mut self, count: usize) -> Self {
        let count = count.min(self.count);
        let end = count.saturating_mul(self.length).min(self.bytes.len());
        let (bytes, rest) = self.bytes.split_at_checked(end).unwrap_or_default();
        self.bytes = rest;
        self.count -= count;
        Self {
            bytes,
            count,
            ..*self
        }
    }

    /// The datagrams, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = *self;
        std::iter::from_fn(move || rest.take_first(1).first())
    }
}

/// What a run can hold, and whether it can grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Bytes in all.
    pub(super) bytes: usize,
    /// Bytes of each datagram but for the last.
    pub(super) length: usize,
}

impl Shape {
    pub(super) fn of_one(bytes: usize) -> Self {
        Self {
            bytes,
            length: bytes,
        }
    }

    pub(super) fn received(meta: &RecvMeta) -> Self {
        Self {
            bytes: meta.len,
            length: meta.stride.min(meta.len),
        }
    }

    /// The datagrams' lengths: one at least.
    pub(super) fn lengths(self) -> impl Iterator<Item = usize> {
        let starts = (0..self.bytes.max(1)).step_by(self.length.max(1));
        starts.map(move |start| self.length.min(self.bytes - start))
    }

    /// Whether what follows can be a part of the same run, of which the kernel takes up to `most` datagrams.
    pub(super) fn takes(self, next: Self, most: usize) -> bool {
        let bytes = self.bytes + next.bytes;
        let is_one = next.bytes == next.length;
        let is_alike = next.length == self.length || is_one && next.bytes < self.length;
        is_alike
            && next.bytes > 0
            && (1..=MAX_SEGMENT).contains(&self.length)
            && self.bytes.is_multiple_of(self.length)
            && bytes <= MAX_RUN
            && bytes.div_ceil(self.length) <= most
    }
}

/// Runs of datagrams to and from servers, for as long as the kernel takes them.
#[derive(Debug)]
pub struct Offload {
    state: UdpSocketState,
}

impl Offload {
    /// Asks the kernel what it can do.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            state: UdpSocketState::new((&probe).into())?,
        })
    }

    /// Datagrams that one run can hold: 1 where the kernel, or a device, does not cut them.
    pub(super) fn most(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// How many of the first datagrams of a run can go at once.
    pub(super) fn share(&self, run: &Run<'_>) -> usize {
        if (1..=MAX_SEGMENT).contains(&run.length) {
            run.count.min(self.most()).min(MAX_RUN / run.length)
        } else {
            run.count.min(1)
        }
    }

    pub(super) fn send(&self, socket: &impl AsFd, to: SocketAddr, run: &Run<'_>) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: run.bytes,
            segment_size: Some(run.length),
            src_ip: None,
        };
        self.state.try_send(socket.into(), &transmit)
    }

    pub(super) fn receive(
        &self,
        socket: &impl AsFd,
        places: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        self.state.recv(socket.into(), places, metas)
    }
}

/// The longest datagram that is left to the kernel to cut off a run: more than fits into an Ethernet frame is refused by it.
const MAX_SEGMENT: usize = 1_452;
/// What one system call sends in a run, headers left out.
const MAX_RUN: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(run: &Run<'_>) -> Vec<usize> {
        let lengths: Vec<_> = run.iter().map(<[u8]>::len).collect();
        assert_eq!(lengths.len(), run.len());
        assert_eq!(lengths.iter().sum::<usize>(), run.bytes().len());
        lengths
    }

    #[test]
    fn what_is_taken_off_is_gone() {
        let bytes: Vec<u8> = (0..25).collect();
        let mut run = Run::new(&bytes, 10);
        assert_eq!(lengths(&run), [10, 10, 5]);
        assert_eq!(lengths(&run.take_first(0)), [] as [usize; 0]);
        assert_eq!(run.take_first(2).bytes(), &bytes[..20]);
        assert_eq!(run.first(), Some(&bytes[20..]));
        assert_eq!(lengths(&run.take_first(9)), [5]);
        assert!(run.is_empty());
        assert_eq!(run.first(), None);
        assert_eq!(lengths(&run), [] as [usize; 0]);
    }

    #[test]
    fn an_empty_datagram_is_one() {
        let mut run = Run::new(&[], 0);
        assert_eq!(lengths(&run), [0]);
        assert_eq!(lengths(&run.take_first(1)), [0]);
        assert!(run.is_empty() && Run::default().is_empty());
    }

    #[test]
    fn only_the_last_is_shorter() {
        let takes = |bytes, length, next, each| {
            let shape = Shape { bytes, length };
            let next = Shape {
                bytes: next,
                length: each,
            };
            shape.takes(next, 64)
        };
        assert!(takes(100, 100, 100, 100));
        assert!(takes(200, 100, 300, 100), "more of the same");
        assert!(takes(200, 100, 250, 100), "and a shorter one behind them");
        assert!(takes(200, 100, 7, 7), "a shorter one");
        assert!(!takes(207, 100, 100, 100), "behind the shorter one");
        assert!(!takes(100, 100, 101, 101), "a longer one");
        assert!(!takes(200, 100, 20, 10), "two shorter ones");
        assert!(!takes(100, 100, 0, 0), "an empty one");
        assert!(!takes(0, 0, 0, 0), "two empty ones");
        assert!(!takes(0, 0, 100, 100), "behind an empty one");
        assert!(!takes(1_453, 1_453, 1_453, 1_453), "too long for a frame");
        assert!(takes(630, 10, 10, 10) && !takes(640, 10, 10, 10));
        assert!(!takes(64_960, 1_015, 41, 41), "too long in all");
    }
}
