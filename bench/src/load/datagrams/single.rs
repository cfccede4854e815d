//! One datagram at a time, of a voice packet's size.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use super::Volley;

/// A socket that sends one datagram and waits for it.
pub(crate) struct Single(UdpSocket);

/// A byte more than is sent, so that what is longer shows.
pub(crate) struct Space([u8; LENGTH + 1]);

impl Volley for Single {
    type Space = Space;

    fn client(to: SocketAddr) -> io::Result<Self> {
        let client = Self::server((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
        client.0.connect(to)?;
        Ok(client)
    }

    fn server(at: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(at)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    fn send(&mut self) -> io::Result<()> {
        self.0.send(&[b'x'; LENGTH]).map(drop)
    }

    fn receive(&mut self, space: &mut Space) -> io::Result<usize> {
        if self.0.recv(&mut space.0)? == LENGTH {
            Ok(1)
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    fn is_whole(&self) -> bool {
        // Its one datagram has come, or `receive` would have failed.
        true
    }

    fn echo(&self, space: &mut Space) {
        while let Ok((length, from)) = self.0.recv_from(&mut space.0) {
            // What is lost shows as a client that gets no answer.
            let _ = self.0.send_to(&space.0[..length], from);
        }
    }
}

impl AsFd for Single {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Default for Space {
    fn default() -> Self {
        Self([0; LENGTH + 1])
    }
}

const LENGTH: usize = 128;
