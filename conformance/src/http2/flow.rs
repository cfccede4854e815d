//! Windows (RFC 9113, 5.2 and 6.9).

use testkit::{Frame, flag};

use super::code::{FLOW_CONTROL_ERROR, PROTOCOL_ERROR};
use super::{Case, Expected, case, connection_error, get, open, served, stream_error};

pub(super) fn cases() -> Vec<Case> {
    let most = 0x7FFF_FFFF;
    let end = Frame::data(1, flag::END_STREAM, "");
    vec![
        connection_error(
            "a window of the connection by 0",
            &[PROTOCOL_ERROR],
            &[Frame::window(0, 0)],
        ),
        stream_error(
            "a window of a stream by 0",
            &[PROTOCOL_ERROR],
            &[open(), Frame::window(1, 0)],
        ),
        connection_error(
            "a window of the connection above 2^31 - 1",
            &[FLOW_CONTROL_ERROR],
            &[Frame::window(0, most), Frame::window(0, most)],
        ),
        stream_error(
            "a window of a stream above 2^31 - 1",
            &[FLOW_CONTROL_ERROR],
            &[open(), Frame::window(1, most), Frame::window(1, most)],
        ),
        connection_error(
            "a window that settings make too large",
            &[FLOW_CONTROL_ERROR],
            &[
                open(),
                Frame::window(1, most - 65_535),
                Frame::settings(&[(4, 65_536)]),
            ],
        ),
        served(
            "windows as large as can be",
            &[
                Frame::window(0, most - 65_535),
                open(),
                Frame::window(1, most - 65_535),
                end.clone(),
            ],
        ),
        served(
            "a window that settings make negative, and that opens again",
            &[
                Frame::settings(&[(4, 3)]),
                open(),
                Frame::settings(&[(4, 2)]),
                Frame::window(1, 100_000),
                end,
            ],
        ),
        served(
            "no window at all: a head needs none",
            &[Frame::settings(&[(4, 0)]), get()],
        ),
        case(
            "the reserved bit of a window",
            Expected::Served(1),
            &[Frame::window(0, 0x8000_0001), get()],
        ),
        stream_error(
            "more of a body than the window allows",
            &[FLOW_CONTROL_ERROR],
            &[vec![open()], vec![Frame::data(1, 0, vec![0; 16_384]); 200]].concat(),
        ),
    ]
}
