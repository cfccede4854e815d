//! `udp`: a datagram is answered.

use std::cell::Cell;
use std::os::fd::AsFd as _;

use sluice_config::plan::UdpCheck;
use sluice_telemetry::metrics::CheckOutcome;
use tokio::net::UdpSocket;

use super::http::excerpt;
use crate::failure::{Failure, Step};
use crate::way::Way;

pub(super) async fn check(way: &Way, udp: &UdpCheck, step: &Cell<Step>) -> Result<(), Failure> {
    let association = way.associate()?;
    step.set(Step::Answer);
    let socket = association.socket.as_fd().try_clone_to_owned()?;
    let socket = UdpSocket::from_std(socket.into())?;
    socket.send(&udp.send).await?;
    let mut answer = vec![0; MOST];
    // What answers something else may still come to it: the time is bounded.
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    match &udp.expect {
        Some(pattern) if !pattern.matches(&answer) => {
            let reason = format!("answer {}, expected `{pattern}`", excerpt(&answer));
            Err(Failure::new(CheckOutcome::Body, reason))
        }
        _ => Ok(()),
    }
}

/// The longest datagram.
const MOST: usize = 1 << 16;
