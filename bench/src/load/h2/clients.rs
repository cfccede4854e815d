//! Clients of HTTP/2, closed loop: each stream's next request follows when its answer is whole.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::frames::{self, Frame};
use super::{Call, fields};
use crate::load::flow::{Door, Flow};
use crate::load::poll::{EDGES, EventFlags, Poll};
use crate::load::socket::Moved;
use crate::load::{Clients, Tally};

/// Connections with as many requests under way on each, always.
pub(crate) struct H2Clients {
    door: Door,
    call: Call,
    count: usize,
    streams: usize,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
    out: Vec<u8>,
    completed: u64,
}

struct Connection {
    flow: Flow,
    /// Which of the call's heads it sends.
    head: usize,
    next_stream: u32,
    under_way: Vec<Stream>,
    /// What was received of a frame that is not yet whole.
    partial: Vec<u8>,
    /// Bytes of DATA since the window was last widened.
    taken: u32,
    failed: bool,
}

/// How far the answer on a stream has come.
struct Stream {
    id: u32,
    headed: bool,
    received: usize,
}

impl H2Clients {
    /// `count` connections by `door`, with `streams` requests under way on each.
    pub(crate) fn new(door: Door, call: Call, count: usize, streams: usize) -> Self {
        Self {
            door,
            call,
            count,
            streams,
            connections: Vec::new(),
            scratch: vec![0; SCRATCH],
            out: Vec::new(),
            completed: 0,
        }
    }
}

impl Clients for H2Clients {
    fn start(&mut self, poll: &Poll) -> io::Result<()> {
        for index in 0..self.count {
            let mut connection = Connection::new(self.door.open()?, index % self.call.heads.len());
            self.out.clear();
            frames::begin_client(&mut self.out);
            for _ in 0..self.streams {
                let stream = connection.ask(&self.call, &mut self.out);
                connection.under_way.push(stream);
            }
            if connection.flow.send(&self.out) != Moved::Bytes(self.out.len()) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            poll.add(&connection.flow, index as u64, EDGES)?;
            self.connections.push(connection);
        }
        Ok(())
    }

    fn ready(&mut self, token: u64, flags: EventFlags, _: &Poll, tally: &Tally) {
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return;
        }
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        if connection.failed {
            return;
        }
        self.out.clear();
        match connection.advance(&self.call, &mut self.scratch, &mut self.out) {
            Ok(completed) => self.completed += completed,
            Err(why) => {
                // The round does not count any more, so nothing takes its place.
                connection.failed = true;
                tally.fail(why);
            }
        }
    }

    fn turn(&mut self, _: &Poll, tally: &Tally) {
        let completed = std::mem::take(&mut self.completed);
        tally.completed.fetch_add(completed, Relaxed);
    }
}

impl Connection {
    fn new(flow: Flow, head: usize) -> Self {
        Self {
            flow,
            head,
            next_stream: 1,
            under_way: Vec::new(),
            partial: Vec::new(),
            taken: 0,
            failed: false,
        }
    }

    /// Appends a request to `out`; the stream it is on.
    fn ask(&mut self, call: &Call, out: &mut Vec<u8>) -> Stream {
        let id = self.next_stream;
        self.next_stream += 2;
        let head = &call.heads[self.head];
        let block = if id == 1 { &head.first } else { &head.later };
        let flags = frames::END_HEADERS | frames::END_STREAM;
        frames::put(out, frames::HEADERS, flags, id, block);
        Stream {
            id,
            headed: false,
            received: 0,
        }
    }

    /// Takes what has come, and asks anew for each answer that is whole; how many were.
    fn advance(
        &mut self,
        call: &Call,
        scratch: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<u64, &'static str> {
        let mut completed = 0;
        loop {
            let length = match self.flow.receive(scratch) {
                Moved::Bytes(0) => return Err("the connection was closed"),
                Moved::Broken => return Err("the connection was reset"),
                Moved::WouldBlock => break,
                Moved::Bytes(length) => length,
            };
            let mut partial = std::mem::take(&mut self.partial);
            let mut rest = &scratch[..length];
            if !partial.is_empty() {
                partial.extend_from_slice(rest);
                rest = &partial;
            }
            while let Some(frame) = frames::next(&mut rest) {
                if self.take(&frame, call, out)? {
                    completed += 1;
                }
            }
            self.partial = rest.to_vec();
            // A plain socket is empty when it gives less than there is room for, and tells of what comes next.
            if length < scratch.len() && matches!(self.flow, Flow::Plain(_)) {
                break;
            }
        }
        // Requests are few and short, so they leave whole.
        if !out.is_empty() && self.flow.send(out) != Moved::Bytes(out.len()) {
            return Err("a request could not be sent");
        }
        Ok(completed)
    }

    /// True when `frame` makes an answer whole.
    fn take(
        &mut self,
        frame: &Frame<'_>,
        call: &Call,
        out: &mut Vec<u8>,
    ) -> Result<bool, &'static str> {
        if frame.kind != frames::HEADERS && frame.kind != frames::DATA {
            frames::answer(frame, out)?;
            return Ok(false);
        }
        if frame.flags & (frames::PADDED | frames::PRIORITY) != 0 {
            return Err("an answer is padded");
        }
        let place = self
            .under_way
            .iter()
            .position(|stream| stream.id == frame.stream)
            .ok_or("an answer to nothing")?;
        let stream = &mut self.under_way[place];
        if frame.kind == frames::HEADERS {
            if frame.flags & frames::END_HEADERS == 0 {
                return Err("the answer's head is in parts");
            }
            if !stream.headed && !fields::is_ok(frame.payload) {
                return Err("the answer is not 200");
            }
            stream.headed = true;
        } else {
            stream.received += frame.payload.len();
            self.taken += u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
            if self.taken >= frames::WIDENED {
                self.taken -= frames::WIDENED;
                frames::widen(out);
            }
        }
        if frame.flags & frames::END_STREAM == 0 {
            return Ok(false);
        }
        if stream.received != call.answer {
            return Err("the answer is not as long as it should be");
        }
        self.under_way[place] = self.ask(call, out);
        Ok(true)
    }
}

const SCRATCH: usize = 256 * 1024;
