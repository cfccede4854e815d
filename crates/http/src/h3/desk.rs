//! Where the `h3` crate works on one message: a stream that is none. What is put on it, it reads; what it writes, is taken
//! from it. So its futures never wait.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use h3::quic::{RecvStream, SendStream, StreamErrorIncoming, StreamId, WriteBuf};

/// The stream.
pub(super) struct Desk {
    id: StreamId,
    sheets: Sheets,
}

/// What lies on a desk, seen from outside.
#[derive(Clone, Default)]
pub(super) struct Sheets(Rc<RefCell<Both>>);

#[derive(Default)]
struct Both {
    to_read: Option<Bytes>,
    written: BytesMut,
}

impl Desk {
    pub(super) fn new(id: StreamId) -> (Self, Sheets) {
        let sheets = Sheets::default();
        let desk = Self {
            id,
            sheets: sheets.clone(),
        };
        (desk, sheets)
    }
}

impl Sheets {
    /// What is read next, and last.
    pub(super) fn put(&self, bytes: Bytes) {
        self.0.borrow_mut().to_read = Some(bytes);
    }

    /// What was written.
    pub(super) fn take(&self) -> Bytes {
        self.0.borrow_mut().written.split().freeze()
    }
}

impl RecvStream for Desk {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        Poll::Ready(Ok(self.sheets.0.borrow_mut().to_read.take()))
    }

    fn stop_sending(&mut self, _: u64) {}

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

impl SendStream<Bytes> for Desk {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.sheets.0.borrow_mut().written.put(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, _: u64) {}

    fn send_id(&self) -> StreamId {
        self.id
    }
}
