//! Where a worker's sessions receive and cipher: two buffers for all of them.

use std::cell::{RefCell, RefMut};

/// The buffers that the sessions of a worker share. Borrowed for one poll at a time.
#[derive(Debug, Default)]
pub struct Workspace {
    incoming: RefCell<Vec<u8>>,
    outgoing: RefCell<Vec<u8>>,
}

impl Workspace {
    /// Where ciphered bytes are received and deciphered: [`INCOMING`] bytes.
    pub(crate) fn incoming(&self) -> RefMut<'_, Vec<u8>> {
        let mut incoming = self.incoming.borrow_mut();
        // Made when the first session needs it: many balancers have none.
        if incoming.is_empty() {
            incoming.resize(INCOMING, 0);
        }
        incoming
    }

    /// Where ciphered bytes are put together for sending. It has grown to what was needed; what is in it is old.
    pub(crate) fn outgoing(&self) -> RefMut<'_, Vec<u8>> {
        self.outgoing.borrow_mut()
    }
}

/// The largest record: 16 KiB, what the cipher adds, and the header (RFC 5246, 6.2.3; RFC 8446, 5.2).
pub(crate) const MAX_RECORD: usize = (1 << 14) + 2_048 + 5;
/// What may be held of a record that is not whole, and a whole receive after it.
pub(crate) const INCOMING: usize = MAX_RECORD + (64 << 10);
/// Bytes of the application that are ciphered for one send.
pub(crate) const CHUNK: usize = 64 << 10;
