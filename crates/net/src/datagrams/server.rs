//! The servers' side: a socket for each client.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use socket2::{Domain, Protocol, Type};

use super::runs::{Offload, Run};
use crate::connect::Source;
use crate::kernel_option;

/// A client's own socket towards its server.
#[derive(Debug)]
pub struct ServerSocket {
    socket: OwnedFd,
    server: SocketAddr,
    /// Whether runs go out as one. Not where the way there refused one.
    takes_runs: Cell<bool>,
    /// Whether what comes may have been merged.
    gives_runs: Cell<bool>,
}

impl ServerSocket {
    /// A socket connected to `server`. Connecting sends nothing.
    ///
    /// # Errors
    /// The kernel's: out of descriptors, no way there, no port free.
    pub fn connect(server: SocketAddr, source: Source) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(server),
            Type::DGRAM.nonblocking(),
            Some(Protocol::UDP),
        )?;
        source.bind(&socket)?;
        socket.connect(&server.into())?;
        Ok(Self {
            socket: socket.into(),
            server,
            takes_runs: Cell::new(true),
            gives_runs: Cell::new(false),
        })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// The kernel's: `ConnectionRefused` where an earlier one met nobody; this one was not sent then.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        send(self, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Sends the first datagrams of a run, as many as one system call takes: how many.
    ///
    /// # Errors
    /// Those of [`Self::send`]. None was sent then.
    pub fn send_run(&self, run: &Run<'_>, offload: &Offload) -> io::Result<usize> {
        let share = offload.share(run);
        if share > 1 && self.takes_runs.get() {
            let part = { *run }.take_first(share);
            match offload.send(self, self.server, &part) {
                Ok(()) => return Ok(share),
                Err(error) if is_about_the_run(&error) => self.takes_runs.set(false),
                // Some of them may have room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let Some(first) = run.first() else {
            return Ok(0);
        };
        self.send(first)?;
        Ok(1)
    }

    pub(super) fn gives_runs(&self) -> bool {
        self.gives_runs.get()
    }

    /// Has the kernel merge what comes, from now on. It costs a system call, and makes receiving dearer, which does not pay
    /// where a server sends one datagram at a time.
    pub(super) fn ask_for_runs(&self) {
        if !self.gives_runs.replace(true) {
            // Where it does not do that, datagrams go on coming one by one.
            let _ = kernel_option::merge_datagrams(self.as_fd());
        }
    }
}

/// Whether the same datagrams may go one by one: a device that cannot cut them, or a way too narrow for them.
fn is_about_the_run(error: &io::Error) -> bool {
    let refusals = [Errno::IO, Errno::INVAL, Errno::MSGSIZE, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|error| refusals.contains(&error))
}

impl From<ServerSocket> for std::net::UdpSocket {
    fn from(socket: ServerSocket) -> Self {
        socket.socket.into()
    }
}

impl AsFd for ServerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
