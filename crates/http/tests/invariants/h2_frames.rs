//! What must hold of a connection of HTTP/2, whatever the other side sends on it.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use sluice_http::exchange::{Exchange, Receiving, Sending};
use sluice_http::h2::{Event, Http2Connection, PREFACE, Request, Settings};
use sluice_net::{Layered, Stream};
use sluice_wire::h1::{FieldStorage, Limits, parse_request, parse_response};
use sluice_wire::h2::{FRAME_HEADER, FrameHeader, MAX_FRAME};

/// The first byte says whom the connection is with and how the others are cut; the others are what comes after the greeting.
pub(crate) fn check(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let cut = usize::from(how >> 1) + 1;
    if how & 1 == 0 {
        check_client(bytes, cut);
    } else {
        check_server(bytes, cut);
    }
}

/// A client's requests become one head each, or are refused.
fn check_client(bytes: &[u8], cut: usize) {
    let mut connection = Http2Connection::with_client(SETTINGS);
    let (mut memory, log) = memory();
    let mut requests = Vec::new();
    let greeting = [PREFACE, NO_SETTINGS].concat();
    for part in std::iter::once(greeting.as_slice()).chain(bytes.chunks(cut)) {
        let ended = connection.receive(part, &mut ()).err();
        while let Some(event) = connection.next_event() {
            if let Event::Request(request) = event {
                check_request(&request.head);
                requests.push(request);
            }
        }
        // Some are answered, some are read, some are dropped.
        for request in requests.iter_mut().skip(1).step_by(2) {
            answer(request);
        }
        if requests.len() > 3 {
            requests.remove(0);
        }
        if let Some(reason) = ended {
            connection.fail(reason);
        }
        send(&mut connection, &mut memory);
        if ended.is_some() {
            break;
        }
    }
    drop(connection);
    drop(requests);
    check_frames(&log.borrow(), 0);
}

/// A server's answers become heads, and what is read of them ends.
fn check_server(bytes: &[u8], cut: usize) {
    let mut connection = Http2Connection::with_server(SETTINGS);
    let (mut memory, log) = memory();
    let opener = connection.opener();
    let mut greeted = connection.receive(NO_SETTINGS, &mut ()).is_ok();
    let cx = &mut Context::from_waker(Waker::noop());
    let mut streams: Vec<_> = REQUESTS
        .iter()
        .map(|request| {
            let mut stream = opener.stream(false, None);
            let _ = stream.poll_write(cx, request);
            (stream, Vec::new())
        })
        .collect();
    for part in bytes.chunks(cut) {
        if !greeted {
            break;
        }
        if let Err(reason) = connection.receive(part, &mut ()) {
            connection.fail(reason);
            greeted = false;
        }
        for (stream, read) in &mut streams {
            let mut room = [0; 256];
            for _ in 0..8 {
                match stream.poll_read(cx, &mut room) {
                    Poll::Ready(Ok(count @ 1..)) => read.extend_from_slice(&room[..count]),
                    _ => break,
                }
            }
        }
        send(&mut connection, &mut memory);
    }
    for (number, (_, read)) in streams.iter().enumerate() {
        check_answers(read, REQUESTS[number].starts_with(b"HEAD"));
    }
    drop(streams);
    send(&mut connection, &mut memory);
    check_frames(&log.borrow(), PREFACE.len());
}

/// What stands there is one head, and nothing behind it; or no head for the strict parser either.
fn check_request(head: &[u8]) {
    let mut storage = FieldStorage::new();
    if let Ok(parsed) = parse_request(head, &mut storage, &LIMITS) {
        let parsed = parsed.expect("a head is whole");
        assert_eq!(parsed.len, head.len(), "one head");
    }
}

/// Interim heads, then a final one.
fn check_answers(mut read: &[u8], is_head: bool) {
    while !read.is_empty() {
        let mut storage = FieldStorage::new();
        let parsed = parse_response(read, &mut storage, &LIMITS, is_head);
        // The rest of it may not have been read, or the parser refuses it.
        let Ok(Some(head)) = parsed else {
            return;
        };
        if head.status >= 200 || head.status == 101 {
            return;
        }
        read = &read[head.len..];
    }
}

/// What goes out is whole frames of a good size.
fn check_frames(sent: &[u8], skip: usize) {
    let mut rest = sent.get(skip..).unwrap_or_default();
    while let Some((header, after)) = rest.split_first_chunk::<FRAME_HEADER>() {
        let header = FrameHeader::read(*header);
        assert!(header.kind.is_some() && header.length <= MAX_FRAME);
        rest = after.get(header.length..).expect("whole frames");
    }
    assert!(rest.is_empty(), "whole frames");
}

fn answer(request: &mut Request) {
    let cx = &mut Context::from_waker(Waker::noop());
    while let Poll::Ready(Ok(Some(data))) = request.exchange.poll_data(cx) {
        request.exchange.release(data.len());
    }
    let mut storage = FieldStorage::new();
    let head = parse_response(ANSWER, &mut storage, &LIMITS, false);
    let head = head.expect("a head").expect("whole");
    if request.exchange.send_head(cx, &head, false).is_ok()
        && let Poll::Ready(Ok(room)) = request.exchange.poll_window(cx, 5)
    {
        let _ = request
            .exchange
            .send_data(cx, &b"hello"[..room.min(5)], true);
    }
}

fn send(connection: &mut Http2Connection, memory: &mut Stream) {
    let cx = &mut Context::from_waker(Waker::noop());
    let sent = connection.poll_send(cx, memory);
    assert!(matches!(sent, Poll::Ready(Ok(()))), "memory takes all");
}

type Log = std::rc::Rc<std::cell::RefCell<Vec<u8>>>;

fn memory() -> (Stream, Log) {
    let log = Log::default();
    let stream = Stream::Layered(Box::new(Memory(log.clone())));
    (stream, log)
}

/// Keeps what is sent.
#[derive(Debug)]
struct Memory(Log);

impl Layered for Memory {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_quiet(&mut self, _: bool) -> bool {
        true
    }

    fn reset_on_close(&mut self) {}

    fn local_address(&self) -> Option<SocketAddr> {
        None
    }
}

const SETTINGS: Settings = Settings {
    max_concurrent_streams: 8,
    initial_window: 1000,
    connection_window: 70_000,
    max_head: 500,
};
const LIMITS: Limits = Limits {
    max_head: 1 << 20,
    max_target: 1 << 20,
    max_fields: 256,
};
const NO_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n";
const REQUESTS: [&[u8]; 3] = [
    b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n",
    b"HEAD /b HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /c HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
];
