//! Accepting connections, and slowing down where there is no descriptor left for them.

use std::rc::Rc;
use std::time::Duration;

use sluice_config::plan::Protocol;
use sluice_net::listen::{Acceptor, is_exhausted, is_transient};
use tokio::time::sleep;

use crate::live::ListenerSlot;
use crate::worker::Worker;
use crate::{l4, l7};

/// How long accepting rests when descriptors have run out: long enough not to spin, short enough that nobody waits
/// long once one is free.
const REST: Duration = Duration::from_millis(50);

/// Accepts until the task is aborted.
pub(crate) async fn run(acceptor: Acceptor, slot: Rc<ListenerSlot>, worker: Rc<Worker>) {
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => {
                let listener = slot.current();
                listener.metrics.connections_accepted.increment();
                worker.metrics().connections_accepted.increment();
                let guard = worker.connections().enter(&slot);
                let task_slot = guard.entry();
                let worker = Rc::clone(&worker);
                let slot = Rc::clone(&slot);
                let is_http = matches!(
                    listener.settings().map(|settings| &settings.protocol),
                    Some(Protocol::Http(_))
                );
                let task = if is_http {
                    tokio::task::spawn_local(l7::serve(stream, peer, slot, guard, worker))
                } else {
                    tokio::task::spawn_local(l4::serve(stream, peer, slot, guard, worker))
                };
                task_slot.served_by(task.abort_handle());
            }
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
