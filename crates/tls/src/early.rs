//! Whether a handshake is done, where requests came before it was (0-RTT): for all who serve them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A handshake in which data was taken early. What came before it is done may be a copy of what somebody else sent once
/// (RFC 8446, 8).
#[derive(Clone, Debug, Default)]
pub struct Early(Rc<State>);

#[derive(Debug, Default)]
struct State {
    is_done: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Early {
    /// Whether the handshake is done by now.
    pub fn is_done(&self) -> bool {
        self.0.is_done.get()
    }

    /// Ready when the handshake is done. Whoever has the connection drives it on.
    pub fn poll_done(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_done() {
            return Poll::Ready(());
        }
        let mut waiting = self.0.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The handshake is done.
    pub fn finish(&self) {
        if !self.0.is_done.replace(true) {
            self.0.waiting.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// It is itself, and no other.
impl PartialEq for Early {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Early {}
