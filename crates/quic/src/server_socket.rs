//! The socket of one connection to a server. It is connected, so that the kernel tells when nobody listens at the server's
//! port: `quinn` alone would find out by silence only.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::io::Interest;
use tokio::sync::Notify;

/// The socket.
#[derive(Debug)]
pub(crate) struct ServerSocket {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    unreachable: Unreachable,
}

/// What the kernel has heard of a server that cannot be reached any more.
#[derive(Clone, Debug, Default)]
pub struct Unreachable(Arc<Heard>);

#[derive(Debug, Default)]
struct Heard {
    kind: OnceLock<ErrorKind>,
    told: Notify,
}

impl Unreachable {
    /// Waits until it is: `ConnectionRefused` where nobody listens there, `HostUnreachable` or `NetworkUnreachable` where there
    /// is no way. To be awaited by one task at a time.
    pub async fn told(&self) -> ErrorKind {
        loop {
            if let Some(kind) = self.0.kind.get() {
                return *kind;
            }
            self.0.told.notified().await;
        }
    }

    /// Takes note of an error that says so. All others are of a datagram that is lost, which is nothing new to QUIC: it sends
    /// again, and finds out how long datagrams may be.
    fn hears(&self, error: &io::Error) {
        let is_heard = matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
        );
        if is_heard && self.0.kind.set(error.kind()).is_ok() {
            self.0.told.notify_one();
        }
    }
}

impl ServerSocket {
    /// Registers a connected socket with the current reactor.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn new(socket: UdpSocket, unreachable: Unreachable) -> io::Result<Self> {
        Ok(Self {
            state: UdpSocketState::new((&socket).into())?,
            socket: tokio::net::UdpSocket::from_std(socket)?,
            unreachable,
        })
    }
}

impl AsyncUdpSocket for ServerSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable(self))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.socket.try_io(Interest::WRITABLE, || {
            self.state.try_send((&self.socket).into(), transmit)
        });
        match sent {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            Err(error) => {
                self.unreachable.hears(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // Of the many buffers that there are for each connection only the first are ever touched, and cost memory.
        let used = buffers.len().min(BATCH);
        let buffers = buffers.get_mut(..used).unwrap_or_default();
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let received = self.socket.try_io(Interest::READABLE, || {
                self.state.recv((&self.socket).into(), buffers, metas)
            });
            match received {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    // Of something that was sent before. There may be more behind it.
                    self.unreachable.hears(&error);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Asked by one task: that of the only connection.
#[derive(Debug)]
struct Writable(Arc<ServerSocket>);

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.socket.poll_send_ready(cx)
    }
}

/// Arrivals that are received at a time.
const BATCH: usize = 8;
