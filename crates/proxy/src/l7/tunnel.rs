//! After a switch of protocols (RFC 9110, 7.8): WebSocket and the like. Bytes both ways, as with TCP.

use std::future::poll_fn;
use std::time::Instant;

use sluice_telemetry::End;
use sluice_upstream::{Connection, InFlight};

use super::pipeline::After;
use super::serve::Downstream;
use crate::l4::{Duplex, DuplexEnd, Tally};
use crate::live::LiveListener;
use crate::trip::Trip;

/// Joins client and server until both have ended. `place` counts the tunnel as in flight all the while.
pub(super) async fn run(
    downstream: &mut Downstream,
    listener: &LiveListener,
    trip: &mut Trip,
    mut server: Box<Connection>,
    for_client: Vec<u8>,
    place: &InFlight,
) -> After {
    let early = std::mem::take(&mut downstream.carry);
    // It is an http listener as long as the request lasts.
    let timeout = listener
        .http()
        .map(|http| http.tunnel_timeout)
        .unwrap_or_default();
    let (listener, server_side) = (&listener.metrics, place.lane().metrics());
    // What is here already was counted when it was received, and goes out now.
    let mut tally = Tally {
        from_client: early.len() as u64,
        from_server: for_client.len() as u64,
    };
    server_side.bytes_sent.add(tally.from_client);
    listener.bytes_sent.add(tally.from_server);
    trip.request_body = tally.from_client;
    let mut duplex = Duplex::new(
        &mut downstream.stream,
        &mut server.stream,
        &downstream.worker,
        &mut downstream.deadline,
        timeout,
    )
    .with_bytes_for_server(early)
    .with_bytes_for_client(for_client);
    let end = poll_fn(|cx| {
        let end = duplex.poll(cx);
        let before = tally;
        tally.advance(duplex.received(), listener, Some(server_side));
        trip.request_body += tally.from_client - before.from_client;
        trip.response_body += tally.from_server - before.from_server;
        if let Some(cluster) = trip.cluster.as_ref().filter(|one| one.counts_bytes()) {
            let moved = tally.total() - before.total();
            cluster.moved(place.lane(), Instant::now(), moved);
        }
        end
    })
    .await;
    trip.tick();
    trip.end = match end {
        DuplexEnd::Complete => End::Ok,
        DuplexEnd::ClientBroke => End::ClientClosed,
        DuplexEnd::ServerBroke => End::UpstreamClosed,
        DuplexEnd::Idle => End::IdleTimeout,
    };
    After::Close
}
