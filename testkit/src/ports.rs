//! Free ports that two test processes never choose at once.
//!
//! A port from the kernel's ephemeral range could be taken by any outgoing connection between choosing and binding, so
//! ports come from below that range, each reserved by a file lock that lasts as long as the test process.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// A port on loopback that nobody listens on, neither by TCP nor by UDP, and that nobody else will be given while this test
/// process runs.
pub fn free_port() -> u16 {
    let folder = std::env::temp_dir().join("sluice-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder for port locks");
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let start = std::process::id().wrapping_mul(SPREAD) % COUNT;
    for step in 0..COUNT {
        let offset = (start + step) % COUNT;
        let port = FIRST + u16::try_from(offset).expect("less than COUNT");
        if held.iter().any(|(taken, _)| *taken == port) {
            continue;
        }
        let lock = File::create(folder.join(port.to_string())).expect("a port lock");
        if lock.try_lock().is_ok() && is_unused(port) {
            held.push((port, lock));
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// [`free_port`] on 127.0.0.1.
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

fn is_unused(port: u16) -> bool {
    let any = (Ipv4Addr::UNSPECIFIED, port);
    TcpListener::bind(any).is_ok() && UdpSocket::bind(any).is_ok()
}

static HELD: Mutex<Vec<(u16, File)>> = Mutex::new(Vec::new());
const FIRST: u16 = 11_000;
const COUNT: u32 = 20_000;
/// Neighbouring process ids begin far from each other.
const SPREAD: u32 = 61;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let ports = [free_port(), free_port(), free_port()];
        assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        }
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        for taken in [tcp.local_addr(), udp.local_addr()] {
            assert!(!is_unused(taken.expect("its address").port()));
        }
    }
}
