//! The servers' side: a socket for each client.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{SendFlags, send};
use socket2::{Domain, Protocol, Type};

use crate::connect::Source;

/// A client's own socket towards its server.
#[derive(Debug)]
pub struct ServerSocket(OwnedFd);

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
        Ok(Self(socket.into()))
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// The kernel's: `ConnectionRefused` where an earlier one met nobody; this one was not sent then.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        send(self, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

impl From<ServerSocket> for std::net::UdpSocket {
    fn from(socket: ServerSocket) -> Self {
        socket.0.into()
    }
}

impl AsFd for ServerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
