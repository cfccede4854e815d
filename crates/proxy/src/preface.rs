//! What may come before the first byte of a connection: a PROXY protocol header with the client's true address.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use sluice_config::plan::ProxyProtocol;
use sluice_net::Stream;
use sluice_wire::proxy_protocol::{self, Client, Error, Header};

use crate::deadline::Deadline;
use crate::worker::Worker;

/// How long a header may take. It is the first packet of a connection that a proxy just opened.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What was learned before the protocol itself begins.
#[derive(Debug)]
pub(crate) struct Preface {
    /// The client's address: the header's, else the peer's.
    pub(crate) client: SocketAddr,
    /// What was received after the header.
    pub(crate) rest: Vec<u8>,
}

/// Why a connection cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrefaceError {
    /// The peer went away without a word.
    Closed,
    /// A malformed header, none where one is required, or none in time.
    Invalid,
}

/// Reads the header that `mode` asks for.
pub(crate) async fn read(
    stream: &mut Stream,
    peer: SocketAddr,
    mode: ProxyProtocol,
    deadline: &mut Deadline,
    worker: &Worker,
) -> Result<Preface, PrefaceError> {
    let mut received = Vec::new();
    if mode == ProxyProtocol::Off {
        return Ok(Preface {
            client: peer,
            rest: received,
        });
    }
    deadline.set(Instant::now() + TIMEOUT);
    loop {
        let outcome = match proxy_protocol::parse(&received) {
            Ok(Some((header, length))) => {
                received.drain(..length);
                Ok(client_of(&header).unwrap_or(peer))
            }
            Ok(None) => match receive(stream, &mut received, deadline, worker).await {
                Ok(()) => continue,
                // Whoever need not send a header need not send anything: the server may speak first.
                Err(Silence::Late) if mode == ProxyProtocol::Accept => Ok(peer),
                Err(Silence::Closed) if received.is_empty() => Err(PrefaceError::Closed),
                Err(Silence::Closed | Silence::Late) => Err(PrefaceError::Invalid),
            },
            Err(Error::Signature) if mode == ProxyProtocol::Accept => Ok(peer),
            Err(_) => Err(PrefaceError::Invalid),
        };
        return outcome.map(|client| Preface {
            client,
            rest: received,
        });
    }
}

/// Why no more bytes came.
pub(crate) enum Silence {
    Closed,
    Late,
}

/// Receives once, and appends that to `received`.
pub(crate) async fn receive(
    stream: &mut Stream,
    received: &mut Vec<u8>,
    deadline: &mut Deadline,
    worker: &Worker,
) -> Result<(), Silence> {
    poll_fn(|cx| {
        let mut scratch = worker.scratch();
        let Poll::Ready(count) = stream.poll_read(cx, scratch.head_area()) else {
            return deadline.poll(cx).map(|()| Err(Silence::Late));
        };
        Poll::Ready(match count {
            Ok(0) | Err(_) => Err(Silence::Closed),
            Ok(count) => {
                received.extend_from_slice(scratch.received(count));
                Ok(())
            }
        })
    })
    .await
}

fn client_of(header: &Header) -> Option<SocketAddr> {
    match header.client {
        Client::Addresses { source, .. } => {
            Some(SocketAddr::new(source.ip().to_canonical(), source.port()))
        }
        Client::Proxy | Client::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
