//! What servers sent, on its way to clients.

use std::io;

use rustix::net::{RecvFlags, recv};

use super::MAX_DATAGRAM;
use super::flow::Flow;
use super::server::ServerSocket;

/// Answers on their way to clients, gathered to be sent together.
#[derive(Debug)]
pub struct Answers {
    buffer: Vec<u8>,
    pub(super) used: usize,
    pub(super) list: Vec<Answer>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) flow: Flow,
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            buffer: vec![0; 4 * MAX_DATAGRAM],
            used: 0,
            list: Vec::with_capacity(MAX_ANSWERS),
        }
    }
}

impl Answers {
    /// Whether they have to be sent before there is room for another.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_ANSWERS || self.buffer.len() - self.used < MAX_DATAGRAM
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Receives one datagram of a server for the client of `flow`; its length.
    ///
    /// # Errors
    /// The kernel's: `WouldBlock` where nothing is there, `ConnectionRefused` where the server's machine has said that
    /// nobody listens there.
    pub fn receive(&mut self, flow: Flow, from: &ServerSocket) -> io::Result<usize> {
        let room = self.buffer.get_mut(self.used..).unwrap_or_default();
        let (_, length) = recv(from, room, RecvFlags::DONTWAIT)?;
        self.list.push(Answer {
            flow,
            start: self.used,
            length,
        });
        self.used += length;
        Ok(length)
    }

    pub(super) fn bytes(&self, answer: &Answer) -> &[u8] {
        self.area(answer.start, answer.length)
    }

    pub(super) fn area(&self, start: usize, length: usize) -> &[u8] {
        self.buffer.get(start..start + length).unwrap_or_default()
    }

    pub(super) fn has_runs(&self, most: usize) -> bool {
        let mut pairs = self.list.windows(2);
        pairs.any(|pair| run_length(pair, most) > 1)
    }
}

/// How many of the first go to one client and can be left to the kernel to cut: all as long as the first, but for the
/// last, which may be shorter.
pub(super) fn run_length(list: &[Answer], most: usize) -> usize {
    let Some(first) = list.first() else { return 0 };
    if first.length == 0 || first.length > MAX_SEGMENT {
        return 1;
    }
    let most = most.min(MAX_RUN / first.length);
    let fits = |answer: &&Answer| answer.flow == first.flow && answer.length == first.length;
    let equal = list.iter().take(most).take_while(fits).count();
    let is_tail =
        |answer: &Answer| answer.flow == first.flow && (1..first.length).contains(&answer.length);
    if equal < most && list.get(equal).is_some_and(is_tail) {
        equal + 1
    } else {
        equal.max(1)
    }
}

/// Answers that are gathered before they are sent.
const MAX_ANSWERS: usize = 64;
/// The longest segment that is left to the kernel to cut: more than fits into an Ethernet frame is refused by it.
const MAX_SEGMENT: usize = 1_452;
/// What one system call sends in segments, headers left out.
const MAX_RUN: usize = 65_000;
