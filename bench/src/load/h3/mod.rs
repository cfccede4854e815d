//! HTTP/3 as a load needs it: one request encoded once and asked again and again, answers looked at for their status and
//! their length.
//!
//! QUIC is `quinn-proto`, which does no I/O of its own, so that all connections share the load's one thread and one epoll.
//! `messages` encodes and looks into answers, `connection` is one connection, `clients` all of them.

mod clients;
mod connection;
mod messages;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::poll::{Event, Poll};
use super::{Clients as _, Tally};

pub(crate) use clients::H3Clients;

/// Makes one request to `address` and waits for its answer.
pub(crate) fn probe(address: SocketAddr, patience: Duration) -> io::Result<()> {
    let poll = Poll::new()?;
    let tally = Tally::default();
    let mut clients = H3Clients::new(address, "/1", 1, 1, 1).map_err(io::Error::other)?;
    clients.start(&poll)?;
    let mut events: Vec<Event> = Vec::with_capacity(16);
    let began = Instant::now();
    while tally.completed.load(Relaxed) == 0 {
        if let Some(why) = tally.first_error() {
            return Err(io::Error::other(why));
        }
        if began.elapsed() > patience {
            return Err(io::ErrorKind::TimedOut.into());
        }
        poll.wait(&mut events, PROBE_STEP)?;
        for event in &events {
            clients.ready(event.data.u64(), event.flags, &poll, &tally);
        }
        clients.turn(&poll, &tally);
    }
    Ok(())
}

const PROBE_STEP: Duration = Duration::from_millis(1);
