//! Where clients connect to, and the bytes of a connection, in the clear or ciphered.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustls::ClientConfig;

use super::ciphered::Ciphered;
use super::socket::{self, Moved};

/// An address to connect to, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    to: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// The bytes of one connection, as the application sees them.
pub(crate) enum Flow {
    Plain(OwnedFd),
    Ciphered(Box<Ciphered>),
}

impl Door {
    /// In the clear.
    pub(crate) fn plain(to: SocketAddr) -> Self {
        Self { to, tls: None }
    }

    /// By TLS.
    pub(crate) fn ciphered(to: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self { to, tls: Some(tls) }
    }

    /// A connection, established before this returns, the handshake of TLS included.
    pub(crate) fn open(&self) -> io::Result<Flow> {
        let socket = socket::connect(self.to)?;
        let Some(tls) = &self.tls else {
            return Ok(Flow::Plain(socket));
        };
        let mut ciphered = Ciphered::new(socket, Arc::clone(tls))?;
        ciphered.shake_hands()?;
        Ok(Flow::Ciphered(Box::new(ciphered)))
    }
}

impl Flow {
    /// The session of TLS, where there is one.
    pub(crate) fn session(&mut self) -> Option<&mut Ciphered> {
        match self {
            Self::Plain(_) => None,
            Self::Ciphered(ciphered) => Some(ciphered),
        }
    }

    /// Reads once into `space`.
    pub(crate) fn receive(&mut self, space: &mut [u8]) -> Moved {
        match self {
            Self::Plain(socket) => socket::receive(socket, space),
            Self::Ciphered(ciphered) => ciphered.receive(space),
        }
    }

    /// Reads once what nobody wants to see, without copying it where that can be spared.
    pub(crate) fn discard(&mut self, space: &mut [u8]) -> Moved {
        match self {
            Self::Plain(socket) => socket::discard(socket, space),
            Self::Ciphered(ciphered) => ciphered.receive(space),
        }
    }

    /// Writes once.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Moved {
        match self {
            Self::Plain(socket) => socket::send(socket, bytes),
            Self::Ciphered(ciphered) => ciphered.send(bytes),
        }
    }
}

impl AsFd for Flow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(socket) => socket.as_fd(),
            Self::Ciphered(ciphered) => ciphered.as_fd(),
        }
    }
}
