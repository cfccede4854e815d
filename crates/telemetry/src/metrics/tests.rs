//! The registry as a scraper sees it, read by a parser that is not ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_parse::{Scrape, Value};

use super::catalogue::{self, Kind};
use super::*;
use crate::End;

fn scrape(registry: &Registry) -> Scrape {
    let mut text = String::new();
    registry.render(&mut text);
    Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("the text format")
}

fn number(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
    let samples: Vec<_> = scrape
        .samples
        .iter()
        .filter(|sample| sample.metric == name)
        .filter(|sample| {
            labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(value))
        })
        .collect();
    assert_eq!(samples.len(), 1, "{name} {labels:?}: {samples:?}");
    match samples[0].value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
        ref other => panic!("{name} is {other:?}"),
    }
}

/// A registry in which everything has a sample.
fn populated() -> Registry {
    let registry = Registry::new("1.2.3");
    registry.auth(0, "ask");
    let key_sets = registry.key_sets();
    key_sets.begin("tokens", "https://idp/keys");
    key_sets.begin("never", "https://idp/never");
    key_sets.came("tokens", 2, UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    key_sets.failed("tokens", "away".to_owned());
    key_sets.failed("forgotten", "away".to_owned());
    for worker in 0..2 {
        let route = registry.route(worker, "shop");
        route.requests.increment(200.into());
        route.requests.increment(503.into());
        route.ends.increment(End::Ok);
        route.duration.record(Duration::from_millis(7));
        let mirror = registry.mirror(worker, "shop");
        mirror.outcomes.increment(MirrorOutcome::TooLong);
        mirror.in_flight.increment();
        let side = registry.side(worker, "shop", "app");
        side.requests.increment(502.into());
        side.ended.add(2);
        side.failures.increment();
        side.duration.record(Duration::from_millis(7));
        let upstream = registry.upstream(worker, "app");
        upstream.response.record(Duration::from_millis(3));
        upstream.connect.record(Duration::from_micros(90));
        upstream.retries.increment();
        let server = registry.server(worker, "app", "127.0.0.1:9001");
        server.requests.increment(204.into());
        server.in_flight.add(3);
        server.in_flight.decrement();
        server.connect_failures.increment(ConnectFailure::Refused);
        server.bytes_sent.add(1_000);
        let checks = registry.checks("app", "127.0.0.1:9001");
        checks.outcomes.increment(CheckOutcome::Status);
        checks.last_nanos.set(1_500_000_000);
        let listener = registry.listener(worker, "web");
        listener.connections_accepted.add(10);
        listener.connections_active.add(4);
        listener.bad_requests.increment(BadRequest::Host);
        listener.sessions.increment(End::IdleTimeout);
        registry
            .server_name(worker, "web", "a.example")
            .connections
            .increment();
        registry.worker(worker).busy_nanos.set(1_500_000_000);
        let limit = registry.rate_limit(worker, "per-ip");
        limit.requests.increment(LimitOutcome::Refused);
        let store = registry.store(worker, "main");
        store.operations.increment(StoreOutcome::Timeout);
        store.connected.increment();
    }
    let side = ["shop".to_owned(), "app".to_owned()];
    registry.shifts().set_shares(BTreeMap::from([(side, 0.5)]));
    registry.shifts().ended("shop", ShiftEnd::WentBack);
    registry
        .process()
        .set_ports_used("app", "127.0.0.1:9001", 0.25);
    let state: StateOf = Box::new(|| ServerState::HalfOpen);
    let server = ["app".to_owned(), "127.0.0.1:9001".to_owned()];
    let states = BTreeMap::from([(server, state)]);
    registry.process().set_server_states(states);
    registry.process().set_certificates(BTreeMap::from([(
        ["web".to_owned(), "example.com".to_owned()],
        1_800_000_000,
    )]));
    for obtained in [false, true, false] {
        registry.process().ordered("example.com", obtained);
    }
    registry.process().set_memory_limit(Some(2 << 30));
    registry
}

#[test]
fn workers_add_up() {
    let scrape = scrape(&populated());
    for (name, labels, expected) in [
        (
            "sluice_requests_total",
            &[("route", "shop"), ("code", "2xx")][..],
            2.0,
        ),
        (
            "sluice_requests_total",
            &[("route", "shop"), ("code", "5xx")],
            2.0,
        ),
        (
            "sluice_requests_total",
            &[("route", "shop"), ("code", "4xx")],
            0.0,
        ),
        ("sluice_request_ends_total", &[("end", "ok")], 2.0),
        (
            "sluice_mirrored_requests_total",
            &[("outcome", "too-long")],
            2.0,
        ),
        (
            "sluice_mirrored_requests_in_flight",
            &[("route", "shop")],
            2.0,
        ),
        ("sluice_split_share_ratio", &[("route", "shop")], 0.5),
        ("sluice_split_shifts_total", &[("end", "went-back")], 1.0),
        (
            "sluice_acme_orders_total",
            &[("certificate", "example.com"), ("outcome", "failed")],
            2.0,
        ),
        ("sluice_upstream_retries_total", &[("upstream", "app")], 2.0),
        (
            "sluice_server_in_flight",
            &[("upstream", "app"), ("server", "127.0.0.1:9001")],
            4.0,
        ),
        (
            "sluice_server_connect_failures_total",
            &[("reason", "refused")],
            2.0,
        ),
        (
            "sluice_server_connect_failures_total",
            &[("reason", "timeout")],
            0.0,
        ),
        ("sluice_server_sent_bytes_total", &[], 2_000.0),
        ("sluice_connections_total", &[("listener", "web")], 20.0),
        ("sluice_connections_active", &[("listener", "web")], 8.0),
        ("sluice_bad_requests_total", &[("reason", "host")], 2.0),
        ("sluice_tcp_sessions_total", &[("end", "idle-timeout")], 2.0),
        (
            "sluice_ephemeral_ports_used_ratio",
            &[("upstream", "app")],
            0.25,
        ),
        ("sluice_worker_busy_seconds_total", &[("worker", "1")], 1.5),
        ("sluice_build_info", &[("version", "1.2.3")], 1.0),
    ] {
        let found = number(&scrape, name, labels);
        assert!(
            (found - expected).abs() < 1e-9,
            "{name} {labels:?}: {found}"
        );
    }
}

#[test]
fn histograms_are_cumulative_and_end_with_their_count() {
    let registry = Registry::new("");
    let route = registry.route(0, "r");
    for micros in [50, 100, 101, 2_400, 70_000_000] {
        route.duration.record(Duration::from_micros(micros));
    }
    let scrape = scrape(&registry);
    let sample = |suffix: &str| {
        let name = format!("sluice_request_duration_seconds{suffix}");
        scrape
            .samples
            .iter()
            .find(move |sample| sample.metric == name)
    };
    let Some(Value::Histogram(buckets)) = sample("").map(|sample| &sample.value) else {
        panic!("no histogram: {:?}", sample(""));
    };
    let counts: Vec<_> = buckets.iter().map(|bucket| bucket.count).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    let at = |bound: f64| {
        let bucket = buckets
            .iter()
            .find(|bucket| bucket.less_than.total_cmp(&bound).is_eq());
        bucket.unwrap_or_else(|| panic!("no bound {bound}")).count
    };
    for (bound, count) in [
        (0.000_1, 2.0),
        (0.000_25, 3.0),
        (0.002_5, 4.0),
        (60.0, 4.0),
        (f64::INFINITY, 5.0),
    ] {
        assert!((at(bound) - count).abs() < 0.5, "{bound}: {}", at(bound));
    }
    let (sum, count) = (
        number(&scrape, "sluice_request_duration_seconds_sum", &[]),
        number(&scrape, "sluice_request_duration_seconds_count", &[]),
    );
    assert!((sum - 70.002_651).abs() < 5e-6, "{sum}");
    assert!((count - 5.0).abs() < f64::EPSILON);
}

#[test]
fn every_family_is_written_once_in_the_order_of_the_catalogue() {
    let mut text = String::new();
    populated().render(&mut text);
    let written: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    let expected: Vec<_> = catalogue::ALL
        .iter()
        .map(|family| format!("{} {}", family.name, family.kind.as_str()))
        .collect();
    assert_eq!(written, expected);
    for family in catalogue::ALL {
        let suffix = if family.kind == Kind::Histogram {
            "_bucket"
        } else {
            ""
        };
        let opening = if family.labels.is_empty() { " " } else { "{" };
        let start = format!("{}{suffix}{opening}", family.name);
        let sample = text.lines().find(|line| line.starts_with(&start));
        let sample = sample.unwrap_or_else(|| panic!("{start} has no sample"));
        for label in family.labels {
            assert!(sample.contains(&format!("{label}=\"")), "{sample}");
        }
    }
}

#[test]
fn the_same_text_twice() {
    let registry = populated();
    let render = || {
        let mut text = String::new();
        registry.render(&mut text);
        // The kernel's figures move by themselves.
        text.lines()
            .filter(|line| !line.starts_with("process_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(render(), render());
}

#[test]
fn names_are_escaped() {
    let registry = Registry::new("");
    registry
        .route(0, "a\"b\\c\nd")
        .requests
        .increment(200.into());
    let mut text = String::new();
    registry.render(&mut text);
    assert!(
        text.contains(r#"sluice_requests_total{route="a\"b\\c\nd",code="2xx"} 1"#),
        "{text}"
    );
}

#[test]
fn shards_live_through_reloads_and_are_forgotten_on_request() {
    let registry = populated();
    assert!(Arc::ptr_eq(
        &registry.route(0, "shop"),
        &registry.route(0, "shop")
    ));
    assert!(!Arc::ptr_eq(
        &registry.route(0, "shop"),
        &registry.route(1, "shop")
    ));
    registry.route(0, "old").requests.increment(200.into());
    registry
        .server(0, "app", "127.0.0.1:9002")
        .requests
        .increment(200.into());

    registry
        .server_name(0, "web", "a.example")
        .connections
        .increment();
    registry
        .server_name(0, "web", "gone.example")
        .connections
        .increment();
    registry.side(0, "canary", "gone").failures.increment();
    registry.mirror(0, "old").in_flight.increment();
    registry.side(0, "canary", "stays").failures.increment();
    registry.retain(|subject| match subject {
        Subject::Route(route) | Subject::Mirror(route) => route != "old",
        Subject::Side { route, upstream } => (route, upstream) != ("canary", "gone"),
        Subject::Server { upstream, server } => (upstream, server) != ("app", "127.0.0.1:9001"),
        Subject::Auth(name) => name != "gone",
        Subject::Upstream(_) | Subject::Listener(_) | Subject::Store(_) | Subject::RateLimit(_) => {
            true
        }
        Subject::ServerName { listener, name } => (listener, name) != ("web", "gone.example"),
    });
    let mut text = String::new();
    registry.render(&mut text);
    assert!(text.contains("route=\"shop\"") && !text.contains("route=\"old\""));
    assert!(text.contains("127.0.0.1:9002") && !text.contains("127.0.0.1:9001"));
    assert!(text.contains("sni=\"a.example\"") && !text.contains("gone.example"));
    assert!(text.contains("upstream=\"stays\"") && !text.contains("upstream=\"gone\""));
    assert_eq!(registry.route(0, "old").requests.total(), 0);
}

#[test]
fn what_came_of_a_side_since() {
    let registry = populated();
    let before = registry.side_totals("shop", "app");
    assert_eq!((before.ended, before.failures), (4, 2));
    assert_eq!(before.error_rate(), Some(0.5));
    let side = registry.side(1, "shop", "app");
    side.ended.add(10);
    side.duration.record(Duration::from_millis(80));
    let since = registry.side_totals("shop", "app").since(&before);
    assert_eq!((since.ended, since.failures), (10, 0));
    assert_eq!(since.error_rate(), Some(0.0));
    assert_eq!(since.quantile(1.0), Some(0.1));
    let nothing = registry.side_totals("shop", "other");
    assert_eq!((nothing.error_rate(), nothing.quantile(0.99)), (None, None));
}

#[test]
fn reloads_are_told() {
    let registry = Registry::new("");
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
    registry.process().loaded(at, 2);
    registry.process().reload_failed();
    let failed = scrape(&registry);
    registry.process().reloaded(at + Duration::from_secs(1), 0);
    let succeeded = scrape(&registry);
    let figures = |scrape: &Scrape| {
        [
            number(scrape, "sluice_reloads_total", &[("result", "success")]),
            number(scrape, "sluice_reloads_total", &[("result", "failure")]),
            number(scrape, "sluice_last_reload_successful", &[]),
            number(scrape, "sluice_last_reload_success_timestamp_seconds", &[]),
            number(scrape, "sluice_config_warnings", &[]),
        ]
        .map(|figure| figure.to_string())
        .join(" ")
    };
    assert_eq!(figures(&failed), "0 1 0 1.5 2");
    assert_eq!(figures(&succeeded), "1 1 1 2.5 0");
}

#[test]
fn totals_at_a_glance() {
    let totals = populated().totals();
    assert_eq!(
        totals,
        Totals {
            requests: 4,
            server_errors: 2,
            retries: 2,
            connections: 20,
            connections_active: 8,
            servers: vec![ServerTotals {
                upstream: "app".to_owned(),
                server: "127.0.0.1:9001".to_owned(),
                requests: 2,
                in_flight: 4,
            }],
        }
    );
}

#[test]
fn statuses_have_their_class() {
    let mut seen = BTreeMap::new();
    for status in 100_u16..600 {
        *seen.entry(StatusClass::from(status).as_str()).or_insert(0) += 1;
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| (class, 100))
    );
}

#[test]
fn what_the_codecs_refuse_has_a_word() {
    use sluice_wire::h1::{FieldStorage, Limits, parse_request};

    for (head, word) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "length",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n",
            "transfer-coding",
        ),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", "line-ending"),
        ("GET / HTTP/1.1\r\nHost: a\r\na : b\r\n\r\n", "syntax"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "version"),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "method"),
    ] {
        let mut storage = FieldStorage::new();
        let refused = parse_request(head.as_bytes(), &mut storage, &Limits::default()).map(|_| ());
        let error = refused.expect_err(head);
        assert_eq!(BadRequest::from(error).as_str(), word, "{head:?}");
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "whole numbers")]
fn keys_that_never_came_are_of_no_time() {
    let registry = populated();
    let told = scrape(&registry);
    let fetches = |auth, outcome| {
        let labels = [("auth", auth), ("outcome", outcome)];
        number(&told, "sluice_auth_key_fetches_total", &labels)
    };
    assert_eq!(fetches("tokens", "success"), 1.0);
    assert_eq!(fetches("tokens", "failure"), 1.0);
    assert_eq!(fetches("never", "failure"), 0.0);
    // One sample only.
    let name = "sluice_auth_keys_fetched_timestamp_seconds";
    assert_eq!(number(&told, name, &[]), 1_700_000_000.0);
    let states = registry.key_sets().all();
    let [(never, nothing), (tokens, state)] = &states[..] else {
        panic!("{states:?}");
    };
    assert_eq!((&**never, nothing.fetched), ("never", None));
    assert_eq!((&**tokens, state.keys), ("tokens", 2));
    assert_eq!(state.failure.as_deref(), Some("away"));
}
