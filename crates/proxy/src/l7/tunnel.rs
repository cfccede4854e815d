//! After a switch of protocols (RFC 9110, 7.8): WebSocket and the like. Bytes both ways, as with TCP.

use std::future::poll_fn;
use std::time::Duration;

use sluice_telemetry::End;
use sluice_upstream::{Connection, InFlight};

use super::pipeline::After;
use super::serve::Downstream;
use crate::l4::{Duplex, DuplexEnd};
use crate::live::LiveListener;
use crate::trip::Trip;

/// How long both sides of a tunnel may be silent. Long: many applications rely on their own pings.
const IDLE: Duration = Duration::from_hours(1);

/// Joins client and server until both have ended. `place` counts the tunnel as in flight all the while.
pub(super) async fn run(
    downstream: &mut Downstream,
    listener: &LiveListener,
    trip: &mut Trip,
    mut server: Connection,
    for_client: Vec<u8>,
    place: &InFlight,
) -> After {
    let early = std::mem::take(&mut downstream.carry);
    // What is here already was counted when it was received.
    let (early_length, first_length) = (early.len() as u64, for_client.len() as u64);
    let mut duplex = Duplex::new(
        &mut downstream.stream,
        &mut server.stream,
        &downstream.worker,
        &mut downstream.deadline,
        IDLE,
    )
    .with_bytes_for_server(early)
    .with_bytes_for_client(for_client);
    let end = poll_fn(|cx| duplex.poll(cx)).await;
    let (from_client, from_server) = duplex.received();
    trip.tick();
    trip.request_body = from_client;
    trip.response_body += from_server - first_length;
    listener
        .metrics
        .bytes_received
        .add(from_client - early_length);
    listener.metrics.bytes_sent.add(from_server);
    let metrics = place.lane().metrics();
    metrics.bytes_sent.add(from_client);
    metrics.bytes_received.add(from_server - first_length);
    trip.end = match end {
        DuplexEnd::Complete => End::Ok,
        DuplexEnd::ClientBroke => End::ClientClosed,
        DuplexEnd::ServerBroke => End::UpstreamClosed,
        DuplexEnd::Idle => End::IdleTimeout,
    };
    After::Close
}
