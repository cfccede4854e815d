//! Sees every packet to the servers, and tells when which of them was sent a request, or asked for a connection for one.
//!
//! A server that hangs, or that the network cuts off, cannot tell what was sent to it. So this looks at loopback itself, before
//! any rule drops anything. Bytes that the kernel repeats count once, checks have a port of their own and do not count.

use std::collections::HashMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::servers::{FIRST, PORT, addresses};

/// A watch that is kept.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Sent>>>,
}

/// A request was sent, or a connection asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Instant,
    /// Which server.
    pub(super) to: usize,
}

impl Watch {
    pub(super) fn begin() -> Result<Self> {
        let ip = Protocol::from(i32::from(ETHERTYPE_IP.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(ip))?;
        socket.attach_filter(&filter())?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut traffic = Traffic::default();
            let mut packet = vec![0; 1 << 17];
            while !over.load(Relaxed) {
                // A signal, or nothing for a while.
                let Ok(length) = (&socket).read(&mut packet) else {
                    continue;
                };
                if let Some(segment) = Segment::of(&packet[..length]) {
                    traffic.see(&segment, Instant::now());
                }
            }
            Ok(traffic.sent())
        });
        Ok(Self { is_over, thread })
    }

    /// All that was seen, in order.
    pub(super) fn end(self) -> Result<Vec<Sent>> {
        self.is_over.store(true, Relaxed);
        let seen = self.thread.join();
        seen.map_err(|_| anyhow!("the watch panicked"))?
    }
}

/// What is known of connections to the servers.
#[derive(Default)]
struct Traffic {
    connections: HashMap<(u16, usize), Connection>,
    sent: Vec<Option<Sent>>,
}

struct Connection {
    /// The sequence number that new bytes begin with.
    next: u32,
    /// Where in the list it was asked for, until the first bytes come.
    asked: Option<usize>,
}

/// What is looked at of a packet to a server.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    from: u16,
    to: usize,
    sequence: u32,
    begins: bool,
    length: u32,
}

impl Traffic {
    fn see(&mut self, segment: &Segment, at: Instant) {
        let key = (segment.from, segment.to);
        let sent = Some(Sent { at, to: segment.to });
        if segment.begins {
            let next = segment.sequence.wrapping_add(1);
            if self.connections.get(&key).is_some_and(|it| it.next == next) {
                return;
            }
            let asked = Some(self.sent.len());
            self.connections.insert(key, Connection { next, asked });
            self.sent.push(sent);
        } else if segment.length > 0 {
            let end = segment.sequence.wrapping_add(segment.length);
            let known = Connection {
                next: segment.sequence,
                asked: None,
            };
            let connection = self.connections.entry(key).or_insert(known);
            // What is behind `next` lies in the upper half.
            if end.wrapping_sub(connection.next).wrapping_sub(1) >= 1 << 31 {
                return;
            }
            connection.next = end;
            // The connection was asked for to send this: one request, not two.
            if let Some(asked) = connection.asked.take() {
                self.sent[asked] = None;
            }
            self.sent.push(sent);
        }
    }

    fn sent(self) -> Vec<Sent> {
        self.sent.into_iter().flatten().collect()
    }
}

impl Segment {
    /// Of a packet of IPv4 with TCP to a server's port.
    fn of(packet: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let head = usize::from(packet.first()? & 15) * 4;
        let to = usize::from(packet.get(19)?.checked_sub(FIRST)?);
        if *packet.get(9)? != TCP || to >= addresses().len() || word(head + 2)? != PORT {
            return None;
        }
        let flags = packet.get(head + 13)?;
        let tcp_head = usize::from(packet.get(head + 12)? >> 4) * 4;
        let sequence = [4, 5, 6, 7].map(|at| packet.get(head + at).copied());
        let [Some(a), Some(b), Some(c), Some(d)] = sequence else {
            return None;
        };
        Some(Self {
            from: word(head)?,
            to,
            sequence: u32::from_be_bytes([a, b, c, d]),
            begins: flags & SYN != 0,
            length: u32::from(word(2)?).checked_sub(u32::try_from(head + tcp_head).ok()?)?,
        })
    }
}

/// Has the kernel keep what goes to the servers, and drop all else unseen.
fn filter() -> [SockFilter; 5] {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_GREATER: u16 = 0x25;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    let [first, .., last] = addresses().map(host);
    [
        // The destination of a packet of IPv4.
        SockFilter::new(LOAD_WORD, 0, 0, 16),
        SockFilter::new(JUMP_IF_AT_LEAST, 0, 2, first),
        SockFilter::new(JUMP_IF_GREATER, 1, 0, last),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn host(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(address) => address.ip().to_bits(),
        SocketAddr::V6(_) => u32::MAX,
    }
}

const ETHERTYPE_IP: u16 = 0x0800;
const TCP: u8 = 6;
const SYN: u8 = 2;
const BUFFER: usize = 4 << 20;
/// How long it goes unseen that the watch is over.
const PATIENCE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, begins: bool, length: u32) -> Segment {
        Segment {
            from: 40_000,
            to: 2,
            sequence,
            begins,
            length,
        }
    }

    fn count(segments: &[Segment]) -> usize {
        let mut traffic = Traffic::default();
        for segment in segments {
            traffic.see(segment, Instant::now());
        }
        traffic.sent().len()
    }

    #[test]
    fn a_connection_with_its_first_request_is_one() {
        assert_eq!(count(&[segment(9, true, 0), segment(10, false, 5)]), 1);
        assert_eq!(
            count(&[
                segment(9, true, 0),
                segment(10, false, 5),
                segment(15, false, 5)
            ]),
            2
        );
    }

    #[test]
    fn what_the_kernel_repeats_counts_once() {
        assert_eq!(count(&[segment(9, true, 0), segment(9, true, 0)]), 1);
        let end = u32::MAX - 2;
        assert_eq!(
            count(&[
                segment(end, false, 5),
                segment(end, false, 5),
                segment(end, false, 8)
            ]),
            2
        );
    }

    #[test]
    fn acknowledgements_are_no_requests() {
        assert_eq!(count(&[segment(10, false, 0)]), 0);
    }

    #[test]
    fn packets_are_taken_apart() {
        let mut packet = [0; 47];
        packet[..4].copy_from_slice(&[0x45, 0, 0, 47]);
        packet[9] = TCP;
        packet[16..20].copy_from_slice(&[127, 0, 0, FIRST + 2]);
        packet[20..24].copy_from_slice(&[0x9c, 0x40, 0x1f, 0x90]);
        packet[24..28].copy_from_slice(&[0, 0, 0, 10]);
        packet[32] = 0x50;
        assert_eq!(Segment::of(&packet), Some(segment(10, false, 7)));
        packet[33] = SYN;
        packet[3] = 40;
        assert_eq!(Segment::of(&packet[..40]), Some(segment(10, true, 0)));
        packet[23] = 0x91;
        assert_eq!(Segment::of(&packet), None);
        for length in 0..40 {
            Segment::of(&packet[..length]);
        }
    }
}
