//! How much each client may have: so many requests in a time, and so many at a time.
//!
//! A key and the time flow in, a verdict flows out. Pure: no I/O and no clock, and keys are hashed by whoever asks, with a secret.
//!
//! ```text
//!   Quota ──► Meter ─┐   what a key's word means: a bucket, or counts of windows
//!                    ├──► Limiter ──► Verdict, Standing
//!   Table ───────────┘   a word for each key, shared by all threads
//! ```
//!
//! A [`Limiter`] says whether one more is allowed now, later or not at all. [`Concurrent`] counts what is under way.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod atomic;
mod bucket;
mod concurrent;
mod leases;
mod limiter;
mod meter;
mod quota;
mod table;
mod window;

pub use concurrent::Concurrent;
pub use leases::{Lease, Leases};
pub use limiter::{Limiter, Taken, Verdict};
pub use meter::Standing;
pub use quota::{Algorithm, Quota, QuotaError, Rate};
