//! Addresses at which nobody answers, in the two ways there are.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::ports::free_address;

/// A loopback address where connecting is refused.
pub fn refused_address() -> SocketAddr {
    free_address()
}

/// A loopback address where connecting takes forever: the listener's queue is full, so the kernel drops every SYN.
#[derive(Debug)]
pub struct SilentPort {
    listener: Socket,
    _queued: Vec<TcpStream>,
}

impl SilentPort {
    /// Fills the queue of a listener that never accepts.
    pub fn start() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any.into()).expect("a loopback port");
        listener.listen(0).expect("a listener");
        let address = address(&listener);
        // A queue of length 0 holds one connection; the loop ends at the first that does not get in. The one that does gets
        // all the time it takes: given up too soon on a busy machine, it would leave the queue empty.
        let mut queued = vec![TcpStream::connect(address).expect("a place in the queue")];
        while let Ok(stream) = TcpStream::connect_timeout(&address, QUEUE_IS_FULL_AFTER) {
            queued.push(stream);
            assert!(queued.len() < 16, "the queue of {address} does not fill");
        }
        Self {
            listener,
            _queued: queued,
        }
    }

    /// Where nobody answers.
    pub fn address(&self) -> SocketAddr {
        address(&self.listener)
    }
}

fn address(listener: &Socket) -> SocketAddr {
    let address = listener.local_addr().expect("the listener's address");
    address.as_socket().expect("an IP socket")
}

/// On loopback a connection is there at once or not at all.
const QUEUE_IS_FULL_AFTER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_refused_address_refuses() {
        let error = TcpStream::connect(refused_address()).expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_silent_port_does_not_answer() {
        let silent = SilentPort::start();
        let result = TcpStream::connect_timeout(&silent.address(), QUEUE_IS_FULL_AFTER);
        assert_eq!(result.expect_err("no answer").kind(), ErrorKind::TimedOut);
    }
}
