//! What to do with a request, decided from its head: nothing here waits for anything.
//!
//! For a request that is forwarded the head for the server is composed at once, while the client's head is at hand; what
//! of the body came with it goes along.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_config::plan::{
    Action, Fallback, HttpListener, MinRates, Route, RoutePriority, UpstreamId,
};
use sluice_health::Strain;
use sluice_http::h1::relay::{Relay, RelayError};
use sluice_http::h1::request::{Certificate, Forwarding, compose, kept_request_id};
use sluice_http::websocket;
use sluice_model::Priority;
use sluice_route::{Captures, Facts, FieldLookup, Scheme, normalise_path};
use sluice_telemetry::End;
use sluice_telemetry::metrics::BadRequest;
use sluice_upstream::{Cluster, Need};
use sluice_wire::h1::{FieldKind, Fields, Framing, Method, RequestHead, Version};

use super::client::client;
use super::grpc::{self, CallDeadline};
use super::hedge::Hedge;
use super::pipeline::After;
use super::respond::{self, Answer};
use super::serve::{Carrier, Downstream};
use super::tries::Tries;
use crate::live::LiveListener;
use crate::trip::{Trip, Words};

/// What becomes of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every request is forwarded, within a future that is boxed"
)]
pub(super) enum Decision {
    /// It goes to a server.
    Forward(Outgoing),
    /// We answer it.
    Answer(Answer),
}

/// A request on its way to a server.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of the client's head, and of its route"
)]
pub(super) struct Outgoing {
    /// Where it goes.
    pub(super) cluster: Rc<Cluster>,
    /// The head for the server, and what of the body came with the client's head.
    pub(super) bytes: Vec<u8>,
    /// The rest of the body.
    pub(super) body: Relay,
    /// The hash of what decides about its server, where the upstream goes by such.
    pub(super) key: Option<u64>,
    /// Who comes first where not all can be served.
    pub(super) priority: Priority,
    /// The client's version.
    pub(super) version: Version,
    /// Whether the client wants its connection kept.
    pub(super) persistent: bool,
    /// Whether it asked with `HEAD`.
    pub(super) is_head: bool,
    /// Whether it may be sent twice (RFC 9110, 9.2.2).
    pub(super) is_idempotent: bool,
    /// What is to be done where it fails.
    pub(super) tries: Tries,
    /// What is known of its hedging, where another server may be asked beside the first.
    pub(super) hedge: Option<Box<Hedge>>,
    /// Whether the route has a fallback that was not followed yet.
    pub(super) has_fallback: bool,
    /// The key where that is another upstream.
    pub(super) fallback_key: Option<u64>,
    /// Whether it asks to switch protocols.
    pub(super) wants_upgrade: bool,
    /// What it needs of a connection to a server.
    pub(super) need: Need,
    /// What the server has to prove that it switches to WebSocket, where the client is not told (RFC 6455, 4.1).
    pub(super) accept: Option<Box<str>>,
    /// Whether the client waits for the server's `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
    /// How long a body may stand still.
    pub(super) body_timeout: Duration,
    /// How fast the client has to be.
    pub(super) min_rates: MinRates,
    /// Whether the client speaks gRPC.
    pub(super) is_grpc: bool,
    /// Until when its client waits for a call of gRPC, where it says so.
    pub(super) call: Option<CallDeadline>,
    /// The name to add to `Via` of the answer.
    pub(super) via: Option<Rc<str>>,
    /// `Strict-Transport-Security` of the answer.
    pub(super) hsts: Option<Arc<str>>,
    /// `Alt-Svc` of the answer.
    pub(super) alt_svc: Option<Arc<str>>,
}

impl Outgoing {
    /// The request has been sent: until when nothing is done but to wait for the head of its answer.
    pub(super) fn await_answer(&mut self, now: Instant) -> Instant {
        let by = self.tries.answer_deadline(now);
        match &mut self.hedge {
            Some(hedge) => hedge.begin(now, by, &self.cluster),
            None => by,
        }
    }
}

/// Decides upon the request whose head is at the start of `bytes`; says also how many of the bytes were used up.
pub(super) fn decide(
    head: &RequestHead<'_, '_>,
    bytes: &[u8],
    downstream: &Downstream,
    listener: &Rc<LiveListener>,
    http: &HttpListener,
    trip: &mut Trip,
) -> (Decision, usize) {
    trip.early = downstream.is_early();
    let asked = Asked {
        head,
        after_head: bytes.get(head.len..).unwrap_or_default(),
        downstream,
        listener,
        http,
    };
    let mut made = [0; REQUEST_ID_LENGTH];
    let request_id = asked.request_id(&mut made);
    if downstream.worker.access_log().is_some() {
        let text = downstream.worker.buffers().take();
        trip.words = Some(Box::new(Words::of(head, request_id, text)));
    }
    let (decision, body) = asked
        .route(request_id, trip)
        .unwrap_or_else(|refused| asked.refuse(refused, trip));
    (decision, head.len + body)
}

/// Why a request is not served.
#[derive(Clone, Copy)]
enum Refused {
    /// The request is at fault.
    Bad(u16, BadRequest),
    /// No route matches it.
    NoRoute,
    /// Memory is short.
    NoMemory,
    /// It asks for a method that no proxy in front of servers offers.
    Method,
}

/// A request and where it came from.
struct Asked<'a, 's, 'b> {
    head: &'a RequestHead<'s, 'b>,
    after_head: &'a [u8],
    downstream: &'a Downstream,
    listener: &'a Rc<LiveListener>,
    http: &'a HttpListener,
}

impl<'b> Asked<'_, '_, 'b> {
    /// Finds the route and does what it says. Returns also how many bytes after the head were used up.
    fn route(&self, request_id: &str, trip: &mut Trip) -> Result<(Decision, usize), Refused> {
        let head = self.head;
        let max_forwards = self.check_semantics()?;
        if max_forwards == Some(MaxForwards::Reached) {
            return Ok(self.answer(200, respond::last_hop));
        }
        if let Some(answer) = self.proof() {
            return Ok(self.answer(200, |reply, out| respond::proof(&answer, reply, out)));
        }
        if let Some(port) = self.http.redirect_to_https {
            return self.to_https(port);
        }
        let mut buffer = String::new();
        let path = normalise_path(head.target.path(), &mut buffer)
            .map_err(|_| Refused::Bad(400, BadRequest::Target))?;
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
        };
        let mut captures = Captures::new();
        let id = self
            .http
            .router
            .find(&facts, &mut captures)
            .and_then(|found| self.http.routes.get(found))
            .copied()
            .ok_or(Refused::NoRoute)?;
        let route = self.listener.live.plan.routes.get(id.0);
        let route = route.ok_or(Refused::NoRoute)?;
        trip.route = Some(id);
        if self.is_too_much(route) {
            return Err(Refused::NoMemory);
        }
        self.check_length(route)?;

        match &route.action {
            Action::Forward(upstream) => {
                let left = match max_forwards {
                    Some(MaxForwards::Left(left)) => Some(left),
                    Some(MaxForwards::Reached) | None => None,
                };
                self.forward(route, *upstream, &facts, request_id, left, trip)
            }
            Action::Respond(respond) => Ok(self.answer(respond.status, |reply, out| {
                let values = self.values(path, &captures, request_id, &route.name);
                respond::fixed(respond, &values, reply, out);
            })),
            Action::Redirect(redirect) => Ok(self.answer(redirect.status, |reply, out| {
                let values = self.values(path, &captures, request_id, &route.name);
                respond::redirect(redirect, &values, reply, out);
            })),
        }
    }

    fn client(&self) -> IpAddr {
        let peer = self.downstream.client.ip();
        let told = self.head.fields.all_named("x-forwarded-for");
        client(peer, told, self.http)
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
    fn to_https(&self, port: u16) -> Result<(Decision, usize), Refused> {
        let head = self.head;
        // Without a host there is no URL (HTTP/1.0), nor is there one of `*`.
        if head.host.is_empty() || !head.target.origin_form().starts_with('/') {
            return Err(Refused::Bad(400, BadRequest::Host));
        }
        Ok(self.answer(308, |reply, out| {
            respond::to_https(head, port, reply, out);
        }))
    }

    fn certificate(&self) -> Certificate<'_> {
        let client = self.downstream.tls.as_deref().map(|tls| &tls.client);
        match client {
            _ if !self.http.guards_certificates => Certificate::NotAsked,
            Some(Some(client)) => Certificate::Shown {
                subject: &client.subject,
                fingerprint: &client.fingerprint,
            },
            _ => Certificate::None,
        }
    }

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
    fn check_semantics(&self) -> Result<Option<MaxForwards>, Refused> {
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

    fn check_length(&self, route: &Route) -> Result<(), Refused> {
        match (self.head.framing, route.max_body) {
            (Framing::Length(length), Some(limit)) if length > limit => {
                Err(Refused::Bad(413, BadRequest::BodyTooLarge))
            }
            _ => Ok(()),
        }
    }

    fn forward(
        &self,
        route: &Route,
        upstream: UpstreamId,
        facts: &Facts<'_>,
        request_id: &str,
        max_forwards: Option<u64>,
        trip: &mut Trip,
    ) -> Result<(Decision, usize), Refused> {
        let head = self.head;
        let cluster = self
            .listener
            .live
            .cluster(upstream)
            .ok_or(Refused::NoRoute)?;
        let worker = &self.downstream.worker;
        let mut bytes = worker.buffers().take();
        // Too far away to be a moment, it is no deadline.
        let call_until = self
            .grpc_timeout()
            .and_then(|timeout| trip.started.checked_add(timeout));
        let trusted = self.http.trusts(self.downstream.client.ip());
        let forwarding = Forwarding {
            client: self.downstream.client.ip(),
            trusted,
            believed_of_trusted: route.priority.field.as_deref(),
            spoken: self.downstream.carrier.map(Carrier::via),
            scheme: self.downstream.scheme(),
            request_id,
            via: self.http.via.as_deref(),
            forwarded: self.http.forwarded,
            default_host: &cluster.settings().name,
            early: trip.early,
            max_forwards,
            certificate: self.certificate(),
            first: call_until.map(|_| CallDeadline::FIELD),
        };
        compose(head, &forwarding, &mut bytes);
        let call = call_until.map(|by| CallDeadline::of(&bytes, by));
        let mut body = Relay::of_request(head.framing, route.max_body);
        let used = body
            .take_in(self.after_head, &mut bytes)
            .map_err(|error| match error {
                RelayError::TooLarge => Refused::Bad(413, BadRequest::BodyTooLarge),
                RelayError::Malformed(error) => Refused::Bad(400, error.into()),
                _ => Refused::Bad(400, BadRequest::Truncated),
            })?;
        trip.cluster = Some(Rc::clone(cluster));
        let key = websocket::key_of(head);
        let is_idempotent = head.method.is_idempotent() || route.retry.any_method;
        let hedge = route
            .hedge
            .filter(|_| is_idempotent && head.upgrade.is_none());
        let is_wanted = is_idempotent && (route.retry.attempts > 1 || hedge.is_some());
        if is_wanted && self.listener.live.memory.strain() == Strain::Calm {
            body.keep(route.retry.buffer);
        }
        let outgoing = Outgoing {
            cluster: Rc::clone(cluster),
            bytes,
            body,
            key: hashed(cluster, facts),
            priority: self.priority(route, trusted),
            version: head.version,
            persistent: head.persistent,
            is_head: head.method == Method::Head,
            is_idempotent,
            tries: Tries::new(route.retry, route.timeout, route.fallback.is_some())
                .until(call_until),
            hedge: hedge.map(|settings| Hedge::new(settings, trip.now)),
            has_fallback: route.fallback.is_some(),
            fallback_key: self.fallback_key(route, facts),
            wants_upgrade: head.upgrade.is_some(),
            need: match key {
                Some(_) => Need::WebSocket,
                None => Need::Messages,
            },
            accept: key
                .filter(|_| self.downstream.carrier.is_some())
                .map(|key| websocket::accept(key).into()),
            expects_continue: head.expect_continue,
            is_grpc: self.is_grpc(),
            call,
            body_timeout: self.http.body_timeout,
            min_rates: self.http.min_rates,
            via: self.http.via.as_deref().map(Rc::from),
            hsts: self.http.hsts.clone(),
            alt_svc: self.downstream.alt_svc(self.http).cloned(),
        };
        Ok((Decision::Forward(outgoing), used))
    }

    /// How much it matters, by its route or by what trusted clients say.
    fn priority(&self, route: &Route, trusted: bool) -> Priority {
        let RoutePriority { field, default } = &route.priority;
        let said = || {
            let name = field.as_deref().filter(|_| trusted)?;
            Priority::of_word(self.head.fields.named(name)?)
        };
        said().unwrap_or(*default)
    }

    /// Whether a request is not served, as memory is short: at the ceiling all but those that matter most; near it those of
    /// connections that have many under way.
    fn is_too_much(&self, route: &Route) -> bool {
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

    fn fallback_key(&self, route: &Route, facts: &Facts<'_>) -> Option<u64> {
        match route.fallback {
            Some(Fallback::Upstream(id)) => hashed(self.listener.live.cluster(id)?, facts),
            _ => None,
        }
    }

    /// An answer of our own. The connection is kept where the whole request is here already.
    fn answer(
        &self,
        status: u16,
        write: impl FnOnce(respond::Reply<'_>, &mut Vec<u8>),
    ) -> (Decision, usize) {
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
        };
        let mut out = worker.buffers().take();
        write(reply, &mut out);
        let used = used.unwrap_or(self.after_head.len());
        let answer = Answer::new(status, out, keep_alive);
        (Decision::Answer(answer), used)
    }

    fn refuse(&self, refused: Refused, trip: &mut Trip) -> (Decision, usize) {
        let (status, word) = match refused {
            Refused::NoRoute => {
                trip.end = End::NoRoute;
                self.listener.metrics.unrouted.increment();
                let status = respond::said_to(404, self.is_grpc());
                return self.answer(status, |reply, out| respond::plain(404, reply, out));
            }
            Refused::NoMemory => {
                trip.end = End::NoMemory;
                let status = respond::said_to(503, self.is_grpc());
                let (mut decision, used) = self.answer(status, respond::no_memory);
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
        let answer = respond::refusal(self.downstream, status, to);
        (Decision::Answer(answer), self.after_head.len())
    }

    /// Whether the client speaks gRPC: then it understands errors as `grpc-status` only.
    fn is_grpc(&self) -> bool {
        let value = self.head.fields.named("content-type");
        self.head.method == Method::Post && value.is_some_and(grpc::is_media_type)
    }

    fn grpc_timeout(&self) -> Option<Duration> {
        let value = self.head.fields.named(grpc::TIMEOUT)?;
        self.is_grpc().then(|| grpc::timeout(value)).flatten()
    }

    fn values<'v>(
        &'v self,
        path: &'v str,
        captures: &'v Captures,
        request_id: &'v str,
        route: &'v str,
    ) -> respond::Values<'v> {
        respond::Values {
            head: self.head,
            client: self.downstream.client,
            tls: self.downstream.tls.as_deref(),
            scheme: self.downstream.scheme(),
            path,
            captures,
            request_id,
            route,
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

/// The digit for 0 to 15.
fn hexadecimal(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

/// Requests that a connection may have under way while memory is short.
const FEW_STREAMS: usize = 8;
const REQUEST_ID_LENGTH: usize = 32;

/// What `Max-Forwards` (RFC 9110, 7.6.2) leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MaxForwards {
    /// This was the last hop.
    Reached,
    /// So many more.
    Left(u64),
}

/// The hash of what decides about the server.
fn hashed(cluster: &Cluster, facts: &Facts<'_>) -> Option<u64> {
    cluster.key()?.of_request(facts)
}

/// The fields of a head, for routes to look at.
struct Lookup<'s, 'b>(Fields<'s, 'b>);

impl FieldLookup for Lookup<'_, '_> {
    fn any(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.all_named(name).any(holds)
    }
}
