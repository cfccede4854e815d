//! A stream of a connection, and a client's as an [`Exchange`].

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use sluice_wire::h1::ResponseHead;
use sluice_wire::h2::Reason;

use super::core::Core;
use super::streams::StreamState;
use crate::exchange::{AskedExchange, Exchange, Form, Receiving, Sending, Untouched};

/// A stream of HTTP/2.
#[derive(Debug)]
pub struct Http2Exchange {
    core: Rc<RefCell<Core>>,
    key: usize,
}

impl Http2Exchange {
    pub(super) fn new(core: Rc<RefCell<Core>>, key: usize) -> Self {
        Self { core, key }
    }

    /// Whether the client has reset the stream already.
    pub fn is_gone(&self) -> bool {
        with(&mut self.core.borrow_mut(), self.key, |_| ()).is_err()
    }
}

impl Receiving for Http2Exchange {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let core = &mut self.core.borrow_mut();
        // What came before its end is good, whatever became of the connection since.
        if let Some(stream) = core.streams.get_mut(self.key)
            && stream.reset.is_none()
        {
            if !stream.received.is_empty() {
                let data = std::mem::take(&mut stream.received);
                return Poll::Ready(Ok(Some(data.into())));
            }
            if stream.remote_ended {
                return Poll::Ready(Ok(None));
            }
        }
        match with(core, self.key, |stream| stream.watch(cx)) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn release(&mut self, count: usize) {
        self.core.borrow_mut().release(self.key, count);
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let core = &mut self.core.borrow_mut();
        if let Some(stream) = core.streams.get_mut(self.key)
            && stream.reset.is_none()
            && stream.remote_ended
        {
            out.append(&mut stream.trailers);
            return Poll::Ready(Ok(()));
        }
        match with(core, self.key, |stream| stream.watch(cx)) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Sending for Http2Exchange {
    fn poll_window(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let core = &mut self.core.borrow_mut();
        if let Err(error) = with(core, self.key, |_| ()) {
            return Poll::Ready(Err(error));
        }
        match core.room(self.key, cx) {
            0 => Poll::Pending,
            room => Poll::Ready(Ok(room.min(wanted))),
        }
    }

    fn send_data(&mut self, _: &mut Context<'_>, data: &[u8], is_last: bool) -> io::Result<()> {
        let core = &mut self.core.borrow_mut();
        with(core, self.key, |_| ())?;
        core.send_data(self.key, data, is_last);
        Ok(())
    }

    fn send_trailers(&mut self, _: &mut Context<'_>, section: &[u8]) -> io::Result<()> {
        let core = &mut self.core.borrow_mut();
        with(core, self.key, |_| ())?;
        let is_section = core.send_trailers(self.key, section);
        is_section
            .then_some(())
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// What was sent is the connection's, which sends it.
    fn push(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }
}

impl AskedExchange for Http2Exchange {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, Option<Form>)>> {
        let core = &mut self.core.borrow_mut();
        if let Some(answer) = core
            .streams
            .get_mut(self.key)
            .and_then(|stream| stream.answer.as_deref_mut())
            && !answer.head.is_empty()
        {
            return Poll::Ready(Ok((std::mem::take(&mut answer.head), answer.form)));
        }
        match with(core, self.key, |stream| stream.watch(cx)) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn has_enough(&self) -> bool {
        let mut core = self.core.borrow_mut();
        let stream = core.streams.get_mut(self.key);
        stream.is_some_and(|stream| stream.reset.is_none() && stream.is_closed())
    }

    fn cancel(&mut self) {
        self.core.borrow_mut().reset(self.key, Reason::CANCEL);
    }
}

impl Exchange for Http2Exchange {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let core = &mut self.core.borrow_mut();
        match with(core, self.key, |stream| stream.watch(cx)) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(error),
        }
    }

    fn send_interim(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
    ) -> io::Result<()> {
        self.send_head(cx, head, false)
    }

    fn send_head(
        &mut self,
        _: &mut Context<'_>,
        head: &ResponseHead<'_, '_>,
        is_whole: bool,
    ) -> io::Result<()> {
        let core = &mut self.core.borrow_mut();
        with(core, self.key, |_| ())?;
        core.send_head(self.key, head, is_whole);
        Ok(())
    }

    /// What was sent is the connection's, which sends it.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self) {
        let core = &mut self.core.borrow_mut();
        core.reset(self.key, Reason::INTERNAL_ERROR);
    }

    fn is_held_back(&self) -> bool {
        self.core.borrow().is_held_back()
    }
}

impl Drop for Http2Exchange {
    fn drop(&mut self) {
        self.core.borrow_mut().drop_stream(self.key);
    }
}

/// What `act` says of the stream, unless that is gone.
fn with<T>(core: &mut Core, key: usize, act: impl FnOnce(&mut StreamState) -> T) -> io::Result<T> {
    let is_over = core.is_over;
    match core.streams.get_mut(key) {
        Some(stream) if !is_over && stream.reset.is_none() => Ok(act(stream)),
        Some(stream) => Err(match stream.reset {
            Some(_) if stream.is_left_out => Untouched::Leaving.into(),
            Some(Reason::REFUSED_STREAM) => Untouched::Refused.into(),
            _ => io::ErrorKind::ConnectionReset.into(),
        }),
        None => Err(io::ErrorKind::ConnectionReset.into()),
    }
}
