//! Whether anything is heard of a server.

use std::cell::Cell;
use std::rc::Rc;

/// What is known of a connection to a server without asking `h2`.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    heard: Rc<Cell<Heard>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    lately: bool,
    ever: bool,
}

impl Watch {
    /// Whether anything was received since this was asked the last time.
    pub fn heard(&self) -> bool {
        let heard = self.heard.get();
        self.heard.set(Heard {
            lately: false,
            ..heard
        });
        heard.lately
    }

    /// Whether anything was received ever: it begins with the other side's settings.
    pub fn has_heard(&self) -> bool {
        self.heard.get().ever
    }

    pub(super) fn hears(&self) {
        self.heard.set(Heard {
            lately: true,
            ever: true,
        });
    }
}
