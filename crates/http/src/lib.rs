//! The HTTP engine: protocol only, no decisions.
//!
//! Bytes flow in from one side, heads and bodies flow out to the other. What a head leads to (which route, which
//! server, which answer) is decided a floor above.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

pub mod exchange;
pub mod h1;
pub mod h2;
pub mod h3;
mod scratch;
pub mod websocket;

pub use scratch::{Buffers, Scratch};
