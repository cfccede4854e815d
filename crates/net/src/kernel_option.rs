//! The socket options that the safe wrappers lack, by `setsockopt(2)`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `IP_BIND_ADDRESS_NO_PORT` (ip(7)): an address is bound now, its port chosen at `connect`, when the kernel knows the
/// whole four-tuple. So one source address carries some 28,000 connections to *each* server instead of in all.
pub(crate) fn bind_address_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// `TCP_FASTOPEN` (tcp(7), RFC 7413) on a listening socket; `queue` bounds the connections not yet through their handshake.
pub(crate) fn fast_open(socket: BorrowedFd<'_>, queue: u32) -> io::Result<()> {
    let queue = libc::c_int::try_from(queue).unwrap_or(libc::c_int::MAX);
    set(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, queue)
}

/// `TCP_DEFER_ACCEPT` (tcp(7)), in whole seconds.
pub(crate) fn defer_accept(socket: BorrowedFd<'_>, seconds: u32) -> io::Result<()> {
    let seconds = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    set(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

#[expect(unsafe_code, reason = "setsockopt for options no safe wrapper offers")]
fn set(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    // SAFETY: the descriptor is open for as long as it is borrowed; `value` outlives the call and `size` is its size,
    // so the kernel reads only what is ours.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn the_kernel_takes_them() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        fast_open(listener.as_fd(), 16).expect("fast open");
        defer_accept(listener.as_fd(), 3).expect("defer accept");
        bind_address_no_port(listener.as_fd()).expect("no port");
    }

    #[test]
    fn a_refusal_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
        assert!(defer_accept(socket.as_fd(), 3).is_err());
    }
}
