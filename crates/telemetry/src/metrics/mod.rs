//! Metrics: counted by each worker in shards of its own, added up when they are scraped.
//!
//! The request's way touches only `cell`s that one thread writes. [`Registry`] hands them out and [`Registry::render`]
//! adds them up. To add a metric: a field in `shards`, an entry in [`catalogue`], a line in `render`.

mod bad_request;
pub mod catalogue;
mod cell;
mod checks;
mod histogram;
mod kernel;
mod key_sets;
mod mirrors;
mod process;
mod rate_limit;
mod refusal;
mod registry;
mod render;
mod server_state;
mod shards;
mod shifts;
mod sides;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod totals;

pub use bad_request::BadRequest;
pub use cell::{Counter, CounterBy, Gauge, SharedCounter};
pub use checks::{CheckMetrics, CheckOutcome};
pub use histogram::{BOUNDS_NANOS, Histogram};
pub use key_sets::{KeySetMetrics, KeySetState};
pub use mirrors::{MirrorMetrics, MirrorOutcome};
pub use process::ProcessMetrics;
pub use rate_limit::{LimitOutcome, RateLimitMetrics};
pub use refusal::{Refusal, Refusals};
pub use registry::{Registry, Subject};
pub use render::CONTENT_TYPE;
pub use server_state::{ServerState, StateOf};
pub use shards::{
    AuthMetrics, AuthOutcome, BreakerCause, ConnectFailure, Crowded, DatagramDrop, EarlyData,
    Hello, ListenerMetrics, ResponseFailure, RouteMetrics, ServerMetrics, ServerNameMetrics,
    StatusClass, TlsFailure, TlsVersion, UpstreamMetrics, WorkerMetrics,
};
pub use shifts::{ShiftEnd, ShiftMetrics};
pub use sides::{SideMetrics, SideTotals};
pub use store::{StoreMetrics, StoreOutcome};
pub use totals::{ServerTotals, Totals};
