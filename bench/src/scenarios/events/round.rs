//! One round of one subject: all events, one after the other, under one load.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::servers::{Event, Servers, addresses};
use super::watch::{Sent, Watch};
use crate::cores;
use crate::load::cluster::{Character, Cluster};
use crate::load::crowd::{Crowd, Ended};
use crate::load::field::{Field, Ledger};
use crate::load::origin::Service;
use crate::load::{Load, Placement};
use crate::statistics::quantile;
use crate::subjects::{Job, Protocol, Setup, Subject};
use crate::window;

/// What clients noticed of one event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) event: Event,
    /// Requests that came to their end from its beginning until the next one's.
    pub(super) requests: usize,
    pub(super) failed: usize,
    pub(super) first_failure: Option<String>,
    /// Milliseconds, from when a request was due to its good answer; none where none had one.
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) worst: Option<f64>,
    /// Requests sent to the sick server while it was sick.
    pub(super) sent: usize,
    /// When the last of them was sent, milliseconds after it became sick.
    pub(super) last_sent: f64,
}

/// An event's time.
struct Span {
    event: Event,
    began: Instant,
    /// From when on the sick server was well again.
    undone: Instant,
    ended: Instant,
}

pub(super) fn run(subject: &Subject, hold: Duration) -> Result<Vec<Figures>> {
    let mut servers = Servers::start()?;
    let mut job = Job::new(Protocol::Http, &addresses(), 1, Some(cores::PROXY))?;
    job.setup = Setup::Events;
    let rate = Cluster::capacity(&[Character::Steady; 5]) * UTILIZATION;
    let crowd = Crowd::new(job.listen, rate, SEED).with(CLIENT_PATIENCE, 0.0);
    let none = Cluster::new(&[], &[], 0.0, SEED)?;
    let placement = Placement {
        core: Some(cores::LOAD),
        // The servers share its core.
        spin: false,
    };
    let field = Field::new(none, crowd, Kept::default());
    let load = Load::start(vec![field], Service::Http, &[], placement)?;
    let watch = Watch::begin()?;
    let _running = subject.start(&job)?;
    load.open();
    window::pause(WARM_UP);
    let mut spans = Vec::new();
    for event in Event::ALL {
        let (began, undone) = servers.undergo(event, hold)?;
        window::pause(REST);
        spans.push(Span {
            event,
            began,
            undone,
            ended: Instant::now(),
        });
        ensure!(!load.ended(), "the load ended before its time");
    }
    let clients = load.stop()?.pop().context("no clients came back")?;
    let (ended, sent) = (clients.ledger().0, watch.end()?);
    Ok(spans
        .iter()
        .map(|span| span.figures(&ended, &sent))
        .collect())
}

impl Span {
    fn figures(&self, all: &[Ended], sent: &[Sent]) -> Figures {
        let within = |ended: &&Ended| (self.began..self.ended).contains(&ended.at);
        let (mut requests, mut failed, mut first_failure) = (0, 0, None);
        let mut latencies = Vec::new();
        for ended in all.iter().filter(within) {
            requests += 1;
            match ended.failure {
                None => latencies.push(ended.took().as_secs_f64() * 1e3),
                Some(why) => {
                    failed += 1;
                    first_failure.get_or_insert(why);
                }
            }
        }
        latencies.sort_by(f64::total_cmp);
        let to_sick: Vec<Instant> = sent
            .iter()
            .filter(|sent| self.event.sick() == Some(sent.to))
            .map(|sent| sent.at)
            .filter(|at| (self.began..self.undone).contains(at))
            .collect();
        let last = to_sick.last().map(|last| *last - self.began);
        Figures {
            event: self.event,
            requests,
            failed,
            first_failure: first_failure.map(str::to_owned),
            p50: quantile(&latencies, 500),
            p99: quantile(&latencies, 990),
            worst: quantile(&latencies, 1000),
            sent: to_sick.len(),
            last_sent: last.unwrap_or_default().as_secs_f64() * 1e3,
        }
    }
}

/// All requests that have ended.
#[derive(Default)]
struct Kept(Vec<Ended>);

impl Ledger for Kept {
    fn note(&mut self, ended: Ended) {
        self.0.push(ended);
    }

    fn turn_page(&mut self, _: bool, _: &mut dyn Iterator<Item = Instant>, _: Vec<u64>) {}
}

/// What is asked of the servers, of what all of them can do: what one leaves, the others can take.
const UTILIZATION: f64 = 0.4;
/// A client that has waited for so long has been failed.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_secs(2);
/// Between one event and the next: longer than clients wait, so that all an event has done is seen in its own time.
const REST: Duration = Duration::from_secs(3);
const SEED: u64 = 1;
