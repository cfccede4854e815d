//! Settings (RFC 9113, 6.5).

use testkit::{Frame, flag, kind};

use super::code::{FLOW_CONTROL_ERROR, PROTOCOL_ERROR};
use super::{Case, Expected, case, connection_error, flagged, get, ignored, served};

pub(super) fn cases() -> Vec<Case> {
    let settings = |name, value| [Frame::settings(&[(name, value)])];
    let protocol = &[PROTOCOL_ERROR];
    vec![
        case(
            "settings are acknowledged",
            Expected::Acknowledged(kind::SETTINGS),
            &[Frame::settings(&[])],
        ),
        connection_error("ENABLE_PUSH of 2", protocol, &settings(2, 2)),
        connection_error(
            "INITIAL_WINDOW_SIZE of 2^31",
            &[FLOW_CONTROL_ERROR],
            &settings(4, 0x8000_0000),
        ),
        connection_error("MAX_FRAME_SIZE of 2^14 - 1", protocol, &settings(5, 16_383)),
        connection_error("MAX_FRAME_SIZE of 2^24", protocol, &settings(5, 1 << 24)),
        connection_error("ENABLE_CONNECT_PROTOCOL of 2", protocol, &settings(8, 2)),
        served(
            "MAX_FRAME_SIZE of 2^24 - 1",
            &[Frame::settings(&[(5, (1 << 24) - 1)]), get()],
        ),
        served(
            "an unknown setting",
            &[Frame::settings(&[(0x1234, 1)]), get()],
        ),
        served(
            "a setting twice",
            &[Frame::settings(&[(4, 1), (4, 100_000)]), get()],
        ),
        served("a table of no bytes", &[Frame::settings(&[(1, 0)]), get()]),
        served(
            "no stream of the server's",
            &[Frame::settings(&[(3, 0)]), get()],
        ),
        ignored(
            "an acknowledgement",
            &[flagged(Frame::settings(&[]), flag::ACK)],
        ),
    ]
}
