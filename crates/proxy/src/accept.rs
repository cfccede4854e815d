//! Accepting connections, and slowing down where there is no descriptor left for them.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sluice_config::plan::Protocol;
use sluice_net::Socket;
use sluice_net::listen::{Acceptor, is_exhausted, is_transient};
use sluice_telemetry::metrics::Crowded;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::live::ListenerSlot;
use crate::worker::Worker;
use crate::{l4, l7};

/// How long accepting rests when descriptors have run out: long enough not to spin, short enough that nobody waits
/// long once one is free.
const REST: Duration = Duration::from_millis(50);

/// More than the largest backlog.
const QUEUE: usize = 1 << 17;

/// Accepts until the task is aborted.
pub(crate) async fn run(acceptor: Rc<Acceptor>, slot: Rc<ListenerSlot>, worker: Rc<Worker>) {
    loop {
        match acceptor.accept().await {
            Ok((socket, peer)) => serve(socket, peer, &slot, &worker),
            Err(error) if is_exhausted(&error) => {
                worker.note_exhausted(&error);
                sleep(REST).await;
            }
            Err(error) if is_transient(&error) => slot.metrics().accept_errors.increment(),
            Err(error) => {
                slot.metrics().accept_errors.increment();
                tracing::error!(%error, "a listener broke and accepts no more");
                return;
            }
        }
    }
}

/// Takes what waits in the queue of a socket that is about to close: the kernel would reset it.
pub(crate) fn take_waiting(acceptor: &Acceptor, slot: &Rc<ListenerSlot>, worker: &Rc<Worker>) {
    for _ in 0..QUEUE {
        match acceptor.accept_waiting() {
            Ok((socket, peer)) => serve(socket, peer, slot, worker),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_exhausted(&error) => {
                return;
            }
            Err(_) => slot.metrics().accept_errors.increment(),
        }
    }
}

fn serve(socket: Socket, peer: SocketAddr, slot: &Rc<ListenerSlot>, worker: &Rc<Worker>) {
    let listener = slot.current();
    listener.metrics.connections_accepted.increment();
    worker.metrics().connections_accepted.increment();
    let presence = match listener.admit(peer.ip()) {
        Ok(presence) => presence,
        Err(Crowded::Memory) => {
            // Nothing of it stays in the kernel either.
            socket.reset_on_close();
            return;
        }
        // Closed by being dropped, which costs it least.
        Err(_) => return,
    };
    let guard = worker.connections().enter(slot).with_presence(presence);
    let task_slot = guard.entry();
    let worker = Rc::clone(worker);
    let is_http = matches!(
        listener.settings().map(|settings| &settings.protocol),
        Some(Protocol::Http(_))
    );
    let task = if is_http {
        spawn_local(l7::serve(
            socket.into(),
            peer,
            Rc::clone(slot),
            guard,
            worker,
        ))
    } else {
        spawn_local(l4::serve(socket.into(), peer, listener, guard, worker))
    };
    task_slot.served_by(task.abort_handle());
}
