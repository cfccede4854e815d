//! Which requests are not served, and what they are told.

use sluice_config::plan::Route;
use sluice_health::Strain;
use sluice_model::Priority;
use sluice_telemetry::End;
use sluice_telemetry::metrics::BadRequest;
use sluice_wire::h1::{FieldKind, Framing, Method, Version};

use super::decide::{Asked, Decision};
use super::pipeline::After;
use super::respond;
use crate::trip::Trip;

/// Why a request is not served.
#[derive(Clone, Copy)]
pub(super) enum Refused {
    /// The request is at fault.
    Bad(u16, BadRequest),
    /// No route matches it.
    NoRoute,
    /// Clients may not come from there.
    Denied,
    /// It is over a rate limit; worth another try in so many seconds.
    Limited(u64),
    /// Memory is short.
    NoMemory,
    /// It asks for a method that no proxy in front of servers offers.
    Method,
}

/// What `Max-Forwards` (RFC 9110, 7.6.2) leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MaxForwards {
    /// This was the last hop.
    Reached,
    /// So many more.
    Left(u64),
}

impl Asked<'_, '_, '_> {
    /// Whether a request is for another host than the one that the client's handshake was for. Where handshakes let clients in,
    /// that may not be (RFC 9110, 7.4).
    fn is_misdirected(&self) -> bool {
        let settings = self.listener.settings().and_then(|one| one.tls.as_ref());
        let named = self
            .downstream
            .tls
            .as_deref()
            .and_then(|tls| tls.server_name.as_deref());
        settings.is_some_and(|tls| tls.client_auth.is_some())
            && named.is_some_and(|name| {
                !respond::without_port(self.head.host).eq_ignore_ascii_case(name)
            })
    }

    /// What RFC 9110 asks of a proxy beyond the syntax.
    pub(super) fn check_semantics(&self) -> Result<Option<MaxForwards>, Refused> {
        let head = self.head;
        if self.is_misdirected() {
            return Err(Refused::Bad(421, BadRequest::Host));
        }
        if head.method == Method::Connect {
            return Err(Refused::Method);
        }
        if !head.expect_continue
            && head.version == Version::Http11
            && head.fields.first(FieldKind::Expect).is_some()
        {
            return Err(Refused::Bad(417, BadRequest::Expectation));
        }
        if !matches!(head.method, Method::Options | Method::Trace) {
            return Ok(None);
        }
        let Some(value) = head.fields.first(FieldKind::MaxForwards) else {
            return Ok(None);
        };
        let number = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        match number {
            None => Err(Refused::Bad(400, BadRequest::Syntax)),
            Some(0) => Ok(Some(MaxForwards::Reached)),
            Some(left) => Ok(Some(MaxForwards::Left(left - 1))),
        }
    }

    pub(super) fn check_length(&self, route: &Route) -> Result<(), Refused> {
        match (self.head.framing, route.max_body) {
            (Framing::Length(length), Some(limit)) if length > limit => {
                Err(Refused::Bad(413, BadRequest::BodyTooLarge))
            }
            _ => Ok(()),
        }
    }

    /// Whether a request is not served, as memory is short: at the ceiling all but those that matter most; near it those of
    /// connections that have many under way.
    pub(super) fn is_too_much(&self, route: &Route) -> bool {
        let strain = self.listener.live.memory.strain();
        match strain {
            Strain::Calm => false,
            Strain::Near => self.downstream.beside >= FEW_STREAMS,
            Strain::Full => {
                let trusted = self.http.trusts(self.downstream.client.ip());
                self.priority(route, trusted) < Priority::Critical
            }
        }
    }

    /// Answers with what is wrong.
    pub(super) fn refuse(&self, refused: Refused, trip: &mut Trip) -> (Decision, usize) {
        let (status, word) = match refused {
            Refused::NoRoute => {
                trip.end = End::NoRoute;
                self.listener.metrics.unrouted.increment();
                let status = respond::said_to(404, self.is_grpc());
                return self.answer(trip, status, |reply, out| respond::plain(404, reply, out));
            }
            Refused::Denied => {
                trip.end = End::Denied;
                self.listener.metrics.denied.increment();
                let status = respond::said_to(403, self.is_grpc());
                return self.answer(trip, status, |reply, out| respond::plain(403, reply, out));
            }
            Refused::Limited(retry_after) => {
                trip.end = End::RateLimited;
                let status = respond::said_to(429, self.is_grpc());
                return self.answer(trip, status, |reply, out| {
                    respond::plain_with(429, Some(retry_after), reply, out);
                });
            }
            Refused::NoMemory => {
                trip.end = End::NoMemory;
                let status = respond::said_to(503, self.is_grpc());
                let (mut decision, used) = self.answer(trip, status, respond::no_memory);
                if let Decision::Answer(answer) = &mut decision {
                    answer.after = After::Linger;
                }
                return (decision, used);
            }
            Refused::Method => (405, BadRequest::Method),
            Refused::Bad(status, word) => (status, word),
        };
        trip.refused = Some(word);
        trip.end = End::BadRequest;
        let to = respond::Recipient {
            is_head: self.head.method == Method::Head,
            is_grpc: self.is_grpc(),
        };
        let answer = respond::refusal(self.downstream, status, to, trip.for_client.as_deref());
        (Decision::Answer(answer), self.after_head.len())
    }
}

/// Requests that a connection may have under way while memory is short.
const FEW_STREAMS: usize = 8;
