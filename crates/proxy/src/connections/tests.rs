//! Which connections are ended when a listener or a server goes.

use sluice_telemetry::metrics::Registry;
use sluice_upstream::Endpoints;
use tokio::task::{JoinHandle, spawn_local};

use super::*;
use crate::live::Live;
use crate::rig;

const TEXT: &str = "
    [listeners.a]
    address = '127.0.0.1:8081'
    [listeners.b]
    address = '127.0.0.1:8082'
    [upstreams.app]
    servers = ['127.0.0.1:9001', '127.0.0.1:9002']
";

struct Rig {
    live: Rc<Live>,
    registry: Registry,
    connections: Rc<Connections>,
}

impl Rig {
    fn new() -> Self {
        let registry = Registry::new("test");
        let (live, _) = rig::live(&rig::plan(TEXT), &Endpoints::default(), None, &registry);
        Self {
            live,
            registry,
            connections: Rc::default(),
        }
    }

    fn slot(&self, position: usize) -> Rc<ListenerSlot> {
        rig::slot(&self.live, position, &self.registry)
    }

    fn lane(&self, position: usize) -> Rc<Lane> {
        Rc::clone(&self.live.clusters()[0].lanes()[position])
    }

    /// A connection that goes on until it is ended.
    fn open(
        &self,
        slot: &Rc<ListenerSlot>,
        activity: Activity,
        lane: Option<&Rc<Lane>>,
    ) -> JoinHandle<()> {
        let guard = self.connections.enter(slot);
        let entry = guard.entry();
        guard.set_activity(activity);
        guard.uses(lane);
        let task = spawn_local(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        entry.served_by(task.abort_handle());
        task
    }
}

/// Which of the connections have ended, once the aborted ones had their turn.
async fn ended<const N: usize>(tasks: &[&JoinHandle<()>; N]) -> [bool; N] {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    tasks.map(JoinHandle::is_finished)
}

#[test]
fn only_idle_ones_of_closed_listeners_end_at_once() {
    rig::run(async {
        let rig = Rig::new();
        let (a, b) = (rig.slot(0), rig.slot(1));
        let idle = rig.open(&a, Activity::Idle, None);
        let busy = rig.open(&a, Activity::Busy, None);
        let other = rig.open(&b, Activity::Idle, None);
        rig.connections.end_idle_of_closed_listeners();
        assert_eq!(ended(&[&idle, &busy, &other]).await, [false; 3]);
        a.close();
        rig.connections.end_idle_of_closed_listeners();
        assert_eq!(ended(&[&idle, &busy, &other]).await, [true, false, false]);
        assert_eq!(rig.connections.count(), 2);
    });
}

#[test]
fn a_listeners_drain_cuts_no_other_closed_listener() {
    rig::run(async {
        let rig = Rig::new();
        let (first, later) = (rig.slot(0), rig.slot(0));
        let one = rig.open(&first, Activity::Busy, None);
        let two = rig.open(&later, Activity::Busy, None);
        first.close();
        later.close();
        rig.connections.cut_listener(&first);
        assert_eq!(ended(&[&one, &two]).await, [true, false]);
        rig.connections.cut_all();
        assert_eq!(ended(&[&one, &two]).await, [true; 2]);
        assert!(rig.connections.is_empty());
    });
}

#[test]
fn a_server_that_left_cuts_those_that_use_it_now() {
    rig::run(async {
        let rig = Rig::new();
        let slot = rig.slot(0);
        let (gone, stays) = (rig.lane(0), rig.lane(1));
        let uses = rig.open(&slot, Activity::Busy, Some(&gone));
        let other = rig.open(&slot, Activity::Busy, Some(&stays));
        let none = rig.open(&slot, Activity::Idle, None);
        rig.connections.cut_lane(&gone);
        assert_eq!(ended(&[&uses, &other, &none]).await, [true, false, false]);
    });
}

#[test]
fn gauges_follow_and_return_to_nothing() {
    rig::run(async {
        let rig = Rig::new();
        let slot = rig.slot(0);
        let gauges = || {
            let metrics = slot.metrics();
            (
                metrics.connections_active.value(),
                metrics.connections_idle.value(),
            )
        };
        let guard = rig.connections.enter(&slot);
        assert_eq!(gauges(), (1, 0));
        guard.set_activity(Activity::Idle);
        guard.set_activity(Activity::Idle);
        assert_eq!(gauges(), (1, 1));
        guard.set_activity(Activity::Busy);
        assert_eq!(gauges(), (1, 0));
        guard.set_activity(Activity::Idle);
        drop(guard);
        assert_eq!(gauges(), (0, 0));

        // A task that is cut gives its place back too.
        let task = rig.open(&slot, Activity::Idle, None);
        assert_eq!(gauges(), (1, 1));
        rig.connections.cut_all();
        assert_eq!(ended(&[&task]).await, [true]);
        assert_eq!(gauges(), (0, 0));
    });
}
