//! What a server of HTTP/2 has to do with frames, good and bad (RFC 9113, RFC 7541): cases and their runner.
//!
//! A subject needs a server behind it that answers every request with 200, and no more than [`MAX_STREAMS`] streams at a
//! time. As the RFC leaves it open to treat the error of a stream as one of the connection, both are accepted where a
//! stream is at fault; where the connection is, it has to end.

mod continuation;
mod flow;
mod framing;
mod hpack;
mod messages;
mod settings;
mod streams;

use std::net::SocketAddr;

use testkit::{Frame, Http2Client, flag, header_block, kind, request};

/// The streams at a time that the subject allows.
pub const MAX_STREAMS: u32 = 20;

/// One case: what is sent after the preface and empty settings, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub what: &'static str,
    /// The frames, as bytes.
    pub send: Vec<u8>,
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The connection ends: with GOAWAY and one of these codes, or at once.
    ConnectionError(&'static [u32]),
    /// The stream is reset with one of these codes, or refused with a status of 4xx; or the connection ends.
    StreamError(u32, &'static [u32]),
    /// The request on this stream is answered with 200.
    Served(u32),
    /// Nothing: the connection goes on.
    Ignored,
    /// A frame of this kind comes on the connection, with ACK.
    Acknowledged(u8),
}

/// The codes of errors (RFC 9113, 7).
mod code {
    pub(super) const PROTOCOL_ERROR: u32 = 1;
    pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
    pub(super) const STREAM_CLOSED: u32 = 5;
    pub(super) const FRAME_SIZE_ERROR: u32 = 6;
    pub(super) const REFUSED_STREAM: u32 = 7;
    pub(super) const COMPRESSION_ERROR: u32 = 9;
}

/// All cases, by topic.
pub fn topics() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("framing", framing::cases()),
        ("streams", streams::cases()),
        ("settings", settings::cases()),
        ("flow control", flow::cases()),
        ("continuation", continuation::cases()),
        ("hpack", hpack::cases()),
        ("messages", messages::cases()),
    ]
}

/// Puts all cases to the subject, each on a connection of its own. Panics with all that failed.
#[track_caller]
pub fn run(subject: SocketAddr) {
    let mut failures = Vec::new();
    let mut count = 0;
    for (topic, cases) in topics() {
        for case in cases {
            count += 1;
            if let Err(seen) = case.put(subject) {
                failures.push(format!(
                    "{topic}: {}: {:?}, but {seen}",
                    case.what, case.expected
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What has come of a case so far.
enum Verdict {
    Right,
    Wrong(String),
    Open,
}

impl Case {
    fn put(&self, subject: SocketAddr) -> Result<(), String> {
        let mut client = Http2Client::connect(subject);
        client.send_bytes(&self.send);
        // Whatever comes of it has come when the third ping is answered.
        let mut pings = 0;
        client.send(&[ping(pings)]);
        loop {
            let Some(frame) = client.receive() else {
                return self.at_the_end();
            };
            if frame == answered(pings) {
                pings += 1;
                if pings == PINGS {
                    return match self.expected {
                        Expected::Ignored => Ok(()),
                        Expected::Served(_) => {
                            pings -= 1;
                            continue;
                        }
                        _ => Err("nothing came of it".to_owned()),
                    };
                }
                client.send(&[ping(pings)]);
                continue;
            }
            match self.judge(&frame) {
                Verdict::Right => return Ok(()),
                Verdict::Wrong(seen) => return Err(seen),
                Verdict::Open => {}
            }
        }
    }

    fn at_the_end(&self) -> Result<(), String> {
        match self.expected {
            Expected::ConnectionError(_) | Expected::StreamError(..) => Ok(()),
            _ => Err("the connection was closed".to_owned()),
        }
    }

    fn judge(&self, frame: &Frame) -> Verdict {
        let is = |right: bool| {
            if right {
                Verdict::Right
            } else {
                Verdict::Wrong(format!("{frame:?}"))
            }
        };
        match (frame.kind, self.expected) {
            (kind::GOAWAY, Expected::ConnectionError(codes) | Expected::StreamError(_, codes)) => {
                is(codes.contains(&frame.number(4)))
            }
            (kind::GOAWAY, _) => is(false),
            (kind::RST_STREAM, Expected::StreamError(stream, codes)) if frame.stream == stream => {
                is(codes.contains(&frame.number(0)))
            }
            (kind::RST_STREAM, Expected::Served(stream)) if frame.stream == stream => is(false),
            (kind::HEADERS, Expected::Served(stream)) if frame.stream == stream => {
                is(frame.status() == 200)
            }
            (kind::HEADERS, Expected::StreamError(stream, _))
                if frame.stream == stream && (400..500).contains(&frame.status()) =>
            {
                Verdict::Right
            }
            (kind, Expected::Acknowledged(sought)) if kind == sought && frame.has(flag::ACK) => {
                Verdict::Right
            }
            _ => Verdict::Open,
        }
    }
}

fn ping(number: u8) -> Frame {
    Frame::new(kind::PING, 0, 0, [0xA0 + number; 8])
}

fn answered(number: u8) -> Frame {
    Frame::new(kind::PING, flag::ACK, 0, [0xA0 + number; 8])
}

/// Pings that a subject answers before it is believed that nothing comes any more.
const PINGS: u8 = 3;

fn case(what: &'static str, expected: Expected, frames: &[Frame]) -> Case {
    Case {
        what,
        send: frames.iter().flat_map(Frame::bytes).collect(),
        expected,
    }
}

fn connection_error(what: &'static str, codes: &'static [u32], frames: &[Frame]) -> Case {
    case(what, Expected::ConnectionError(codes), frames)
}

/// On stream 1.
fn stream_error(what: &'static str, codes: &'static [u32], frames: &[Frame]) -> Case {
    case(what, Expected::StreamError(1, codes), frames)
}

/// On stream 1.
fn served(what: &'static str, frames: &[Frame]) -> Case {
    case(what, Expected::Served(1), frames)
}

fn ignored(what: &'static str, frames: &[Frame]) -> Case {
    case(what, Expected::Ignored, frames)
}

fn get() -> Frame {
    Frame::get(1, "/")
}

/// A request on stream 1 that is not through.
fn open() -> Frame {
    Frame::headers(1, 0, &request("POST", "/"))
}

/// The block of a usual request.
fn block() -> Vec<u8> {
    header_block(&request("GET", "/"))
}

/// A request on stream 1 whose block is `block`.
fn with_block(block: &[u8]) -> Frame {
    Frame::new(
        kind::HEADERS,
        flag::END_HEADERS | flag::END_STREAM,
        1,
        block,
    )
}

/// The same frame with other flags.
fn flagged(mut frame: Frame, flags: u8) -> Frame {
    frame.flags = flags;
    frame
}
