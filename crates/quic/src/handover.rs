//! Datagrams from one worker to another.

use std::hash::RandomState;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::task::{Context, Poll};

use quinn::udp::EcnCodepoint;
use tokio::sync::mpsc;

use crate::ids::Ids;

/// A worker's place among those of a listener.
#[derive(Debug)]
pub struct Seat {
    pub(crate) ids: Ids,
    worker: usize,
    others: Vec<mpsc::Sender<Datagram>>,
    /// Asked by one task; `quinn` wants it to be shareable.
    inbox: Mutex<mpsc::Receiver<Datagram>>,
}

/// A datagram as it came in.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: Option<IpAddr>,
    pub(crate) ecn: Option<EcnCodepoint>,
    pub(crate) bytes: Box<[u8]>,
}

/// The places of a listener's workers.
pub fn seats(workers: usize) -> Vec<Seat> {
    let key = RandomState::new();
    let (others, inboxes): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(WAITING)).unzip();
    inboxes
        .into_iter()
        .enumerate()
        .map(|(worker, inbox)| Seat {
            ids: Ids::new(key.clone(), u16::try_from(worker).unwrap_or(u16::MAX)),
            worker,
            others: others.clone(),
            inbox: Mutex::new(inbox),
        })
        .collect()
}

impl Seat {
    /// Whose a datagram is, where it is another worker's.
    pub(crate) fn other(&self, datagram: &[u8]) -> Option<usize> {
        if self.others.len() < 2 {
            return None;
        }
        let worker = usize::from(self.ids.worker_of(datagram)?);
        (worker != self.worker && worker < self.others.len()).then_some(worker)
    }

    /// Hands a datagram over. Lost where the other worker has too many waiting, as on any full queue of a network.
    pub(crate) fn hand_over(&self, worker: usize, datagram: Datagram) {
        if let Some(other) = self.others.get(worker) {
            let _ = other.try_send(datagram);
        }
    }

    /// The next datagram that was handed to this worker.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Datagram> {
        let Ok(mut inbox) = self.inbox.lock() else {
            return Poll::Pending;
        };
        match inbox.poll_recv(cx) {
            Poll::Ready(Some(datagram)) => Poll::Ready(datagram),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Datagrams that wait for a worker at most.
const WAITING: usize = 1024;
