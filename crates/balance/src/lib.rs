//! Balancing policies: which server takes the next request.
//!
//! The servers' weights flow in when an upstream is built, and with each request the knowledge of which servers can take
//! it now; the index of one of these flows out. One algorithm a file. Pure: no I/O, no clock, and chance only as a seed.
//!
//! ```text
//! Policy ── zones, subsets, backups ──► Tier ── failing servers, slow start ──► Algorithm ── one of round_robin, random, …
//!                                         └─ Survey: what is usual in the tier    └─ View: the tier as an algorithm sees it
//!                                                         Load: what is learned of a server, shared by all workers
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod algorithm;
mod atomic;
mod bounded_load;
mod c3;
mod consistent_hash;
mod decaying;
mod key;
mod keyed;
mod kind;
mod latency_by_load;
mod least_bandwidth;
mod least_connections;
mod least_response_time;
mod load;
mod maglev;
mod peak_ewma;
mod policy;
mod power_of_two;
mod prequal;
mod probe;
mod random;
mod rendezvous;
mod round_robin;
mod scan;
mod servers;
mod subset;
mod survey;
mod tier;
mod view;

pub use key::key_hash;
pub use kind::{Kind, Signals};
pub use load::{COLDEST, Load, Report};
pub use policy::{Policy, Settings};
pub use prequal::Probes;
pub use probe::Probe;
pub use scan::Sample;
pub use servers::{Ask, ServerShape, Servers};
pub use subset::Subset;
