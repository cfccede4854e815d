//! Bodies that routes look into: collected whole before there is a route, within bounds.
//!
//! A body that is no JSON, or longer than `json-body-limit`, is not waited for: no condition on it holds, and it is passed on as it
//! comes.

use std::task::{Context, Poll};

use serde_json::Value;
use sluice_config::plan::HttpListener;
use sluice_http::h1::relay::Relay;
use sluice_http::h1::response::Delivery;
use sluice_net::Stream;
use sluice_wire::h1::{Framing, RequestHead, Version};

/// A body that is looked into.
#[derive(Debug)]
pub(super) struct Collected {
    /// Takes the chunks apart.
    relay: Relay,
    /// Bytes after the head that it has got.
    seen: usize,
    payload: Vec<u8>,
    /// What of `100 Continue` the client is still to be sent, before it sends the body.
    interim: &'static [u8],
    state: State,
}

#[derive(Debug)]
enum State {
    /// There is more to come.
    Awaited,
    /// This is what it says.
    Json(Value),
    /// Nothing that can be looked into.
    Other,
}

impl Collected {
    /// Whether a body is looked into, with such a head.
    pub(super) fn is_wanted(head: &RequestHead<'_, '_>, http: &HttpListener) -> bool {
        let fits = match head.framing {
            Framing::Length(length) => length <= http.json_body_limit as u64,
            Framing::Chunked => true,
            Framing::None | Framing::UntilClose => false,
        };
        let media_type = head.fields.named("content-type");
        fits && head.upgrade.is_none() && media_type.is_some_and(is_json)
    }

    pub(super) fn new(head: &RequestHead<'_, '_>) -> Self {
        let waits = head.expect_continue && head.version == Version::Http11;
        Self {
            relay: Relay::of_response(head.framing, Delivery::UntilClose),
            seen: 0,
            payload: Vec::new(),
            interim: if waits { CONTINUE } else { b"" },
            state: State::Awaited,
        }
    }

    /// Takes what has come after the head, all of it each time; whether that is enough.
    pub(super) fn take_in(&mut self, after_head: &[u8], limit: usize) -> bool {
        if !matches!(self.state, State::Awaited) {
            return true;
        }
        let new = after_head.get(self.seen..).unwrap_or_default();
        let Ok(used) = self.relay.take_in(new, &mut self.payload) else {
            self.state = State::Other;
            return true;
        };
        self.seen += used;
        // Chunks may be small, and what frames them is kept as well.
        let is_too_long = self.payload.len() > limit || self.seen / 4 > limit.max(FRAMES);
        if is_too_long {
            self.state = State::Other;
        } else if self.relay.is_received() {
            let json = serde_json::from_slice(&self.payload);
            self.state = json.map_or(State::Other, State::Json);
        }
        !matches!(self.state, State::Awaited)
    }

    /// What the body says, if it is whole and JSON.
    pub(super) fn json(&self) -> Option<&Value> {
        match &self.state {
            State::Json(json) => Some(json),
            State::Awaited | State::Other => None,
        }
    }

    /// Tells a client that waits for it to send the body (RFC 9110, 10.1.1). One that does not take it sends without.
    pub(super) fn poll_continue(&mut self, cx: &mut Context<'_>, client: &mut Stream) {
        while !self.interim.is_empty() {
            match client.poll_write(cx, self.interim) {
                Poll::Ready(Ok(sent @ 1..)) => {
                    self.interim = self.interim.get(sent..).unwrap_or_default();
                }
                Poll::Ready(_) => self.interim = b"",
                Poll::Pending => return,
            }
        }
    }
}

/// `application/json`, or what is built on it (RFC 6839, 3.1).
fn is_json(media_type: &[u8]) -> bool {
    let mut parts = media_type.split(|byte| *byte == b';');
    let essence = parts.next().unwrap_or_default().trim_ascii();
    let suffix = essence.len().saturating_sub(SUFFIX.len());
    essence.eq_ignore_ascii_case(b"application/json")
        || essence
            .get(suffix..)
            .is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX))
}

const SUFFIX: &[u8] = b"+json";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Bytes of chunks that are always borne.
const FRAMES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_of_json() {
        for (media_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/vnd.api+json;v=1", true),
            ("application/jsonp", false),
            ("application/json-seq", false),
            ("text/plain", false),
            ("json", false),
            ("", false),
        ] {
            assert_eq!(is_json(media_type.as_bytes()), expected, "{media_type}");
        }
    }

    fn collected(framing: Framing) -> Collected {
        Collected {
            relay: Relay::of_response(framing, Delivery::UntilClose),
            seen: 0,
            payload: Vec::new(),
            interim: b"",
            state: State::Awaited,
        }
    }

    #[test]
    fn a_body_in_pieces_is_whole_at_its_end() {
        for (framing, body) in [
            (Framing::Length(9), "{\"a\":\"b\"}"),
            (
                Framing::Chunked,
                "3\r\n{\"a\r\n6;x\r\n\":\"b\"}\r\n0\r\nt: 1\r\n\r\n",
            ),
        ] {
            let mut one = collected(framing);
            let next = format!("{body}GET / HTTP/1.1");
            for end in 0..body.len() {
                assert!(!one.take_in(&body.as_bytes()[..end], 100), "{end}");
                assert_eq!(one.json(), None);
            }
            assert!(one.take_in(next.as_bytes(), 100));
            assert_eq!(one.json(), Some(&serde_json::json!({"a": "b"})));
        }
    }

    #[test]
    fn what_is_too_long_or_wrong_is_not_waited_for() {
        let long = format!("{:x}\r\n{}", 200, "x".repeat(101));
        for body in [long.as_str(), "x\r\n", "2\r\n{]\r\n0\r\n\r\n"] {
            let mut one = collected(Framing::Chunked);
            assert!(one.take_in(body.as_bytes(), 100), "{body}");
            assert_eq!(one.json(), None);
        }
        // Nothing but frames.
        let mut one = collected(Framing::Chunked);
        let tiny = "1\r\n \r\n".repeat(100);
        assert!(!one.take_in(tiny.as_bytes(), 100));
        let padded = format!("1;{}\r\n \r\n", "x".repeat(200)).repeat(30);
        let mut one = collected(Framing::Chunked);
        assert!(one.take_in(padded.as_bytes(), 100));
    }

    #[test]
    fn nesting_without_end_is_no_json() {
        let deep = "[".repeat(10_000);
        let mut one = collected(Framing::Length(deep.len() as u64));
        assert!(one.take_in(deep.as_bytes(), 64 << 10));
        assert_eq!(one.json(), None);
    }
}
