//! A request on its way to a server: what the head that is at hand says for all that follows.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_config::plan::{Fallback, MinRates, Route, RoutePriority, UpstreamId};
use sluice_health::Strain;
use sluice_http::h1::edits::Edits;
use sluice_http::h1::relay::{Relay, RelayError};
use sluice_http::h1::request::{Certificate, Forwarding, Vouched, compose};
use sluice_http::websocket;
use sluice_model::Priority;
use sluice_route::Facts;
use sluice_telemetry::metrics::BadRequest;
use sluice_upstream::{Cluster, Need};
use sluice_wire::h1::{Method, Version};

use super::decide::{Asked, Decision};
use super::for_client::lines_for_server;
use super::grpc::{self, CallDeadline};
use super::hedge::Hedge;
use super::mirror::Mirrored;
use super::refuse::Refused;
use super::rewrite::Elsewhere;
use super::serve::Carrier;
use super::sticky::Session;
use super::tries::Tries;
use super::values::Values;
use crate::trip::Trip;

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
    /// The session that it belongs to, where those stay on their servers.
    pub(super) session: Session,
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
    /// The same of the session.
    pub(super) fallback_session: Session,
    /// Where it is copied to.
    pub(super) mirrored: Option<Box<Mirrored>>,
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

/// What goes on with a request, beside its head.
pub(super) struct Onward<'a> {
    /// What is left of `Max-Forwards`.
    pub(super) max_forwards: Option<u64>,
    /// Field lines that are vouched for.
    pub(super) vouched: &'a [u8],
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

impl Asked<'_, '_, '_> {
    /// Composes what the server gets. Returns also how many bytes after the head were used up.
    pub(super) fn forward(
        &self,
        route: &Route,
        upstream: UpstreamId,
        facts: &Facts<'_>,
        values: Values<'_>,
        onward: &Onward<'_>,
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
        let is_grpc = self.is_grpc();
        // Too far away to be a moment, it is no deadline.
        let call_until = self
            .grpc_timeout(is_grpc)
            .and_then(|timeout| trip.started.checked_add(timeout));
        let trusted = self.http.trusts(self.downstream.client.ip());
        let values = Values {
            upstream: &cluster.settings().name,
            ..values
        };
        let rewrite = route.edits.rewrite.as_deref();
        let elsewhere = rewrite
            .map(|rewrite| Elsewhere::of(rewrite, &values))
            .transpose()?;
        let changes = route.edits.request.as_deref();
        let lines = changes.map(|changes| lines_for_server(changes, &values));
        let edits = changes.map(|changes| Edits {
            removes: Some(&changes.removes),
            copies: &changes.copies,
            lines: lines.as_deref().unwrap_or_default(),
        });
        let clock = worker.clock();
        let session = Session::of(cluster, &self.listener.live, facts, trip.now, clock);
        let forwarding = Forwarding {
            client: self.downstream.client.ip(),
            trusted,
            believed_of_trusted: route.priority.field.as_deref(),
            spoken: self.downstream.carrier.map(Carrier::via),
            scheme: self.downstream.scheme(),
            request_id: values.request_id,
            via: self.http.via.as_deref(),
            forwarded: self.http.forwarded,
            default_host: &cluster.settings().name,
            early: trip.early,
            max_forwards: onward.max_forwards,
            certificate: self.certificate(),
            first: call_until.map(|_| CallDeadline::FIELD),
            vouched: route.auth.as_deref().map(|auth| Vouched {
                names: &auth.dropped,
                lines: onward.vouched,
            }),
            edits,
            hides_cookie: cluster.sticky_cookie().filter(|_| session.has_cookie),
            place: elsewhere.as_ref().map(Elsewhere::place),
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
        let mirrored = self.mirrored(route, facts, trip);
        let kept = if is_wanted { route.retry.buffer } else { 0 };
        let kept = kept.max(mirrored.as_ref().map_or(0, |mirrored| mirrored.most()));
        if kept > 0 && self.listener.live.memory.strain() == Strain::Calm {
            body.keep(kept);
        }
        let outgoing = Outgoing {
            cluster: Rc::clone(cluster),
            bytes,
            body,
            key: hashed(cluster, facts),
            session,
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
            fallback_session: self.fallback_session(route, facts, trip.now),
            mirrored,
            wants_upgrade: head.upgrade.is_some(),
            need: match key {
                Some(_) => Need::WebSocket,
                None => Need::Messages,
            },
            accept: key
                .filter(|_| self.downstream.carrier.is_some())
                .map(|key| websocket::accept(key).into()),
            expects_continue: head.expect_continue,
            is_grpc,
            call,
            body_timeout: self.http.body_timeout,
            min_rates: self.http.min_rates,
            via: self.http.via.as_deref().map(Rc::from),
            hsts: self.http.hsts.clone(),
            alt_svc: self.downstream.alt_svc(self.http).cloned(),
        };
        Ok((Decision::Forward(Box::new(outgoing)), used))
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

    /// How much it matters, by its route or by what trusted clients say.
    pub(super) fn priority(&self, route: &Route, trusted: bool) -> Priority {
        let RoutePriority { field, default } = &route.priority;
        let said = || {
            let name = field.as_deref().filter(|_| trusted)?;
            Priority::of_word(self.head.fields.named(name)?)
        };
        said().unwrap_or(*default)
    }

    fn fallback_key(&self, route: &Route, facts: &Facts<'_>) -> Option<u64> {
        match route.fallback {
            Some(Fallback::Upstream(id)) => hashed(self.listener.live.cluster(id)?, facts),
            _ => None,
        }
    }

    fn fallback_session(&self, route: &Route, facts: &Facts<'_>, now: Instant) -> Session {
        let other = match route.fallback {
            Some(Fallback::Upstream(id)) => self.listener.live.cluster(id),
            _ => None,
        };
        let clock = self.downstream.worker.clock();
        other.map_or_else(Session::default, |other| {
            Session::of(other, &self.listener.live, facts, now, clock)
        })
    }

    fn grpc_timeout(&self, is_grpc: bool) -> Option<Duration> {
        let fields = is_grpc.then_some(self.head.fields)?;
        grpc::timeout(fields.named(grpc::TIMEOUT)?)
    }
}

/// The hash of what decides about the server.
fn hashed(cluster: &Cluster, facts: &Facts<'_>) -> Option<u64> {
    cluster.key()?.of_request(facts)
}
