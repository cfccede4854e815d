//! Balancing policies: which server takes the next request.
//!
//! The servers' weights flow in when an upstream is built, and with each request the knowledge of which servers can take
//! it now; the index of one of these flows out. One algorithm a file. Pure: no I/O, no clock, and chance only as a seed.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod policy;
mod round_robin;

pub use policy::{Kind, Policy, ServerShape};
pub use round_robin::RoundRobin;
