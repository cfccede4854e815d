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

/// Connects.
///
/// `source` is bound without a port (`IP_BIND_ADDRESS_NO_PORT`), which the kernel then chooses for the whole four-tuple.
///
/// # Errors
/// The kernel's. `AddrNotAvailable` means that the local ports to this destination are used up.
pub async fn connect(
    destination: &Destination,
    source: Option<IpAddr>,
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
    if let Some(source) = source {
        kernel_option::bind_address_no_port(socket.as_fd())?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
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
            let _stream = connect(&destination, Some(source), Some(Duration::from_secs(9)))
                .await
                .expect("connect");
            let (_, peer) = listener.accept().expect("accept");
            assert_eq!(peer.ip(), source);
        });
    }

    #[test]
    fn refused_is_refused() {
        let address = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
            listener.local_addr().expect("address")
        };
        let error = block_on(connect(&Destination::Ip(address), None, None)).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
