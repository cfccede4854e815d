//! Binding listeners and accepting connections.
//!
//! A listener is bound once for each worker on the same address (`SO_REUSEPORT`), so that the kernel spreads connections
//! over the workers and no worker waits for another. What is set on the listening socket, the accepted one inherits:
//! accepting costs one system call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sluice_model::BindAddress;
use socket2::{Domain, Protocol, SockAddr, SockRef, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::kernel_option;
use crate::socket::Socket;

/// Settings of a listening socket. `None` leaves the kernel's own.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections the kernel holds until they are accepted (it caps this at `net.core.somaxconn`).
    pub backlog: u32,
    /// Silence before the kernel probes the client.
    pub keep_alive: Option<Duration>,
    /// Bytes.
    pub receive_buffer: Option<usize>,
    /// Bytes.
    pub send_buffer: Option<usize>,
    /// Length of the TCP Fast Open queue.
    pub fast_open: Option<u32>,
    /// Accept only when the client has sent bytes, or after this long.
    pub defer_accept: Option<Duration>,
}

/// One listener, bound and not yet given to the workers.
#[derive(Debug)]
pub struct Bound {
    sockets: Vec<socket2::Socket>,
    address: BoundAddress,
    /// Where a Unix socket is until its place is taken.
    aside: Option<Aside>,
}

/// Where a listener ended up, with the port that the kernel chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundAddress {
    /// TCP or UDP.
    Ip(SocketAddr),
    /// A Unix-domain socket.
    Unix(PathBuf),
}

impl std::fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Bound {
    /// Binds `address` once for each of `workers`. With `beside_own`, sockets of this process may be bound there already.
    ///
    /// # Errors
    /// The kernel's: `AddrInUse` where anything else, another sluice included, listens there; `PermissionDenied` for
    /// ports below 1024 without the right to them.
    pub fn new(
        address: &BindAddress,
        options: &ListenOptions,
        workers: usize,
        beside_own: bool,
    ) -> io::Result<Self> {
        let wanted = match address {
            BindAddress::Unix(path) => return Self::unix(path, options, workers, beside_own),
            BindAddress::Ip(address) => *address,
            BindAddress::AllInterfaces { port } => all_interfaces(*port),
        };
        Self::for_each(workers, wanted, beside_own, tcp_socket, |socket, chosen| {
            apply(socket, options)?;
            socket.bind(chosen)?;
            socket.listen(backlog(options))
        })
    }

    /// Binds `address` for datagrams, once for each of `workers`: the kernel keeps each client on one of them. With
    /// `beside_own`, sockets of this process may be bound there already.
    ///
    /// # Errors
    /// The kernel's, as [`Self::new`]; `Unsupported` for Unix sockets.
    pub fn datagrams(
        address: &BindAddress,
        options: &ListenOptions,
        workers: usize,
        beside_own: bool,
    ) -> io::Result<Self> {
        let wanted = match address {
            BindAddress::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
            BindAddress::Ip(address) => *address,
            BindAddress::AllInterfaces { port } => all_interfaces(*port),
        };
        Self::for_each(workers, wanted, beside_own, udp_socket, |socket, chosen| {
            if let Some(size) = options.receive_buffer {
                socket.set_recv_buffer_size(size)?;
            }
            if let Some(size) = options.send_buffer {
                socket.set_send_buffer_size(size)?;
            }
            socket.bind(chosen)
        })
    }

    /// A socket for each worker at `wanted`, or where the kernel chooses in its place.
    fn for_each(
        workers: usize,
        wanted: SocketAddr,
        beside_own: bool,
        make: impl Fn(SocketAddr) -> io::Result<socket2::Socket>,
        bind: impl Fn(&socket2::Socket, &SockAddr) -> io::Result<()>,
    ) -> io::Result<Self> {
        // With SO_REUSEPORT two processes may share a port without noticing. This bind, without it, notices. It also
        // finds the port where the kernel shall choose.
        let probe = make(wanted)?;
        probe.set_reuse_port(beside_own)?;
        probe.bind(&wanted.into())?;
        let chosen = probe.local_addr()?.as_socket().unwrap_or(wanted);
        drop(probe);

        let sockets = (0..workers.max(1))
            .map(|_| {
                let socket = make(chosen)?;
                socket.set_reuse_port(true)?;
                bind(&socket, &chosen.into())?;
                Ok(socket)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            sockets,
            address: BoundAddress::Ip(chosen),
            aside: None,
        })
    }

    /// Where it is bound.
    pub fn address(&self) -> &BoundAddress {
        &self.address
    }

    /// The sockets, one for each worker. Only now a Unix socket takes its place, and that of one that was there.
    pub fn into_sockets(self) -> Vec<ListenSocket> {
        if let (Some(aside), BoundAddress::Unix(path)) = (&self.aside, &self.address) {
            // It lies in the same directory. Should that be gone by now, nobody could connect either way.
            let _ = std::fs::rename(&aside.path, path);
        }
        self.sockets.into_iter().map(ListenSocket).collect()
    }

    /// Unix sockets know no `SO_REUSEPORT`: the workers share one. It is bound beside its place, so that the one that is
    /// there serves on if this one comes to nothing.
    fn unix(
        path: &Path,
        options: &ListenOptions,
        workers: usize,
        beside_own: bool,
    ) -> io::Result<Self> {
        if !beside_own && std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        check_place(path)?;
        let aside = Aside::beside(path)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        socket.bind(&SockAddr::unix(&aside.path)?)?;
        socket.listen(backlog(options))?;
        let mut sockets = Vec::with_capacity(workers);
        for _ in 1..workers {
            sockets.push(socket.try_clone()?);
        }
        sockets.push(socket);
        Ok(Self {
            sockets,
            address: BoundAddress::Unix(path.to_owned()),
            aside: Some(aside),
        })
    }
}

/// A Unix socket's name until it takes its place. Removed when dropped, which does nothing once it was renamed.
#[derive(Debug)]
struct Aside {
    path: PathBuf,
}

impl Aside {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let path = PathBuf::from(name);
        if check_place(&path)? {
            std::fs::remove_file(&path)?;
        }
        Ok(Self { path })
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A worker's own listening socket, on its way to the worker.
#[derive(Debug)]
pub struct ListenSocket(pub(crate) socket2::Socket);

impl From<ListenSocket> for OwnedFd {
    fn from(socket: ListenSocket) -> Self {
        socket.0.into()
    }
}

/// Accepts connections on the worker's reactor.
#[derive(Debug)]
pub enum Acceptor {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix-domain socket.
    Unix(UnixListener),
}

impl Acceptor {
    /// Registers the socket with the current reactor.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new(socket: ListenSocket) -> io::Result<Self> {
        let socket = socket.0;
        let is_unix = socket.domain()? == Domain::UNIX;
        if is_unix {
            UnixListener::from_std(socket.into()).map(Self::Unix)
        } else {
            TcpListener::from_std(socket.into()).map(Self::Tcp)
        }
    }

    /// The next connection and the client's address; clients on a Unix socket are on this machine, and are given
    /// 127.0.0.1.
    ///
    /// # Errors
    /// See [`is_exhausted`] and [`is_transient`].
    pub async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), canonical(peer)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), LOCAL_CLIENT))
            }
        }
    }
}

/// The connections that the kernel has taken for a listener and nobody has accepted.
impl Acceptor {
    /// The next of them, without asking the reactor, which may not have heard of it yet.
    ///
    /// # Errors
    /// `WouldBlock` where there is none; else as [`Self::accept`].
    pub fn accept_waiting(&self) -> io::Result<(Socket, SocketAddr)> {
        let listener = match self {
            Self::Tcp(listener) => SockRef::from(listener),
            Self::Unix(listener) => SockRef::from(listener),
        };
        let (socket, peer) = listener.accept()?;
        socket.set_nonblocking(true)?;
        let stream = match self {
            Self::Tcp(_) => Socket::Tcp(TcpStream::from_std(socket.into())?),
            Self::Unix(_) => Socket::Unix(UnixStream::from_std(socket.into())?),
        };
        Ok((stream, peer.as_socket().map_or(LOCAL_CLIENT, canonical)))
    }
}

/// Whether accepting failed for want of descriptors or memory: trying again at once would only spin.
pub fn is_exhausted(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// Whether accepting failed for that one connection only (accept(2)): it went away before it was accepted.
pub fn is_transient(error: &io::Error) -> bool {
    !is_exhausted(error)
        && !matches!(
            error.raw_os_error(),
            Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK)
        )
}

/// An IPv4 client of a dual-stack socket is an IPv4 client.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

fn all_interfaces(port: u16) -> SocketAddr {
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match tcp_socket(v6) {
        Ok(_) => v6,
        Err(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    }
}

fn tcp_socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        let both_families = address.ip().is_unspecified();
        socket.set_only_v6(!both_families)?;
    }
    Ok(socket)
}

fn udp_socket(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        let both_families = address.ip().is_unspecified();
        socket.set_only_v6(!both_families)?;
    }
    Ok(socket)
}

fn apply(socket: &socket2::Socket, options: &ListenOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if let Some(silence) = options.keep_alive {
        socket.set_tcp_keepalive(&keep_alive(silence))?;
    }
    if let Some(size) = options.receive_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    if let Some(size) = options.send_buffer {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(queue) = options.fast_open {
        kernel_option::fast_open(socket.as_fd(), queue)?;
    }
    if let Some(wait) = options.defer_accept {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1);
        kernel_option::defer_accept(socket.as_fd(), seconds)?;
    }
    Ok(())
}

/// Probes after `silence`, then every tenth of it, so that a dead peer is found within about twice the silence.
pub(crate) fn keep_alive(silence: Duration) -> TcpKeepalive {
    let interval = (silence / 10).max(Duration::from_secs(1));
    TcpKeepalive::new()
        .with_time(silence.max(Duration::from_secs(1)))
        .with_interval(interval)
}

fn backlog(options: &ListenOptions) -> i32 {
    i32::try_from(options.backlog).unwrap_or(i32::MAX)
}

/// A client on a Unix socket has no address; it is on this machine.
const LOCAL_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Whether a socket is at `path`, left from a process that ended. Any other file is somebody's: an error.
fn check_place(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(true),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is not a socket is in the way",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
