//! The states of streams (RFC 9113, 5.1).

use testkit::{Frame, flag, header_block, kind, request};

use super::code::{PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED};
use super::{
    Case, Expected, MAX_STREAMS, case, connection_error, get, ignored, open, served, stream_error,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = idle();
    cases.extend(half_closed());
    cases.extend(closed());
    cases.extend(limits());
    cases
}

fn continuation() -> Frame {
    let block = header_block(&[("x", "y")]);
    Frame::new(kind::CONTINUATION, flag::END_HEADERS, 1, block)
}

fn idle() -> Vec<Case> {
    let protocol = &[PROTOCOL_ERROR];
    vec![
        connection_error(
            "DATA on an idle stream",
            &[PROTOCOL_ERROR, STREAM_CLOSED],
            &[Frame::data(1, flag::END_STREAM, "x")],
        ),
        connection_error("a reset of an idle stream", protocol, &[Frame::reset(1, 8)]),
        connection_error(
            "a window of an idle stream",
            protocol,
            &[Frame::window(1, 100)],
        ),
        connection_error(
            "CONTINUATION on an idle stream",
            protocol,
            &[continuation()],
        ),
        ignored(
            "a priority of an idle stream",
            &[Frame::new(kind::PRIORITY, 0, 7, [0, 0, 0, 0, 1])],
        ),
    ]
}

fn half_closed() -> Vec<Case> {
    let closed = &[STREAM_CLOSED];
    vec![
        stream_error(
            "DATA after the end",
            closed,
            &[get(), Frame::data(1, 1, "x")],
        ),
        stream_error("HEADERS after the end", closed, &[get(), get()]),
        connection_error(
            "CONTINUATION after the end",
            &[PROTOCOL_ERROR, STREAM_CLOSED],
            &[get(), continuation()],
        ),
        served("a window after the end", &[get(), Frame::window(1, 100)]),
        served(
            "a priority after the end",
            &[get(), Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 1])],
        ),
        ignored("a reset after the end", &[get(), Frame::reset(1, 8)]),
    ]
}

fn closed() -> Vec<Case> {
    vec![
        stream_error(
            "DATA after a reset",
            &[STREAM_CLOSED],
            &[open(), Frame::reset(1, 8), Frame::data(1, 1, "x")],
        ),
        stream_error(
            "HEADERS after a reset",
            &[STREAM_CLOSED, PROTOCOL_ERROR],
            &[open(), Frame::reset(1, 8), get()],
        ),
        connection_error(
            "CONTINUATION after a reset",
            &[PROTOCOL_ERROR, STREAM_CLOSED],
            &[open(), Frame::reset(1, 8), continuation()],
        ),
        ignored(
            "a reset after a reset",
            &[open(), Frame::reset(1, 8), Frame::reset(1, 8)],
        ),
        ignored(
            "a window after a reset",
            &[open(), Frame::reset(1, 8), Frame::window(1, 10)],
        ),
        ignored(
            "a reset with an unknown code",
            &[open(), Frame::reset(1, 0xFFFF)],
        ),
    ]
}

fn limits() -> Vec<Case> {
    let opened = |count: u32| -> Vec<Frame> {
        (0..count)
            .map(|number| Frame::headers(number * 2 + 1, 0, &request("POST", "/")))
            .collect()
    };
    let last = MAX_STREAMS * 2 + 1;
    vec![
        case(
            "a stream too many",
            Expected::StreamError(last, &[REFUSED_STREAM, PROTOCOL_ERROR]),
            &opened(MAX_STREAMS + 1),
        ),
        case(
            "as many streams as may be",
            Expected::Served(last - 2),
            &[
                opened(MAX_STREAMS),
                vec![Frame::data(last - 2, flag::END_STREAM, "")],
            ]
            .concat(),
        ),
        case(
            "streams that are left out",
            Expected::Served(101),
            &[Frame::get(101, "/")],
        ),
    ]
}
