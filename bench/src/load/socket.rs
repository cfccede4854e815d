//! Sockets as the harness needs them: everything on loopback, never blocking
//! once connected.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, Socket, Type};

/// What one attempt to read or write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes; zero of a receive is the end.
    Bytes(usize),
    /// Nothing now: wait for readiness.
    WouldBlock,
    /// The connection is gone.
    Broken,
}

/// A listening socket that other threads may share the port of.
pub(crate) fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(
        Domain::IPV4,
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The address a listening socket got.
pub(crate) fn local_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let socket = socket2::SockRef::from(socket);
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("not an IP socket"))
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The same, and another one than `taken`, which nobody listens on yet.
pub(crate) fn free_address_beside(taken: SocketAddr) -> io::Result<SocketAddr> {
    // Held while another one is asked for, it is not given out again.
    let held = std::net::TcpListener::bind(taken);
    let address = free_address();
    drop(held);
    address
}

/// Takes one waiting connection, if there is one.
pub(crate) fn accept(listener: &OwnedFd) -> Option<OwnedFd> {
    let flags = rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC;
    let socket = rustix::net::accept_with(listener, flags).ok()?;
    socket2::SockRef::from(&socket).set_tcp_nodelay(true).ok()?;
    Some(socket)
}

/// A connection, established before this returns.
pub(crate) fn connect(to: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.connect_timeout(&to.into(), CONNECT_PATIENCE)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// A connection under way from a source address and port of the caller's
/// choice, so that many short ones a second do not run out of ports.
pub(crate) fn begin_connect(from: SocketAddr, to: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(
        Domain::IPV4,
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    // The same source may have been used minutes ago and still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&from.into())?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Ok(()) => Ok(socket.into()),
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {
            Ok(socket.into())
        }
        Err(error) => Err(error),
    }
}

/// Reads once into `space`.
pub(crate) fn receive(socket: impl AsFd, space: &mut [u8]) -> Moved {
    moved(rustix::net::recv(socket, space, RecvFlags::DONTWAIT).map(|(_, length)| length))
}

/// Reads once and throws the bytes away without copying them; `space` only
/// says how many at most.
pub(crate) fn discard(socket: impl AsFd, space: &mut [u8]) -> Moved {
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    moved(rustix::net::recv(socket, space, flags).map(|(_, length)| length))
}

/// Writes once.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8]) -> Moved {
    moved(rustix::net::send(
        socket,
        bytes,
        SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
    ))
}

fn moved(result: Result<usize, Errno>) -> Moved {
    match result {
        Ok(length) => Moved::Bytes(length),
        Err(Errno::AGAIN | Errno::INTR) => Moved::WouldBlock,
        Err(_) => Moved::Broken,
    }
}

const BACKLOG: i32 = 4096;
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
