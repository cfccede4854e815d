//! Frames by themselves: sizes, padding, streams they belong to (RFC 9113, 4.1, 4.2, 6.1 to 6.8).

use testkit::{Frame, flag, kind, request};

use super::code::{FRAME_SIZE_ERROR, PROTOCOL_ERROR};
use super::{
    Case, Expected, block, case, connection_error, flagged, get, ignored, open, served,
    stream_error, with_block,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good();
    cases.extend(sizes());
    cases.extend(padding());
    cases.extend(streams());
    cases
}

fn good() -> Vec<Case> {
    let ping = |flags, stream| Frame::new(kind::PING, flags, stream, [1; 8]);
    vec![
        served("a request", &[get()]),
        served(
            "a request with a body",
            &[open(), Frame::data(1, flag::END_STREAM, "x")],
        ),
        served(
            "a body in several frames, some of them empty",
            &[
                open(),
                Frame::data(1, 0, "x"),
                Frame::data(1, 0, ""),
                Frame::data(1, 0, "y"),
                Frame::data(1, flag::END_STREAM, ""),
            ],
        ),
        served("a request behind a ping", &[ping(0, 0), get()]),
        ignored(
            "a frame of an unknown kind",
            &[Frame::new(0x16, 0, 0, [0; 8])],
        ),
        served(
            "a frame of an unknown kind on a stream",
            &[
                open(),
                Frame::new(0x16, 0xFF, 1, [0; 8]),
                Frame::data(1, 1, ""),
            ],
        ),
        case(
            "flags that a ping does not have",
            Expected::Acknowledged(kind::PING),
            &[ping(0x16, 0)],
        ),
        case(
            "the reserved bit of a stream identifier",
            Expected::Acknowledged(kind::PING),
            &[ping(0, 0x8000_0000)],
        ),
        case("a ping", Expected::Acknowledged(kind::PING), &[ping(0, 0)]),
        ignored("an answer to no ping", &[ping(flag::ACK, 0)]),
        served(
            "a priority before a request and after",
            &[
                Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 255]),
                get(),
                Frame::new(kind::PRIORITY, 0, 1, [0x80, 0, 0, 0, 0]),
            ],
        ),
    ]
}

fn sizes() -> Vec<Case> {
    let sized = |kind, stream, size: usize| Frame::new(kind, 0, stream, vec![0; size]);
    let size = &[FRAME_SIZE_ERROR];
    let mut long_block = block();
    long_block.extend(testkit::header_block(&[("x", &"y".repeat(17_000))]));
    vec![
        served(
            "DATA as long as can be",
            &[open(), Frame::data(1, flag::END_STREAM, vec![0; 16_384])],
        ),
        stream_error(
            "DATA that is too long",
            size,
            &[open(), Frame::data(1, flag::END_STREAM, vec![0; 16_385])],
        ),
        connection_error(
            "HEADERS that are too long",
            size,
            &[with_block(&long_block)],
        ),
        connection_error("a ping of 7 bytes", size, &[sized(kind::PING, 0, 7)]),
        connection_error("a ping of 9 bytes", size, &[sized(kind::PING, 0, 9)]),
        connection_error("settings of 5 bytes", size, &[sized(kind::SETTINGS, 0, 5)]),
        connection_error("settings of 7 bytes", size, &[sized(kind::SETTINGS, 0, 7)]),
        stream_error(
            "a priority of 4 bytes",
            size,
            &[open(), sized(kind::PRIORITY, 1, 4)],
        ),
        stream_error(
            "a priority of 6 bytes",
            size,
            &[open(), sized(kind::PRIORITY, 1, 6)],
        ),
        connection_error(
            "a reset of 3 bytes",
            size,
            &[open(), sized(kind::RST_STREAM, 1, 3)],
        ),
        connection_error(
            "a reset of 5 bytes",
            size,
            &[open(), sized(kind::RST_STREAM, 1, 5)],
        ),
        connection_error(
            "a window of 3 bytes",
            size,
            &[sized(kind::WINDOW_UPDATE, 0, 3)],
        ),
        connection_error(
            "a window of 5 bytes",
            size,
            &[sized(kind::WINDOW_UPDATE, 0, 5)],
        ),
        connection_error("a farewell of 7 bytes", size, &[sized(kind::GOAWAY, 0, 7)]),
    ]
}

fn padding() -> Vec<Case> {
    let padded = |length: u8, bytes: &[u8], padding: usize| {
        let mut payload = vec![length];
        payload.extend(bytes);
        payload.extend(vec![0; padding]);
        payload
    };
    let headers = |payload| {
        let flags = flag::END_HEADERS | flag::END_STREAM | flag::PADDED;
        Frame::new(kind::HEADERS, flags, 1, payload)
    };
    let data = |payload| Frame::new(kind::DATA, flag::END_STREAM | flag::PADDED, 1, payload);
    let with_priority = |dependency: u8| {
        let mut payload = vec![0, 0, 0, dependency, 15];
        payload.extend(block());
        let flags = flag::END_HEADERS | flag::END_STREAM | flag::PRIORITY;
        Frame::new(kind::HEADERS, flags, 1, payload)
    };
    let protocol = &[PROTOCOL_ERROR];
    vec![
        served("padded HEADERS", &[headers(padded(20, &block(), 20))]),
        served("padded DATA", &[open(), data(padded(255, b"x", 255))]),
        served("HEADERS with a priority", &[with_priority(0)]),
        connection_error(
            "HEADERS with more padding than there is",
            protocol,
            &[headers(padded(255, &block(), 3))],
        ),
        connection_error(
            "DATA with more padding than there is",
            protocol,
            &[open(), data(padded(6, b"x", 4))],
        ),
        stream_error(
            "HEADERS that depend on themselves",
            protocol,
            &[with_priority(1)],
        ),
        stream_error(
            "a priority that depends on itself",
            protocol,
            &[open(), Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 1, 15])],
        ),
    ]
}

fn streams() -> Vec<Case> {
    let on = |stream, frame: Frame| Frame { stream, ..frame };
    let protocol = &[PROTOCOL_ERROR];
    let promise = Frame::new(kind::PUSH_PROMISE, flag::END_HEADERS, 1, [0, 0, 0, 2]);
    vec![
        connection_error(
            "DATA on the connection",
            protocol,
            &[on(0, Frame::data(1, 1, "x"))],
        ),
        connection_error("HEADERS on the connection", protocol, &[on(0, get())]),
        connection_error(
            "a priority of the connection",
            protocol,
            &[Frame::new(kind::PRIORITY, 0, 0, [0, 0, 0, 0, 1])],
        ),
        connection_error("a reset of the connection", protocol, &[Frame::reset(0, 8)]),
        connection_error(
            "settings of a stream",
            protocol,
            &[on(1, Frame::settings(&[(3, 100)]))],
        ),
        connection_error(
            "a ping on a stream",
            protocol,
            &[Frame::new(kind::PING, 0, 1, [0; 8])],
        ),
        connection_error(
            "a farewell on a stream",
            protocol,
            &[Frame::new(kind::GOAWAY, 0, 1, [0; 8])],
        ),
        connection_error("a promise of a client", protocol, &[open(), promise]),
        connection_error(
            "settings that are acknowledged and say something",
            &[FRAME_SIZE_ERROR],
            &[flagged(Frame::settings(&[(3, 1)]), flag::ACK)],
        ),
        connection_error(
            "an even stream",
            protocol,
            &[Frame::headers(2, flag::END_STREAM, &request("GET", "/"))],
        ),
        connection_error(
            "a stream below another",
            protocol,
            &[Frame::get(5, "/"), Frame::get(3, "/")],
        ),
    ]
}
