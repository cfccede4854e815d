//! More than servers can do, for long: clients come at a fifth more than five servers of known capacity can serve, and give up
//! after a second. The servers are as most are: what they have taken they serve, though its client has long gone.
//!
//! A proxy that lets all of it through has every request wait for longer than its client does, and nothing is served in
//! time; one that retries what has failed makes it worse.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{P99, Scenario, in_turn};
use crate::cores;
use crate::load::cluster::{Character, Cluster};
use crate::load::crowd::{Crowd, Ended};
use crate::load::field::{Field, Ledger};
use crate::load::origin::{self, Service};
use crate::load::{Load, Placement};
use crate::report::{Better, Table};
use crate::statistics::quantile;
use crate::subjects::{Job, Kind, Protocol, Setup, Subject};
use crate::window::{Timing, Window};

pub(super) fn run(subjects: &[Subject], timing: Timing) -> Vec<Table> {
    // It has no answer of its own to give.
    let subjects: Vec<Subject> = subjects
        .iter()
        .filter(|subject| subject.kind != Kind::Forwarder)
        .cloned()
        .collect();
    let mut tables = [
        (
            LOAD,
            "requests that servers see, to one offered",
            Better::Lower,
        ),
        (GOODPUT, "of what servers can do", Better::Higher),
        (CRITICAL, "% of the critical requests", Better::Higher),
        ("all served", "% of all requests", Better::Higher),
        (P99, "ms, of the served", Better::Lower),
        ("p99 of the critical", "ms, of the served", Better::Lower),
    ]
    .map(|(quantity, unit, better)| {
        Table::new(Scenario::Storm.name(), quantity, unit, better, &subjects)
    });
    // One critical request that fails of a thousand is to be seen.
    let timing = Timing {
        warm_up: timing.warm_up * 3,
        window: timing.window * 4,
        ..timing
    };
    in_turn(
        Scenario::Storm,
        &subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let (kept, length) = measure(subject, timing)?;
            for (table, figure) in tables.iter_mut().zip(kept.figures(length)) {
                if let Some(figure) = figure {
                    table.add(row, figure, None);
                }
            }
            tables[0].note(row, kept.most_frequent_failure());
            Ok(())
        },
    );
    tables.into()
}

/// What sluice is to reach.
pub(super) fn target(quantity: &str) -> Option<f64> {
    match quantity {
        LOAD => Some(1.2),
        GOODPUT => Some(0.9),
        CRITICAL => Some(99.9),
        _ => None,
    }
}

fn measure(subject: &Subject, timing: Timing) -> Result<(Kept, Duration)> {
    let addresses = origin::addresses(SERVERS.len())?;
    let mut job = Job::new(Protocol::Http, &addresses, 1, Some(cores::PROXY))?;
    job.setup = Setup::Storm;
    let cluster = Cluster::new(&addresses, &SERVERS, 0.0, SEED)?.stubborn(LINE);
    let rate = Cluster::capacity(&SERVERS) * OFFERED;
    let crowd = Crowd::new(job.listen, rate, SEED).with(PATIENCE, CRITICAL_SHARE);
    let field = Field::new(cluster, crowd, Kept::default());
    let placement = Placement {
        core: Some(cores::LOAD),
        // What waking it costs the proxy is not measured here.
        spin: false,
    };
    let load = Load::start(vec![field], Service::Http, &[], placement)?;
    let running = subject.start(&job)?;
    let window = Window::measure(&running, &load, timing)?;
    let field = load.stop()?.pop().context("no clients came back")?;
    Ok((field.ledger(), window.length))
}

/// What came to its end while it was measured.
#[derive(Default)]
struct Kept {
    measuring: bool,
    ended: Vec<Ended>,
    /// Requests that the servers were sent.
    taken: u64,
}

impl Kept {
    /// In the order of the tables.
    fn figures(&self, length: Duration) -> [Option<f64>; 6] {
        let all = self.ended.len() as f64;
        let of = |which: fn(&&Ended) -> bool| self.ended.iter().filter(which);
        let served = of(|it| it.failure.is_none()).count() as f64;
        let critical = of(|it| it.is_critical).count() as f64;
        let critical_served = of(|it| it.is_critical && it.failure.is_none());
        let critical_took = took(critical_served);
        [
            Some(self.taken as f64 / all),
            Some(served / length.as_secs_f64() / Cluster::capacity(&SERVERS)),
            Some(100.0 * critical_took.len() as f64 / critical),
            Some(100.0 * served / all),
            quantile(&took(of(|it| it.failure.is_none())), 990),
            quantile(&critical_took, 990),
        ]
    }
}

impl Kept {
    /// What most of those noticed who were not served.
    fn most_frequent_failure(&self) -> Option<String> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for why in self.ended.iter().filter_map(|it| it.failure) {
            *times.entry(why).or_default() += 1;
        }
        let (why, _) = times.into_iter().max_by_key(|(_, times)| *times)?;
        Some(format!("the most frequent failure: {why}"))
    }
}

/// Milliseconds, sorted.
fn took<'a>(ended: impl Iterator<Item = &'a Ended>) -> Vec<f64> {
    let mut took: Vec<f64> = ended.map(|it| it.took().as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    took
}

impl Ledger for Kept {
    fn note(&mut self, ended: Ended) {
        if self.measuring {
            self.ended.push(ended);
        }
    }

    fn turn_page(
        &mut self,
        measuring: bool,
        _: &mut dyn Iterator<Item = Instant>,
        taken: Vec<u64>,
    ) {
        self.measuring = measuring;
        if !measuring {
            self.taken = taken.iter().sum();
        }
    }
}

const LOAD: &str = "load of the servers";
const GOODPUT: &str = "goodput";
const CRITICAL: &str = "critical served";
const SERVERS: [Character; 5] = [Character::Steady; 5];
/// What is asked of the servers, of what they can do.
const OFFERED: f64 = 1.2;
const CRITICAL_SHARE: f64 = 0.05;
/// How long clients wait.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a server has wait before it refuses more: with this it takes a whole second until an answer.
const LINE: usize = 330;
const SEED: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_what_ended_while_it_was_measured() {
        let ended = |is_critical, failure, millis| {
            let due = Instant::now();
            let at = due + Duration::from_millis(millis);
            Ended {
                is_critical,
                due,
                at,
                failure,
            }
        };
        let mut kept = Kept::default();
        kept.note(ended(true, Some("too early"), 1));
        kept.turn_page(true, &mut std::iter::empty(), vec![7, 7]);
        kept.note(ended(true, None, 10));
        kept.note(ended(true, Some("refused"), 1));
        kept.note(ended(false, None, 30));
        kept.note(ended(false, Some("refused"), 1));
        kept.turn_page(false, &mut std::iter::empty(), vec![3, 2]);
        kept.note(ended(false, Some("too late"), 1));
        let capacity = Cluster::capacity(&SERVERS);
        let figures = kept.figures(Duration::from_secs(1));
        let expected = [1.25, 2.0 / capacity, 50.0, 50.0, 30.0, 10.0];
        for (figure, expected) in figures.into_iter().zip(expected) {
            let is_right = figure.is_some_and(|figure| (figure - expected).abs() < 1e-6);
            assert!(is_right, "{figures:?}");
        }
    }
}
