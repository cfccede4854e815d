//! A byte stream, as everything above sees one: a socket, or something that is spoken over one.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use crate::socket::Socket;

/// A connected byte stream. Polled, not awaited: one task watches both sides of a proxied connection.
#[derive(Debug)]
pub enum Stream {
    /// Bytes as they go over the wire.
    Socket(Socket),
    /// Bytes that something else carries.
    Layered(Box<dyn Layered>),
}

/// A byte stream over another: a ciphered one, or one of many on a connection.
///
/// There is no flush. [`Self::poll_write`] takes bytes only when they are on their way; until then it is pending, and
/// has to be given the same bytes again, others after them where there are more.
pub trait Layered: Debug {
    /// Receives into `buffer`; 0 is the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Sends from `bytes`; how many were taken.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Ends our side of the stream; the other side may go on.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether a stream that should be silent still is: not closed, nothing sent unasked. Where `now`, as the kernel knows
    /// it at this moment; else as far as the reactor has seen.
    fn is_quiet(&mut self, now: bool) -> bool;

    /// Makes dropping the stream a break instead of an orderly end.
    fn reset_on_close(&mut self);

    /// The local address of the TCP connection below.
    fn local_address(&self) -> Option<SocketAddr>;

    /// Bytes that were taken and that the other side's kernel has not got, as far as that is known.
    fn unacknowledged(&self) -> usize {
        0
    }

    /// Whether the other side may send nothing, as what others have sent on the same connection was not read here.
    fn is_held_back(&self) -> bool {
        false
    }
}

impl Stream {
    /// Receives into `buffer`; 0 is the end of the stream.
    #[inline]
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket(socket) => socket.poll_read(cx, buffer),
            Self::Layered(layer) => layer.poll_read(cx, buffer),
        }
    }

    /// Sends from `bytes`; how many were taken. Where it is pending, the same bytes have to come first the next time.
    #[inline]
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket(socket) => socket.poll_write(cx, bytes),
            Self::Layered(layer) => layer.poll_write(cx, bytes),
        }
    }

    /// Ends our side of the stream (a TCP FIN); the other side may go on.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket(socket) => socket.poll_shutdown(cx),
            Self::Layered(layer) => layer.poll_shutdown(cx),
        }
    }

    /// Whether a connection that should be silent still is: not closed, nothing sent unasked. As far as the reactor has
    /// seen: what has come since it was last asked is not known yet, and costs no system call.
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Self::Socket(socket) => socket.is_quiet(),
            Self::Layered(layer) => layer.is_quiet(false),
        }
    }

    /// The same, as the kernel knows it at this moment: a system call.
    pub fn is_quiet_now(&mut self) -> bool {
        match self {
            Self::Socket(socket) => socket.is_quiet_now(),
            Self::Layered(layer) => layer.is_quiet(true),
        }
    }

    /// Makes closing the stream a reset (RST) instead of an orderly end, so that the other side cannot take what it
    /// got for the whole.
    pub fn reset_on_close(&mut self) {
        match self {
            Self::Socket(socket) => socket.reset_on_close(),
            Self::Layered(layer) => layer.reset_on_close(),
        }
    }

    /// The local address of the TCP connection.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket(socket) => socket.local_address(),
            Self::Layered(layer) => layer.local_address(),
        }
    }

    /// Bytes that were taken and that the other side's kernel has not got, as far as that is known.
    pub fn unacknowledged(&self) -> usize {
        match self {
            Self::Socket(socket) => socket.unacknowledged(),
            Self::Layered(layer) => layer.unacknowledged(),
        }
    }

    /// Whether the other side may send nothing, as what others have sent on the same connection was not read here.
    pub fn is_held_back(&self) -> bool {
        match self {
            Self::Socket(_) => false,
            Self::Layered(layer) => layer.is_held_back(),
        }
    }

    /// Takes the stream, to put something over it; what stays in its place has ended.
    #[must_use]
    pub fn take(&mut self) -> Self {
        // Without a field, the box is no allocation.
        std::mem::replace(self, Self::Layered(Box::new(Gone)))
    }

    /// The socket, where its bytes are the stream's: those can move inside the kernel.
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Socket(socket) => Some(socket),
            Self::Layered(_) => None,
        }
    }
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self::Socket(socket)
    }
}

/// In the place of a stream that was taken: one that has ended.
#[derive(Debug)]
struct Gone;

impl Layered for Gone {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_quiet(&mut self, _: bool) -> bool {
        false
    }

    fn reset_on_close(&mut self) {}

    fn local_address(&self) -> Option<SocketAddr> {
        None
    }
}
