//! Blocks of fields in several frames (RFC 9113, 4.3 and 6.10).

use testkit::{Frame, flag, header_block, kind};

use super::code::PROTOCOL_ERROR;
use super::{Case, block, connection_error, get, open, served};

pub(super) fn cases() -> Vec<Case> {
    let block = block();
    let (first, rest) = block.split_at(10);
    let begun = Frame::new(kind::HEADERS, flag::END_STREAM, 1, first);
    let more = |flags, bytes: &[u8]| Frame::new(kind::CONTINUATION, flags, 1, bytes);
    let extra = header_block(&[("x", "y")]);
    let protocol = &[PROTOCOL_ERROR];
    let on = |stream, frame: Frame| Frame { stream, ..frame };
    vec![
        served(
            "a block in two frames",
            &[begun.clone(), more(flag::END_HEADERS, rest)],
        ),
        served(
            "a block in many frames",
            &[
                vec![begun.clone()],
                rest.chunks(16).map(|piece| more(0, piece)).collect(),
                vec![more(flag::END_HEADERS, b"")],
            ]
            .concat(),
        ),
        served(
            "trailers in two frames",
            &[
                open(),
                Frame::data(1, 0, "x"),
                Frame::new(kind::HEADERS, flag::END_STREAM, 1, &extra[..3]),
                more(flag::END_HEADERS, &extra[3..]),
            ],
        ),
        connection_error(
            "another block within a block",
            protocol,
            &[begun.clone(), Frame::get(3, "/")],
        ),
        connection_error("HEADERS within a block", protocol, &[begun.clone(), get()]),
        connection_error(
            "DATA within a block",
            protocol,
            &[begun.clone(), Frame::data(1, 0, "x")],
        ),
        connection_error(
            "a priority within a block",
            protocol,
            &[
                begun.clone(),
                Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 1]),
            ],
        ),
        connection_error(
            "settings within a block",
            protocol,
            &[begun.clone(), Frame::settings(&[])],
        ),
        connection_error(
            "an unknown frame within a block",
            protocol,
            &[begun.clone(), Frame::new(0x16, 0, 0, [0; 8])],
        ),
        connection_error(
            "a block that goes on on another stream",
            protocol,
            &[begun.clone(), on(3, more(flag::END_HEADERS, rest))],
        ),
        connection_error(
            "a block that goes on on the connection",
            protocol,
            &[begun, on(0, more(flag::END_HEADERS, rest))],
        ),
        connection_error(
            "CONTINUATION after the end of a block",
            protocol,
            &[open(), more(flag::END_HEADERS, &extra)],
        ),
        connection_error(
            "CONTINUATION after DATA",
            protocol,
            &[
                open(),
                Frame::data(1, 0, "x"),
                more(flag::END_HEADERS, &extra),
            ],
        ),
    ]
}
