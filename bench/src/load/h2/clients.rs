//! Clients of HTTP/2, closed loop: each stream's next request follows when its answer is whole.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::Call;
use super::fields::{self, Memory};
use super::frames::{self, Frame};
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
    memory: Memory,
    next_stream: u32,
    under_way: Vec<Stream>,
    /// What was received of a frame that is not yet whole.
    partial: Vec<u8>,
    /// Bytes of DATA that the other side takes.
    window: i64,
    /// Places in `under_way` whose requests wait for that.
    waiting: Vec<usize>,
    /// Bytes of DATA since the window was last widened.
    taken: u32,
    failed: bool,
}

/// How far the answer on a stream has come.
#[derive(Default)]
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
            for place in 0..self.streams {
                connection.under_way.push(Stream::default());
                connection.ask(place, &self.call, &mut self.out);
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
            memory: Memory::Fresh,
            next_stream: 1,
            under_way: Vec::new(),
            partial: Vec::new(),
            window: frames::WINDOW,
            waiting: Vec::new(),
            taken: 0,
            failed: false,
        }
    }

    /// Appends the next request of `place` to `out`, or has it wait for the window.
    fn ask(&mut self, place: usize, call: &Call, out: &mut Vec<u8>) {
        let length = i64::try_from(call.data.len()).unwrap_or(i64::MAX);
        if self.window < length {
            self.under_way[place] = Stream::default();
            return self.waiting.push(place);
        }
        self.window -= length;
        let id = self.next_stream;
        self.next_stream += 2;
        call.put(out, id, call.heads[self.head].next(&mut self.memory));
        self.under_way[place] = Stream {
            id,
            ..Stream::default()
        };
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
        match frame.kind {
            frames::HEADERS | frames::DATA => {}
            frames::WINDOW_UPDATE => {
                self.window += frames::widened(frame);
                for place in std::mem::take(&mut self.waiting) {
                    self.ask(place, call, out);
                }
                return Ok(false);
            }
            frames::GOAWAY => return Err("the connection is to be given up"),
            frames::RST_STREAM => return Err("a request was reset"),
            _ => {
                frames::answer(frame, &mut self.memory, out)?;
                return Ok(false);
            }
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
            frames::took(&mut self.taken, frame, out);
        }
        if frame.flags & frames::END_STREAM == 0 {
            return Ok(false);
        }
        if stream.received != call.answer {
            return Err("the answer is not as long as it should be");
        }
        if call.trailers && frame.kind != frames::HEADERS {
            return Err("the answer's trailers are missing");
        }
        self.ask(place, call, out);
        Ok(true)
    }
}

const SCRATCH: usize = 256 * 1024;
