//! Writes every family of the registry, shards added up, in the order of the catalogue.

use std::sync::Arc;

use super::catalogue::{self, Family};
use super::cell::{Counter, CounterBy, Gauge};
use super::checks::CheckMetrics;
use super::histogram::{Histogram, HistogramTotal};
use super::kernel::KernelView;
use super::mirrors::MirrorMetrics;
use super::process::ProcessMetrics;
use super::rate_limit::RateLimitMetrics;
use super::refusal::Refusal;
use super::registry::{ByNames, Registry};
use super::server_state::ServerState;
use super::shards::{
    AuthMetrics, ListenerMetrics, RouteMetrics, ServerMetrics, ServerNameMetrics, UpstreamMetrics,
    WorkerMetrics,
};
use super::sides::SideMetrics;
use super::store::StoreMetrics;
use super::text::Exposition;
use crate::word::Word;
use sluice_model::Priority;

/// The media type of [`Registry::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Registry {
    /// Appends all metrics in the Prometheus text format. Reads `/proc` of the own process; takes time in proportion
    /// to the number of series, so it belongs on the control plane.
    pub fn render(&self, out: &mut String) {
        let mut text = Exposition::new(out);
        routes(&mut text, &self.routes.snapshot());
        sides(&mut text, &self.sides.snapshot());
        self.shifts.render(&mut text);
        auths(&mut text, &self.auths.snapshot());
        self.key_sets.render(&mut text);
        mirrors(&mut text, &self.mirrors.snapshot());
        let (all, names) = (self.listeners.snapshot(), self.server_names.snapshot());
        listeners(&mut text, &all, &names, &self.process);
        upstreams(&mut text, &self.upstreams.snapshot());
        servers(&mut text, &self.servers.snapshot(), &self.process);
        checks(&mut text, &self.checks.snapshot());
        ports(&mut text, &self.process);
        rate_limits(&mut text, &self.rate_limits.snapshot());
        stores(&mut text, &self.stores.snapshot());
        workers(&mut text, &self.workers.snapshot());
        process(&mut text, &self.process);
        kernel(&mut text, &KernelView::read());
    }
}

fn routes(text: &mut Exposition<'_>, routes: &ByNames<1, RouteMetrics>) {
    counters_by(text, &catalogue::REQUESTS, routes, |route| &route.requests);
    counters_by(text, &catalogue::REQUEST_ENDS, routes, |route| &route.ends);
    histograms(text, &catalogue::REQUEST_SECONDS, routes, |route| {
        &route.duration
    });
}

fn sides(text: &mut Exposition<'_>, sides: &ByNames<2, SideMetrics>) {
    counters_by(text, &catalogue::SPLIT_REQUESTS, sides, |side| {
        &side.requests
    });
    counters(text, &catalogue::SPLIT_FAILURES, sides, |side| {
        &side.failures
    });
    histograms(text, &catalogue::SPLIT_SECONDS, sides, |side| {
        &side.duration
    });
}

fn auths(text: &mut Exposition<'_>, auths: &ByNames<1, AuthMetrics>) {
    counters_by(text, &catalogue::AUTH, auths, |auth| &auth.outcomes);
}

fn mirrors(text: &mut Exposition<'_>, mirrors: &ByNames<1, MirrorMetrics>) {
    counters_by(text, &catalogue::MIRRORED, mirrors, |mirror| {
        &mirror.outcomes
    });
    gauges(text, &catalogue::MIRRORED_IN_FLIGHT, mirrors, |mirror| {
        &mirror.in_flight
    });
}

fn listeners(
    text: &mut Exposition<'_>,
    all: &ByNames<1, ListenerMetrics>,
    names: &ByNames<2, ServerNameMetrics>,
    process: &ProcessMetrics,
) {
    counters(text, &catalogue::CONNECTIONS, all, |listener| {
        &listener.connections_accepted
    });
    counters_by(text, &catalogue::CONNECTIONS_REFUSED, all, |listener| {
        &listener.connections_refused
    });
    gauges(text, &catalogue::CONNECTIONS_ACTIVE, all, |listener| {
        &listener.connections_active
    });
    gauges(text, &catalogue::CONNECTIONS_IDLE, all, |listener| {
        &listener.connections_idle
    });
    counters(text, &catalogue::ACCEPT_ERRORS, all, |listener| {
        &listener.accept_errors
    });
    counters_by(text, &catalogue::BAD_REQUESTS, all, |listener| {
        &listener.bad_requests
    });
    counters(text, &catalogue::DENIED, all, |listener| &listener.denied);
    counters(text, &catalogue::UNROUTED, all, |listener| {
        &listener.unrouted
    });
    counters_by(text, &catalogue::TLS_HELLOS, all, |listener| {
        &listener.hellos
    });
    counters(text, &catalogue::SNI_CONNECTIONS, names, |name| {
        &name.connections
    });
    counters_by(text, &catalogue::TCP_SESSIONS, all, |listener| {
        &listener.sessions
    });
    counters_by(text, &catalogue::TLS_HANDSHAKES, all, |listener| {
        &listener.tls_handshakes
    });
    counters_by(text, &catalogue::TLS_FAILURES, all, |listener| {
        &listener.tls_failures
    });
    counters(text, &catalogue::TLS_RESUMPTIONS, all, |listener| {
        &listener.tls_resumptions
    });
    counters_by(text, &catalogue::TLS_EARLY_DATA, all, |listener| {
        &listener.tls_early_data
    });
    let mut samples = text.family(&catalogue::TLS_EXPIRY);
    for ([listener, certificate], at) in process.certificates() {
        samples.sample(&[&listener, &certificate], at);
    }
    let mut samples = text.family(&catalogue::ACME_ORDERS);
    for (certificate, orders) in process.orders() {
        samples.sample(&[&certificate, "obtained"], orders.obtained);
        samples.sample(&[&certificate, "failed"], orders.failed);
    }
    counters_by(text, &catalogue::UDP_SESSIONS, all, |listener| {
        &listener.udp_sessions
    });
    counters(text, &catalogue::UDP_RECEIVED, all, |listener| {
        &listener.datagrams_received
    });
    counters(text, &catalogue::UDP_SENT, all, |listener| {
        &listener.datagrams_sent
    });
    counters_by(text, &catalogue::UDP_DROPPED, all, |listener| {
        &listener.datagrams_dropped
    });
    counters(text, &catalogue::DOWNSTREAM_RECEIVED, all, |listener| {
        &listener.bytes_received
    });
    counters(text, &catalogue::DOWNSTREAM_SENT, all, |listener| {
        &listener.bytes_sent
    });
}

fn upstreams(text: &mut Exposition<'_>, all: &ByNames<1, UpstreamMetrics>) {
    histograms(
        text,
        &catalogue::UPSTREAM_RESPONSE_SECONDS,
        all,
        |upstream| &upstream.response,
    );
    histograms(
        text,
        &catalogue::UPSTREAM_CONNECT_SECONDS,
        all,
        |upstream| &upstream.connect,
    );
    counters(text, &catalogue::UPSTREAM_RETRIES, all, |upstream| {
        &upstream.retries
    });
    counters(text, &catalogue::UPSTREAM_FALLBACKS, all, |upstream| {
        &upstream.fallbacks
    });
    counters(text, &catalogue::UPSTREAM_RETRIES_DENIED, all, |upstream| {
        &upstream.retries_denied
    });
    counters(text, &catalogue::UPSTREAM_HEDGES, all, |upstream| {
        &upstream.hedges
    });
    counters(text, &catalogue::UPSTREAM_HEDGES_WON, all, |upstream| {
        &upstream.hedges_won
    });
    counters(text, &catalogue::UPSTREAM_HEDGES_DENIED, all, |upstream| {
        &upstream.hedges_denied
    });
    counters(
        text,
        &catalogue::UPSTREAM_SESSIONS_STARTED,
        all,
        |upstream| &upstream.sessions_started,
    );
    counters(text, &catalogue::UPSTREAM_SESSIONS_MOVED, all, |upstream| {
        &upstream.sessions_moved
    });
    counters(
        text,
        &catalogue::UPSTREAM_SESSIONS_PUSHED_OUT,
        all,
        |upstream| &upstream.sessions_pushed_out,
    );
    counters(text, &catalogue::UPSTREAM_NO_SERVER, all, |upstream| {
        &upstream.no_server
    });
    counters(text, &catalogue::UPSTREAM_ALL_DOWN, all, |upstream| {
        &upstream.all_down
    });
    gauges(text, &catalogue::UPSTREAM_QUEUE_WAITING, all, |upstream| {
        &upstream.queue_waiting
    });
    counters(text, &catalogue::UPSTREAM_QUEUE_WAITS, all, |upstream| {
        &upstream.queue_waits
    });
    gauges(
        text,
        &catalogue::UPSTREAM_CONCURRENCY_LIMIT,
        all,
        |upstream| &upstream.concurrency_limit,
    );
    gauges(
        text,
        &catalogue::UPSTREAM_CONCURRENCY_IN_FLIGHT,
        all,
        |upstream| &upstream.concurrency_in_flight,
    );
    refusals(text, all);
}

fn refusals(text: &mut Exposition<'_>, all: &ByNames<1, UpstreamMetrics>) {
    let mut samples = text.family(&catalogue::UPSTREAM_REFUSED);
    for ([upstream], shards) in all {
        for reason in Refusal::ALL {
            for priority in Priority::ALL {
                let total = sum(shards.values(), |shard| {
                    shard.refused.value(*reason, priority)
                });
                let labels = [upstream.as_str(), reason.as_str(), priority.as_str()];
                samples.sample(&labels, total);
            }
        }
    }
}

fn servers(text: &mut Exposition<'_>, all: &ByNames<2, ServerMetrics>, process: &ProcessMetrics) {
    counters_by(text, &catalogue::SERVER_REQUESTS, all, |server| {
        &server.requests
    });
    counters(text, &catalogue::SERVER_SESSIONS, all, |server| {
        &server.sessions
    });
    gauges(text, &catalogue::SERVER_IN_FLIGHT, all, |server| {
        &server.in_flight
    });
    counters(text, &catalogue::SERVER_CONNECTIONS, all, |server| {
        &server.connections_opened
    });
    counters(text, &catalogue::SERVER_REUSED, all, |server| {
        &server.connections_reused
    });
    counters(text, &catalogue::SERVER_STALE, all, |server| {
        &server.connections_stale
    });
    gauges(text, &catalogue::SERVER_IDLE, all, |server| {
        &server.connections_idle
    });
    counters(text, &catalogue::SERVER_IDLE_DROPPED, all, |server| {
        &server.idle_dropped
    });
    counters_by(text, &catalogue::SERVER_CONNECT_FAILURES, all, |server| {
        &server.connect_failures
    });
    counters_by(text, &catalogue::SERVER_RESPONSE_FAILURES, all, |server| {
        &server.response_failures
    });
    counters(text, &catalogue::SERVER_LIMIT_REACHED, all, |server| {
        &server.limit_reached
    });
    states(text, process);
    counters_by(text, &catalogue::SERVER_BREAKER_OPENINGS, all, |server| {
        &server.breaker_openings
    });
    counters(text, &catalogue::SERVER_LAST_RESORTS, all, |server| {
        &server.last_resorts
    });
    counters(text, &catalogue::SERVER_SENT, all, |server| {
        &server.bytes_sent
    });
    counters(text, &catalogue::SERVER_RECEIVED, all, |server| {
        &server.bytes_received
    });
}

fn states(text: &mut Exposition<'_>, process: &ProcessMetrics) {
    let mut samples = text.family(&catalogue::SERVER_STATE);
    process.server_states(|[upstream, server], state| {
        for word in ServerState::ALL {
            let labels = [upstream.as_str(), server.as_str(), word.as_str()];
            samples.sample(&labels, u8::from(*word == state));
        }
    });
}

fn checks(text: &mut Exposition<'_>, all: &ByNames<2, CheckMetrics>) {
    counters_by(text, &catalogue::SERVER_CHECKS, all, |checks| {
        &checks.outcomes
    });
    let mut samples = text.family(&catalogue::SERVER_CHECK_SECONDS);
    for (names, shards) in all {
        // One thread does them all.
        for shard in shards.values() {
            let seconds = shard.last_nanos.value() as f64 / 1e9;
            samples.sample(&labels(names, None), seconds);
        }
    }
}

fn ports(text: &mut Exposition<'_>, process: &ProcessMetrics) {
    let mut samples = text.family(&catalogue::PORTS_USED);
    for ([upstream, server], share) in process.ports_used() {
        samples.sample(&[&upstream, &server], share);
    }
}

fn rate_limits(text: &mut Exposition<'_>, all: &ByNames<1, RateLimitMetrics>) {
    counters_by(text, &catalogue::RATE_LIMIT_REQUESTS, all, |limit| {
        &limit.requests
    });
    gauges(text, &catalogue::RATE_LIMIT_WAITING, all, |limit| {
        &limit.waiting
    });
    counters(text, &catalogue::RATE_LIMIT_FORGOTTEN, all, |limit| {
        &limit.forgotten
    });
}

fn stores(text: &mut Exposition<'_>, all: &ByNames<1, StoreMetrics>) {
    counters_by(text, &catalogue::STORE_OPERATIONS, all, |store| {
        &store.operations
    });
    gauges(text, &catalogue::STORE_CONNECTED, all, |store| {
        &store.connected
    });
}

fn workers(text: &mut Exposition<'_>, all: &ByNames<0, WorkerMetrics>) {
    let shards = || all.values().flatten();
    let mut samples = text.family(&catalogue::WORKER_BUSY);
    for (worker, metrics) in shards() {
        samples.sample(
            &[&worker.to_string()],
            metrics.busy_nanos.value() as f64 / 1e9,
        );
    }
    let mut samples = text.family(&catalogue::WORKER_CONNECTIONS);
    for (worker, metrics) in shards() {
        samples.sample(&[&worker.to_string()], metrics.connections_accepted.value());
    }
}

fn process(text: &mut Exposition<'_>, process: &ProcessMetrics) {
    text.family(&catalogue::ACCEPT_PAUSES)
        .sample(&[], process.accept_pauses.value());
    let mut limit = text.family(&catalogue::MEMORY_LIMIT);
    if let Some(bytes) = process.memory_limit() {
        limit.sample(&[], bytes);
    }
    text.family(&catalogue::MEMORY_STRAIN)
        .sample(&[], process.memory_strain());
    let mut reloads = text.family(&catalogue::RELOADS);
    reloads.sample(&["success"], process.reloads_succeeded.value());
    reloads.sample(&["failure"], process.reloads_failed.value());
    text.family(&catalogue::RELOAD_SUCCESSFUL)
        .sample(&[], u8::from(process.last_reload_successful()));
    text.family(&catalogue::RELOAD_TIME)
        .sample(&[], process.last_reload_seconds());
    text.family(&catalogue::CONFIG_WARNINGS)
        .sample(&[], process.config_warnings());
    let mut dropped = text.family(&catalogue::LOG_DROPPED);
    dropped.sample(&["access"], process.access_log_dropped.value());
    dropped.sample(&["process"], process.process_log_dropped.value());
    text.family(&catalogue::BUILD_INFO)
        .sample(&[process.version()], 1);
}

fn kernel(text: &mut Exposition<'_>, kernel: &KernelView) {
    let mut write = |family, value: Option<f64>| {
        let mut samples = text.family(family);
        if let Some(value) = value {
            samples.sample(&[], value);
        }
    };
    write(&catalogue::START_TIME, kernel.start_seconds);
    write(&catalogue::CPU_SECONDS, kernel.cpu_seconds);
    write(
        &catalogue::RESIDENT_BYTES,
        kernel.resident_bytes.map(|bytes| bytes as f64),
    );
    write(
        &catalogue::OPEN_FDS,
        kernel.open_fds.map(|count| count as f64),
    );
    write(
        &catalogue::MAX_FDS,
        kernel.max_fds.map(|limit| limit as f64),
    );
}

fn counters<const NAMES: usize, M>(
    text: &mut Exposition<'_>,
    family: &'static Family,
    all: &ByNames<NAMES, M>,
    pick: impl Fn(&M) -> &Counter,
) {
    let mut samples = text.family(family);
    for (names, shards) in all {
        let total = sum(shards.values(), |shard| pick(shard).value());
        samples.sample(&labels(names, None), total);
    }
}

fn counters_by<const NAMES: usize, M, W: Word, const N: usize>(
    text: &mut Exposition<'_>,
    family: &'static Family,
    all: &ByNames<NAMES, M>,
    pick: impl Fn(&M) -> &CounterBy<W, N>,
) {
    let mut samples = text.family(family);
    for (names, shards) in all {
        for word in W::ALL {
            let total = sum(shards.values(), |shard| pick(shard).value(*word));
            samples.sample(&labels(names, Some(word.as_str())), total);
        }
    }
}

fn gauges<const NAMES: usize, M>(
    text: &mut Exposition<'_>,
    family: &'static Family,
    all: &ByNames<NAMES, M>,
    pick: impl Fn(&M) -> &Gauge,
) {
    let mut samples = text.family(family);
    for (names, shards) in all {
        let level: i64 = shards.values().map(|shard| pick(shard).value()).sum();
        samples.sample(&labels(names, None), level);
    }
}

fn histograms<const NAMES: usize, M>(
    text: &mut Exposition<'_>,
    family: &'static Family,
    all: &ByNames<NAMES, M>,
    pick: impl Fn(&M) -> &Histogram,
) {
    let mut samples = text.family(family);
    for (names, shards) in all {
        let mut total = HistogramTotal::default();
        for shard in shards.values() {
            total.add(pick(shard));
        }
        samples.histogram(&labels(names, None), &total);
    }
}

fn sum<'a, M: 'a>(shards: impl Iterator<Item = &'a Arc<M>>, value: impl Fn(&M) -> u64) -> u64 {
    shards.fold(0, |sum, shard| sum.wrapping_add(value(shard)))
}

fn labels<'a, const NAMES: usize>(
    names: &'a [String; NAMES],
    word: Option<&'a str>,
) -> Vec<&'a str> {
    names.iter().map(String::as_str).chain(word).collect()
}
