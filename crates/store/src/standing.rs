//! What all workers know of the stores: whether it was said already that one is away.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluice_config::Plan;

/// The standing of all stores, by name. Belongs to the control plane.
#[derive(Clone, Debug, Default)]
pub struct Stores(HashMap<Arc<str>, Arc<Standing>>);

impl Stores {
    /// Those of `plan`: of stores that were there before as they are.
    #[must_use]
    pub fn updated(&self, plan: &Plan) -> Self {
        let all = plan.stores.iter().map(|store| {
            let known = self.0.get(&store.name).map(Arc::clone);
            (Arc::clone(&store.name), known.unwrap_or_default())
        });
        Self(all.collect())
    }

    /// Each store's name, and whether it is away, in the order of their names.
    pub fn states(&self) -> Vec<(Arc<str>, bool)> {
        let state = |(name, standing): (&Arc<str>, &Arc<Standing>)| {
            let is_away = standing.is_away.load(Ordering::Relaxed);
            (Arc::clone(name), is_away)
        };
        let mut states: Vec<_> = self.0.iter().map(state).collect();
        states.sort_unstable();
        states
    }

    /// That of a store; a new one where there is none of that name.
    pub fn get(&self, store: &str) -> Arc<Standing> {
        self.0.get(store).map(Arc::clone).unwrap_or_default()
    }
}

/// Whether a store is away, as far as anybody has noticed.
#[derive(Debug, Default)]
pub struct Standing {
    is_away: AtomicBool,
}

impl Standing {
    /// It is away: whether that is news.
    pub(crate) fn went(&self) -> bool {
        !self.is_away.swap(true, Ordering::Relaxed)
    }

    /// It is there: whether it was away before.
    pub(crate) fn came(&self) -> bool {
        self.is_away.swap(false, Ordering::Relaxed)
    }
}
