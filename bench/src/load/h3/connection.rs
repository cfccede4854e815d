//! One connection of HTTP/3: its QUIC, its socket, and the requests under way on it.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use bytes::BytesMut;
use quinn_proto::{
    ConnectionHandle, DatagramEvent, Dir, Endpoint, Event, ReadError, Side, StreamEvent, StreamId,
};

use super::messages;

/// A connection with as many requests under way as it is told to, always.
pub(super) struct Connection {
    pub(super) socket: UdpSocket,
    quic: quinn_proto::Connection,
    handle: ConnectionHandle,
    request: Vec<u8>,
    body_length: usize,
    /// Requests that are to be under way and are not, as the other side allows no more streams.
    owed: usize,
    /// What there is of each answer.
    under_way: HashMap<StreamId, Vec<u8>>,
    /// When to look after it though nothing came.
    pub(super) due: Option<Instant>,
    pub(super) failed: bool,
}

/// What connections read and write with.
pub(super) struct Space {
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl Connection {
    /// One that makes `streams` copies of `request` when it is there.
    pub(super) fn new(
        socket: UdpSocket,
        (handle, quic): (ConnectionHandle, quinn_proto::Connection),
        request: Vec<u8>,
        body_length: usize,
        streams: usize,
    ) -> Self {
        Self {
            socket,
            quic,
            handle,
            request,
            body_length,
            owed: streams,
            under_way: HashMap::new(),
            due: None,
            failed: false,
        }
    }

    /// Takes what came; how many answers became whole by that.
    pub(super) fn receive(
        &mut self,
        endpoint: &mut Endpoint,
        space: &mut Space,
    ) -> Result<u64, &'static str> {
        let now = Instant::now();
        let remote = self.quic.remote_address();
        loop {
            let length = match self.socket.recv(&mut space.received) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err("nobody is there"),
            };
            let datagram = BytesMut::from(&space.received[..length]);
            space.sent.clear();
            let event = endpoint.handle(now, remote, None, None, datagram, &mut space.sent);
            if let Some(DatagramEvent::ConnectionEvent(handle, event)) = event
                && handle == self.handle
            {
                self.quic.handle_event(event);
            }
        }
        self.drive(now, endpoint, space)
    }

    /// Does what is due by now.
    pub(super) fn wake(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        space: &mut Space,
    ) -> Result<u64, &'static str> {
        self.quic.handle_timeout(now);
        self.drive(now, endpoint, space)
    }

    /// Acts on what happened, and sends what that brings about.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        space: &mut Space,
    ) -> Result<u64, &'static str> {
        let mut completed = 0;
        while let Some(event) = self.quic.poll() {
            completed += self.act(&event)?;
        }
        while let Some(event) = self.quic.poll_endpoint_events() {
            if let Some(event) = endpoint.handle_event(self.handle, event) {
                self.quic.handle_event(event);
            }
        }
        loop {
            space.sent.clear();
            let Some(transmit) = self.quic.poll_transmit(now, 1, &mut space.sent) else {
                break;
            };
            // A datagram that is lost is sent again when that shows.
            let _ = self.socket.send(&space.sent[..transmit.size]);
        }
        self.due = self.quic.poll_timeout();
        Ok(completed)
    }

    fn act(&mut self, event: &Event) -> Result<u64, &'static str> {
        match *event {
            Event::Connected => {
                let control = self.quic.streams().open(Dir::Uni);
                let control = control.ok_or("no control stream is allowed")?;
                self.send(control, &messages::control())?;
                self.ask()?;
            }
            Event::ConnectionLost { .. } => return Err("the connection was lost"),
            Event::Stream(StreamEvent::Available { dir: Dir::Bi }) => self.ask()?,
            Event::Stream(StreamEvent::Opened { dir }) => {
                let mut completed = 0;
                while let Some(stream) = self.quic.streams().accept(dir) {
                    completed += self.read(stream)?;
                }
                return Ok(completed);
            }
            Event::Stream(StreamEvent::Readable { id }) => return self.read(id),
            Event::Stream(StreamEvent::Stopped { .. }) => return Err("a request was refused"),
            _ => {}
        }
        Ok(0)
    }

    /// Makes the requests that are owed, as far as streams are allowed.
    fn ask(&mut self) -> Result<(), &'static str> {
        let request = std::mem::take(&mut self.request);
        while self.owed > 0
            && let Some(stream) = self.quic.streams().open(Dir::Bi)
        {
            self.owed -= 1;
            self.send(stream, &request)?;
            let finished = self.quic.send_stream(stream).finish();
            finished.map_err(|_| "a request could not be ended")?;
            self.under_way.insert(stream, Vec::new());
        }
        self.request = request;
        Ok(())
    }

    /// Messages are few and short, so they go whole.
    fn send(&mut self, stream: StreamId, message: &[u8]) -> Result<(), &'static str> {
        match self.quic.send_stream(stream).write(message) {
            Ok(length) if length == message.len() => Ok(()),
            Ok(_) | Err(_) => Err("a message could not be sent"),
        }
    }

    /// 1 when an answer is whole by what came on `stream`, and the next request made.
    fn read(&mut self, stream: StreamId) -> Result<u64, &'static str> {
        // What the other side says on streams of its own, settings above all, changes nothing.
        let mut unheeded = Vec::new();
        let answer = if stream.initiator() == Side::Server {
            &mut unheeded
        } else if let Some(answer) = self.under_way.get_mut(&stream) {
            answer
        } else {
            // Told of twice, and over since the first time.
            return Ok(0);
        };
        let mut source = self.quic.recv_stream(stream);
        let Ok(mut chunks) = source.read(true) else {
            return Ok(0);
        };
        let ended = loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => answer.extend_from_slice(&chunk.bytes),
                Ok(None) => break Ok(true),
                Err(ReadError::Blocked) => break Ok(false),
                Err(ReadError::Reset(_)) => break Err("an answer was reset"),
            }
        };
        // Whether windows are to be widened shows when it is asked for what to send.
        let _ = chunks.finalize();
        if !ended? {
            return Ok(0);
        }
        let Some(answer) = self.under_way.remove(&stream) else {
            return Err("a stream of the connection itself ended");
        };
        if messages::body_length(&answer)? != self.body_length {
            return Err("the answer is not as long as it should be");
        }
        self.owed += 1;
        self.ask()?;
        Ok(1)
    }
}

impl Default for Space {
    fn default() -> Self {
        Self {
            received: vec![0; LARGEST],
            sent: Vec::new(),
        }
    }
}

/// More than a datagram on loopback has.
const LARGEST: usize = 64 * 1024;
