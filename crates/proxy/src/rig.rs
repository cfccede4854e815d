//! What the tests of several rooms start from: plans from text, a worker without a thread, pairs of sockets.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use sluice_config::{Plan, Source, Surroundings, load};
use sluice_net::{Socket, Stream};
use sluice_telemetry::metrics::Registry;
use sluice_upstream::Endpoints;
use tokio::net::{TcpListener, TcpStream};

use crate::key_set::KeySets;
use crate::live::{ListenerSlot, Live, LiveListener};
use crate::worker::Worker;

pub(crate) fn plan(text: &str) -> Arc<Plan> {
    let source = Source {
        name: "test".to_owned(),
        text: text.to_owned(),
    };
    let loaded = load(&source, &Nothing).unwrap_or_else(|report| panic!("{report:?}"));
    Arc::new(loaded.plan)
}

struct Nothing;

impl Surroundings for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret(&self, _path: &Path) -> Result<String, String> {
        Err("there are no files".to_owned())
    }
}

pub(crate) fn worker() -> Rc<Worker> {
    Rc::new(Worker::new(0, Arc::new(Registry::new("test"))))
}

/// The live view of `plan`, following `previous`, and the endpoints behind it.
pub(crate) fn live(
    plan: &Arc<Plan>,
    endpoints: &Endpoints,
    previous: Option<&Live>,
    registry: &Registry,
) -> (Rc<Live>, Endpoints) {
    let endpoints = endpoints.updated(&plan.upstreams).expect("addresses");
    let live = Live::new(Arc::clone(plan), &endpoints, previous, registry, 0);
    let live = live.with_auths(&KeySets::default(), previous, registry, 0);
    (Rc::new(live), endpoints)
}

/// The slot of the listener at `position` of the plan.
pub(crate) fn slot(live: &Rc<Live>, position: usize, registry: &Registry) -> Rc<ListenerSlot> {
    let settings = &live.plan.listeners[position];
    let listener = LiveListener::new(live, position, settings, registry, 0);
    Rc::new(ListenerSlot::new(listener))
}

/// A connection of our own and its far end.
pub(crate) async fn tcp_pair() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (
        Socket::Tcp(near.expect("connect")).into(),
        far.expect("accept").0,
    )
}

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("runtime")
        .block_on(test)
}
