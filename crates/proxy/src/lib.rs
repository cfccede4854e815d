//! The data plane: from listener to server and back.
//!
//! A [`WorkerThread`] is a thread with its own reactor, listeners and upstream connections. A connection lives and dies on
//! one worker, so its state is plain cells. Plans flow in from the control plane as [`Command`]s; facts flow out as
//! metrics and access-log lines.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod accept;
mod aside;
mod auth;
mod clock;
mod connections;
mod crowd;
mod deadline;
mod key_set;
mod l4;
mod l7;
mod limits;
mod live;
mod memory;
mod mirror;
mod preface;
mod queue;
mod quic;
#[cfg(test)]
mod rig;
mod secure;
mod split;
mod split_weights;
mod trip;
mod udp;
mod upstream_preface;
mod worker;

pub use crowd::Crowds;
pub use key_set::{KeySet, KeySets, Phase};
pub use limits::Limits;
pub use memory::Memory;
pub use split_weights::{SplitWeights, Splits, WeighedSide};
pub use worker::{Ciphers, Command, Generation, NewQuic, NewSocket, Reweighing, WorkerThread};
