//! Looks at how much memory the process takes, and says how near it is to `runtime.max-memory`.
//!
//! ```text
//!   RSS ──► Ceiling ──► Memory ──► workers: who comes in, what is served, what is let go
//!                 └───► the allocator: gives back what nobody holds
//! ```

use std::sync::Arc;
use std::time::Duration;

use sluice_config::Plan;
use sluice_config::plan::MaxMemory;
use sluice_health::{Ceiling, Strain};
use sluice_net::memory;
use sluice_proxy::Memory;
use sluice_telemetry::metrics::Registry;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Looks at it for as long as there are plans. Without `max-memory` it sleeps until there is one.
pub(crate) async fn look_after(
    mut plans: watch::Receiver<Arc<Plan>>,
    told: Memory,
    registry: Arc<Registry>,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch {
        ceiling: None,
        strain: Strain::Calm,
        since_given_back: 0,
        told,
        registry,
    };
    let plan = Arc::clone(&plans.borrow_and_update());
    watch.follow(&plan);
    loop {
        tokio::select! {
            changed = plans.changed() => {
                if changed.is_err() {
                    return;
                }
                let plan = Arc::clone(&plans.borrow_and_update());
                watch.follow(&plan);
            }
            _ = ticks.tick(), if watch.ceiling.is_some() => watch.look(),
        }
    }
}

struct Watch {
    ceiling: Option<Ceiling>,
    strain: Strain,
    /// Looks since the allocator was last asked to give something back.
    since_given_back: u32,
    told: Memory,
    registry: Arc<Registry>,
}

impl Watch {
    /// Goes by `plan` from now on.
    fn follow(&mut self, plan: &Plan) {
        let bytes = plan.runtime.max_memory.and_then(ceiling);
        self.registry.process().set_memory_limit(bytes);
        match (&mut self.ceiling, bytes) {
            (Some(ceiling), Some(bytes)) => ceiling.moved_to(bytes),
            (_, bytes) => self.ceiling = bytes.map(Ceiling::new),
        }
        if self.ceiling.is_none() {
            self.is_now(Strain::Calm, 0, 0);
        }
    }

    fn look(&mut self) {
        let (Some(ceiling), Some(used)) = (&mut self.ceiling, memory::resident()) else {
            return;
        };
        let (strain, limit) = (ceiling.look(used), ceiling.bytes());
        self.is_now(strain, used, limit);
        self.since_given_back = self.since_given_back.saturating_add(1);
        if strain > Strain::Calm && self.since_given_back >= GIVE_BACK_EVERY {
            self.since_given_back = 0;
            memory::give_back();
        }
    }

    /// Tells everybody. The log hears of the beginning and of the end.
    fn is_now(&mut self, strain: Strain, used: u64, limit: u64) {
        let before = std::mem::replace(&mut self.strain, strain);
        if strain == before {
            return;
        }
        self.told.set(strain);
        self.registry.process().set_memory_strain(strain as u8);
        match (before, strain) {
            (Strain::Calm, _) => tracing::warn!(
                used,
                limit,
                "memory is short: idle connections are closed, and new ones refused"
            ),
            (_, Strain::Calm) => tracing::info!(used, limit, "memory is no longer short"),
            _ => {}
        }
    }
}

/// In bytes; `None` where it is a share of what is not known.
fn ceiling(wanted: MaxMemory) -> Option<u64> {
    let available = memory::available();
    match wanted {
        MaxMemory::Bytes(bytes) => {
            if available.is_some_and(|available| bytes > available) {
                tracing::warn!(
                    max_memory = bytes,
                    available,
                    "runtime.max-memory is more than there is: the kernel may end the process before"
                );
            }
            Some(bytes)
        }
        MaxMemory::Share(percent) => {
            if available.is_none() {
                tracing::warn!(
                    "how much memory there is cannot be read: runtime.max-memory does nothing"
                );
            }
            available.map(|available| available / 100 * u64::from(percent))
        }
    }
}

/// How often it is looked at: a few reads of one line.
const EVERY: Duration = Duration::from_millis(100);
/// Looks between two times that the allocator gives something back, which holds it up for a moment.
const GIVE_BACK_EVERY: u32 = 10;
