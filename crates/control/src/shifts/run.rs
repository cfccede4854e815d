//! A shift step by step: sets a share, watches, and goes on, or back.

use std::sync::Arc;
use std::time::Duration;

use sluice_telemetry::metrics::{ShiftEnd, SideTotals};
use tokio::time::{Instant, sleep_until};

use super::condition::{Condition, shown};
use super::order::Stepwise;
use super::{Active, Shifts};

/// Runs the shift with this number of a route, of which the side has this share already, to its end. Ends as well when it is not that route's
/// shift any more.
pub(super) async fn run(
    shifts: Arc<Shifts>,
    route: Arc<str>,
    number: u64,
    share: f64,
    steps: Stepwise,
) {
    let task = Task {
        shifts,
        route,
        number,
        steps,
    };
    let Some(first) = task.totals() else {
        return;
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is 0 to 1"
    )]
    let mut percent = (share * 100.0) as u8;
    loop {
        percent = percent.saturating_add(task.steps.step).min(100);
        match task.step(percent, &first).await {
            Some(Verdict::Good) if percent == 100 => return task.complete(),
            Some(Verdict::Good) => {}
            Some(Verdict::Bad(reason)) => return task.go_back(percent, &reason),
            None => return,
        }
    }
}

struct Task {
    shifts: Arc<Shifts>,
    route: Arc<str>,
    number: u64,
    steps: Stepwise,
}

/// What came of a step.
enum Verdict {
    Good,
    /// Why it did not do.
    Bad(String),
}

/// What came so far of the requests of the side that gets more, and of those of the others.
struct Totals {
    canary: SideTotals,
    baseline: SideTotals,
}

impl Task {
    /// Gives the side this share and watches what comes of it. `None` where the shift has been ended.
    async fn step(&self, percent: u8, first: &Totals) -> Option<Verdict> {
        self.with(|active| active.set_share(percent))?;
        self.shifts.show_shares(&self.shifts.lock());
        tracing::info!(route = &*self.route, percent, "a step of a shift");
        // Nothing is watched, so there is nothing to wait for at the end.
        if percent == 100 && self.steps.abort_if.is_empty() {
            return Some(Verdict::Good);
        }
        let before = self.totals()?;
        let end = Instant::now() + self.steps.every;
        let look = (self.steps.every / 10).clamp(SOONEST, LATEST);
        loop {
            let next = Instant::now() + look;
            let is_over = Instant::now() >= end;
            sleep_until(if is_over { next } else { next.min(end) }).await;
            let now = self.totals()?;
            let enough = self.steps.min_requests;
            let canary = now.canary.since(&before.canary);
            let is_known = canary.ended >= enough;
            if is_known {
                // What the others do in the same time says most; with too few requests, what they did since the beginning.
                let baseline = [&before, first].map(|since| now.baseline.since(&since.baseline));
                let baseline = baseline.iter().find(|since| since.ended >= enough);
                let mut all = self.steps.abort_if.iter();
                if let Some(reason) = all.find_map(|one| one.breach(&canary, baseline)) {
                    return Some(Verdict::Bad(reason));
                }
            }
            let is_watched = !self.steps.abort_if.is_empty();
            let says = match canary.error_rate() {
                _ if is_watched && !is_known => {
                    format!(
                        "at {percent}%, {} of the {enough} requests that a step takes",
                        canary.ended
                    )
                }
                Some(rate) => format!(
                    "at {percent}%, {:.1}% errors of {} requests in this step",
                    rate * 100.0,
                    canary.ended
                ),
                None => format!("at {percent}%"),
            };
            self.with(|active| active.told.says = says)?;
            if Instant::now() >= end && (is_known || !is_watched) {
                return Some(Verdict::Good);
            }
        }
    }

    fn complete(&self) {
        self.finish(ShiftEnd::Completed, "it has all requests".to_owned());
    }

    fn go_back(&self, percent: u8, reason: &str) {
        let reset = self.with(|active| active.weights.set(&active.before));
        if reset.is_some() {
            let says = format!("at {percent}%, {reason}");
            self.finish(ShiftEnd::WentBack, says);
        }
    }

    fn finish(&self, end: ShiftEnd, says: String) {
        let mut current = self.shifts.lock();
        let is_own = current
            .running(&self.route)
            .is_some_and(|active| active.number == self.number);
        if is_own {
            self.shifts.end(&mut current, &self.route, end, says);
            self.shifts.show_shares(&current);
        }
    }

    /// Does something with the shift; `None` where it is not this one that runs.
    fn with<T>(&self, what: impl FnOnce(&mut Active) -> T) -> Option<T> {
        let mut current = self.shifts.lock();
        let active = current.running(&self.route)?;
        (active.number == self.number).then(|| what(active))
    }

    fn totals(&self) -> Option<Totals> {
        let names: Vec<_> = self.with(|active| {
            let sides = active.weights.sides().iter().enumerate();
            sides
                .map(|(index, side)| (index == active.side, Arc::clone(&side.name)))
                .collect()
        })?;
        let mut totals = Totals {
            canary: SideTotals::default(),
            baseline: SideTotals::default(),
        };
        for (is_canary, name) in names {
            let side = self.shifts.registry.side_totals(&self.route, &name);
            if is_canary {
                totals.canary = side;
            } else {
                totals.baseline.add(&side);
            }
        }
        Some(totals)
    }
}

impl Stepwise {
    /// As it would be asked for.
    pub(super) fn shown(&self) -> String {
        format!("by {}% every {}", self.step, shown(self.every))
    }

    pub(super) fn conditions(&self) -> impl Iterator<Item = String> {
        self.abort_if.iter().map(Condition::to_string)
    }
}

/// How often it is looked at least, and at most.
const SOONEST: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_secs(1);
