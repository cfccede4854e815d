//! `adaptive-concurrency`: how many requests an upstream gets at a time, over all workers.
//!
//! A request costs a look at one word when it begins and one when it ends. What became of it is noted by the worker, which
//! tells the control a few times a second, if nobody else does just now.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_config::plan::Upstream;
use sluice_health::{Concurrency, ConcurrencySettings, Control, Limit, Observed};
use sluice_model::{Moment, Priority};
use sluice_telemetry::metrics::UpstreamMetrics;

use crate::fate::Fate;
use crate::lane::Lane;

/// The limit of an upstream, shared by all workers.
#[derive(Debug)]
pub(crate) struct Throttle {
    concurrency: Concurrency,
    control: Mutex<Controlled>,
}

#[derive(Debug, Default)]
struct Controlled {
    control: Control,
    /// What the metrics of all workers add up to.
    shown: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::new(Limit {
                limit: 0,
                ceiling: 0,
            }),
            control: Mutex::default(),
        }
    }
}

impl Throttle {
    /// Whether a request of that priority could begin now.
    pub(crate) fn has_place(&self, priority: Priority) -> bool {
        self.concurrency.has_place(priority)
    }

    /// The limit holds no more, where there was one.
    pub(crate) fn end(&self, metrics: &UpstreamMetrics) {
        self.lock().show(0, metrics);
    }

    fn lock(&self) -> MutexGuard<'_, Controlled> {
        // Nothing is done under the lock that could leave it half changed.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controlled {
    fn show(&mut self, limit: u32, metrics: &UpstreamMetrics) {
        // Each worker adds what it has changed: the sum is the limit.
        let change = i64::from(limit) - i64::from(self.shown);
        metrics.concurrency_limit.add(change);
        self.shown = limit;
    }
}

/// The limit as one worker sees it.
#[derive(Debug)]
pub(crate) struct Limiter {
    throttle: Arc<Throttle>,
    settings: ConcurrencySettings,
    /// What was seen since it was told the last time.
    observed: Cell<Observed>,
    told: Cell<Moment>,
    metrics: Arc<UpstreamMetrics>,
}

impl Limiter {
    /// That of an upstream, if it has one.
    pub(crate) fn of(
        upstream: &Upstream,
        lanes: &[Rc<Lane>],
        metrics: &Arc<UpstreamMetrics>,
    ) -> Option<Rc<Self>> {
        let throttle = lanes.first()?.endpoint().throttle();
        let Some(settings) = upstream.adaptive_concurrency else {
            throttle.end(metrics);
            return None;
        };
        Some(Rc::new(Self::new(throttle, settings, metrics)))
    }

    fn new(
        throttle: &Arc<Throttle>,
        settings: ConcurrencySettings,
        metrics: &Arc<UpstreamMetrics>,
    ) -> Self {
        let mut controlled = throttle.lock();
        let limit = controlled.control.limit(&settings);
        throttle.concurrency.set_limit(limit);
        controlled.show(limit.limit, metrics);
        drop(controlled);
        Self {
            throttle: Arc::clone(throttle),
            settings,
            observed: Cell::default(),
            told: Cell::default(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Whether a request of that priority could begin now.
    pub(crate) fn has_place(&self, priority: Priority) -> bool {
        self.throttle.has_place(priority)
    }

    /// Begins a request, where there is a place.
    pub(crate) fn enter(self: &Rc<Self>, priority: Priority) -> Option<Permit> {
        let granted = Granted::of(&self.throttle, priority)?;
        Some(self.take_over(granted))
    }

    /// A place that was got by whoever had it before.
    pub(crate) fn take_over(self: &Rc<Self>, granted: Granted) -> Permit {
        let mut observed = self.observed.get();
        observed.under_way(granted.under_way);
        self.observed.set(observed);
        self.metrics.concurrency_in_flight.increment();
        Permit {
            granted: RefCell::new(Some(granted)),
            limiter: Rc::clone(self),
        }
    }

    fn note(&self, now: Moment, fate: Fate) {
        let mut observed = self.observed.get();
        match fate {
            // That it is overloaded the server says by these.
            Fate::Answered {
                status: 429 | 503, ..
            }
            | Fate::TimedOut => observed.dropped(),
            Fate::Answered { after, .. } if !after.is_zero() => observed.answered(after),
            _ => return,
        }
        self.observed.set(observed);
        if now.since(self.told.get()) >= TOLD_EVERY {
            self.tell(now);
        }
    }

    #[cold]
    fn tell(&self, now: Moment) {
        // Whoever holds it is another worker that tells: the next time then.
        let Ok(mut controlled) = self.throttle.control.try_lock() else {
            return;
        };
        let observed = self.observed.take();
        self.told.set(now);
        let limit = controlled.control.observe(&self.settings, now, &observed);
        if limit != self.throttle.concurrency.limit() {
            self.throttle.concurrency.set_limit(limit);
        }
        controlled.show(limit.limit, &self.metrics);
    }
}

/// A place under the limit that belongs to no worker yet. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Granted {
    throttle: Arc<Throttle>,
    /// How many were under way with it.
    under_way: u32,
}

impl Granted {
    pub(crate) fn of(throttle: &Arc<Throttle>, priority: Priority) -> Option<Self> {
        let under_way = throttle.concurrency.try_enter(priority)?;
        Some(Self {
            throttle: Arc::clone(throttle),
            under_way,
        })
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        self.throttle.concurrency.leave();
        // Before whoever gave it back looks for those who wait.
        fence(Ordering::SeqCst);
    }
}

/// A place under the limit, for as long as a request is under way.
#[derive(Debug)]
pub(crate) struct Permit {
    granted: RefCell<Option<Granted>>,
    limiter: Rc<Limiter>,
}

impl Permit {
    /// What became of the request. Its place is free.
    pub(crate) fn ended(&self, now: Moment, fate: Fate) {
        if self.give_back() {
            self.limiter.note(now, fate);
        }
    }

    fn give_back(&self) -> bool {
        let Some(granted) = self.granted.take() else {
            return false;
        };
        drop(granted);
        self.limiter.metrics.concurrency_in_flight.decrement();
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back();
    }
}

const TOLD_EVERY: Duration = Duration::from_millis(20);
