//! The atomics of this room: those of the standard library, or in a build with `--cfg loom` those by which a test tries
//! every order in which threads may meet.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
