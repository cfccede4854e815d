//! What a worker knows of its open connections: enough to close the idle ones, and to cut those that outstay a drain.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use slab::Slab;
use sluice_telemetry::metrics::ListenerMetrics;
use sluice_upstream::Lane;
use tokio::task::AbortHandle;

use crate::crowd::Presence;
use crate::live::ListenerSlot;
use crate::udp::Port;

/// The open connections of a worker.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: RefCell<Slab<Rc<Entry>>>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Between two requests: may be closed at any moment.
    Idle,
    /// With a request or session under way.
    Busy,
}

#[derive(Debug)]
struct Entry {
    activity: Cell<Activity>,
    /// Ends in an orderly way by itself once its listener is closed.
    takes_leave: Cell<bool>,
    lane: RefCell<Option<Rc<Lane>>>,
    slot: Rc<ListenerSlot>,
    task: OnceCell<Work>,
    /// Its drop makes room for another.
    presence: RefCell<Option<Presence>>,
}

/// How the work on a connection is ended from outside.
#[derive(Debug)]
enum Work {
    Task(AbortHandle),
    /// A UDP session, one of many of a task.
    Session {
        is_cut: Rc<Cell<bool>>,
        port: Weak<Port>,
    },
}

impl Work {
    fn end(&self) {
        match self {
            Self::Task(task) => task.abort(),
            Self::Session { is_cut, port } => {
                is_cut.set(true);
                if let Some(port) = port.upgrade() {
                    port.note_cut();
                }
            }
        }
    }
}

impl Connections {
    /// Enters a new connection; it is left when the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>, slot: &Rc<ListenerSlot>) -> Guard {
        slot.metrics().connections_active.increment();
        self.insert(slot, true)
    }

    /// Enters a stream of a connection: it can be cut by itself, and counts as no connection.
    pub(crate) fn enter_stream(self: &Rc<Self>, slot: &Rc<ListenerSlot>) -> Guard {
        self.insert(slot, false)
    }

    fn insert(self: &Rc<Self>, slot: &Rc<ListenerSlot>, counts: bool) -> Guard {
        let entry = Rc::new(Entry {
            activity: Cell::new(Activity::Busy),
            takes_leave: Cell::new(false),
            lane: RefCell::default(),
            slot: Rc::clone(slot),
            task: OnceCell::new(),
            presence: RefCell::default(),
        });
        let key = self.open.borrow_mut().insert(Rc::clone(&entry));
        Guard {
            connections: Rc::clone(self),
            metrics: slot.metrics(),
            counts,
            entry,
            key,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Counts by client those of listeners that limit each of them: they may not have been, until a reload.
    pub(crate) fn count_clients(&self) {
        for (_, entry) in self.open.borrow().iter() {
            if let Some(presence) = &mut *entry.presence.borrow_mut()
                && entry.slot.current().limits_clients()
            {
                presence.is_limited_by_client();
            }
        }
    }

    /// Ends those without a request under way whose listener accepts no more.
    pub(crate) fn end_idle_of_closed_listeners(&self) {
        self.end(|entry| {
            entry.activity.get() == Activity::Idle
                && entry.slot.is_closed()
                && !entry.takes_leave.get()
        });
    }

    /// Ends those without a request under way.
    pub(crate) fn end_idle(&self) {
        self.end(|entry| entry.activity.get() == Activity::Idle);
    }

    /// Cuts those that were accepted by a listener.
    pub(crate) fn cut_listener(&self, slot: &Rc<ListenerSlot>) {
        self.end(|entry| Rc::ptr_eq(&entry.slot, slot));
    }

    /// Cuts them all.
    pub(crate) fn cut_all(&self) {
        self.end(|_| true);
    }

    /// Cuts those that still use a server that left the file.
    pub(crate) fn cut_lane(&self, lane: &Rc<Lane>) {
        self.end(|entry| {
            entry
                .lane
                .borrow()
                .as_ref()
                .is_some_and(|used| Rc::ptr_eq(used, lane))
        });
    }

    fn end(&self, which: impl Fn(&Entry) -> bool) {
        for (_, entry) in self.open.borrow().iter() {
            if which(entry)
                && let Some(task) = entry.task.get()
            {
                task.end();
            }
        }
    }
}

/// An open connection's place in the table.
#[derive(Debug)]
pub(crate) struct Guard {
    connections: Rc<Connections>,
    metrics: Arc<ListenerMetrics>,
    /// Whether it is a connection of its own.
    counts: bool,
    entry: Rc<Entry>,
    key: usize,
}

impl Guard {
    /// With its place among those that are counted.
    pub(crate) fn with_presence(self, presence: Presence) -> Self {
        *self.entry.presence.borrow_mut() = Some(presence);
        self
    }

    /// A second view of the same place, to be told the task once it is spawned.
    pub(crate) fn entry(&self) -> TaskSlot {
        TaskSlot(Rc::clone(&self.entry))
    }

    /// The counters of the listener that it came in by.
    pub(crate) fn metrics(&self) -> &ListenerMetrics {
        &self.metrics
    }

    /// The connection sees by itself that its listener was closed, and ends as its protocol has it.
    pub(crate) fn takes_leave(&self) {
        self.entry.takes_leave.set(true);
    }

    pub(crate) fn set_activity(&self, activity: Activity) {
        match (self.entry.activity.replace(activity), activity) {
            (Activity::Busy, Activity::Idle) => self.metrics.connections_idle.increment(),
            (Activity::Idle, Activity::Busy) => self.metrics.connections_idle.decrement(),
            _ => {}
        }
    }

    /// Notes the server in use until the request or session has ended, so that it can be cut when the server leaves.
    pub(crate) fn uses(&self, lane: Option<&Rc<Lane>>) {
        *self.entry.lane.borrow_mut() = lane.map(Rc::clone);
    }
}

/// Where the task that serves a connection is noted, once it is spawned.
pub(crate) struct TaskSlot(Rc<Entry>);

impl TaskSlot {
    pub(crate) fn served_by(&self, task: AbortHandle) {
        // Said once, right after the task was spawned.
        let _ = self.0.task.set(Work::Task(task));
    }

    /// The work is a session of `port`, which ends it once `is_cut` is set.
    pub(crate) fn served_as_session(&self, is_cut: &Rc<Cell<bool>>, port: &Rc<Port>) {
        // Said once, when the session begins.
        let _ = self.0.task.set(Work::Session {
            is_cut: Rc::clone(is_cut),
            port: Rc::downgrade(port),
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.set_activity(Activity::Busy);
        self.connections.open.borrow_mut().remove(self.key);
        self.entry.presence.take();
        // Last: whoever sees that it has left finds its place free.
        if self.counts {
            self.metrics.connections_active.decrement();
        }
    }
}

#[cfg(test)]
mod tests;
