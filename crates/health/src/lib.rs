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
//!
//! Where all are well and it is still too much, [`Concurrency`] says how many the servers get at a time, and [`Sojourn`] which of
//! those that wait are refused.
//!
//! Of clients there is a [`Pace`]: whether one is too slow to be waited for. Of the process itself a [`Ceiling`]: whether it takes
//! too much memory.
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
mod ceiling;
mod check;
mod concurrency;
mod pace;
mod response_times;
mod retry_budget;
mod sojourn;

pub use availability::{Admission, Bounds, ByHand, Census, LastResort, Signs, WhenAllDown};
pub use breaker::{
    Breaker, BreakerSettings, BreakerState, Cause, Change, HALF_OPEN_REQUESTS_MAX,
    MIN_REQUESTS_MAX, Outcome, Pass, SlowCalls,
};
pub use ceiling::{Ceiling, Strain};
pub use check::{Check, CheckSettings, Verdict};
pub use concurrency::{Concurrency, ConcurrencySettings, Control, Limit, Observed};
pub use pace::{GRACE, Pace, SLACK};
pub use response_times::{Percentile, ResponseTimes};
pub use retry_budget::RetryBudget;
pub use sojourn::{Patience, Sojourn, SojournSettings};
