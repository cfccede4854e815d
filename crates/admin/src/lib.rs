//! The admin listener: metrics, liveness, readiness, and what servers take.
//!
//! Runs on the control plane's runtime, beside the traffic and never in its way. Requests come in by [`mod@serve`], are let
//! through or refused by `token`, and answered by `routes` out of what [`AdminState`] shares.

mod key_sets;
mod listener;
mod routes;
mod serve;
mod servers;
mod sessions;
mod shifts;
mod stores;
mod token;

use std::sync::Arc;

use sluice_control::{LiveStores, Servers, Shifts};
use sluice_telemetry::{Readiness, Registry};

pub use listener::AdminListener;
pub use serve::{Limits, serve};
pub use token::Token;

/// What the admin listener shows, and to whom.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// The metrics behind `/metrics`.
    pub registry: Arc<Registry>,
    /// The state behind `/readyz`.
    pub readiness: Arc<Readiness>,
    /// The servers behind `/api/upstreams`.
    pub servers: Arc<Servers>,
    /// The stores behind `/api/stores`.
    pub stores: Arc<LiveStores>,
    /// The splits behind `/api/shifts`.
    pub shifts: Arc<Shifts>,
    /// What a client must know for everything but `/livez` and `/readyz`; `None` lets everybody in.
    pub token: Option<Token>,
}
