//! Opening connections to servers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpSocket, UnixStream};

use crate::kernel_option;
use crate::listen::keep_alive;
use crate::socket::Socket;

/// Where a server is, with its name resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix-domain socket.
    Unix(PathBuf),
}

/// From where connections to servers start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the address that the kernel chooses.
    Any,
    /// From an address of this machine.
    Own(IpAddr),
    /// From the client's address, which is not this machine's (`IP_TRANSPARENT`). What comes back finds its way here only
    /// where routing says so.
    Client(IpAddr),
}

impl Source {
    /// Binds a socket that is about to be connected. The port is chosen by the kernel for the whole four-tuple.
    pub(crate) fn bind(self, socket: &socket2::Socket) -> io::Result<()> {
        let address = match self {
            Self::Any => return Ok(()),
            Self::Own(address) => address,
            Self::Client(address) => {
                kernel_option::transparent(socket.as_fd(), address.is_ipv6())?;
                address
            }
        };
        kernel_option::bind_address_no_port(socket.as_fd())?;
        socket.bind(&SocketAddr::new(address, 0).into())
    }
}

/// Whether this process may start connections from addresses of others ([`Source::Client`]).
///
/// # Errors
/// `PermissionDenied` where it lacks the capability.
pub fn may_use_addresses_of_others() -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    kernel_option::transparent(socket.as_fd(), false)
}

/// Connects.
///
/// An address in `source` is bound without a port (`IP_BIND_ADDRESS_NO_PORT`), which the kernel then chooses for the whole four-tuple.
///
/// # Errors
/// The kernel's. `AddrNotAvailable` means that the local ports to this destination are used up.
pub async fn connect(
    destination: &Destination,
    source: Source,
    keep_alive_after: Option<Duration>,
) -> io::Result<Socket> {
    let address = match destination {
        Destination::Unix(path) => return UnixStream::connect(path).await.map(Socket::Unix),
        Destination::Ip(address) => *address,
    };
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_tcp_nodelay(true)?;
    if let Some(silence) = keep_alive_after {
        socket.set_tcp_keepalive(&keep_alive(silence))?;
    }
    source.bind(&socket)?;
    let stream = TcpSocket::from_std_stream(socket.into())
        .connect(address)
        .await?;
    Ok(Socket::Tcp(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime")
            .block_on(future)
    }

    #[test]
    fn a_source_address_is_used() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let destination = Destination::Ip(listener.local_addr().expect("address"));
        let source = IpAddr::from([127, 0, 0, 77]);
        block_on(async {
            let _stream = connect(
                &destination,
                Source::Own(source),
                Some(Duration::from_secs(9)),
            )
            .await
            .expect("connect");
            let (_, peer) = listener.accept().expect("accept");
            assert_eq!(peer.ip(), source);
        });
    }

    #[test]
    fn refused_is_refused() {
        let address = testkit::refused_address();
        let error =
            block_on(connect(&Destination::Ip(address), Source::Any, None)).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
