//! The engine without a socket: what goes out for what comes in.

use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use sluice_wire::h1::{FieldStorage, Limits, parse_response};
use sluice_wire::h2::{Flags, FrameHeader, Kind, MAX_FRAME};
use sluice_wire::hpack::Encoder;

use super::connection::{Event, Http2Connection, Request, Settings};
use super::{PREFACE, Reason, begins_with_preface};
use crate::exchange::{Exchange, Receiving, Sending, Supplies};

struct Plain;

impl Supplies for Plain {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn random(&mut self) -> u128 {
        7
    }
}

fn connection() -> Http2Connection {
    Http2Connection::with_client(Settings {
        max_concurrent_streams: 4,
        initial_window: 70_000,
        connection_window: 280_000,
        max_head: 4096,
    })
}

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader::bytes(payload.len(), kind, flags, stream);
    [&header, payload].concat()
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    // One for each block: nothing is remembered on one side only.
    for (name, value) in fields {
        Encoder::new().field(name.as_bytes(), value.as_bytes(), &mut out);
    }
    out
}

fn request(stream: u32, method: &str, flags: u8) -> Vec<u8> {
    let block = block(&[(":method", method), (":scheme", "http"), (":path", "/")]);
    frame(Kind::Headers, Flags::END_HEADERS | flags, stream, &block)
}

fn greeting() -> Vec<u8> {
    [PREFACE, &frame(Kind::Settings, 0, 0, &[])].concat()
}

/// A connection that has begun, of which what it said at first was taken.
fn begun() -> Http2Connection {
    let mut connection = connection();
    connection
        .receive(&greeting(), &mut Plain)
        .expect("a greeting");
    sent(&connection);
    connection
}

/// Takes the frames that are to be sent.
fn sent(connection: &Http2Connection) -> Vec<(FrameHeader, Vec<u8>)> {
    let bytes = connection.take_unsent();
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk() {
        let header = FrameHeader::read(*header);
        let (payload, after) = after.split_at(header.length);
        frames.push((header, payload.to_vec()));
        rest = after;
    }
    frames
}

fn kinds(connection: &Http2Connection) -> Vec<(Kind, u32)> {
    sent(connection)
        .iter()
        .map(|(header, _)| (header.kind.expect("ours"), header.stream))
        .collect()
}

fn next_request(connection: &mut Http2Connection) -> Request {
    match connection.next_event() {
        Some(Event::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

/// A connection on which a GET was sent.
fn asked() -> (Http2Connection, Request) {
    let mut connection = begun();
    let bytes = request(1, "GET", Flags::END_STREAM);
    connection
        .receive(&bytes, &mut Plain)
        .expect("a good frame");
    let request = next_request(&mut connection);
    (connection, request)
}

fn answer(request: &mut Request, text: &str, is_whole: bool) {
    let mut storage = FieldStorage::new();
    let head = parse_response(text.as_bytes(), &mut storage, &Limits::default(), false);
    let head = head.expect("a head").expect("whole");
    let cx = &mut Context::from_waker(Waker::noop());
    request
        .exchange
        .send_head(cx, &head, is_whole)
        .expect("a stream");
}

#[test]
fn a_preface_is_told_from_a_request() {
    assert_eq!(begins_with_preface(b""), None);
    assert_eq!(begins_with_preface(b"P"), None);
    assert_eq!(begins_with_preface(b"PO"), Some(false));
    assert_eq!(begins_with_preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), None);
    assert_eq!(
        begins_with_preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"),
        Some(true)
    );
    assert_eq!(begins_with_preface(b"PRI * HTTP/1.1\r\n"), Some(false));
}

#[test]
fn a_request_is_answered() {
    let (connection, mut request) = asked();
    assert_eq!(request.head, b"GET / HTTP/1.1\r\n\r\n");
    answer(
        &mut request,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        false,
    );
    let cx = &mut Context::from_waker(Waker::noop());
    request
        .exchange
        .send_data(cx, b"hi", true)
        .expect("a stream");
    drop(request);
    let frames = sent(&connection);
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(frames[0].1, [0x88, 0x0F, 0x0D, 1, b'2']);
    assert_eq!(frames[1].1, b"hi");
    assert!(frames[1].0.has(Flags::END_STREAM));
}

#[test]
fn a_long_head_takes_several_frames() {
    let (connection, mut request) = asked();
    let long = "x".repeat(MAX_FRAME);
    let head = format!("HTTP/1.1 200 OK\r\na: {long}\r\nb: {long}\r\n\r\n");
    let mut storage = FieldStorage::new();
    let limits = Limits {
        max_head: 1 << 20,
        ..Limits::default()
    };
    let head = parse_response(head.as_bytes(), &mut storage, &limits, true);
    let head = head.expect("a head").expect("whole");
    let cx = &mut Context::from_waker(Waker::noop());
    request
        .exchange
        .send_head(cx, &head, true)
        .expect("a stream");
    let frames = sent(&connection);
    let shape: Vec<_> = frames
        .iter()
        .map(|(header, _)| (header.kind.expect("ours"), header.flags))
        .collect();
    assert_eq!(
        shape,
        [
            (Kind::Headers, Flags::END_STREAM),
            (Kind::Continuation, 0),
            (Kind::Continuation, Flags::END_HEADERS),
        ]
    );
}

#[test]
fn windows_bound_what_is_sent_and_open_again() {
    let (mut connection, mut request) = asked();
    answer(&mut request, "HTTP/1.1 200 OK\r\n\r\n", false);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut total = 0;
    while let Poll::Ready(room) = request.exchange.poll_window(cx, 50_000) {
        let room = room.expect("a stream");
        request
            .exchange
            .send_data(cx, &vec![0; room], false)
            .expect("a stream");
        total += room;
        sent(&connection);
    }
    assert_eq!(total, 65_535);
    // The stream's alone is not enough, and that of the connection neither.
    for (stream, more) in [(1, 10_u32), (0, 7)] {
        assert!(request.exchange.poll_window(cx, 1).is_pending());
        let update = frame(Kind::WindowUpdate, 0, stream, &more.to_be_bytes());
        connection
            .receive(&update, &mut Plain)
            .expect("a good frame");
    }
    let room = request.exchange.poll_window(cx, 100);
    assert!(matches!(room, Poll::Ready(Ok(7))), "{room:?}");
}

#[test]
fn what_was_read_is_given_back_to_the_client() {
    let mut connection = begun();
    let bytes = [
        request(1, "POST", 0),
        frame(Kind::Data, 0, 1, &[0; MAX_FRAME]),
        frame(Kind::Data, 0, 1, &[0; MAX_FRAME]),
        frame(Kind::Data, 0, 1, &[0; MAX_FRAME]),
    ];
    connection
        .receive(&bytes.concat(), &mut Plain)
        .expect("good frames");
    let mut request = next_request(&mut connection);
    assert_eq!(kinds(&connection), [], "nothing was read yet");
    let cx = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(Some(data))) = request.exchange.poll_data(cx) else {
        panic!("no data");
    };
    assert_eq!(data.len(), 3 * MAX_FRAME);
    request.exchange.release(data.len());
    assert_eq!(kinds(&connection), [(Kind::WindowUpdate, 1)]);
    // Dropped unfinished, it is broken off.
    drop(request);
    assert_eq!(kinds(&connection), [(Kind::RstStream, 1)]);
}

/// What nobody reads is of its own stream, and the connection's window goes on for the others.
#[test]
fn streams_that_are_not_read_do_not_starve_another() {
    let mut connection = begun();
    let data = |stream| frame(Kind::Data, 0, stream, &[0; MAX_FRAME]);
    // From then on our windows hold for streams.
    let mut bytes = frame(Kind::Settings, Flags::ACK, 0, &[]);
    for stream in [1, 3, 5] {
        bytes.extend(request(stream, "POST", 0));
        bytes.extend([data(stream), data(stream), data(stream), data(stream)].concat());
    }
    bytes.extend([request(7, "POST", 0), data(7), data(7), data(7)].concat());
    connection.receive(&bytes, &mut Plain).expect("good frames");
    let mut requests: Vec<_> = (0..4).map(|_| next_request(&mut connection)).collect();
    assert!(!requests[3].exchange.is_held_back());
    // Nothing more may come, before any of it was read.
    connection
        .receive(&data(7), &mut Plain)
        .expect("a good frame");
    connection
        .receive(&frame(Kind::Data, 0, 7, &[0; 2000]), &mut Plain)
        .expect("a good frame");
    assert!(requests[3].exchange.is_held_back());
    let cx = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(Some(data))) = requests[3].exchange.poll_data(cx) else {
        panic!("no data");
    };
    requests[3].exchange.release(data.len());
    let told = kinds(&connection);
    assert!(told.contains(&(Kind::WindowUpdate, 0)), "{told:?}");
    assert!(!requests[3].exchange.is_held_back());
}

#[test]
fn a_body_beyond_its_window_is_refused() {
    let mut connection = begun();
    // Before ours are acknowledged, the defaults hold.
    let body: Vec<u8> = (0..4)
        .flat_map(|_| frame(Kind::Data, 0, 1, &[0; MAX_FRAME]))
        .collect();
    let bytes = [request(1, "POST", 0), body].concat();
    connection
        .receive(&bytes, &mut Plain)
        .expect("good for the connection");
    let frames = sent(&connection);
    assert_eq!(frames[0].0.kind, Some(Kind::RstStream));
    assert_eq!(frames[0].1, Reason::FLOW_CONTROL_ERROR.0.to_be_bytes());
}

#[test]
fn more_streams_than_agreed_are_refused() {
    let mut connection = begun();
    for stream in [1, 3, 5, 7, 9] {
        let bytes = request(stream, "GET", Flags::END_STREAM);
        connection
            .receive(&bytes, &mut Plain)
            .expect("a good frame");
    }
    let frames = sent(&connection);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        (frames[0].0.stream, frames[0].1.as_slice()),
        (9, Reason::REFUSED_STREAM.0.to_be_bytes().as_slice())
    );
    // One that is answered makes room.
    let mut first = next_request(&mut connection);
    answer(&mut first, "HTTP/1.1 204 No Content\r\n\r\n", true);
    let bytes = request(11, "GET", Flags::END_STREAM);
    connection
        .receive(&bytes, &mut Plain)
        .expect("a good frame");
    assert_eq!(kinds(&connection), [(Kind::Headers, 1)]);
}

#[test]
fn a_farewell_lets_what_has_begun_finish() {
    let mut connection = begun();
    connection.leave();
    let frames = sent(&connection);
    let [(goaway, last), (ping, data)] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert_eq!(
        (goaway.kind, ping.kind),
        (Some(Kind::Goaway), Some(Kind::Ping))
    );
    assert_eq!(last[..4], [0x7F, 0xFF, 0xFF, 0xFF]);
    // Under way when the client heard of it.
    let bytes = [
        request(1, "GET", Flags::END_STREAM),
        frame(Kind::Ping, Flags::ACK, 0, data),
        request(3, "GET", Flags::END_STREAM),
    ];
    connection
        .receive(&bytes.concat(), &mut Plain)
        .expect("good frames");
    let mut request = next_request(&mut connection);
    assert!(connection.next_event().is_none(), "it comes too late");
    let frames = sent(&connection);
    assert_eq!(frames[0].1[..4], [0, 0, 0, 1]);
    assert!(!connection.is_finished());
    answer(&mut request, "HTTP/1.1 204 No Content\r\n\r\n", true);
    drop(request);
    assert!(connection.is_finished());
}

#[test]
fn streams_do_not_outlive_their_connection() {
    let mut connection = begun();
    connection
        .receive(&request(1, "POST", 0), &mut Plain)
        .expect("a good frame");
    let mut request = next_request(&mut connection);
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(request.exchange.poll_gone(cx).is_pending());
    drop(connection);
    assert!(request.exchange.poll_gone(cx).is_ready());
    assert!(request.exchange.send_data(cx, b"x", true).is_err());
}

#[test]
fn an_endless_head_ends_the_connection() {
    let mut connection = begun();
    let mut bytes = frame(Kind::Headers, 0, 1, &[0; 9]);
    for _ in 0..3 {
        bytes.extend(frame(Kind::Continuation, 0, 1, &[0; MAX_FRAME]));
    }
    assert_eq!(
        connection.receive(&bytes, &mut Plain),
        Err(Reason::ENHANCE_YOUR_CALM)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the bytes are cut, the same comes of them; and whatever they are, nothing breaks.
    #[test]
    fn the_same_comes_of_bytes_however_they_are_cut(
        frames in prop::collection::vec((0_u8..11, any::<u8>(), 0_u32..8, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        cut in 1_usize..50,
    ) {
        let mut bytes = greeting();
        bytes.extend(request(1, "POST", 0));
        for (kind, flags, stream, payload) in frames {
            let mut header = FrameHeader::bytes(payload.len(), Kind::Data, flags, stream);
            header[3] = kind;
            bytes.extend(header);
            bytes.extend(payload);
        }
        let outcome = |size: usize| {
            let mut connection = connection();
            let ended = bytes.chunks(size).find_map(|part| connection.receive(part, &mut Plain).err());
            let mut heads = Vec::new();
            while let Some(event) = connection.next_event() {
                match event {
                    Event::Request(request) => heads.push(request.head),
                    Event::Refused(refusal) => heads.push(refusal.to_string().into_bytes()),
                }
            }
            (ended, heads, connection.take_unsent())
        };
        prop_assert_eq!(outcome(cut), outcome(bytes.len()));
    }
}
