//! Who is well: what checks and traffic tell of a server, and whether it may take a request.
//!
//! Outcomes and the time flow in, decisions flow out. Pure: no I/O, no clock, and chance only as an argument.
//!
//! ```text
//!   requests ──► Breaker ──┐
//!   checks ────► Check ────┼──► Signs ────► Census ──► Admission
//!   by hand ───────────────┘   of each      of all     of each
//! ```
//!
//! Of each server there is a [`Breaker`], which all workers tell what becomes of their requests, and a [`Check`], which
//! belongs to whoever does the checks. [`Census`] joins both with what was set by hand, by the bounds that hold for an
//! upstream.
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
mod availability;
mod breaker;
mod check;
mod retry_budget;

pub use availability::{Admission, Bounds, ByHand, Census, LastResort, Signs, WhenAllDown};
pub use breaker::{
    Breaker, BreakerSettings, BreakerState, Cause, Change, HALF_OPEN_REQUESTS_MAX,
    MIN_REQUESTS_MAX, Outcome, Pass, SlowCalls,
};
pub use check::{Check, CheckSettings, Verdict};
pub use retry_budget::RetryBudget;
