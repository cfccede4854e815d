//! The stores of the running configuration: for whoever asks how they are.

use std::sync::{Arc, Mutex, PoisonError};

use sluice_store::Stores;

/// The stores that balancers share. Others after each reload.
#[derive(Debug, Default)]
pub struct LiveStores(Mutex<Stores>);

impl LiveStores {
    /// Each store's name, and whether a worker has found it away and none has found it back since.
    pub fn states(&self) -> Vec<(Arc<str>, bool)> {
        self.lock().states()
    }

    pub(crate) fn replace(&self, stores: &Stores) {
        *self.lock() = stores.clone();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stores> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
