//! The scenarios, each by its name, and what sluice is to reach in each.

pub(crate) mod events;
mod features;
mod guarded;
mod handshakes;
mod idle;
mod latency;
mod one_off;
mod requests;
mod storm;
mod streams;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;

use crate::load::handshakes::Handshake;
use crate::report::Table;
use crate::subjects::{Kind, Protocol, Setup, Subject};
use crate::window::Timing;
use requests::{Asks, Shape};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// 128 bytes, 64 keep-alive connections, one worker on a core of its own.
    #[value(name = "small-64")]
    Small64,
    /// 128 bytes, 256 connections.
    #[value(name = "small-256")]
    Small256,
    /// 1 KiB, 64 connections.
    #[value(name = "1k-64")]
    Kibibyte64,
    /// 64 KiB, 64 connections.
    #[value(name = "64k-64")]
    Large64,
    /// 128 bytes, 256 connections, two workers and the load sharing all cores.
    TwoWorkers,
    /// 128 bytes, 64 keep-alive connections over TLS 1.3.
    H1Tls,
    /// 128 bytes, 16 connections of HTTP/2 with ten requests under way on each; HTTP/1.1 to the servers.
    #[value(name = "h2-10")]
    H2Ten,
    /// 128 bytes, 64 connections of HTTP/2 with one request under way on each.
    #[value(name = "h2-1")]
    H2One,
    /// 128 bytes, 16 connections of HTTP/3 with ten requests under way on each; beside those that were built with it.
    H3,
    /// Unary calls of gRPC, HTTP/2 on both sides: 16 connections with ten calls under way on each.
    Grpc,
    /// TLS: processor time for each full handshake, with one request.
    HandshakeFull,
    /// TLS: processor time for each handshake that goes on with an earlier session, with one request.
    HandshakeResumed,
    /// Latency at half the rate that nginx reaches.
    OpenLoop,
    /// TCP: processor time for each gigabyte.
    TcpBulk,
    /// TCP: processor time for each connection.
    TcpConnect,
    /// UDP: processor time for each datagram there and back.
    Udp,
    /// UDP: the same where each client sends eight long ones at once, as QUIC does.
    UdpBurst,
    /// What clients notice when servers are killed, hang, are cut off by the network, or are restarted in turn.
    Events,
    /// Clients that ask for a fifth more than servers can do, one of twenty for what is critical.
    Storm,
    /// `small-64` with all on that keeps failures from clients, beside sluice with nothing of it.
    Guarded,
    /// `small-64` over a thousand routes, by host and path.
    #[value(name = "routes-1000")]
    Routes,
    /// `small-64` with five fields of heads changed.
    HeaderEdits,
    /// `small-64` with a limit of requests for each client.
    TokenBucket,
    /// `small-64` with a signed token that is checked, ES256.
    Jwt,
    /// `small-64` with clients that stay on their servers by a cookie.
    StickyCookie,
    /// Memory held by an idle keep-alive connection.
    IdleMemory,
    /// Memory held by an idle keep-alive connection over TLS.
    IdleTls,
    /// From start to the first answer.
    Start,
    /// Size of the binary.
    Size,
    /// A clean release build of sluice; only when asked for.
    BuildTime,
}

impl Scenario {
    /// Everything but what takes minutes and compares with nothing.
    pub(crate) fn usual() -> Vec<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .filter(|&scenario| scenario != Self::BuildTime)
            .collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small64 => "small-64",
            Self::Small256 => "small-256",
            Self::Kibibyte64 => "1k-64",
            Self::Large64 => "64k-64",
            Self::TwoWorkers => "two-workers",
            Self::H1Tls => "h1-tls",
            Self::H2Ten => "h2-10",
            Self::H2One => "h2-1",
            Self::H3 => "h3",
            Self::Grpc => "grpc",
            Self::HandshakeFull => "handshake-full",
            Self::HandshakeResumed => "handshake-resumed",
            Self::OpenLoop => "open-loop",
            Self::TcpBulk => "tcp-bulk",
            Self::TcpConnect => "tcp-connect",
            Self::Udp => "udp",
            Self::UdpBurst => "udp-burst",
            Self::Events => "events",
            Self::Storm => "storm",
            Self::Guarded => "guarded",
            Self::Routes => "routes-1000",
            Self::HeaderEdits => "header-edits",
            Self::TokenBucket => "token-bucket",
            Self::Jwt => "jwt",
            Self::StickyCookie => "sticky-cookie",
            Self::IdleMemory => "idle-memory",
            Self::IdleTls => "idle-tls",
            Self::Start => "start",
            Self::Size => "size",
            Self::BuildTime => "build-time",
        }
    }

    /// Measures all subjects in turn.
    pub(crate) fn run(self, subjects: &[Subject], timing: Timing) -> Result<Vec<Table>> {
        let requests = |shape| Ok(requests::run(self, subjects, timing, shape));
        let feature = |setup, asks| Ok(features::run(self, subjects, timing, setup, asks));
        let tables = match self {
            Self::Small64 => requests(Shape::pinned("/128", 128, 64)),
            Self::Small256 => requests(Shape::pinned("/128", 128, 256)),
            Self::Kibibyte64 => requests(Shape::pinned("/1k", 1024, 64)),
            Self::Large64 => requests(Shape::pinned("/64k", 64 * 1024, 64)),
            Self::TwoWorkers => requests(Shape::two_workers("/128", 128, 256)),
            Self::H1Tls => requests(Shape::pinned("/128", 128, 64).over_tls()),
            Self::H2Ten => requests(Shape::pinned("/128", 128, 16).in_streams(10)),
            Self::H2One => requests(Shape::pinned("/128", 128, 64).in_streams(1)),
            Self::H3 => requests(Shape::pinned("/128", 128, 16).in_quic_streams(10)),
            Self::Grpc => requests(Shape::grpc(16, 10)),
            Self::HandshakeFull => Ok(handshakes::run(self, subjects, timing, Handshake::Full)),
            Self::HandshakeResumed => {
                Ok(handshakes::run(self, subjects, timing, Handshake::Resumed))
            }
            Self::OpenLoop => latency::run(subjects, timing),
            Self::TcpBulk => Ok(streams::bulk(subjects, timing)),
            Self::TcpConnect => Ok(streams::connects(subjects, timing)),
            Self::Udp => Ok(streams::datagrams(subjects, timing)),
            Self::UdpBurst => Ok(streams::bursts(subjects, timing)),
            Self::Events => events::run(subjects, timing),
            Self::Storm => Ok(storm::run(subjects, timing)),
            Self::Guarded => Ok(guarded::run(subjects, timing)),
            Self::Routes => feature(Setup::Routes, Asks::Spread),
            Self::HeaderEdits => feature(Setup::Edits, Asks::WithDebug),
            Self::TokenBucket => feature(Setup::Limit, Asks::Usual),
            Self::Jwt => feature(Setup::Token, Asks::WithToken),
            Self::StickyCookie => feature(Setup::Sticky, Asks::WithCookie),
            Self::IdleMemory => Ok(idle::run(self, subjects, timing, Protocol::Http)),
            Self::IdleTls => Ok(idle::run(self, subjects, timing, Protocol::Tls)),
            Self::Start => one_off::start(subjects, timing),
            Self::Size => one_off::size(subjects),
            Self::BuildTime => one_off::build_time(subjects),
        };
        let mut tables = tables.with_context(|| format!("scenario {}", self.name()))?;
        for table in &mut tables {
            let quantity = table.quantity.clone();
            table.close(|kind| self.target(&quantity, kind));
        }
        Ok(tables)
    }

    /// What sluice is to reach: against another subject the ratio to it, against sluice the figure itself.
    fn target(self, quantity: &str, against: Kind) -> Option<f64> {
        match (self, quantity) {
            (Self::Small64 | Self::Small256, CPU) => match against {
                Kind::Nginx => Some(0.80),
                Kind::Haproxy => Some(0.65),
                Kind::Forwarder => Some(1.25),
                Kind::Sluice | Kind::Bare | Kind::Envoy => None,
            },
            (Self::Large64, CPU) => (against == Kind::Nginx).then_some(0.65),
            (Self::H1Tls, CPU) => (against == Kind::Haproxy).then_some(0.68),
            (Self::H2Ten, CPU) => against.is_peer().then_some(0.65),
            (Self::Grpc, CPU) => against.is_peer().then_some(0.7),
            (Self::H2One, CPU) => against.is_peer().then_some(0.95),
            (Self::HandshakeFull | Self::HandshakeResumed, CPU) => {
                (against == Kind::Haproxy).then_some(1.0)
            }
            (Self::TcpBulk, CPU) => (against == Kind::Haproxy).then_some(0.6),
            (Self::TcpConnect, CPU) => (against == Kind::Haproxy).then_some(0.9),
            (Self::Udp | Self::UdpBurst, CPU) => (against == Kind::Nginx).then_some(0.8),
            (Self::Events, quantity) if quantity.ends_with(events::FAILED) => {
                (against == Kind::Sluice).then_some(0.0)
            }
            (Self::Storm, quantity) if against == Kind::Sluice => storm::target(quantity),
            (
                Self::Routes
                | Self::HeaderEdits
                | Self::TokenBucket
                | Self::Jwt
                | Self::StickyCookie,
                CPU,
            ) => against.is_peer().then_some(1.0),
            (Self::Guarded, CPU) => (against == Kind::Bare).then_some(1.05),
            (Self::IdleMemory, MEMORY) => (against == Kind::Sluice).then_some(1.3),
            (Self::IdleTls, MEMORY) => (against == Kind::Sluice).then_some(7.0),
            (Self::Small64 | Self::Small256 | Self::TwoWorkers, RATE) | (Self::OpenLoop, P99) => {
                against.is_peer().then_some(1.0)
            }
            _ => None,
        }
    }
}

const MEMORY: &str = "memory";
const CPU: &str = "processor time";
const RATE: &str = "throughput";
const P99: &str = "p99";

/// One round after the other, in each all subjects in turn; a subject that fails is left out of that round, with the reason as a note in `tables`.
fn in_turn(
    scenario: Scenario,
    subjects: &[Subject],
    rounds: usize,
    tables: &mut [Table],
    mut measure: impl FnMut(&Subject, usize, &mut [Table]) -> Result<()>,
) {
    for round in 1..=rounds {
        for (row, subject) in subjects.iter().enumerate() {
            if let Err(error) = measure(subject, row, tables) {
                tables[0].note(row, Some(format!("failed: {error:#}")));
            }
            crate::progress(&format!(
                "{} {round}/{rounds} {}: {}",
                scenario.name(),
                subject.label,
                latest(tables, row)
            ));
        }
    }
}

fn latest(tables: &[Table], row: usize) -> String {
    let figures: Vec<String> = tables
        .iter()
        .filter_map(|table| {
            Some(format!(
                "{:.2} {}",
                table.rows[row].samples.last()?,
                table.unit
            ))
        })
        .collect();
    if figures.is_empty() {
        tables[0].rows[row]
            .notes
            .last()
            .cloned()
            .unwrap_or_default()
    } else {
        figures.join(", ")
    }
}
