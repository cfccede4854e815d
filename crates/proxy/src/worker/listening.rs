//! What a worker listens on, and how that changes with the plan.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sluice_config::Plan;
use sluice_config::plan::Listener;
use sluice_net::listen::{Acceptor, ListenSocket};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;

use super::{NewQuic, NewSocket, Worker};
use crate::accept;
use crate::live::{ListenerSlot, Live, LiveListener};
use crate::quic::QuicPort;
use crate::udp::Port;

/// A listener's socket in use.
#[derive(Debug)]
pub(super) struct Listening {
    slot: Rc<ListenerSlot>,
    socket: Listened,
    task: AbortHandle,
}

/// By what clients come in.
#[derive(Debug)]
enum Listened {
    /// Connections.
    Acceptor(Rc<Acceptor>),
    /// Datagrams.
    Port(Rc<Port>),
}

impl Worker {
    /// Listeners with a new socket start; those of the same name go on with the new plan; the rest close. Where only the
    /// socket is another, at the same address, connections stay.
    pub(super) fn update_listeners(self: &Rc<Self>, live: &Rc<Live>, sockets: Vec<NewSocket>) {
        let mut sockets: HashMap<usize, ListenSocket> = sockets
            .into_iter()
            .map(|new| (new.listener, new.socket))
            .collect();
        let mut before = std::mem::take(&mut *self.listeners.borrow_mut());
        let mut listeners = HashMap::new();
        let mut gone = Vec::new();
        for (position, settings) in live.plan.listeners.iter().enumerate() {
            let listener = LiveListener::new(live, position, settings, &self.registry, self.index);
            let known = before.remove(&settings.name);
            let listening = match (sockets.remove(&position), known) {
                (None, known) => known.inspect(|known| known.slot.replace(listener)),
                (Some(socket), Some(known)) if known.is_at(settings) => {
                    known.slot.replace(listener);
                    if let Listened::Port(port) = &known.socket {
                        let rebound = port.rebind(socket);
                        let _ = rebound.inspect_err(cannot_be_watched);
                        listeners.insert(Arc::clone(&settings.name), known);
                        continue;
                    }
                    let new = self.listen(socket, Rc::clone(&known.slot));
                    if new.is_some() {
                        known.stop_accepting(self);
                        new
                    } else {
                        Some(known)
                    }
                }
                (Some(socket), known) => {
                    gone.extend(known);
                    self.listen(socket, Rc::new(ListenerSlot::new(listener)))
                }
            };
            if let Some(listening) = listening {
                listeners.insert(Arc::clone(&settings.name), listening);
            }
        }
        *self.listeners.borrow_mut() = listeners;
        gone.extend(before.into_values());
        if !gone.is_empty() {
            let closed = gone.into_iter().map(|one| one.close(self)).collect();
            self.drain_listeners(closed, longest_drain(&live.plan));
        }
    }

    /// The same for the UDP side of those that speak HTTP/3. A connection lives on the socket it came in by, so that is
    /// another only where its address is.
    pub(super) fn update_quic_ports(self: &Rc<Self>, live: &Rc<Live>, new: Vec<NewQuic>) {
        let mut new: HashMap<usize, NewQuic> =
            new.into_iter().map(|new| (new.listener, new)).collect();
        let mut before = std::mem::take(&mut *self.quic_ports.borrow_mut());
        let mut ports = HashMap::new();
        let mut gone = Vec::new();
        for (position, settings) in live.plan.listeners.iter().enumerate() {
            let listener = LiveListener::new(live, position, settings, &self.registry, self.index);
            let speaks = listener.http().is_some_and(|http| http.h3.is_some());
            let known = before.remove(&settings.name);
            let port = match (new.remove(&position), known) {
                (Some(NewQuic { socket, seat, .. }), known) => {
                    gone.extend(known);
                    let opened = QuicPort::open(listener, socket, seat, self);
                    opened.inspect_err(cannot_be_watched).ok().flatten()
                }
                (None, Some(mut known)) if speaks => {
                    known.update(listener);
                    Some(known)
                }
                (None, known) => {
                    gone.extend(known);
                    None
                }
            };
            if let Some(port) = port {
                ports.insert(Arc::clone(&settings.name), port);
            }
        }
        *self.quic_ports.borrow_mut() = ports;
        gone.extend(before.into_values());
        if !gone.is_empty() {
            let closed = gone.into_iter().map(QuicPort::close).collect();
            self.drain_listeners(closed, longest_drain(&live.plan));
        }
    }

    pub(super) fn listen(
        self: &Rc<Self>,
        socket: ListenSocket,
        slot: Rc<ListenerSlot>,
    ) -> Option<Listening> {
        let is_udp = slot
            .current()
            .settings()
            .is_some_and(|settings| settings.protocol.is_udp());
        if is_udp {
            let (port, task) = Port::open(socket, &slot, self)
                .inspect_err(cannot_be_watched)
                .ok()?;
            return Some(Listening {
                slot,
                socket: Listened::Port(port),
                task,
            });
        }
        let acceptor = Acceptor::new(socket)
            .inspect_err(cannot_be_watched)
            .ok()
            .map(Rc::new)?;
        let task = spawn_local(accept::run(
            Rc::clone(&acceptor),
            Rc::clone(&slot),
            Rc::clone(self),
        ));
        Some(Listening {
            slot,
            socket: Listened::Acceptor(acceptor),
            task: task.abort_handle(),
        })
    }

    /// Listeners that left the file, or moved, accept no more; their requests may go on for `limit`.
    fn drain_listeners(&self, closed: Vec<Rc<ListenerSlot>>, limit: Duration) {
        self.connections.end_idle_of_closed_listeners();
        let connections = Rc::clone(&self.connections);
        spawn_local(async move {
            sleep(limit).await;
            for slot in &closed {
                connections.cut_listener(slot);
            }
        });
    }
}

impl Listening {
    /// Whether it listens where, and for what, `wanted` does.
    fn is_at(&self, wanted: &Listener) -> bool {
        let now = self.slot.current();
        now.settings().is_some_and(|settings| {
            settings.address == wanted.address
                && settings.protocol.is_udp() == wanted.protocol.is_udp()
        })
    }

    /// The listener accepts no more. Returns its slot, which its connections still hold.
    pub(super) fn close(self, worker: &Rc<Worker>) -> Rc<ListenerSlot> {
        self.slot.close();
        let slot = Rc::clone(&self.slot);
        self.stop_accepting(worker);
        slot
    }

    pub(super) fn stop_accepting(self, worker: &Rc<Worker>) {
        let acceptor = match self.socket {
            Listened::Acceptor(acceptor) => acceptor,
            Listened::Port(port) => {
                // It ends by itself, with its last session.
                port.wake();
                return;
            }
        };
        self.task.abort();
        accept::take_waiting(&acceptor, &self.slot, worker);
        // The task holds the socket until its next turn. What the kernel queues meanwhile is taken right after that.
        let worker = Rc::clone(worker);
        spawn_local(async move { accept::take_waiting(&acceptor, &self.slot, &worker) });
    }
}

fn cannot_be_watched(error: &io::Error) {
    tracing::error!(%error, "a listener cannot be watched");
}

/// The longest `drain-timeout` of a plan's upstreams; 30 s where it has none.
fn longest_drain(plan: &Plan) -> Duration {
    plan.upstreams
        .iter()
        .map(|upstream| upstream.drain_timeout)
        .max()
        .unwrap_or(Duration::from_secs(30))
}
