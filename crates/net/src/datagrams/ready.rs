//! Which of many sockets have something to receive.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::Timespec;
use tokio::io::unix::AsyncFd;

use super::server::ServerSocket;
use super::watched::watched;

/// Many sockets watched as one, so that a session costs a descriptor and no task.
pub struct ReadySet {
    epoll: AsyncFd<OwnedFd>,
    events: Vec<epoll::Event>,
}

impl ReadySet {
    /// An empty set on the current reactor.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll: watched(epoll)?,
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// Watches a socket, until it is closed.
    ///
    /// # Errors
    /// Out of memory.
    pub fn add(&self, socket: &ServerSocket, id: usize) -> io::Result<()> {
        let data = epoll::EventData::new_u64(id as u64);
        epoll::add(self.epoll.get_ref(), socket, data, epoll::EventFlags::IN)?;
        Ok(())
    }

    /// Ready when there is something to receive on some: [`Self::found`] says which.
    ///
    /// # Errors
    /// The kernel's.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.epoll.poll_read_ready(cx))?;
            self.events.clear();
            let room = spare_capacity(&mut self.events);
            match epoll::wait(guard.get_inner(), room, Some(&AT_ONCE)) {
                Ok(0) => guard.clear_ready(),
                Ok(_) => return Poll::Ready(Ok(())),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// The number that was given for the socket that the last poll found at this position, counted from 0.
    pub fn found(&self, position: usize) -> Option<usize> {
        let event = self.events.get(position)?;
        usize::try_from(event.data.u64()).ok()
    }
}

impl std::fmt::Debug for ReadySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadySet").finish_non_exhaustive()
    }
}

const EVENTS: usize = 256;
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
