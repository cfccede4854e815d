//! All policies with all seeds, on as many threads as may be used.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::engine::Simulation;
use crate::report::{Comparison, Figures};
use crate::scenario::{Arrivals, Extent, Scenario, seconds};

/// How far a study is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Requests simulated so far.
    pub requests: u64,
    /// As many as there will be, about.
    pub expected: u64,
}

/// Runs every policy of the scenario with every seed, on so many `threads` (at least one), and tells `progress` now and
/// then. What comes out does not depend on the number of threads.
pub fn run(
    scenario: &Scenario,
    threads: usize,
    progress: &(dyn Fn(Progress) + Sync),
) -> Comparison {
    let runs: Vec<(usize, u64)> = (0..scenario.policies().len())
        .flat_map(|policy| scenario.seeds().map(move |seed| (policy, seed)))
        .collect();
    let expected = expected(scenario) * runs.len() as u64;
    let (next, simulated) = (AtomicUsize::new(0), AtomicU64::new(0));
    let done: Mutex<Vec<Option<Figures>>> = Mutex::new(vec![None; runs.len()]);
    let work = || {
        while let Some(&(policy, seed)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let index = policy * scenario.seeds as usize
                + usize::try_from(seed.wrapping_sub(scenario.seed)).unwrap_or(0);
            let mut simulation = Simulation::new(scenario, &scenario.policies()[policy], seed);
            let mut arrived = 0;
            while simulation.advance(arrived + STRIDE) {
                let step = simulation.arrived() - arrived;
                arrived += step;
                let requests = simulated.fetch_add(step, Ordering::Relaxed) + step;
                progress(Progress { requests, expected });
            }
            simulated.fetch_add(simulation.arrived() - arrived, Ordering::Relaxed);
            let figures = Figures::of(&simulation.finish());
            if let Ok(mut done) = done.lock() {
                done[index] = Some(figures);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, runs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let figures = done.into_inner().unwrap_or_default();
    let figures: Vec<Figures> = figures.into_iter().flatten().collect();
    Comparison::new(scenario, &figures, simulated.into_inner())
}

/// Requests between two words about progress: some tens of milliseconds.
const STRIDE: u64 = 100_000;

/// Requests of a run, about.
fn expected(scenario: &Scenario) -> u64 {
    let in_time =
        |nanos| crate::scenario::nanos_of(seconds(nanos) * 1e9 * scenario.arrivals.rate());
    let warm_up = in_time(scenario.warm_up);
    match (scenario.extent, &scenario.arrivals) {
        (Extent::Requests(requests), Arrivals::Recorded(all)) => {
            (warm_up + requests).min(all.len() as u64)
        }
        (Extent::Requests(requests), _) => warm_up + requests,
        (Extent::Time(time), _) => warm_up + in_time(time),
        (Extent::All, Arrivals::Recorded(all)) => all.len() as u64,
        (Extent::All, _) => 0,
    }
}
