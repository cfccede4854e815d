//! A connected socket: TCP, or Unix-domain.
//!
//! The reactor is tokio's; receiving and sending are system calls of our own. The C library's wrappers are cancellation
//! points of its threads, which cost four atomic operations for each request and serve nobody here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::kernel_option;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A Unix-domain stream socket.
    Unix(UnixStream),
}

impl Socket {
    /// Receives into `buffer`; 0 is the end of the stream. A short read also clears the readiness, so no further
    /// system call is needed to learn that there is nothing more.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            let received = self.try_io(Interest::READABLE, || {
                let (_, count) = recv(&*self, &mut *buffer, RecvFlags::empty())?;
                Ok(count)
            });
            match received {
                Ok(count) => {
                    if (1..buffer.len()).contains(&count) {
                        self.clear(Interest::READABLE);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends from `bytes`; how many were taken. Where not all were, the readiness is cleared too.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            let sent = self.try_io(Interest::WRITABLE, || {
                Ok(send(&*self, bytes, SendFlags::NOSIGNAL)?)
            });
            match sent {
                Ok(count) => {
                    if (1..bytes.len()).contains(&count) {
                        self.clear(Interest::WRITABLE);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Ready when there is something to receive, the end of the stream included. Receives nothing.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    /// Ready when something can be sent.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    /// Ends our side of the stream (a TCP FIN); the other side may go on.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Receives what is there now. Costs no system call while the reactor has seen nothing arrive.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
        }
    }

    /// Runs `io` on the descriptor when it is ready for `interest`, clearing the readiness on `WouldBlock`.
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        io: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        match self {
            Self::Tcp(stream) => stream.try_io(interest, io),
            Self::Unix(stream) => stream.try_io(interest, io),
        }
    }

    /// Forgets that the stream was ready: the next event of the reactor says so again.
    fn clear(&self, interest: Interest) {
        let _ = self.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }

    /// Whether a connection that should be silent still is: not closed, nothing sent unasked. As far as the reactor has
    /// seen: what has come since it was last asked is not known yet, and costs no system call.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        matches!(self.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The same, as the kernel knows it at this moment: a system call.
    pub fn is_quiet_now(&self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(
            recv(self, &mut byte, flags),
            Err(rustix::io::Errno::WOULDBLOCK)
        )
    }

    /// Makes closing the stream a reset (RST) instead of an orderly end, so that the other side cannot take what it
    /// got for the whole.
    pub fn reset_on_close(&self) {
        if let Self::Tcp(stream) = self {
            // A failure leaves an orderly close, which is all that can be done then.
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Bytes that were sent and that the other side's kernel has not acknowledged: a system call.
    pub fn unacknowledged(&self) -> usize {
        match self {
            Self::Tcp(stream) => kernel_option::unacknowledged(stream.as_fd()),
            // Of a Unix socket the kernel counts its own memory.
            Self::Unix(_) => 0,
        }
    }

    /// The local address of a TCP stream.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
