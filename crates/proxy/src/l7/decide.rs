//! What to do with a request, decided from its head: nothing here waits for anything.
//!
//! For a request that is forwarded the head for the server is composed at once, while the client's head is at hand; what
//! of the body came with it goes along.

use std::mem::take;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use sluice_config::plan::{Action, HttpListener, Route};
use sluice_http::h1::relay::Relay;
use sluice_http::h1::request::kept_request_id;
use sluice_route::{Captures, CountryLookup, Facts, FieldLookup, Scheme, normalise_path};
use sluice_telemetry::metrics::BadRequest;
use sluice_wire::h1::{FieldKind, Fields, Method, RequestHead};

use super::access::{Admittance, ShownTokens};
use super::admission::Admission;
use super::client::client;
use super::for_client::ForClient;
use super::grpc;
use super::identity::Identity;
use super::inquiry::{FoundClient, FoundOut, Inquiry};
use super::outgoing::{Onward, Outgoing};
use super::refuse::{MaxForwards, Refused};
use super::respond::{self, Answer};
use super::serve::Downstream;
use super::takings::Passed;
use super::values::Values;
use crate::live::LiveListener;
use crate::trip::{Trip, Words};

/// What becomes of a request.
pub(super) enum Decision {
    /// It goes to a server. Boxed: it is large, and handed on many times before it is used.
    Forward(Box<Outgoing>),
    /// We answer it.
    Answer(Answer),
    /// Something is waited for first.
    Wait(Box<Admission>),
    /// It has to be found out first who the client is. Nothing of the request is used up.
    Inquire(Box<Inquiry>),
}

/// Decides upon the request whose head is at the start of `bytes`; says also how many of the bytes were used up. `None` where the
/// listener is an http one no more.
pub(super) fn decide(
    head: &RequestHead<'_, '_>,
    bytes: &[u8],
    downstream: &Downstream,
    listener: &Rc<LiveListener>,
    mut found_out: Option<Box<FoundOut>>,
    trip: &mut Trip,
) -> Option<(Decision, usize)> {
    trip.early = downstream.is_early();
    let found_client = found_out.as_mut().and_then(|one| one.client.as_mut());
    let asked = Asked {
        head,
        after_head: bytes.get(head.len..).unwrap_or_default(),
        downstream,
        listener,
        http: listener.http()?,
        tokens: found_client.map_or_else(ShownTokens::default, |one| take(&mut one.tokens)),
    };
    let mut made = [0; REQUEST_ID_LENGTH];
    let first = found_out.as_mut().map(|one| take(&mut one.request_id));
    let request_id = match &first {
        Some(first) => first,
        None => asked.request_id(&mut made),
    };
    if trip.words.is_none() && downstream.worker.access_log().is_some() {
        let text = downstream.worker.buffers().take();
        trip.words = Some(Box::new(Words::of(head, request_id, text)));
    }
    let (decision, body) = asked
        .route(request_id, found_out, trip)
        .unwrap_or_else(|refused| asked.refuse(refused, trip));
    let used = match decision {
        Decision::Inquire(_) => 0,
        _ => head.len + body,
    };
    Some((decision, used))
}

/// A request and where it came from.
pub(super) struct Asked<'a, 's, 'b> {
    pub(super) head: &'a RequestHead<'s, 'b>,
    pub(super) after_head: &'a [u8],
    pub(super) downstream: &'a Downstream,
    pub(super) listener: &'a Rc<LiveListener>,
    pub(super) http: &'a HttpListener,
    /// What was found in the tokens that it shows.
    pub(super) tokens: ShownTokens,
}

impl<'b> Asked<'_, '_, 'b> {
    /// Finds the route and does what it says. Returns also how many bytes after the head were used up.
    fn route(
        &self,
        request_id: &str,
        found_out: Option<Box<FoundOut>>,
        trip: &mut Trip,
    ) -> Result<(Decision, usize), Refused> {
        let head = self.head;
        let max_forwards = self.check_semantics()?;
        if let Some(answered) = self.unrouted(max_forwards, trip)? {
            return Ok(answered);
        }
        let mut buffer = String::new();
        let path = normalise_path(head.target.path(), &mut buffer)
            .map_err(|_| Refused::Bad(400, BadRequest::Target))?;
        let collected = self.downstream.collected.as_ref();
        let facts = Facts {
            host: head.host,
            path,
            query: head.target.query(),
            method: head.method.as_str(),
            fields: &Lookup(head.fields),
            client: self.client(),
            scheme: match self.downstream.tls {
                Some(_) => Scheme::Https,
                None => Scheme::Http,
            },
            tls_subject: self.tls_subject(),
            countries: self.countries(),
            json: collected.and_then(|one| one.json()),
            identity: Some(self),
        };
        let mut captures = Captures::new();
        let found = self.http.router.find(&facts, &mut captures);
        if found_out.is_none()
            && let Some(finding) = self.newer_keys()
        {
            return Ok(self.inquire(Passed::default(), finding, request_id));
        }
        let found_client = found_out.and_then(|found_out| found_out.client);
        let found = found.and_then(|found| self.http.routes.get(found));
        let id = *found.ok_or(Refused::NoRoute)?;
        let route = self.listener.live.plan.routes.get(id.0);
        let route = route.ok_or(Refused::NoRoute)?;
        trip.route = Some(id);
        let values = self.values(&facts, &captures, request_id, &route.name);
        if let Some(edits) = &route.edits.response
            && found_client.is_none()
        {
            let for_client = ForClient::of_route(edits, &values, self.listener, id);
            trip.for_client = Some(Box::new(for_client));
        }
        self.follow(route, values, max_forwards, found_client, trip)
    }

    /// What is answered whatever the routes say.
    fn unrouted(
        &self,
        max_forwards: Option<MaxForwards>,
        trip: &mut Trip,
    ) -> Result<Option<(Decision, usize)>, Refused> {
        if max_forwards == Some(MaxForwards::Reached) {
            return Ok(Some(self.answer(trip, 200, respond::last_hop)));
        }
        if let Some(answer) = self.proof() {
            let shown = self.answer(trip, 200, |reply, out| respond::proof(&answer, reply, out));
            return Ok(Some(shown));
        }
        match self.http.redirect_to_https {
            Some(port) => self.to_https(port, trip).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the client may come in, and what the route does with the request then.
    fn follow(
        &self,
        route: &Route,
        values: Values<'_>,
        max_forwards: Option<MaxForwards>,
        found_client: Option<FoundClient>,
        trip: &mut Trip,
    ) -> Result<(Decision, usize), Refused> {
        let admittance = match found_client {
            None => self.admit(route, &values, trip)?,
            Some(found_client) => self.admit_later(route, &values, found_client, trip)?,
        };
        let (identity, step) = match admittance {
            Admittance::In(identity, step) => (identity, step),
            Admittance::Decided(decided) => return Ok(*decided),
        };
        self.check_length(route)?;
        if let Some(for_client) = &mut trip.for_client {
            for_client.let_in(&identity);
        }
        let facts = &of_identity(values.facts, &identity);
        let values = Values {
            facts,
            identity: Some(&identity),
            ..values
        };
        let onward = Onward {
            max_forwards: match max_forwards {
                Some(MaxForwards::Left(left)) => Some(left),
                Some(MaxForwards::Reached) | None => None,
            },
            vouched: identity.lines(),
        };
        let (decision, used) = match &route.action {
            Action::Forward(upstream) => {
                self.forward(route, *upstream, facts, values, &onward, trip)
            }
            Action::Split(split) => {
                let upstream = self.place(split, facts, trip)?;
                self.forward(route, upstream, facts, values, &onward, trip)
            }
            Action::Respond(respond) => Ok(self.answer(trip, respond.status, |reply, out| {
                respond::fixed(respond, &values, reply, out);
            })),
            Action::Redirect(redirect) => Ok(self.answer(trip, redirect.status, |reply, out| {
                respond::redirect(redirect, &values, reply, out);
            })),
        }?;
        Ok((self.after(step, decision), used))
    }

    pub(super) fn client(&self) -> IpAddr {
        let peer = self.downstream.client.ip();
        let told = self.head.fields.all_named("x-forwarded-for");
        client(peer, told, self.http)
    }

    fn tls_subject(&self) -> Option<&str> {
        let client = self.downstream.tls.as_deref()?.client.as_ref()?;
        Some(&client.subject)
    }

    fn countries(&self) -> Option<&dyn CountryLookup> {
        let countries = self.listener.live.plan.countries.as_ref()?;
        Some(&*countries.lookup)
    }

    /// What an authority is answered that asks whether this host is ours (RFC 8555, 8.3). Whatever else is asked for goes its way.
    fn proof(&self) -> Option<Arc<str>> {
        let head = self.head;
        let token = head
            .target
            .path()
            .strip_prefix("/.well-known/acme-challenge/")?;
        let asks = matches!(head.method, Method::Get | Method::Head);
        let proofs = &self.listener.live.proofs;
        asks.then(|| proofs.answer(token)).flatten()
    }

    /// The same URL with `https`.
    fn to_https(&self, port: u16, trip: &mut Trip) -> Result<(Decision, usize), Refused> {
        let head = self.head;
        // Without a host there is no URL (HTTP/1.0), nor is there one of `*`.
        if head.host.is_empty() || !head.target.origin_form().starts_with('/') {
            return Err(Refused::Bad(400, BadRequest::Host));
        }
        Ok(self.answer(trip, 308, |reply, out| {
            respond::to_https(head, port, reply, out);
        }))
    }

    /// An answer of our own. The connection is kept where the whole request is here already.
    pub(super) fn answer(
        &self,
        trip: &mut Trip,
        status: u16,
        write: impl FnOnce(respond::Reply<'_>, &mut Vec<u8>),
    ) -> (Decision, usize) {
        trip.complete_for_client();
        let worker = &self.downstream.worker;
        let mut body = Relay::of_request(self.head.framing, None);
        let used = body.take_in(self.after_head, &mut worker.head());
        let is_whole = used.is_ok() && body.is_received();
        let keep_alive = is_whole && self.head.persistent && !self.downstream.slot.is_closed();
        let reply = respond::Reply {
            downstream: self.downstream,
            version: self.head.version,
            is_head: self.head.method == Method::Head,
            is_grpc: self.is_grpc(),
            keep_alive,
            for_client: trip.for_client.as_deref(),
        };
        let mut out = worker.buffers().take();
        write(reply, &mut out);
        let used = used.unwrap_or(self.after_head.len());
        let answer = Answer::new(status, out, keep_alive);
        (Decision::Answer(answer), used)
    }

    /// Whether the client speaks gRPC: then it understands errors as `grpc-status` only.
    pub(super) fn is_grpc(&self) -> bool {
        let media_type = || self.head.fields.first(FieldKind::ContentType);
        self.head.method == Method::Post && media_type().is_some_and(grpc::is_media_type)
    }

    fn values<'v>(
        &'v self,
        facts: &'v Facts<'v>,
        captures: &'v Captures,
        request_id: &'v str,
        route: &'v str,
    ) -> Values<'v> {
        Values {
            head: self.head,
            facts,
            client_port: self.downstream.client.port(),
            tls: self.downstream.tls.as_deref(),
            scheme: self.downstream.scheme(),
            captures,
            request_id,
            route,
            upstream: "",
            identity: None,
        }
    }

    /// The client's request id where it is a plain one, else one of 32 hexadecimal digits, made here.
    fn request_id<'i>(&self, made: &'i mut [u8; REQUEST_ID_LENGTH]) -> &'i str
    where
        'b: 'i,
    {
        if let Some(kept) = kept_request_id(&self.head.fields) {
            return kept;
        }
        let random = self.downstream.worker.random_id().to_be_bytes();
        for (pair, byte) in made.chunks_exact_mut(2).zip(random) {
            if let [high, low] = pair {
                (*high, *low) = (hexadecimal(byte >> 4), hexadecimal(byte & 0xF));
            }
        }
        std::str::from_utf8(made).unwrap_or_default()
    }
}

/// The facts of a request whose client was let in.
pub(super) fn of_identity<'f>(facts: &Facts<'f>, identity: &'f Identity) -> Facts<'f> {
    Facts {
        identity: Some(identity),
        ..*facts
    }
}

/// The digit for 0 to 15.
fn hexadecimal(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

const REQUEST_ID_LENGTH: usize = 32;

/// The fields of a head, for routes to look at.
struct Lookup<'s, 'b>(Fields<'s, 'b>);

impl FieldLookup for Lookup<'_, '_> {
    fn any(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.all_named(name).any(holds)
    }
}
