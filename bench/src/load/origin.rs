//! The servers behind the proxies, as cheap as they can be: prepared answers,
//! one receive and one send a request, no parsing beyond the path and the end
//! of the head.
//!
//! It shares one thread and one epoll with the load generator, so that no
//! time goes into switching between the two.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use slab::Slab;

use super::h2;
use super::poll::{EDGES, EventFlags, Poll};
use super::socket::{self, Moved};

/// What the servers do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Answers calls of gRPC, in HTTP/2 in the clear.
    Grpc,
    /// Answers `GET /SIZE`, with or without segments before it, with a body of that size, keep-alive; and [`SEEN`] with the server's address
    /// and the head that it got.
    Http,
    /// Sends without end once anything has been received.
    Source,
    /// Sends back what it receives.
    Echo,
}

/// The servers of one load thread.
pub(crate) struct Origin {
    service: Service,
    listeners: Vec<OwnedFd>,
    connections: Slab<Connection>,
    answers: Vec<Answer>,
    scratch: Vec<u8>,
    block: Vec<u8>,
    reply: h2::Reply,
}

struct Connection {
    socket: OwnedFd,
    /// What came of a head that is not yet whole.
    head: Vec<u8>,
    /// Index into `answers`, and how much of it has left; none when nothing waits.
    unsent: Option<(usize, usize)>,
    flowing: bool,
    /// What there is of HTTP/2 where that is spoken.
    calls: Option<Box<h2::Calls>>,
}

struct Answer {
    size: usize,
    bytes: Vec<u8>,
}

impl Origin {
    /// Listens on `addresses`, which other threads may share.
    pub(crate) fn new(service: Service, addresses: &[SocketAddr], poll: &Poll) -> io::Result<Self> {
        let listeners = addresses
            .iter()
            .map(|&address| socket::listen(address))
            .collect::<io::Result<Vec<_>>>()?;
        for (index, listener) in listeners.iter().enumerate() {
            poll.add(listener, LISTENER | index as u64, EventFlags::IN)?;
        }
        Ok(Self {
            service,
            listeners,
            connections: Slab::new(),
            answers: Vec::new(),
            scratch: vec![0; SCRATCH],
            block: vec![b'x'; BLOCK],
            reply: h2::Reply::new(),
        })
    }

    /// Acts on one event of a token in [`LISTENER`] or [`CONNECTION`].
    pub(crate) fn ready(&mut self, token: u64, flags: EventFlags, poll: &Poll) {
        let index = usize::try_from(token & INDEX).unwrap_or(usize::MAX);
        if token & LISTENER != 0 {
            self.accept(index, poll);
        } else if self.connections.contains(index) && !self.serve(index, flags, poll) {
            self.connections.remove(index);
        }
    }

    fn accept(&mut self, index: usize, poll: &Poll) {
        while let Some(socket) = self.listeners.get(index).and_then(socket::accept) {
            let flags = if self.service == Service::Source {
                EventFlags::IN
            } else {
                EDGES
            };
            let entry = self.connections.vacant_entry();
            if poll
                .add(&socket, CONNECTION | entry.key() as u64, flags)
                .is_ok()
            {
                entry.insert(Connection {
                    socket,
                    head: Vec::new(),
                    unsent: None,
                    flowing: false,
                    calls: (self.service == Service::Grpc).then(|| Box::new(h2::Calls::new())),
                });
            }
        }
    }

    /// False when the connection is to be closed.
    fn serve(&mut self, index: usize, flags: EventFlags, poll: &Poll) -> bool {
        match self.service {
            Service::Http => self.answer(index, flags),
            Service::Grpc => self.answer_calls(index, flags),
            Service::Source => self.pour(index, flags, poll),
            Service::Echo => self.echo(index, flags),
        }
    }

    fn answer(&mut self, index: usize, flags: EventFlags) -> bool {
        let connection = &mut self.connections[index];
        if let Some((answer, from)) = connection.unsent
            && !connection.write(&self.answers, answer, from)
        {
            return false;
        }
        if !flags.intersects(EventFlags::IN) {
            return !flags.intersects(EventFlags::ERR);
        }
        let length = match socket::receive(&connection.socket, &mut self.scratch) {
            Moved::Bytes(0) | Moved::Broken => return false,
            Moved::WouldBlock => return true,
            Moved::Bytes(length) => length,
        };
        let received = &self.scratch[..length];
        let kept;
        let head = if connection.head.is_empty() && received.ends_with(b"\r\n\r\n") {
            received
        } else {
            connection.head.extend_from_slice(received);
            if !connection.head.ends_with(b"\r\n\r\n") {
                return connection.head.len() < SCRATCH;
            }
            kept = std::mem::take(&mut connection.head);
            &kept
        };
        let Some(size) = requested_size(head) else {
            return connection.show(head);
        };
        let answer = prepared(&mut self.answers, size);
        self.connections[index].write(&self.answers, answer, 0)
    }

    fn answer_calls(&mut self, index: usize, flags: EventFlags) -> bool {
        let connection = &mut self.connections[index];
        let Some(calls) = &mut connection.calls else {
            return false;
        };
        calls.serve(&connection.socket, flags, &self.reply, &mut self.scratch)
    }

    fn pour(&mut self, index: usize, flags: EventFlags, poll: &Poll) -> bool {
        let connection = &mut self.connections[index];
        if flags.intersects(EventFlags::RDHUP | EventFlags::ERR | EventFlags::HUP) {
            return false;
        }
        if flags.intersects(EventFlags::IN) && !connection.flowing {
            if !matches!(
                socket::receive(&connection.socket, &mut self.scratch),
                Moved::Bytes(1..)
            ) {
                return false;
            }
            connection.flowing = true;
            let flags = EventFlags::OUT | EventFlags::RDHUP;
            if poll
                .modify(&connection.socket, CONNECTION | index as u64, flags)
                .is_err()
            {
                return false;
            }
        }
        !connection.flowing || socket::send(&connection.socket, &self.block) != Moved::Broken
    }

    fn echo(&mut self, index: usize, flags: EventFlags) -> bool {
        let connection = &self.connections[index];
        if !flags.intersects(EventFlags::IN) {
            return !flags.intersects(EventFlags::ERR | EventFlags::HUP);
        }
        match socket::receive(&connection.socket, &mut self.scratch) {
            Moved::Bytes(0) | Moved::Broken => false,
            Moved::WouldBlock => true,
            // What is echoed is far below a socket's buffer, so it leaves whole or not at all.
            Moved::Bytes(length) => {
                socket::send(&connection.socket, &self.scratch[..length]) == Moved::Bytes(length)
                    && !flags.intersects(EventFlags::RDHUP)
            }
        }
    }
}

impl Connection {
    /// Answers with what was received, where that was asked for. False when the connection is to be closed.
    #[cold]
    fn show(&self, head: &[u8]) -> bool {
        let path = head.split(|&byte| byte == b' ').nth(1);
        if !path.is_some_and(|path| path.ends_with(SEEN.as_bytes())) {
            return false;
        }
        let Ok(address) = socket::local_address(&self.socket) else {
            return false;
        };
        let seen = [format!("{address}\r\n").as_bytes(), head].concat();
        let answer = with_body(&seen);
        socket::send(&self.socket, &answer) == Moved::Bytes(answer.len())
    }

    /// False when the connection broke.
    fn write(&mut self, answers: &[Answer], answer: usize, mut from: usize) -> bool {
        let bytes = &answers[answer].bytes;
        while from < bytes.len() {
            match socket::send(&self.socket, &bytes[from..]) {
                Moved::Bytes(length) => from += length,
                Moved::WouldBlock => {
                    self.unsent = Some((answer, from));
                    return true;
                }
                Moved::Broken => return false,
            }
        }
        self.unsent = None;
        true
    }
}

/// Addresses on free ports of loopback for `count` servers.
pub(crate) fn addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    // Held together until all are known, so that no port is given twice.
    let held = (0..count)
        .map(|_| socket::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
        .collect::<io::Result<Vec<_>>>()?;
    held.iter().map(socket::local_address).collect()
}

/// The body's length in bytes that `GET /128` or `GET /64k` asks for.
fn requested_size(head: &[u8]) -> Option<usize> {
    let path = head.strip_prefix(b"GET /")?;
    let path = &path[..memchr::memchr(b' ', path)?];
    let last = memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..]);
    let digits = last.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: usize = std::str::from_utf8(&last[..digits]).ok()?.parse().ok()?;
    let unit = if last.get(digits) == Some(&b'k') {
        1024
    } else {
        1
    };
    Some(number * unit).filter(|&size| size <= LARGEST)
}

/// Where in `answers` the one with a body of `size` bytes is, made when it is missing.
fn prepared(answers: &mut Vec<Answer>, size: usize) -> usize {
    if let Some(found) = answers.iter().position(|answer| answer.size == size) {
        return found;
    }
    let bytes = with_body(&vec![b'x'; size]);
    answers.push(Answer { size, bytes });
    answers.len() - 1
}

/// An answer with this body.
fn with_body(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 256);
    // Writing into memory does not fail.
    let _ = write!(
        bytes,
        "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sat, 01 Jan 2022 00:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n\
         Cache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    bytes.extend_from_slice(body);
    bytes
}

/// What a path ends with to be answered with what was received.
pub(crate) const SEEN: &str = "/seen";

/// Token bit of a server's listening socket.
pub(crate) const LISTENER: u64 = 1 << 62;
/// Token bit of a server's connection.
pub(crate) const CONNECTION: u64 = 1 << 61;
const INDEX: u64 = CONNECTION - 1;
const SCRATCH: usize = 64 * 1024;
const BLOCK: usize = 256 * 1024;
const LARGEST: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_the_size() {
        assert_eq!(requested_size(b"GET /128 HTTP/1.1\r\n\r\n"), Some(128));
        assert_eq!(requested_size(b"GET /64k HTTP/1.1\r\n\r\n"), Some(65536));
        assert_eq!(requested_size(b"GET /a/1/128 HTTP/1.1\r\n\r\n"), Some(128));
        assert_eq!(requested_size(b"GET /1/seen HTTP/1.1\r\n\r\n"), None);
        assert_eq!(requested_size(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(requested_size(b"POST /1 HTTP/1.1\r\n\r\n"), None);
        assert_eq!(requested_size(b"GET /99999999999 HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn an_answer_is_made_once_and_has_its_length() {
        let mut answers = Vec::new();
        assert_eq!(prepared(&mut answers, 128), prepared(&mut answers, 128));
        assert_eq!(answers.len(), 1);
        let head = memchr::memmem::find(&answers[0].bytes, b"\r\n\r\n").unwrap();
        assert_eq!(answers[0].bytes.len(), head + 4 + 128);
    }
}
