//! The kinds of check.

mod grpc;
mod http;
mod json;
mod tcp;
mod udp;

use std::cell::Cell;

use sluice_config::plan::CheckKind;

use crate::failure::{Failure, Step};
use crate::way::Way;

/// Does one check.
pub(crate) async fn check(way: &Way, kind: &CheckKind, step: &Cell<Step>) -> Result<(), Failure> {
    match kind {
        CheckKind::Tcp => tcp::check(way, step).await,
        CheckKind::Http(http) => http::check(way, http, step).await,
        CheckKind::Grpc { service } => grpc::check(way, service, step).await,
        CheckKind::Udp(udp) => udp::check(way, udp, step).await,
    }
}
