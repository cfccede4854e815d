//! What servers sent, on its way to clients.

use std::io::{self, IoSliceMut};

use quinn_udp::RecvMeta;
use rustix::net::{RecvFlags, recv};

use super::flow::Flow;
use super::runs::{Offload, Shape};
use super::server::ServerSocket;
use super::{BATCH, MAX_DATAGRAM, STRIDE};

/// Answers on their way to clients, gathered to be sent together.
#[derive(Debug)]
pub struct Answers {
    buffer: Vec<u8>,
    used: usize,
    list: Vec<Answer>,
    metas: [RecvMeta; BATCH],
}

/// One datagram.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) flow: Flow,
    pub(super) start: usize,
    pub(super) length: usize,
}

/// What was received of a server at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// What the kernel gave: datagrams, or runs of them that it merged.
    pub arrivals: usize,
    /// Datagrams.
    pub datagrams: usize,
    /// What they hold.
    pub bytes: usize,
    /// Whether there was no room for more: more may be there.
    pub is_full: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            buffer: vec![0; GATHERED + BATCH * STRIDE],
            used: 0,
            list: Vec::with_capacity(MAX_ANSWERS),
            metas: [RecvMeta::default(); BATCH],
        }
    }
}

impl Answers {
    /// Whether they have to be sent before there is room for others.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_ANSWERS || self.used >= GATHERED
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Receives datagrams of a server for the client of `flow`, not many more than `most`.
    ///
    /// # Errors
    /// The kernel's: `WouldBlock` where nothing is there, `ConnectionRefused` where the server's machine has said that
    /// nobody listens there.
    pub fn receive(
        &mut self,
        flow: Flow,
        from: &ServerSocket,
        most: usize,
        offload: &Offload,
    ) -> io::Result<Received> {
        if most > 1 || from.gives_runs() {
            return self.receive_runs(flow, from, most.clamp(1, BATCH), offload);
        }
        let room = self.buffer.get_mut(self.used..).unwrap_or_default();
        let (_, bytes) = recv(from, room, RecvFlags::DONTWAIT)?;
        self.push(flow, bytes);
        Ok(Received {
            arrivals: 1,
            datagrams: 1,
            bytes,
            is_full: true,
        })
    }

    fn receive_runs(
        &mut self,
        flow: Flow,
        from: &ServerSocket,
        most: usize,
        offload: &Offload,
    ) -> io::Result<Received> {
        let room = self.buffer.get_mut(self.used..).unwrap_or_default();
        let mut areas = room.chunks_mut(STRIDE).take(most).map(IoSliceMut::new);
        let mut places: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| areas.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let places = places.get_mut(..most).unwrap_or_default();
        let count = offload.receive(from, places, &mut self.metas)?;
        let mut received = Received {
            arrivals: count,
            is_full: count == most,
            ..Received::default()
        };
        let first = self.used;
        for place in 0..count {
            let Some(meta) = self.metas.get(place) else {
                break;
            };
            let shape = Shape::received(meta);
            let start = first + place * STRIDE;
            // One behind the other, as they are sent on.
            if start != self.used {
                self.buffer
                    .copy_within(start..start + shape.bytes, self.used);
            }
            received.bytes += shape.bytes;
            for length in shape.lengths() {
                self.push(flow, length);
                received.datagrams += 1;
            }
        }
        if received.datagrams > 1 {
            from.ask_for_runs();
        }
        Ok(received)
    }

    /// Notes the datagram that lies behind the others.
    fn push(&mut self, flow: Flow, length: usize) {
        self.list.push(Answer {
            flow,
            start: self.used,
            length,
        });
        self.used += length;
    }

    pub(super) fn list(&self) -> &[Answer] {
        &self.list
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.used = 0;
    }

    /// What these, which lie one behind the other, hold.
    pub(super) fn bytes(&self, answers: &[Answer]) -> &[u8] {
        let ends = answers.first().zip(answers.last());
        ends.and_then(|(first, last)| self.buffer.get(first.start..last.start + last.length))
            .unwrap_or_default()
    }
}

/// How many of the first go to one client and can be left to the kernel to cut, which takes up to `most`.
pub(super) fn run_length(list: &[Answer], most: usize) -> usize {
    let Some(first) = list.first() else { return 0 };
    let shape = |bytes| Shape {
        bytes,
        length: first.length,
    };
    let mut bytes = first.length;
    let others = list.iter().skip(1).take_while(|next| {
        let is_part =
            next.flow == first.flow && shape(bytes).takes(Shape::of_one(next.length), most);
        bytes += next.length;
        is_part
    });
    1 + others.count()
}

/// How many of the first are no part of a run.
pub(super) fn singles(list: &[Answer], most: usize) -> usize {
    (0..list.len())
        .find(|start| run_length(list.get(*start..).unwrap_or_default(), most) > 1)
        .unwrap_or(list.len())
}

/// Answers that are gathered before they are sent.
const MAX_ANSWERS: usize = 64;
/// Bytes that are gathered before they are sent.
const GATHERED: usize = 3 * MAX_DATAGRAM;
