//! One case of the request tables, and the words it is written with.

use crate::seen::Seen;

/// What a client sends, and what has to come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub what: &'static str,
    /// The bytes.
    pub send: Vec<u8>,
    /// What the client does after them.
    pub ending: Ending,
    /// The final responses, in order.
    pub answers: Vec<Answer>,
    /// What becomes of the client's connection then.
    pub then: Then,
    /// What the server sees of it.
    pub server: Reaches,
}

/// What a client does after its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It listens; it may send more.
    Open,
    /// It listens, and sends nothing more: the message stops short.
    Silent,
    /// It closes its side and listens.
    HalfClosed,
}

/// One final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The origin's own: 200, and the body says which request it saw.
    Served,
    /// The subject's own, with this status.
    Own(u16),
}

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// A further request is served on it.
    Kept,
    /// It is closed, in order, and nothing behind the message is answered.
    Closed,
    /// Either, depending on how the bytes arrive.
    Either,
}

/// What the server sees.
#[derive(Clone, Debug)]
pub enum Reaches {
    /// These requests and not a byte more.
    Exactly(Vec<Seen>),
    /// No whole request. The fault is in the body, so the head may be there already when the bytes come in pieces; when
    /// they come together, not a byte.
    NoneWhole,
    /// No whole request, but perhaps a part of one, however the bytes come.
    PartAtMost,
}

impl Case {
    /// The client's connection is closed after the answers.
    pub(crate) fn closed(mut self) -> Self {
        self.then = Then::Closed;
        self
    }

    /// The client's connection is kept after the answers.
    pub(crate) fn kept(mut self) -> Self {
        self.then = Then::Kept;
        self
    }

    /// It may be closed or kept.
    pub(crate) fn either(mut self) -> Self {
        self.then = Then::Either;
        self
    }

    /// The client closes its side after the bytes.
    pub(crate) fn half_closed(mut self) -> Self {
        self.ending = Ending::HalfClosed;
        self
    }

    /// The client sends nothing more.
    pub(crate) fn silent(mut self) -> Self {
        self.ending = Ending::Silent;
        self
    }

    /// A server may see a part of it.
    pub(crate) fn unfinished(mut self) -> Self {
        self.server = Reaches::PartAtMost;
        self
    }

    /// The last request seen by the server has trailers, one a line.
    pub(crate) fn trailers(mut self, lines: &str) -> Self {
        if let Reaches::Exactly(seen) = &mut self.server
            && let Some(last) = seen.pop()
        {
            seen.push(last.with_trailers(lines));
        }
        self
    }

    /// Another request of the same bytes that is served.
    pub(crate) fn and_served(mut self, head: &str, body: &[u8]) -> Self {
        self.answers.push(Answer::Served);
        if let Reaches::Exactly(seen) = &mut self.server {
            seen.push(Seen::new(head, body));
        }
        self
    }

    /// Another answer of the subject's own, for a request of the same bytes that is not served.
    pub(crate) fn and_own(mut self, status: u16) -> Self {
        self.answers.push(Answer::Own(status));
        self
    }
}

/// Refused with this status, the connection is closed, and no server sees a byte.
pub(crate) fn refused(status: u16, what: &'static str, send: impl AsRef<[u8]>) -> Case {
    Case {
        what,
        send: send.as_ref().to_vec(),
        ending: Ending::Open,
        answers: vec![Answer::Own(status)],
        then: Then::Closed,
        server: Reaches::Exactly(Vec::new()),
    }
}

/// Refused for its body: no server sees a whole request.
pub(crate) fn refused_body(status: u16, what: &'static str, send: impl AsRef<[u8]>) -> Case {
    Case {
        server: Reaches::NoneWhole,
        ..refused(status, what, send)
    }
}

/// Answered by the subject itself with this status; the connection is kept.
pub(crate) fn answered(status: u16, what: &'static str, send: impl AsRef<[u8]>) -> Case {
    refused(status, what, send).kept()
}

/// Not answered at all, and closed.
pub(crate) fn dropped(what: &'static str, send: impl AsRef<[u8]>) -> Case {
    Case {
        answers: Vec::new(),
        server: Reaches::PartAtMost,
        ..refused(0, what, send)
    }
}

/// Passed on: the server sees `head` (its lines, parted by `\n`, but for [`crate::conditions::ADDED`]) and `body` (without
/// its framing); the answer comes back and the connection is kept.
pub(crate) fn passed(what: &'static str, send: impl AsRef<[u8]>, head: &str, body: &[u8]) -> Case {
    Case {
        what,
        send: send.as_ref().to_vec(),
        ending: Ending::Open,
        answers: vec![Answer::Served],
        then: Then::Kept,
        server: Reaches::Exactly(vec![Seen::new(head, body)]),
    }
}
