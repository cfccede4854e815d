//! A udp listener of one worker, as the worker holds it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::Waker;

use sluice_net::datagrams::Datagrams;
use sluice_net::listen::ListenSocket;
use tokio::task::{AbortHandle, spawn_local};

use super::pump::Pump;
use crate::live::ListenerSlot;
use crate::worker::Worker;

/// What the worker and the listener's task share. Whoever changes something here wakes the task.
#[derive(Debug)]
pub(crate) struct Port {
    socket: RefCell<Rc<Datagrams>>,
    waker: RefCell<Option<Waker>>,
    has_cuts: Cell<bool>,
}

impl Port {
    /// Starts to pass datagrams on.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub(crate) fn open(
        socket: ListenSocket,
        slot: &Rc<ListenerSlot>,
        worker: &Rc<Worker>,
    ) -> io::Result<(Rc<Self>, AbortHandle)> {
        let port = Rc::new(Self {
            socket: RefCell::new(Rc::new(Datagrams::new(socket)?)),
            waker: RefCell::default(),
            has_cuts: Cell::new(false),
        });
        let pump = Pump::new(Rc::clone(&port), Rc::clone(slot), Rc::clone(worker))?;
        Ok((port, spawn_local(pump.run()).abort_handle()))
    }

    /// Goes on with another socket at the same address. Sessions stay.
    ///
    /// # Errors
    /// Out of descriptors or memory; then it goes on with the one it has.
    pub(crate) fn rebind(&self, socket: ListenSocket) -> io::Result<()> {
        *self.socket.borrow_mut() = Rc::new(Datagrams::new(socket)?);
        self.wake();
        Ok(())
    }

    /// Tells the task to look at its listener and its sessions again.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Says that sessions were marked to be cut.
    pub(crate) fn note_cut(&self) {
        self.has_cuts.set(true);
        self.wake();
    }

    pub(super) fn take_cuts(&self) -> bool {
        self.has_cuts.replace(false)
    }

    pub(super) fn socket(&self) -> Rc<Datagrams> {
        Rc::clone(&self.socket.borrow())
    }

    pub(super) fn wait(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }
}
