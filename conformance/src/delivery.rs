//! The ways in which the bytes of a case are sent.

use std::fmt;

use testkit::RawClient;

use crate::case::{Answer, Case, Ending, Reaches, Then};
use crate::seen::Seen;

/// A way to send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// In one go.
    Whole,
    /// Every byte by itself.
    ByteByByte,
    /// In two pieces, the second from this byte on.
    Split(usize),
    /// In one go with a good request in front of it.
    Behind,
    /// In one go with a good request behind it, which is served only where the connection is kept.
    Followed,
}

impl Delivery {
    /// Every way that makes sense for the case.
    pub(crate) fn all(case: &Case) -> Vec<Self> {
        let mut all = vec![Self::Whole];
        // A client that closes its side gives up what it still waits for.
        if case.ending != Ending::HalfClosed {
            all.push(Self::Behind);
        }
        if case.ending == Ending::Open && case.then != Then::Either {
            all.push(Self::Followed);
        }
        if case.send.len() > 1 {
            all.push(Self::ByteByByte);
            all.extend((1..case.send.len()).map(Self::Split));
        }
        all
    }

    /// Sends the case's bytes. The subject may close before the last: that is no error here.
    pub(crate) fn send(self, case: &Case, client: &mut RawClient) {
        let message = &case.send;
        match self {
            Self::Whole => send(client, message),
            Self::ByteByByte => client.send_byte_by_byte(message),
            Self::Split(at) => client.send_split(message, at),
            Self::Behind => send(client, &[BEFORE, message].concat()),
            Self::Followed => send(client, &[message, AFTER].concat()),
        }
        if case.ending == Ending::HalfClosed {
            client.half_close();
        }
    }

    /// The answers that this way of sending calls for.
    pub(crate) fn answers(self, case: &Case) -> Vec<Answer> {
        let mut answers = case.answers.clone();
        match self {
            Self::Behind => answers.insert(0, Answer::Served),
            Self::Followed if case.then == Then::Kept => answers.push(Answer::Served),
            _ => {}
        }
        answers
    }

    /// What the server sees with this way of sending; and whether it may see pieces beside it.
    pub(crate) fn seen(self, case: &Case) -> (Vec<Seen>, bool) {
        let (mut seen, pieces) = match &case.server {
            Reaches::Exactly(seen) => (seen.clone(), false),
            Reaches::NoneWhole => (
                Vec::new(),
                matches!(self, Self::ByteByByte | Self::Split(_)),
            ),
            Reaches::PartAtMost => (Vec::new(), true),
        };
        match self {
            Self::Behind => seen.insert(0, Seen::new("GET /before HTTP/1.1\nHost: before", b"")),
            Self::Followed if case.then == Then::Kept => {
                seen.push(Seen::new("GET /after HTTP/1.1\nHost: after", b""));
            }
            _ => {}
        }
        (seen, pieces)
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("sent whole"),
            Self::ByteByByte => f.write_str("sent byte by byte"),
            Self::Split(at) => write!(f, "sent in two pieces, {at} bytes first"),
            Self::Behind => f.write_str("sent behind a good request"),
            Self::Followed => f.write_str("sent with a good request behind it"),
        }
    }
}

fn send(client: &mut RawClient, bytes: &[u8]) {
    // A subject that has closed already shows in its answers.
    let _ = client.try_send(bytes);
}

const BEFORE: &[u8] = b"GET /before HTTP/1.1\r\nHost: before\r\n\r\n";
const AFTER: &[u8] = b"GET /after HTTP/1.1\r\nHost: after\r\n\r\n";
