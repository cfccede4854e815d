//! Latency at a fixed rate well below what any of the subjects can do: the
//! open loop.

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;

use super::requests::{SERVERS, Shape};
use super::{P99, Scenario, in_turn};
use crate::cores;
use crate::load::exchange::HttpClients;
use crate::load::flow::Door;
use crate::load::origin::{self, Service};
use crate::load::requests::Heads;
use crate::load::{Load, Placement};
use crate::report::{Better, Table};
use crate::statistics::Spread;
use crate::subjects::{Job, Kind, Protocol, Subject};
use crate::window::{Timing, Window};

pub(super) fn run(subjects: &[Subject], timing: Timing) -> Result<Vec<Table>> {
    let name = Scenario::OpenLoop.name();
    let rate = half_of_peak(subjects, timing)?;
    crate::progress(&format!("{name}: {rate:.0} requests a second"));
    let quantities = [("p50", 0.5), ("p90", 0.9), (P99, 0.99), ("p99.9", 0.999)];
    let mut tables: Vec<Table> = quantities
        .iter()
        .map(|&(quantity, _)| Table::new(name, quantity, "µs", Better::Lower, subjects))
        .collect();
    tables.push(Table::new(
        name,
        super::CPU,
        "µs a request",
        Better::Lower,
        subjects,
    ));
    tables.push(Table::new(
        name,
        super::RATE,
        "requests a second",
        Better::Higher,
        subjects,
    ));
    in_turn(
        Scenario::OpenLoop,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let (latencies, window) = at_rate(subject, rate, timing)?;
            for (table, &(_, quantile)) in tables.iter_mut().zip(&quantities) {
                table.add(
                    row,
                    latencies.value_at_quantile(quantile) as f64 / 1e3,
                    None,
                );
            }
            tables[quantities.len()].add(row, window.micros_each(), None);
            tables[quantities.len() + 1].add(row, window.rate(), None);
            Ok(())
        },
    );
    Ok(tables)
}

/// Half of what the first nginx reaches, or without one the first subject.
fn half_of_peak(subjects: &[Subject], timing: Timing) -> Result<f64> {
    let reference = subjects
        .iter()
        .find(|subject| subject.kind == Kind::Nginx)
        .or(subjects.first())
        .context("no subject")?;
    let shape = Shape::pinned("/128", 128, 64);
    let rates = (0..timing.rounds.min(3))
        .map(|_| shape.window(reference, timing).map(|window| window.rate()))
        .collect::<Result<Vec<_>>>()
        .with_context(|| format!("looking for the peak of {}", reference.label))?;
    Ok(Spread::of(&rates).context("no round")?.median / 2.0)
}

fn at_rate(subject: &Subject, rate: f64, timing: Timing) -> Result<(Histogram<u64>, Window)> {
    let servers = origin::addresses(SERVERS)?;
    let job = Job::new(Protocol::Http, &servers, 1, Some(cores::PROXY))?;
    let heads = Heads::usual("/128");
    let clients = HttpClients::open(Door::plain(job.listen), CONNECTIONS, heads, 128, rate)?;
    let placement = Placement {
        core: Some(cores::LOAD),
        spin: true,
    };
    let load = Load::start(vec![clients], Service::Http, &servers, placement)?;
    let running = subject.start(&job)?;
    let window = Window::measure(&running, &load, timing)?;
    let clients = load.stop()?.pop().context("no clients came back")?;
    let latencies = clients
        .latencies()
        .context("no latencies were kept")?
        .clone();
    Ok((latencies, window))
}

const CONNECTIONS: usize = 64;
