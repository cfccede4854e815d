//! The socket options that the safe wrappers lack, by `setsockopt(2)`.
//!
//! Beside them one question to the kernel. With `datagrams::watched::watched` the only unsafe code of the data plane's crates. Interpreters such as Miri cannot run the call itself; that the kernel
//! reads the value that was meant is checked by reading each option back from it.

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

/// `IP_TRANSPARENT` (ip(7)): the socket may be bound to an address that is not this machine's.
pub(crate) fn transparent(socket: BorrowedFd<'_>, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, 1)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_TRANSPARENT, 1)
    }
}

/// `UDP_GRO` (udp(7)): the kernel may merge datagrams of one length that come together, and says of what length they were.
pub(crate) fn merge_datagrams(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, 1)
}

/// Whether the kernel cuts IPv4 datagrams that are too long for the way into fragments, or refuses them (`EMSGSIZE`).
pub(crate) fn cut_datagrams(socket: BorrowedFd<'_>, cuts: bool) -> io::Result<()> {
    let how = if cuts {
        libc::IP_PMTUDISC_WANT
    } else {
        libc::IP_PMTUDISC_DO
    };
    set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, how)
}

/// Lets the kernel cut IPv6 datagrams that are too long for the way into fragments, as any UDP program expects; and leaves
/// out what nobody asks for: the time of arrival, the field for congestion marks and, where `has_one_address`, the address that
/// was spoken to. The kernel writes each of them with every datagram.
pub(crate) fn plain_datagrams(
    socket: BorrowedFd<'_>,
    is_ipv6: bool,
    has_one_address: bool,
) -> io::Result<()> {
    let (v4, v6) = (libc::IPPROTO_IP, libc::IPPROTO_IPV6);
    set(socket, v4, libc::IP_RECVTOS, 0)?;
    if has_one_address {
        set(socket, v4, libc::IP_PKTINFO, 0)?;
    }
    if is_ipv6 {
        set(
            socket,
            v6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_WANT,
        )?;
        set(socket, v6, libc::IPV6_DONTFRAG, 0)?;
        set(socket, v6, libc::IPV6_RECVTCLASS, 0)?;
        if has_one_address {
            set(socket, v6, libc::IPV6_RECVPKTINFO, 0)?;
        }
    }
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 0)
}

/// `SIOCOUTQ` (tcp(7)): bytes that were sent on the socket, and that the other side's kernel has not acknowledged; 0 where it is not
/// known.
#[expect(unsafe_code, reason = "ioctl for a number that no safe wrapper offers")]
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed; of a socket the kernel writes one `int`, and `count` outlives
    // the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result == 0 {
        usize::try_from(count).unwrap_or_default()
    } else {
        0
    }
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
        let socket = listener.as_fd();
        fast_open(socket, 16).expect("fast open");
        assert_eq!(read_back(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN), 16);
        defer_accept(socket, 3).expect("defer accept");
        // The kernel counts in retransmissions, and rounds up to the end of one.
        let seconds = read_back(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
        assert!((3..=7).contains(&seconds), "{seconds}");
        bind_address_no_port(socket).expect("no port");
        let option = libc::IP_BIND_ADDRESS_NO_PORT;
        assert_eq!(read_back(socket, libc::IPPROTO_IP, option), 1);
    }

    #[test]
    fn what_nobody_has_received_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("an address");
        let mut near = std::net::TcpStream::connect(address).expect("connect");
        let (_far, _) = listener.accept().expect("accept");
        near.set_nonblocking(true).expect("non-blocking");
        assert_eq!(unacknowledged(near.as_fd()), 0);
        // More than the receiver's kernel takes: the rest stays here.
        let part = vec![0; 1 << 16];
        while io::Write::write(&mut near, &part).is_ok() {}
        assert!(unacknowledged(near.as_fd()) > 0);
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("bind");
        assert_eq!(unacknowledged(datagrams.as_fd()), 0);
    }

    #[test]
    fn values_beyond_the_kernels_range_are_the_largest() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let socket = listener.as_fd();
        fast_open(socket, u32::MAX).expect("the kernel caps it");
        assert!(read_back(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN) > 16);
    }

    #[expect(unsafe_code, reason = "getsockopt, as setsockopt above")]
    fn read_back(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> libc::c_int {
        let mut value: libc::c_int = -1;
        let mut size = libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("small");
        // SAFETY: the descriptor is open for as long as it is borrowed; `value` and `size` outlive the call, and `size`
        // is the room there is.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                level,
                name,
                (&raw mut value).cast(),
                &raw mut size,
            )
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        value
    }

    #[test]
    fn a_refusal_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
        assert!(defer_accept(socket.as_fd(), 3).is_err());
    }
}
