//! State that several balancers share: Redis, behind the few operations that there is a need for.
//!
//! A worker has a [`Store`] for each `[stores.NAME]`, with one connection that all its requests share. An operation takes as long as `timeout`
//! says at most; where the store is away it fails at once with [`Away`], and whoever asked goes on by what it knows. The connection is
//! made again in the meantime. What all workers know of a store is in [`Stores`], so that it is said once.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod connecting;
mod script;
mod standing;
mod store;

pub use script::Script;
pub use standing::{Standing, Stores};
pub use store::{Away, Store};
