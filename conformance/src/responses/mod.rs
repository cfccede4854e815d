//! What servers send, good and bad, and what the client must be told.
//!
//! Each case has servers of its own behind a path of its own, so that it can be seen whether a connection was used again.

mod bodies;
mod framing;
mod good;
mod heads;
mod interim;
mod show;

pub use show::{Exhibit, run};

/// What a server sends, and what has to come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub what: &'static str,
    /// The request line without its target: method and version.
    pub asked: Asked,
    /// What the server sends once it has the request.
    pub send: Vec<u8>,
    /// What it does then.
    pub then: Then,
    /// What the client sees.
    pub client: Told,
}

/// How the client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST` with a short body, which may not be sent twice.
    Post,
    /// `GET` with HTTP/1.0
    Get10,
    /// `GET` with an upgrade
    Upgrade,
}

/// What the server does after its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Serves further requests on the connection, if there are any.
    Serve,
    /// Closes.
    Close,
    /// Resets the connection.
    Reset,
}

/// What the client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// 502, whole.
    BadGateway,
    /// An answer that is visibly cut off; or 502 where nothing of it had gone out.
    Cut,
    /// This answer, whole.
    Whole {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
        /// How many interim responses come before it.
        interim: usize,
        /// Whether the connection to the server is used again.
        reused: bool,
    },
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut cases = heads::cases();
    cases.extend(framing::cases());
    cases.extend(bodies::cases());
    cases.extend(interim::cases());
    cases.extend(good::cases());
    cases
}

/// Not a response: 502.
fn invalid(what: &'static str, send: impl AsRef<[u8]>) -> Case {
    Case {
        what,
        asked: Asked::Get,
        send: send.as_ref().to_vec(),
        then: Then::Serve,
        client: Told::BadGateway,
    }
}

/// A response that begins well: cut off.
fn cut(what: &'static str, then: Then, send: impl AsRef<[u8]>) -> Case {
    Case {
        client: Told::Cut,
        then,
        ..invalid(what, send)
    }
}

/// A good response, after which the connection is used again.
fn whole(what: &'static str, status: u16, body: &[u8], send: impl AsRef<[u8]>) -> Case {
    Case {
        client: Told::Whole {
            status,
            body: body.to_vec(),
            interim: 0,
            reused: true,
        },
        ..invalid(what, send)
    }
}

impl Case {
    fn asked(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// The connection to the server is not used again.
    fn alone(mut self) -> Self {
        if let Told::Whole { reused, .. } = &mut self.client {
            *reused = false;
        }
        self
    }

    /// So many interim responses come first.
    fn interim(mut self, count: usize) -> Self {
        if let Told::Whole { interim, .. } = &mut self.client {
            *interim = count;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_enough_good_and_bad_ones() {
        let all = cases();
        let bad = all
            .iter()
            .filter(|case| !matches!(case.client, Told::Whole { reused: true, .. }));
        assert!(bad.count() >= 55);
        assert!(all.len() >= 75, "{} cases", all.len());
        let whats: HashSet<_> = all.iter().map(|case| case.what).collect();
        assert_eq!(whats.len(), all.len(), "a description twice");
    }
}
