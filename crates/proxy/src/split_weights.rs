//! The weights of splits as they are now: those of the file until others are set.
//!
//! Set by the control plane and read by every worker, each weight by itself: a request that comes at that moment may see some of
//! the old and some of the new ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use sluice_config::Plan;
use sluice_config::plan::{Action, Split};

/// The weights of all splits, by route. Belongs to the control plane.
#[derive(Clone, Debug, Default)]
pub struct Splits {
    routes: BTreeMap<Arc<str>, Arc<SplitWeights>>,
}

/// The weights of the sides of one split.
#[derive(Debug)]
pub struct SplitWeights {
    sides: Box<[WeighedSide]>,
}

/// A side with its weight.
#[derive(Debug)]
pub struct WeighedSide {
    /// The name of its upstream.
    pub name: Arc<str>,
    /// The weight that the file says.
    pub of_file: u32,
    now: AtomicU32,
}

impl Splits {
    /// Those of `plan`: of splits that are as they were with the weights that they have now.
    #[must_use]
    pub fn updated(&self, plan: &Plan) -> Self {
        let weights = plan.routes.iter().filter_map(|route| {
            let Action::Split(split) = &route.action else {
                return None;
            };
            let known = self.routes.get(&route.name);
            let known = known.filter(|known| known.is_of(split)).map(Arc::clone);
            let weights = known.unwrap_or_else(|| Arc::new(SplitWeights::of(split)));
            Some((Arc::clone(&route.name), weights))
        });
        Self {
            routes: weights.collect(),
        }
    }

    /// The weights of a route's split; `None` where it has none.
    pub fn get(&self, route: &str) -> Option<&Arc<SplitWeights>> {
        self.routes.get(route)
    }

    /// The names of the routes with their weights.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<SplitWeights>)> {
        self.routes.iter()
    }
}

impl SplitWeights {
    fn of(split: &Split) -> Self {
        let side = |side: &sluice_config::plan::Side| WeighedSide {
            name: Arc::clone(&side.name),
            of_file: side.weight,
            now: AtomicU32::new(side.weight),
        };
        Self {
            sides: split.sides.iter().map(side).collect(),
        }
    }

    fn is_of(&self, split: &Split) -> bool {
        let known = self.sides.iter().map(|side| (&side.name, side.of_file));
        known.eq(split.sides.iter().map(|side| (&side.name, side.weight)))
    }

    /// The sides, in the order of the file.
    pub fn sides(&self) -> &[WeighedSide] {
        &self.sides
    }

    /// The weights now, in the order of the file.
    pub fn now(&self) -> Vec<u32> {
        self.sides.iter().map(WeighedSide::now).collect()
    }

    /// The weight of a side now; 0 where there is no such side.
    pub(crate) fn of_side(&self, side: usize) -> u32 {
        self.sides.get(side).map_or(0, WeighedSide::now)
    }

    /// Sets the weights, in the order of the file. All workers go by them from the next request on.
    pub fn set(&self, weights: &[u32]) {
        for (side, weight) in self.sides.iter().zip(weights) {
            side.now.store(*weight, Relaxed);
        }
    }
}

impl WeighedSide {
    /// Its weight now.
    pub fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }
}
