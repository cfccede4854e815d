//! What is remembered of a request: counters, and a line of the access log. Reads the trip and nothing else.

use std::net::SocketAddr;
use std::time::Instant;

use sluice_http::exchange::Refusal;
use sluice_telemetry::End;
use sluice_telemetry::access::{AccessRecord, HttpVersion, RequestLine};
use sluice_telemetry::metrics::{BadRequest, StatusClass};
use sluice_tls::Facts;

use super::serve::{Carrier, Downstream};
use crate::live::LiveListener;
use crate::secure::log_record;
use crate::split;
use crate::trip::{Trip, Word, end_of_dropped};
use crate::worker::Worker;

/// A request that is being served. Recorded when dropped, so that one whose task is cut is not lost.
pub(super) struct UnderWay<'a> {
    pub(super) downstream: &'a mut Downstream,
    pub(super) trip: Trip,
    /// Whether there is a request to record: not before its head is whole.
    pub(super) begun: bool,
    listener: &'a LiveListener,
    ended: bool,
}

impl<'a> UnderWay<'a> {
    pub(super) fn new(
        downstream: &'a mut Downstream,
        listener: &'a LiveListener,
        trip: Trip,
    ) -> Self {
        Self {
            downstream,
            trip,
            begun: false,
            listener,
            ended: false,
        }
    }

    /// It came to an end of its own: now.
    pub(super) fn ended(&mut self) -> Instant {
        self.ended = true;
        self.trip.now
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.begun {
            return;
        }
        if !self.ended {
            self.trip.end = end_of_dropped();
            self.trip.now = Instant::now();
        }
        record(&Client::of(self.downstream), self.listener, &self.trip);
    }
}

/// Whose request it was.
pub(super) struct Client<'a> {
    pub(super) worker: &'a Worker,
    pub(super) carrier: Option<Carrier>,
    pub(super) address: SocketAddr,
    /// What its handshake settled.
    pub(super) tls: Option<&'a Facts>,
}

impl<'a> Client<'a> {
    fn of(downstream: &'a Downstream) -> Self {
        Self {
            worker: &downstream.worker,
            carrier: downstream.carrier,
            address: downstream.client,
            tls: downstream.tls.as_deref(),
        }
    }
}

/// Counts and logs a request that never came to be one.
pub(super) fn refused(client: &Client<'_>, listener: &LiveListener, refusal: Refusal) {
    let mut trip = Trip::new(Instant::now());
    let (status, word) = match refusal {
        // Its stream was reset.
        Refusal::Malformed => (0, BadRequest::Syntax),
        Refusal::Protocol => (501, BadRequest::Method),
        Refusal::TooLarge => (431, BadRequest::HeadTooLarge),
    };
    (trip.status, trip.refused) = (status, Some(word));
    trip.end = End::BadRequest;
    record(client, listener, &trip);
}

/// Counts and logs one request.
fn record(client: &Client<'_>, listener: &LiveListener, trip: &Trip) {
    count(listener, trip);
    if let Some(log) = &*client.worker.access_log() {
        write(client, listener, trip, log);
    }
}

fn count(listener: &LiveListener, trip: &Trip) {
    let class = StatusClass::from(trip.status);
    if let Some(word) = trip.refused {
        listener.metrics.bad_requests.increment(word);
    }
    if trip.side.is_some() {
        split::count(&listener.live, trip);
    }
    if trip.answered_by_server {
        count_answer(trip, class);
    }
    if let Some(route) = trip.route.and_then(|id| listener.live.route_metrics(id)) {
        if trip.status > 0 {
            route.requests.increment(class);
        }
        route.duration.record(trip.now - trip.started);
        // Last: whoever sees that a request has ended finds all of it counted.
        route.ends.increment(trip.end);
    }
}

/// What its server did.
fn count_answer(trip: &Trip, class: StatusClass) {
    if let Some(lane) = &trip.lane {
        lane.metrics().requests.increment(class);
    }
    if let (Some(cluster), Some(after)) = (&trip.cluster, trip.response_after) {
        cluster.metrics().response.record(after);
    }
}

fn write(
    client: &Client<'_>,
    listener: &LiveListener,
    trip: &Trip,
    log: &sluice_telemetry::access::AccessLogWriter,
) {
    let words = trip.words.as_deref();
    let word = |word| words.and_then(|words| words.present(word));
    let request = words.map(|words| RequestLine {
        method: words.get(Word::Method),
        target: words.get(Word::Target),
        version: match client.carrier {
            Some(Carrier::Http2) => HttpVersion::Http2,
            Some(Carrier::Http3) => HttpVersion::Http3,
            None => words.version.into(),
        },
    });
    let route = trip
        .route
        .and_then(|id| listener.live.plan.routes.get(id.0));
    let limit = trip
        .limited_by
        .and_then(|id| listener.live.plan.rate_limits.get(id.0));
    log.http(&AccessRecord {
        time: client.worker.clock().time_of(trip.started),
        listener: listener.settings().map_or("", |settings| &settings.name),
        client: Some(client.address),
        request,
        host: word(Word::Host),
        status: Some(trip.status).filter(|status| *status > 0),
        request_bytes: trip.request_body,
        response_bytes: trip.response_body,
        duration: trip.now - trip.started,
        upstream_time: trip.response_after,
        route: route.map(|route| &*route.name),
        upstream: trip
            .cluster
            .as_ref()
            .map(|cluster| &*cluster.settings().name),
        server: trip.lane.as_ref().map(|lane| &**lane.endpoint().label()),
        attempts: trip.attempts,
        request_id: word(Word::RequestId),
        server_name: client.tls.and_then(|tls| tls.server_name.as_deref()),
        tls: client.tls.map(log_record),
        early_data: trip.early,
        end: trip.end,
        limit: limit.map(|limit| &*limit.name),
        user_agent: word(Word::UserAgent),
        referer: word(Word::Referer),
    });
}
