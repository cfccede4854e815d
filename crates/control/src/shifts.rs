//! Shifts between the sides of splits: all at once, or step by step for as long as the side that gets more does well.
//!
//! The weights are set where all workers read them. A shift by steps is a task of the control plane: it sets a share, watches for a
//! while what comes of the side's requests beside those of the others, and goes on, or back. What was set stays over reloads for as long as
//! the file says the same of the split.

mod condition;
mod order;
mod run;
mod weights;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_config::Plan;
use sluice_proxy::{SplitWeights, Splits};
use sluice_telemetry::metrics::{Registry, ShiftEnd};
use thiserror::Error;
use tokio::task::AbortHandle;

pub use condition::ConditionError;
pub use order::{OrderError, Wanted};

use order::Stepwise;
use weights::{shares, with_share};

/// The splits of the running configuration, and what is done to them.
#[derive(Debug)]
pub struct Shifts {
    registry: Arc<Registry>,
    current: Mutex<Current>,
}

#[derive(Debug, Default)]
struct Current {
    splits: Splits,
    /// The last of each route, whether it has ended or not.
    shifts: BTreeMap<Arc<str>, Active>,
    /// How many there have been.
    count: u64,
}

/// A shift, with what it takes to end it.
#[derive(Debug)]
struct Active {
    number: u64,
    side: usize,
    weights: Arc<SplitWeights>,
    /// The weights before it began.
    before: Vec<u32>,
    task: Option<AbortHandle>,
    told: Shift,
}

/// A split as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitState {
    /// The route's name.
    pub route: String,
    /// In the order of the file.
    pub sides: Vec<Side>,
    /// The last shift, if there was one since the file has said this of the split.
    pub shift: Option<Shift>,
}

/// A side as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The upstream's name.
    pub upstream: String,
    /// Its weight now.
    pub weight: u32,
    /// The weight that the file says.
    pub weight_of_file: u32,
    /// Its share of the requests now, 0 to 1.
    pub share: f64,
}

/// A shift as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The side that gets more.
    pub to: String,
    /// How it has ended; `None` while it runs.
    pub ended: Option<ShiftEnd>,
    /// What it does, or why it has ended, in a sentence.
    pub says: String,
    /// The steps, as they would be asked for; `None` where all was done at once.
    pub steps: Option<String>,
    /// What has it go back.
    pub abort_if: Vec<String>,
}

/// Why something cannot be done to a split.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShiftError {
    /// No route with a split has this name.
    #[error("there is no route `{0}` with a split{1}")]
    NoSplit(String, String),
    /// The split has no such side.
    #[error("the split of route `{0}` has no side `{1}`; it has: {2}")]
    NoSide(String, String, String),
    /// The order is wrong.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Another shift runs.
    #[error("a shift of route `{0}` is under way: stop it first, or take it back")]
    UnderWay(String),
    /// None runs.
    #[error("no shift of route `{0}` is under way")]
    NotUnderWay(String),
    /// There is nothing to shift.
    #[error("`{0}` has all requests already")]
    HasAll(String),
}

impl Shifts {
    /// None as yet.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self {
            registry: Arc::clone(registry),
            current: Mutex::default(),
        }
    }

    /// All splits, by the names of their routes.
    pub fn all(&self) -> Vec<SplitState> {
        let current = self.lock();
        let splits = current.splits.iter();
        splits
            .map(|(route, weights)| current.state(route, weights))
            .collect()
    }

    /// The split of a route.
    ///
    /// # Errors
    /// [`ShiftError::NoSplit`]
    pub fn get(&self, route: &str) -> Result<SplitState, ShiftError> {
        let current = self.lock();
        let weights = current.weights(route)?;
        Ok(current.state(route, weights))
    }

    /// Begins to shift requests to a side; called on the control plane's runtime. All at once, it is done when this returns.
    ///
    /// # Errors
    /// [`ShiftError`]; then nothing has changed.
    pub fn begin(self: &Arc<Self>, route: &str, wanted: &Wanted) -> Result<SplitState, ShiftError> {
        let steps = wanted.steps()?;
        let mut current = self.lock();
        let weights = Arc::clone(current.weights(route)?);
        let side = side_called(route, &weights, &wanted.to)?;
        if current.running(route).is_some() {
            return Err(ShiftError::UnderWay(route.to_owned()));
        }
        let before = weights.now();
        let share = shares(&before).get(side).copied().unwrap_or_default();
        if share >= 1.0 {
            return Err(ShiftError::HasAll(wanted.to.clone()));
        }
        current.count += 1;
        let number = current.count;
        let route: Arc<str> = route.into();
        let mut active = Active {
            number,
            side,
            weights,
            before,
            task: None,
            told: Shift {
                to: wanted.to.clone(),
                ended: None,
                says: "begins".to_owned(),
                steps: steps.as_ref().map(Stepwise::shown),
                abort_if: steps.iter().flat_map(Stepwise::conditions).collect(),
            },
        };
        tracing::info!(
            route = &*route,
            to = wanted.to,
            steps = active.told.steps,
            "a shift begins"
        );
        if let Some(steps) = steps {
            let run = run::run(Arc::clone(self), Arc::clone(&route), number, share, steps);
            active.task = Some(tokio::spawn(run).abort_handle());
            current.shifts.insert(Arc::clone(&route), active);
        } else {
            active.set_share(100);
            current.shifts.insert(Arc::clone(&route), active);
            self.end(
                &mut current,
                &route,
                ShiftEnd::Completed,
                "all at once".to_owned(),
            );
        }
        self.show_shares(&current);
        let weights = current.weights(&route)?;
        Ok(current.state(&route, weights))
    }

    /// Ends the shift of a route that runs; the weights stay as they are.
    ///
    /// # Errors
    /// [`ShiftError`]; then nothing has changed.
    pub fn stop(&self, route: &str) -> Result<SplitState, ShiftError> {
        let mut current = self.lock();
        let weights = Arc::clone(current.weights(route)?);
        if current.running(route).is_none() {
            return Err(ShiftError::NotUnderWay(route.to_owned()));
        }
        self.end(
            &mut current,
            route,
            ShiftEnd::Stopped,
            "stopped by hand".to_owned(),
        );
        Ok(current.state(route, &weights))
    }

    /// Gives the sides of a route the weights that they had before its last shift, and ends that where it runs. Where there was none, the
    /// weights are those of the file.
    ///
    /// # Errors
    /// [`ShiftError`]; then nothing has changed.
    pub fn back(&self, route: &str) -> Result<SplitState, ShiftError> {
        let mut current = self.lock();
        let weights = Arc::clone(current.weights(route)?);
        let of_file = || weights.sides().iter().map(|side| side.of_file).collect();
        let last = current.shifts.get(route);
        let before: Vec<u32> = last.map_or_else(of_file, |last| last.before.clone());
        weights.set(&before);
        if current.running(route).is_some() {
            let says = "taken back by hand".to_owned();
            self.end(&mut current, route, ShiftEnd::Stopped, says);
        } else if let Some(last) = current.shifts.get_mut(route)
            && last.told.ended != Some(ShiftEnd::WentBack)
        {
            // What it did is undone.
            "taken back by hand since".clone_into(&mut last.told.says);
        }
        tracing::info!(
            route,
            "the sides of a split have the weights again that they had before"
        );
        self.show_shares(&current);
        Ok(current.state(route, &weights))
    }

    /// The weights for a plan that is about to be run.
    pub(crate) fn splits_of(&self, plan: &Plan) -> Splits {
        self.lock().splits.updated(plan)
    }

    /// These splits run from now on. A shift of another one has come to its end.
    pub(crate) fn replace(&self, splits: Splits) {
        let mut current = self.lock();
        current.splits = splits;
        let is_gone = |route: &Arc<str>, active: &Active| {
            let now = current.splits.get(route);
            now.is_none_or(|now| !Arc::ptr_eq(now, &active.weights))
        };
        let gone = current.shifts.iter();
        let gone: Vec<_> = gone
            .filter(|(route, active)| is_gone(route, active))
            .map(|(route, _)| Arc::clone(route))
            .collect();
        for route in gone {
            if current.running(&route).is_some() {
                let says = "a reload changed the split".to_owned();
                self.end(&mut current, &route, ShiftEnd::Reloaded, says);
            }
            current.shifts.remove(&route);
        }
        self.show_shares(&current);
    }

    /// A shift that runs has come to its end.
    fn end(&self, current: &mut Current, route: &str, end: ShiftEnd, says: String) {
        let Some(active) = current.running(route) else {
            return;
        };
        if let Some(task) = active.task.take() {
            task.abort();
        }
        let to = &active.told.to;
        if end == ShiftEnd::WentBack {
            tracing::warn!(route, to, reason = says, "a shift went back by itself");
        } else {
            tracing::info!(
                route,
                to,
                end = end.as_str(),
                reason = says,
                "a shift has ended"
            );
        }
        active.told.says = says;
        active.told.ended = Some(end);
        self.registry.shifts().ended(route, end);
    }

    fn show_shares(&self, current: &Current) {
        let shares_of = |(route, weights): (&Arc<str>, &Arc<SplitWeights>)| {
            let names = weights.sides().iter().map(|side| side.name.to_string());
            let names = names.map(|name| [route.to_string(), name]);
            names.zip(shares(&weights.now())).collect::<Vec<_>>()
        };
        let all = current.splits.iter().flat_map(shares_of).collect();
        self.registry.shifts().set_shares(all);
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// None, of a process that runs nothing.
impl Default for Shifts {
    fn default() -> Self {
        Self::new(&Arc::new(Registry::new("")))
    }
}

impl Current {
    fn weights(&self, route: &str) -> Result<&Arc<SplitWeights>, ShiftError> {
        self.splits.get(route).ok_or_else(|| {
            let names: Vec<_> = self.splits.iter().map(|(route, _)| &**route).collect();
            let there_are = match names.as_slice() {
                [] => ", nor any other".to_owned(),
                names => format!("; there are: {}", names.join(", ")),
            };
            ShiftError::NoSplit(route.to_owned(), there_are)
        })
    }

    fn running(&mut self, route: &str) -> Option<&mut Active> {
        let active = self.shifts.get_mut(route)?;
        active.told.ended.is_none().then_some(active)
    }

    fn state(&self, route: &str, weights: &SplitWeights) -> SplitState {
        let now = weights.now();
        let side = |((side, weight), share): ((&sluice_proxy::WeighedSide, &u32), f64)| Side {
            upstream: side.name.to_string(),
            weight: *weight,
            weight_of_file: side.of_file,
            share,
        };
        let sides = weights.sides().iter().zip(&now).zip(shares(&now));
        SplitState {
            route: route.to_owned(),
            sides: sides.map(side).collect(),
            shift: self.shifts.get(route).map(|active| active.told.clone()),
        }
    }
}

impl Active {
    fn set_share(&self, percent: u8) {
        self.weights
            .set(&with_share(&self.before, self.side, percent));
    }
}

fn side_called(route: &str, weights: &SplitWeights, name: &str) -> Result<usize, ShiftError> {
    let sides = weights.sides();
    sides
        .iter()
        .position(|side| &*side.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = sides.iter().map(|side| &*side.name).collect();
            ShiftError::NoSide(route.to_owned(), name.to_owned(), names.join(", "))
        })
}

#[cfg(test)]
mod tests;
