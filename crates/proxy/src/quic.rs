//! The UDP side of a listener that speaks HTTP/3: a worker's endpoint, and its clients as they come.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use sluice_config::plan::HttpListener;
use sluice_net::listen::ListenSocket;
use sluice_quic::{Endpoint, Incoming, Limits, Seat, Settings};
use sluice_tls::ServerConfig;
use tokio::task::{AbortHandle, spawn_local};

use crate::l7;
use crate::live::{ListenerSlot, LiveListener};
use crate::worker::Worker;

/// A worker's endpoint of one listener. It is closed apart from the listener's TCP side, so its slot is its own.
#[derive(Debug)]
pub(crate) struct QuicPort {
    slot: Rc<ListenerSlot>,
    endpoint: Endpoint,
    offer: Offer,
    task: AbortHandle,
}

/// What clients are offered; another one takes its place when any of it changes.
#[derive(Clone, Debug)]
struct Offer {
    tls: Arc<ServerConfig>,
    limits: Limits,
}

impl QuicPort {
    /// Opens the endpoint; `None` where the listener speaks no HTTP/3.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn open(
        listener: LiveListener,
        socket: ListenSocket,
        seat: Seat,
        worker: &Rc<Worker>,
    ) -> io::Result<Option<Self>> {
        let Some(offer) = Offer::of(&listener) else {
            return Ok(None);
        };
        let socket = std::os::fd::OwnedFd::from(socket).into();
        let endpoint = sluice_quic::open(socket, seat, &offer.settings())?;
        let slot = Rc::new(ListenerSlot::new(listener));
        let task = spawn_local(accept(
            endpoint.clone(),
            Rc::clone(&slot),
            Rc::clone(worker),
        ));
        Ok(Some(Self {
            slot,
            endpoint,
            offer,
            task: task.abort_handle(),
        }))
    }

    /// Goes on with the listener of a new plan.
    pub(crate) fn update(&mut self, listener: LiveListener) {
        if let Some(offer) = Offer::of(&listener)
            && !offer.is_same(&self.offer)
        {
            match offer.settings().server_config() {
                Ok(config) => self.endpoint.set_server_config(Some(config)),
                Err(error) => tracing::error!(%error, "HTTP/3 goes on with the old certificates"),
            }
            self.offer = offer;
        }
        self.slot.replace(listener);
    }

    /// Takes no more clients. Returns the slot, which its connections still hold.
    pub(crate) fn close(self) -> Rc<ListenerSlot> {
        self.task.abort();
        self.endpoint.set_server_config(None);
        self.slot.close();
        self.slot
    }
}

impl Offer {
    fn of(listener: &LiveListener) -> Option<Self> {
        let h3 = listener.http().and_then(|http: &HttpListener| http.h3)?;
        Some(Self {
            tls: listener.security()?.config,
            limits: Limits {
                streams: h3.max_concurrent_streams,
                stream_window: h3.initial_window,
            },
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tls, &other.tls) && self.limits == other.limits
    }

    fn settings(&self) -> Settings {
        Settings::new(&self.tls, b"h3", self.limits)
    }
}

/// Takes clients until the task is aborted.
async fn accept(endpoint: Endpoint, slot: Rc<ListenerSlot>, worker: Rc<Worker>) {
    let handshakes = Handshakes::default();
    while let Some(incoming) = endpoint.accept().await {
        greet(incoming, &handshakes, &slot, &worker);
    }
}

fn greet(
    incoming: Incoming,
    handshakes: &Handshakes,
    slot: &Rc<ListenerSlot>,
    worker: &Rc<Worker>,
) {
    let under_way = handshakes.0.get();
    if under_way >= MOST_HANDSHAKES {
        slot.metrics().accept_errors.increment();
        return incoming.ignore();
    }
    // Whoever cannot receive at the address it gives shall cost us no handshake (RFC 9000, 8.1.2).
    if under_way >= UNPROVEN && incoming.may_retry() && !incoming.remote_address_validated() {
        let _ = incoming.retry();
        return;
    }
    let Ok(presence) = slot.current().admit(incoming.remote_address().ip()) else {
        return incoming.refuse();
    };
    let Ok(connecting) = incoming.accept() else {
        return slot.metrics().accept_errors.increment();
    };
    slot.metrics().connections_accepted.increment();
    worker.metrics().connections_accepted.increment();
    let guard = worker.connections().enter(slot).with_presence(presence);
    let task_slot = guard.entry();
    let task = spawn_local(l7::serve_h3(
        connecting,
        handshakes.begin(),
        Rc::clone(slot),
        guard,
        Rc::clone(worker),
    ));
    task_slot.served_by(task.abort_handle());
}

/// How many handshakes are under way.
#[derive(Clone, Debug, Default)]
struct Handshakes(Rc<Cell<usize>>);

impl Handshakes {
    fn begin(&self) -> UnderWay {
        self.0.set(self.0.get() + 1);
        UnderWay(self.clone())
    }
}

/// One of them; ends when dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Handshakes);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let count = &self.0.0;
        count.set(count.get().saturating_sub(1));
    }
}

/// Handshakes under way before clients have to prove their address.
const UNPROVEN: usize = 64;
/// Handshakes under way at most.
const MOST_HANDSHAKES: usize = 1024;
